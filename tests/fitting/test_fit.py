from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

import poems
from poems.data.container import MultiOmics, View
from poems.errors import DataError, SettingsError, TrainingError
from poems.fitting.result import FittedPoems
from poems.settings.schema import Settings
from poems.simulation.cohort import Simulation
from poems.training.loop import Epoch, Status

QUICK = {"epochs": 3, "n_latent": 4, "encoder_layers": (16,), "decoder_hidden": 8}


def quick(cohort: object, **options: object) -> FittedPoems:
    return poems.fit(cohort, **({"seed": 0, "progress": False} | QUICK | options))


def assert_same(one: FittedPoems, other: FittedPoems) -> None:
    """Equal in every bit of the model and its tables."""
    pd.testing.assert_frame_equal(one.latent, other.latent, check_exact=True)
    pd.testing.assert_frame_equal(one.history, other.history, check_exact=True)
    states = one.module.state_dict(), other.module.state_dict()
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def assert_finite(model: FittedPoems) -> None:
    frames = [model.latent, model.latent_variance, model.gates, model.history]
    frames += [*model.loadings.values(), *model.inclusion.values()]
    frames += [*model.weights.values(), *model.reconstruct().values()]
    if model.component_probabilities is not None:
        frames.append(model.component_probabilities)
    for frame in frames:
        assert np.isfinite(frame.to_numpy()).all()
    assert np.isfinite(model.r2.to_numpy()).all()
    assert (model.latent_variance.to_numpy() > 0).all()


@pytest.mark.parametrize(
    ("gate", "fusion", "prior", "decoder"),
    list(
        itertools.product(
            ["learned", "linear", "equal"],
            ["poe", "poe_prior", "moe"],
            ["normal", "mixture"],
            ["sparse", "dense"],
        )
    ),
)
def test_every_combination_fits_an_incomplete_cohort(
    incomplete: MultiOmics, gate: str, fusion: str, prior: str, decoder: str
) -> None:
    model = quick(
        incomplete, epochs=2, gate=gate, fusion=fusion, prior=prior, decoder=decoder, n_components=3
    )
    assert_finite(model)
    assert (model.component_probabilities is None) == (prior == "normal")
    assert set(model.weights) == (set(incomplete.views) if decoder == "sparse" else set())


@pytest.mark.parametrize("changes", [
    {"proximal": False},
    {"density_ratio": False, "theta_b": 0.01},
    {"slab": False, "lambda_spike_scale": 1.0},
    {"decoder_dropout": 0.3, "normalise": False},
    {"start": "random"},
    {"scale": "minmax", "winsorise": None},
    {"scale": "none"},
    {"most_variable": 10},
    {"reduction": "mean"},
    {"n_latent": 1},
    {"n_latent": 40},
    {"encoder_layers": ()},
    {"batch_size": 1, "epochs": 1},
    {"batch_size": 71, "stopping": "held_out"},
    {"lambda_spike": 1e6, "ramp_start": 0.0, "ramp_end": 0.0},
    {"kl_weight": 0.0, "kl_warmup": 0.0},
], ids=str)  # fmt: skip
def test_every_setting_can_be_used(incomplete: MultiOmics, changes: dict[str, object]) -> None:
    assert_finite(quick(incomplete, **changes))


def test_the_published_settings_can_be_used(simulation: Simulation) -> None:
    model = quick(simulation.cohort, settings="paper", n_latent=32, decoder_hidden=100)
    assert_finite(model)
    assert model.n_active == 32
    assert model.settings.training.stopping == "held_out"
    assert "held_out" in model.history
    assert len(model.latent) == 72


@pytest.mark.parametrize("n_features", [1, 2, 3])
def test_views_of_few_features_can_be_fitted(n_features: int) -> None:
    cohort = poems.simulate(40, {"few": n_features, "more": 20}, 2, n_subtypes=2, seed=0).cohort
    for settings in ("default", "paper"):
        assert_finite(quick(cohort, settings=settings, epochs=10))


def test_a_single_view_is_enough(simulation: Simulation) -> None:
    model = quick(simulation.cohort.select(["rna"]))
    assert_finite(model)
    assert (model.gates == 1).all().all()


def test_a_mapping_of_tables_is_read(simulation: Simulation) -> None:
    tables = {name: simulation.cohort.frame(name) for name in simulation.cohort}
    assert_same(quick(tables), quick(simulation.cohort))


def test_refits_are_equal_in_every_bit(incomplete: MultiOmics) -> None:
    options = {"decoder_dropout": 0.2, "fusion": "moe", "prior": "mixture"}
    first = quick(incomplete, **options)
    torch.manual_seed(999)
    torch.rand(17)
    assert_same(first, quick(incomplete, **options))
    other = quick(incomplete, **options, seed=1)
    assert not first.latent.equals(other.latent)


def test_checkpoints_do_not_change_the_result(simulation: Simulation, tmp_path: Path) -> None:
    path = tmp_path / "part.poems"
    options = {"decoder_dropout": 0.2, "epochs": 5}
    plain = quick(simulation.cohort, **options)
    checked = quick(simulation.cohort, **options, checkpoint=path, checkpoint_every=2)
    assert_same(plain, checked)
    saved = poems.load(path)
    assert saved.status == Status.UNFINISHED.value
    assert len(saved.history) == 4
    pd.testing.assert_frame_equal(saved.history, plain.history.iloc[:4], check_exact=True)
    assert_finite(saved)


@pytest.mark.parametrize("fails", [False, True])
def test_torchs_generator_and_threads_are_put_back(simulation: Simulation, fails: bool) -> None:
    def callback(row: Epoch) -> None:
        assert torch.get_num_threads() == 2
        if fails:
            raise RuntimeError("from the callback")

    before = torch.get_num_threads()
    torch.manual_seed(42)
    expected = torch.rand(3)
    torch.manual_seed(42)
    failure = pytest.raises(RuntimeError, match="from the callback") if fails else nullcontext()
    with failure:
        quick(simulation.cohort, epochs=2, threads=2, progress=callback)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == before
    # Denormal numbers are not flushed any more.
    assert torch.tensor(1e-40).mul(1.0).item() > 0


def test_the_number_of_cores_changes_no_bit() -> None:
    cohort = poems.simulate(n_samples=250, n_features=60, seed=0).cohort
    found = []
    for cores in (1, 2):
        with ThreadpoolController().limit(limits=cores, user_api="blas"):
            found.append(quick(cohort, epochs=2))
    assert_same(*found)
    assert np.array_equal(found[0].network, found[1].network)


def test_interrupted_training_gives_a_model(simulation: Simulation, tmp_path: Path) -> None:
    def callback(row: Epoch) -> None:
        if row.epoch == 2:
            raise KeyboardInterrupt

    model = quick(simulation.cohort, progress=callback)
    assert model.status == Status.INTERRUPTED_EARLY.value
    assert len(model.history) == 2
    assert_finite(model)
    model.save(tmp_path / "x.poems")
    assert poems.load(tmp_path / "x.poems").status == Status.INTERRUPTED_EARLY.value


def test_an_interrupt_before_the_first_epoch_is_passed_on(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("poems.training.loop._train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quick(simulation.cohort)


def test_garbage_in_unmeasured_rows_changes_no_bit(
    incomplete: MultiOmics, spoil: Callable[[MultiOmics], MultiOmics]
) -> None:
    for options in ({}, {"winsorise": None, "stopping": "held_out"}):
        clean, spoiled = quick(incomplete, **options), quick(spoil(incomplete), **options)
        assert_same(clean, spoiled)
        assert clean.r2.equals(spoiled.r2)
        assert clean.transform(incomplete).latent.equals(
            spoiled.transform(spoil(incomplete)).latent
        )


def test_held_out_samples_are_in_the_tables(simulation: Simulation) -> None:
    model = quick(simulation.cohort, stopping="held_out", held_out=0.3)
    assert model.latent.index.equals(simulation.cohort.samples)
    assert model.history["held_out"].notna().all()


def test_named_samples_are_watched_in_place_of_a_random_share(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}
    real = poems.fitting.fit.train

    def spy(module: object, data: object, *args: object, **kwargs: object) -> object:
        seen["train"], seen["held_out"] = data, kwargs["held_out"]
        return real(module, data, *args, **kwargs)

    monkeypatch.setattr(poems.fitting.fit, "train", spy)
    names = list(simulation.cohort.samples[[40, 3, 5]])
    model = quick(simulation.cohort, stopping="held_out", validation=names)
    assert model.latent.index.equals(simulation.cohort.samples)
    data, _ = model.preprocessing.apply(simulation.cohort)
    for view, values in data.values.items():
        assert torch.equal(seen["held_out"].values[view], values[[40, 3, 5]])
        others = [row for row in range(len(values)) if row not in (40, 3, 5)]
        assert torch.equal(seen["train"].values[view], values[others])


def test_validation_samples_must_be_there_and_of_use(simulation: Simulation) -> None:
    cohort, options = simulation.cohort, {"stopping": "held_out"}
    with pytest.raises(SettingsError, match="only stopping='held_out' does; it is 'plateau'"):
        quick(cohort, validation=list(cohort.samples[:3]))
    with pytest.raises(DataError, match="samples that the cohort lacks: nobody"):
        quick(cohort, validation=[cohort.samples[0], "nobody"], **options)
    with pytest.raises(SettingsError, match="validation is empty"):
        quick(cohort, validation=[], **options)
    with pytest.raises(SettingsError, match="validation leaves 1 of 72 samples for training"):
        quick(cohort, validation=list(cohort.samples[1:]), **options)


@pytest.mark.parametrize("held_out", [0.99, 0.999])
def test_holding_out_nearly_all_is_refused(simulation: Simulation, held_out: float) -> None:
    with pytest.raises(
        SettingsError, match=r"leaves [01] of 72 samples for training.*Hold out fewer"
    ):
        quick(simulation.cohort, stopping="held_out", held_out=held_out)


def test_a_feature_that_varies_among_the_held_out_alone(simulation: Simulation) -> None:
    # Every sample in turn is the only one that differs, so that some are held out.
    rna = simulation.cohort["rna"]
    values = rna.values.copy()
    values[:, :] = 0.0
    values[np.arange(40), np.arange(40)] = 1.0
    views = dict(simulation.cohort.views) | {"rna": View(values, rna.features, rna.measured)}
    cohort = replace(simulation.cohort, views=views)
    assert_finite(quick(cohort, stopping="held_out", held_out=0.5))


def test_values_too_large_to_square_stop_with_advice(simulation: Simulation) -> None:
    rna = simulation.cohort["rna"]
    views = {"rna": View(rna.values * 1e30, rna.features, rna.measured)}
    cohort = replace(simulation.cohort, views=views)
    assert_finite(quick(cohort))
    with pytest.raises(TrainingError, match=r"not finite in epoch 1.*smaller learning_rate"):
        quick(cohort, scale="none")


def test_bad_arguments_are_refused_before_any_work(simulation: Simulation) -> None:
    cohort = simulation.cohort
    with pytest.raises(SettingsError, match="no preset 'papr'; there are default, paper"):
        quick(cohort, settings="papr")
    with pytest.raises(SettingsError, match="no setting 'n_laten'; there are "):
        quick(cohort, n_laten=3)
    with pytest.raises(
        SettingsError, match=r"model\.n_latent: .*greater than or equal to 1.*got 0"
    ):
        quick(cohort, n_latent=0)
    with pytest.raises(SettingsError, match=r"device 'gpu7' cannot be used .*; try 'cpu'"):
        quick(cohort, device="gpu7")


def test_a_cohort_without_samples_enough_is_refused(simulation: Simulation) -> None:
    with pytest.raises(DataError, match="the cohort cannot be fitted: "):
        quick(simulation.cohort.take([0]))


def test_findings_of_every_stage_are_kept(simulation: Simulation) -> None:
    rna = simulation.cohort["rna"]
    values = rna.values.copy()
    values[:, 0] = 1.0
    values[0, 1] = 1e6
    views = dict(simulation.cohort.views) | {"rna": View(values, rna.features, rna.measured)}
    model = quick(replace(simulation.cohort, views=views))
    codes = [finding.code for finding in model.findings]
    assert "constant-features" in codes
    assert "features-left-out" not in codes, "told once"
    assert "winsorised" in codes
    assert "features-unknown" not in codes
    assert len(model.features("rna")) == 39


def test_settings_travel_with_the_result(simulation: Simulation) -> None:
    model = quick(simulation.cohort, settings=Settings().updated(kl_weight=0.5), seed=7)
    assert model.settings.training.kl_weight == 0.5
    assert model.settings.model.n_latent == 4
    assert model.seed == 7
    assert set(model.versions) == {"poems", "torch", "numpy", "pandas", "scikit-learn"}
    assert model.history.index.tolist() == [1, 2, 3]
    assert model.history.index.name == "epoch"


def test_a_fitted_module_is_frozen(fitted: FittedPoems) -> None:
    assert not fitted.module.training
    assert not any(p.requires_grad for p in fitted.module.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295, not -1"),
        ({"seed": 1.5}, r"seed must be a whole number from 0 to 4294967295, not 1\.5"),
        ({"seed": 2**32}, "seed must be a whole number from 0 to 4294967295, not 4294967296"),
        ({"threads": "2"}, "threads must be a whole number from 1 to 1024, not '2'"),
        ({"threads": 10**9}, "threads must be a whole number from 1 to 1024, not 1000000000"),
        ({"threads": True}, "threads must be a whole number"),
        ({"checkpoint_every": 0}, "checkpoint_every must be a whole number of at least 1"),
        ({"settings": {"model": {"latents": 3}}}, "settings are not valid: model.latents"),
    ],
)
def test_arguments_are_checked_before_anything_else(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        poems.fit(None, progress=False, **arguments)  # type: ignore[arg-type]


def test_settings_may_be_a_mapping(simulation: Simulation) -> None:
    model = quick(simulation.cohort, settings={"training": {"kl_weight": 0.5}})
    assert model.settings.training.kl_weight == 0.5


def test_a_model_that_learned_nothing_says_so(simulation: Simulation) -> None:
    model = quick(simulation.cohort, epochs=1)
    assert "explains-nothing" in [finding.code for finding in model.findings]


def test_factors_that_are_dropped_are_told(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = quick(simulation.cohort, epochs=10)
    assert "factors-dropped" not in [finding.code for finding in kept.findings]
    most = max(
        sum(int((table.iloc[:, k] != 0).sum()) for table in kept.loadings.values())
        for k in range(kept.n_active)
    )
    # Between them, they have every factor but the widest.
    monkeypatch.setattr("poems.training.loop.FEWEST_FEATURES", most)
    model = quick(simulation.cohort, epochs=10)
    assert model.n_active < kept.n_active
    (finding,) = [each for each in model.findings if each.code == "factors-dropped"]
    assert finding.message.startswith(f"{kept.n_active - model.n_active} factor")


def test_large_cohorts_have_no_network(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poems.fitting.after_training.LARGEST_NETWORK", 71)
    monkeypatch.setattr("poems.fitting.after_training.network_embedding", None)
    model = poems.fit(simulation.cohort, epochs=3, n_latent=4, progress=False)
    assert model.default_metric == "latent"
    (finding,) = [each for each in model.findings if each.code == "network-left-out"]
    assert finding.message.startswith(
        "72 samples are too many for a network of samples (at most 71)"
    )
