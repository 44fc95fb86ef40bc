"""Failures planted in small fits, and found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA

import poems
from poems.data.container import MultiOmics, View
from poems.diagnosis.check import Diagnosis
from poems.errors import DataError
from poems.fitting.diagnosing import diagnosed
from poems.fitting.fit import Callback
from poems.fitting.result import FittedPoems
from poems.simulation.cohort import Simulation
from poems.training.loop import Epoch

SMALL: dict[str, Any] = {"seed": 0, "batch_size": 24, "n_latent": 6, "progress": False}


def small(cohort: MultiOmics, *, epochs: int = 110, **options: Any) -> FittedPoems:
    return poems.fit(cohort, **(SMALL | {"epochs": epochs} | options))


def noise_view(n_samples: int, n_features: int) -> View:
    values = np.random.default_rng(0).normal(size=(n_samples, n_features)).astype(np.float32)
    features = pd.Index([f"noise_{j}" for j in range(n_features)])
    return View(values, features, np.ones(n_samples, dtype=bool))


def values(diagnosis: Diagnosis, signature: str, quantity: str = "") -> dict[str, float]:
    """Values of a signature's checks by view or factor, the latest samples' last."""
    return {
        check.view or check.factor or "": check.value
        for check in diagnosis.checks
        if check.signature == signature and check.quantity.startswith(quantity)
        if check.value is not None
    }


@pytest.fixture(scope="module")
def one_sided() -> MultiOmics:
    """A view of strong signal and one of noise alone."""
    made = poems.simulate(
        n_samples=72, n_features={"rna": 60}, n_factors=3, density=0.4, effect=(2, 4), seed=1
    )
    return replace(made.cohort, views={**made.cohort.views, "noise": noise_view(72, 30)})


@pytest.fixture(scope="module")
def with_noise_view(one_sided: MultiOmics) -> FittedPoems:
    return small(one_sided, n_latent=4)


def test_a_healthy_fit_is_clean(fitted: FittedPoems) -> None:
    diagnosis = fitted.diagnose()
    assert diagnosis is fitted.diagnosis
    assert diagnosis.signatures == ()
    assert str(diagnosis) == "no failure signature"
    # Of six factors for three some are spare: worth a note, no failure.
    assert {f.code for f in diagnosis.findings} <= {"factors-unused", "posterior-collapsed"}
    assert set(diagnosis.findings) <= set(fitted.findings)
    judged = diagnosis.table.query("verdict != 'not judged'")["signature"]
    assert set(judged) == {
        *["gate-collapsed", "gate-one-view-a-sample", "one-view-decides"],
        *["posterior-collapsed", "posterior-overconfident", "loadings-dense", "factors-unused"],
        *["badly-reconstructed", "explains-nothing", "not-converged"],
    }


@pytest.mark.parametrize(
    "options",
    [
        {"prior": "mixture", "n_components": 3},
        # A mixture of experts trained faster may settle on one of them, which is a finding.
        {"fusion": "moe", "learning_rate": 4e-3},
        # Without sparsity it fits ever closer, unless its learning rate falls early.
        {"decoder": "dense", "ramp_start": 0.2, "ramp_end": 0.5, "learning_rate": 3e-3},
    ],
    ids=str,
)
def test_other_healthy_models_are_clean(simulation: Simulation, options: dict[str, Any]) -> None:
    assert small(simulation.cohort, **options).diagnose().signatures == ()


@pytest.mark.slow
def test_the_default_fit_of_the_default_simulation_is_clean() -> None:
    simulated = poems.simulate(seed=0)
    model = poems.fit(simulated.cohort, seed=0, progress=False)
    assert model.diagnose().signatures == ()
    (supported,) = (c for c in model.diagnose().checks if c.quantity == "components above noise")
    assert supported.value == 8


def test_a_view_of_noise_collapses_the_gate_and_is_not_reconstructed(
    with_noise_view: FittedPoems,
) -> None:
    diagnosis = with_noise_view.diagnose()
    assert diagnosis.signatures == ("gate-collapsed",), "of an empty view the model can say nothing"
    gate = next(f for f in diagnosis.findings if f.code == "gate-collapsed")
    assert gate.view == "rna"
    assert "gate='equal'" in gate.message
    bad = [f for f in diagnosis.findings if f.code == "badly-reconstructed"]
    assert [finding.view for finding in bad] == ["noise"]
    assert "neither does PCA beyond what it makes of noise" in bad[0].message


def test_an_equal_gate_cannot_collapse_but_an_expert_can_decide_alone(
    one_sided: MultiOmics,
) -> None:
    # Features as strong as these say the same, and outvote the other view if each counts in full.
    made = small(one_sided, n_latent=4, gate="equal", redundancy="none")
    signatures = made.diagnose().signatures
    assert "one-view-decides" in signatures
    assert "gate-collapsed" not in signatures


def severity(diagnosis: Diagnosis, code: str) -> str | None:
    """How bad a finding is, of which there is one at most."""
    found = [finding.severity for finding in diagnosis.findings if finding.code == code]
    assert len(found) <= 1
    return found[0] if found else None


def shut(model: FittedPoems) -> FittedPoems:
    """Bias the gate's last layer towards the second view."""
    module = copy.deepcopy(model.module)
    network: Any = module.gate.network
    network[-1].bias.add_(torch.tensor([0.0, 20.0]))
    return replace(model, module=module)


def test_a_gate_shut_by_its_bias_is_found(
    fitted_incomplete: FittedPoems, incomplete: MultiOmics
) -> None:
    batch, _ = fitted_incomplete.preprocessing.apply(incomplete)
    assert "gate-collapsed" not in fitted_incomplete.diagnose().signatures
    model = shut(fitted_incomplete)
    heard_both = diagnosed(model, batch, None).diagnose()
    assert severity(heard_both, "gate-collapsed") == "note", "exact posteriors do not go by it"
    by_encoders = replace(model.sample_estimates, shares=None)
    diagnosis = diagnosed(replace(model, sample_estimates=by_encoders), batch, None).diagnose()
    assert "gate-collapsed" in diagnosis.signatures
    # Among samples with both views; those with the first alone do not dilute it.
    assert values(diagnosis, "gate-collapsed")["protein"] == pytest.approx(1.0, abs=1e-3)
    # The same on samples that are not among those of the fit.
    renamed = replace(
        incomplete,
        samples=incomplete.samples + "_new",
        obs=incomplete.obs.set_axis(incomplete.samples + "_new"),
    )
    assert severity(model.diagnose(renamed), "gate-collapsed") == "note"
    assert severity(fitted_incomplete.diagnose(renamed), "gate-collapsed") is None


def test_dense_loadings_are_found(simulation: Simulation) -> None:
    model = small(simulation.cohort, lambda_spike_scale=0.001, epochs=40)
    diagnosis = model.diagnose()
    assert "loadings-dense" in diagnosis.signatures
    (dense,) = (f for f in diagnosis.findings if f.code == "loadings-dense")
    assert dense.items == ("rna", "protein")
    assert "lambda_spike_scale" in dense.message


def test_a_heavy_kl_term_collapses_the_posterior(simulation: Simulation) -> None:
    diagnosis = small(simulation.cohort, kl_weight=30.0, epochs=60).diagnose()
    assert {"posterior-collapsed", "explains-nothing"} <= set(diagnosis.signatures)
    collapsed = next(f for f in diagnosis.findings if f.code == "posterior-collapsed")
    assert "KL collapse" in collapsed.message
    assert "lower kl_weight (30 here)" in collapsed.message


def test_without_a_kl_term_the_posterior_is_overconfident(simulation: Simulation) -> None:
    model = small(simulation.cohort, kl_weight=0.0)
    diagnosis = model.diagnose()
    assert "posterior-overconfident" in diagnosis.signatures
    assert max(values(diagnosis, "posterior-overconfident").values()) < 0.1
    finding = next(f for f in diagnosis.findings if f.code == "posterior-overconfident")
    assert "raise kl_weight (0 here)" in finding.message


def test_too_few_epochs_have_not_converged(simulation: Simulation) -> None:
    model = small(simulation.cohort, epochs=15, learning_rate=1e-3, final_learning_rate=1.0)
    assert model.diagnose().signatures == ("not-converged",)
    assert "not-converged" in [finding.code for finding in model.findings]


def test_training_that_ends_before_the_sparsity_says_so(simulation: Simulation) -> None:
    signatures = small(simulation.cohort, epochs=20, ramp_end=1.0).diagnose().signatures
    assert "sparsity-incomplete" in signatures
    dense = small(simulation.cohort, epochs=20, ramp_end=1.0, decoder="dense").diagnose()
    assert "sparsity-incomplete" not in dense.signatures


def interrupt_at(epoch: int) -> Callback:
    def callback(row: Epoch) -> None:
        if row.epoch == epoch:
            raise KeyboardInterrupt

    return callback


@pytest.mark.parametrize("decoder", ["sparse", "dense"])
def test_an_interrupt_is_told_in_the_decoders_words(simulation: Simulation, decoder: str) -> None:
    model = small(simulation.cohort, decoder=decoder, progress=interrupt_at(3))
    (finding,) = (f for f in model.findings if f.code == "interrupted-early")
    told = f"{finding.message} {model.status}"
    assert ("spars" in told) == (decoder == "sparse")


def test_spare_factors_and_missing_ones_are_notes(simulation: Simulation) -> None:
    many = small(simulation.cohort, n_latent=16)
    assert many.n_active < 16
    assert many.diagnose().signatures == ()
    notes = {f.code: f for f in many.diagnose().findings}
    assert f"{16 - many.n_active} of 16" in notes["factors-unused"].message

    made = poems.simulate(
        n_samples=100, n_features=60, n_views=2, n_factors=8, density=0.2, effect=(2, 3), seed=0
    )
    few = small(made.cohort, n_latent=3, epochs=60).diagnose()
    assert few.signatures == (), "what was found is none the worse for what may be missing"
    finding = next(f for f in few.findings if f.code == "factors-all-used")
    assert "8 principal components stand out" in finding.message
    assert "n_latent=6" in finding.message


def test_a_model_without_factors_says_so(fitted: FittedPoems, simulation: Simulation) -> None:
    module = copy.deepcopy(fitted.module)
    for _, decoder in module.sparse_decoders():
        decoder.loadings.zero_()
    zero = {name: torch.zeros_like(x) for name, x in fitted.feature_estimates.size.items()}
    pruned = replace(
        fitted, module=module, feature_estimates=replace(fitted.feature_estimates, size=zero)
    )
    batch, _ = fitted.preprocessing.apply(simulation.cohort)
    assert "no-factors" in diagnosed(pruned, batch, None).diagnose().signatures
    assert "no-factors" in replace(pruned, diagnosis=None).diagnose().signatures


@pytest.fixture(scope="module")
def split() -> tuple[FittedPoems, MultiOmics, MultiOmics]:
    """A model, the samples that it was fitted to, and others."""
    made = poems.simulate(
        n_samples=112, n_features={"rna": 40, "protein": 30}, n_factors=3, density=0.2, seed=1
    ).cohort
    views = {**made.views, "noise": noise_view(112, 25)}
    cohort = replace(made, views=views)
    training = cohort.take(np.arange(72))
    return small(training, epochs=60), training, cohort.take(np.arange(72, 112))


def test_held_out_reconstruction_is_that_of_plain_arithmetic(
    split: tuple[FittedPoems, MultiOmics, MultiOmics],
) -> None:
    model, training, new = split
    diagnosis = model.diagnose(held_out=new)
    found = diagnosis.table.query("samples == 'held out' and signature == 'badly-reconstructed'")
    by_quantity = found.pivot(index="view", columns="quantity", values="value")

    blocks = {}
    for part, cohort in (("training", training), ("new", new)):
        scaled = {}
        for name in cohort.views:
            before = training.frame(name)
            limits = model.preprocessing.views[name]
            clipped = cohort.frame(name).clip(limits.lower, limits.upper, axis=1)
            scaled[name] = ((clipped - before.mean()) / before.std(ddof=0)).to_numpy()
        blocks[part] = scaled
    stacked = {
        part: np.hstack([x / np.sqrt(x.shape[1]) for x in scaled.values()])
        for part, scaled in blocks.items()
    }
    pca = PCA(model.n_active).fit(stacked["training"])
    projected = pca.inverse_transform(pca.transform(stacked["new"]))
    at = 0
    for name, x in blocks["new"].items():
        width = x.shape[1]
        fitted = projected[:, at : at + width] * np.sqrt(width)
        at += width
        expected = 1 - ((x - fitted) ** 2).sum() / (x**2).sum()
        assert by_quantity.loc[name, "R² of PCA"] == pytest.approx(expected, abs=0.01)
        table = model.reconstruct(new)[name]
        before = training.frame(name)
        predicted = ((table - before.mean()) / before.std(ddof=0)).to_numpy()
        expected = 1 - ((x - predicted) ** 2).sum() / (x**2).sum()
        assert by_quantity.loc[name, "R² with the background"] == pytest.approx(expected, abs=0.01)
        # The factors alone, which are what is judged.
        projected_new = model.transform(new)
        assert projected_new.background is not None
        dense = model.module.background
        scores = torch.from_numpy(projected_new.background.to_numpy().astype(np.float32))
        z = torch.zeros(len(scores), dense.n_latent)
        z[:, model.active] = torch.from_numpy(projected_new.latent.to_numpy().astype(np.float32))
        z *= model.orientation
        added = dense.predict(scores, z).split(list(dense.sizes), dim=1)
        predicted -= added[list(new.views).index(name)].numpy()
        expected = 1 - ((x - predicted) ** 2).sum() / (x**2).sum()
        assert by_quantity.loc[name, "R²"] == pytest.approx(expected, abs=0.01)


def test_held_out_samples_are_judged_in_place_of_those_of_the_fit(
    split: tuple[FittedPoems, MultiOmics, MultiOmics],
) -> None:
    model, _, new = split
    diagnosis = model.diagnose(held_out=new)
    assert diagnosis.signatures == ()
    (bad,) = (f for f in diagnosis.findings if f.code == "badly-reconstructed")
    assert (bad.view, bad.severity) == ("noise", "note"), "it held nothing in training either"
    table = diagnosis.table
    of_fit = table.query("samples == 'training' and signature == 'badly-reconstructed'")
    assert set(of_fit["verdict"]) == {"not judged"}, "there to compare with"
    # The posterior, the loadings and the training are those of the fit.
    assert "posterior-collapsed" in set(table.query("samples == 'training'")["signature"])
    of_fit = model.diagnose().table.query("verdict == 'note' and view == 'noise'")
    assert set(of_fit["samples"]) == {"training"}, "nothing was changed"


def test_samples_of_the_fit_are_not_held_out(
    split: tuple[FittedPoems, MultiOmics, MultiOmics],
) -> None:
    model, training, new = split
    some = training.take(np.arange(12))
    diagnosis = model.diagnose(held_out=some)
    assert "not-held-out" in diagnosis.signatures
    assert any("12 samples of 12 bear the name" in f.message for f in diagnosis.findings)
    assert "not-held-out" not in model.diagnose(held_out=new).signatures


def test_few_held_out_samples_leave_the_verdict_to_the_fit(
    split: tuple[FittedPoems, MultiOmics, MultiOmics],
) -> None:
    model, _, new = split
    table = model.diagnose(held_out=new.take(np.arange(5))).table
    views = table.query("signature == 'badly-reconstructed' and quantity == 'R²'")
    assert set(views.query("samples == 'held out'")["verdict"]) == {"not judged"}
    assert set(views.query("samples == 'training'")["verdict"]) == {"ok", "note"}


def test_a_subset_of_views_and_tables_can_be_held_out(
    split: tuple[FittedPoems, MultiOmics, MultiOmics],
) -> None:
    model, _, new = split
    diagnosis = model.diagnose(held_out={"rna": new.frame("rna")})
    assert "view-absent" in [finding.code for finding in diagnosis.findings]
    held_out = diagnosis.table.query("samples == 'held out'")
    assert set(held_out["view"].dropna()) == {"rna"}
    with pytest.raises(DataError, match="none of the model's views"):
        model.diagnose(held_out={"x": new.frame("rna")})


def test_what_the_fit_held_out_is_used(simulation: Simulation) -> None:
    model = small(simulation.cohort, stopping="held_out", held_out=0.25, epochs=40)
    table = model.diagnose().table.query("quantity == 'R²'").set_index(["samples", "view"])
    assert set(table.loc["held out", "verdict"]) == {"ok"}
    assert set(table.loc["training", "verdict"]) == {"not judged"}
    few = small(simulation.cohort, stopping="held_out", held_out=0.05, epochs=10)
    table = few.diagnose().table.query("quantity == 'R²'").set_index(["samples", "view"])
    assert set(table.loc["held out", "verdict"]) == {"not judged"}


def test_diagnosing_changes_nothing(
    split: tuple[FittedPoems, MultiOmics, MultiOmics],
) -> None:
    model, _, new = split
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    state = torch.get_rng_state()
    one, other = model.diagnose(held_out=new), model.diagnose(held_out=new)
    assert one == other
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in model.module.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not model.module.training


def test_models_without_a_diagnosis_are_diagnosed_from_their_tables(
    with_noise_view: FittedPoems, make_cohort: Callable[..., MultiOmics]
) -> None:
    stored = with_noise_view.diagnose()
    old = replace(with_noise_view, diagnosis=None, principal_axes=None)
    from_tables = old.diagnose()
    # Whether the view holds anything cannot be told without the data.
    assert set(from_tables.signatures) == {*stored.signatures, "badly-reconstructed"}
    assert from_tables.table["quantity"].isin(stored.table["quantity"]).all()
    new = make_cohort(noise=np.random.default_rng(1).normal(size=(12, 30)))
    new = replace(new, views={"noise": replace(new["noise"], features=old.features("noise"))})
    held_out = old.diagnose(held_out=new)
    assert "R² of PCA" not in set(held_out.table["quantity"])
