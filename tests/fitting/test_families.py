"""Fits of views that are not Gaussian, beside ones that are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import poems
from poems.analysis import factor_effects, variance_explained
from poems.errors import DataError
from poems.evaluation.held_out_scores import held_out_scores
from poems.evaluation.likelihood import log_prob
from poems.evaluation.proposals import log_joint
from poems.fitting.result import FittedPoems
from poems.nn.inference import infer
from poems.nn.likelihoods import OwnScaleLikelihood
from poems.resampling.permutation import permuted_cohort

KINDS = {
    "calls": "bernoulli",
    "counts": "negative_binomial",
    "levels": "ordinal",
    "tails": "student_t",
    "fractions": "beta",
}
QUICK: dict[str, Any] = {"progress": False, "n_latent": 6}


@pytest.fixture(scope="module")
def planted() -> Any:
    return poems.simulate(
        n_samples=150,
        n_features={"rna": 40, **dict.fromkeys(KINDS, 40)},
        n_factors=3,
        density=0.3,
        missing_views=0.15,
        missing_entries=0.05,
        kinds=KINDS,
        seed=1,
    )


@pytest.fixture(scope="module", params=["amortised", "exact"])
def model(request: pytest.FixtureRequest, planted: Any) -> FittedPoems:
    return poems.fit(
        planted.cohort.take(range(120)), likelihood=KINDS, inference=request.param, **QUICK
    )


def test_every_view_is_explained_and_its_diagnosis_has_no_fault(model: FittedPoems) -> None:
    assert (model.r2 > 0.03).all()
    assert (model.r2 < 1).all()
    codes = {finding.code for finding in model.findings}
    assert not codes & {"diagnosis-failed", "network-failed", "background-failed"}
    assert "size-factors" in codes
    assert not codes & {"discrete-values", "unlogged-values"}


def test_it_is_loaded_as_it_was_saved(model: FittedPoems, planted: Any, tmp_path: Path) -> None:
    model.save(tmp_path / "model.poems")
    loaded = poems.load(tmp_path / "model.poems")
    new = planted.cohort.take(range(120, 150))
    pd.testing.assert_frame_equal(loaded.transform(new).latent, model.transform(new).latent)
    for given in (None, new):
        one, two = loaded.reconstruct(given), model.reconstruct(given)
        for name in model.view_names:
            pd.testing.assert_frame_equal(one[name], two[name])


def test_reconstructions_are_means_in_the_units_of_the_input(
    model: FittedPoems, planted: Any
) -> None:
    found = model.reconstruct()
    assert found["calls"].to_numpy().min() >= 0
    assert found["calls"].to_numpy().max() <= 1
    assert found["fractions"].to_numpy().max() <= 1
    assert found["counts"].to_numpy().min() >= 0
    assert found["levels"].to_numpy().min() >= -2
    cohort = planted.cohort.take(range(120))
    for name, predicted in found.items():
        x = cohort[name].values
        x = cohort.frame(name)[predicted.columns].to_numpy()
        there = ~np.isnan(x)
        error = np.mean((x - predicted.to_numpy())[there])
        assert abs(error) < 0.1 * np.std(x[there])


def test_a_share_explained_is_that_of_deviance(model: FittedPoems, planted: Any) -> None:
    batch, _ = model.preprocessing.apply(planted.cohort.take(range(120)))
    for i, name in enumerate(model.view_names):
        likelihood = model.module.likelihood(i)
        if not isinstance(likelihood, OwnScaleLikelihood):
            continue
        x, sizes = batch.targets[name], batch.log_sizes[name][:, None]
        observed = batch.observed[name]
        there = batch.measured[:, i, None].expand_as(x)
        there = there if observed is None else there & observed
        eta = model.module.decoder(i)(model.sample_estimates.loc)
        of_model, of_none = (
            float(likelihood.deviance(x, at + sizes)[there].double().sum())
            for at in (eta, likelihood.null.expand_as(eta))
        )
        assert model.r2[name] == pytest.approx(1 - of_model / of_none, abs=1e-4)


def test_r2_of_values_stands_beside_it(model: FittedPoems, planted: Any) -> None:
    """Of each feature's squares about its mean without factors, as where it is standardised."""
    cohort = planted.cohort.take(range(120))
    x = cohort.frame("calls")[model.features("calls")].to_numpy()
    p = model.reconstruct()["calls"].to_numpy()
    left, about = (x - p) ** 2, (x - np.nanmean(x, axis=0)) ** 2
    n = (~np.isnan(x)).sum(axis=0)
    expected = 1 - (n * np.nansum(left, axis=0) / np.nansum(about, axis=0)).sum() / n.sum()
    assert model.value_r2["calls"] == pytest.approx(expected, abs=5e-3)
    assert model.value_r2["rna"] == model.r2["rna"]
    assert model.share_of["rna"] == "variance"
    assert (model.share_of[list(KINDS)] == "deviance").all()
    assert (model.value_r2 < 1).all()


def test_held_out_values_of_every_kind_are_scored(model: FittedPoems, planted: Any) -> None:
    batch, _ = model.preprocessing.apply(planted.cohort.take(range(130, 150)))
    within, across = (held_out_scores(model, batch, across=each) for each in (False, True))
    assert within["r2"].notna().all()
    assert within["deviance"].isna().to_dict() == {v: v not in KINDS for v in model.view_names}
    assert (within.loc[["calls", "counts", "levels"]] > 0).all(axis=None)
    # What a view does not say of itself is predicted less well.
    assert across["r2"].mean() < within["r2"].mean()
    # Those of the training samples are those of the fit.
    seen, _ = model.preprocessing.apply(planted.cohort.take(range(120)))
    again = held_out_scores(model, seen)
    np.testing.assert_allclose(again["r2"][list(KINDS)], model.value_r2[list(KINDS)], atol=5e-3)
    np.testing.assert_allclose(again["deviance"][list(KINDS)], model.r2[list(KINDS)], atol=5e-3)


def test_effects_are_told_in_the_unit_of_their_view(model: FittedPoems) -> None:
    table = factor_effects(model).set_index("view")
    units = {view: set(own["unit"]) for view, own in table.groupby("view")}
    assert units["rna"] == units["tails"] == {"standard deviations"}
    assert units["calls"] == {"log odds"}
    assert units["counts"] == {"log fold change"}
    calls = table.loc["calls"]
    np.testing.assert_allclose(calls["ratio"], np.exp(calls["effect"]), rtol=1e-5)
    assert table.loc["rna", "ratio"].isna().all()
    same = ["rna", "tails"]
    np.testing.assert_allclose(table.loc[same, "standardised"], table.loc[same, "loading"])
    # A mutation's standard deviation is a few log odds: standardised it is less.
    assert (calls["standardised"].abs() < calls["loading"].abs()).all()


def test_permuted_values_are_of_their_kind_and_lead_back_where_nothing_moves(
    model: FittedPoems, planted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = planted.cohort.take(range(120))
    moved = permuted_cohort(model, cohort, seed=0)
    calls, counts = moved.frame("calls").to_numpy(), moved.frame("counts").to_numpy()
    assert set(np.unique(calls[~np.isnan(calls)])) == {0, 1}
    known = counts[~np.isnan(counts)]
    assert (known == np.round(known)).all()
    assert known.min() == 0
    # As many of each as before, for effects and residuals are.
    before = cohort.frame("counts")[model.features("counts")].to_numpy()
    assert np.nanmean(counts) == pytest.approx(np.nanmean(before), rel=0.15)
    assert not np.array_equal(np.nan_to_num(counts, nan=-1), np.nan_to_num(before, nan=-1))

    class Still:
        """Draws that leave every row where it is."""

        def random(self, shape: tuple[int, ...]) -> Any:
            return np.full(shape, 0.5)

        def standard_normal(self, shape: tuple[int, ...]) -> Any:
            return np.zeros(shape)

        def permutation(self, rows: Any) -> Any:
            return np.arange(rows) if isinstance(rows, int) else rows

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Still())
    same = permuted_cohort(model, cohort, seed=0)
    np.testing.assert_array_equal(
        same.frame("calls"), cohort.frame("calls")[model.features("calls")]
    )
    np.testing.assert_array_equal(same.frame("counts"), before)


def test_likelihoods_are_chosen_by_the_values_and_kept_by_name(planted: Any) -> None:
    cohort = planted.cohort
    frames = {view: cohort.frame(view).dropna(how="all") for view in ("rna", "calls", "levels")}
    quick = dict(epochs=2, inference="amortised", **QUICK)
    model = poems.fit(frames, **quick)
    chosen = {"rna": "gaussian", "calls": "bernoulli", "levels": "gaussian"}
    assert model.settings.model.likelihood == chosen
    said = {each.code: each.view for each in model.findings if "likelihood-" in each.code}
    assert said == {"likelihood-chosen": "calls", "likelihood-proposed": "levels"}
    # What was said is heeded, for one view and for all.
    model = poems.fit(frames, likelihood={"calls": "gaussian"}, **quick)
    assert model.settings.model.likelihood == "gaussian"
    assert "likelihood-chosen" not in {each.code for each in model.findings}
    model = poems.fit(frames, log1p=("calls",), **quick)
    assert model.settings.model.likelihood == "gaussian"


def test_continuous_views_are_fitted_as_if_nothing_were_chosen(simulation: Any) -> None:
    one, two = (
        poems.fit(simulation.cohort, epochs=3, likelihood=likelihood, **QUICK)
        for likelihood in ("auto", "gaussian")
    )
    assert one.settings == two.settings
    pd.testing.assert_frame_equal(one.latent, two.latent, check_exact=True)


def test_leaving_all_factors_out_loses_what_they_explain(model: FittedPoems, planted: Any) -> None:
    table = variance_explained(model, planted.cohort.take(range(120))).wide()
    np.testing.assert_allclose(table.loc["all"], model.r2[table.columns], atol=1e-3)
    assert (table.drop(index="all") > -0.01).all(axis=None)


@pytest.mark.parametrize("seed", range(3))
def test_a_factor_of_counts_loses_no_more_than_all_explain(seed: int) -> None:
    """Of taxa that are found in one group of samples each: without a factor, levels are others."""
    rng = np.random.default_rng(seed)
    group = rng.choice(4, size=150, p=[0.55, 0.2, 0.15, 0.1])
    mean = np.where(group[:, None] == np.arange(80) % 4, 200.0, 0.02)
    counts = pd.DataFrame(rng.negative_binomial(1.0, 1.0 / (1.0 + mean)).astype(float))
    counts[0] += 1.0
    taxa = counts.rename(index="s{}".format, columns="t{}".format)
    model = poems.fit({"taxa": taxa}, likelihood={"taxa": "negative_binomial"}, seed=0, **QUICK)
    shares = variance_explained(model, {"taxa": taxa}).wide()["taxa"]
    assert shares["all"] > 0.8
    assert shares.drop("all").max() < shares["all"]
    assert shares.drop("all").min() > -0.01


def test_exact_latents_are_at_the_mode(planted: Any) -> None:
    """Of the very density that importance sampling integrates, where there is no background."""
    model = poems.fit(
        planted.cohort, likelihood=KINDS, inference="exact", background=0, epochs=40, **QUICK
    )
    module = model.module
    module.feature_weights.fill_(1.0)
    batch, _ = model.preprocessing.apply(planted.cohort)
    found = infer(module, batch)
    best = log_joint(module, batch, found.loc)
    generator = torch.Generator().manual_seed(0)
    for size in (0.003, 0.03, 0.3):
        near = found.loc + size * torch.randn(found.loc.shape, generator=generator)
        near = near.where(module.driving(), found.loc)
        assert (log_joint(module, batch, near) <= best + 1e-2).float().mean() > 0.95


def test_features_that_are_constant_but_on_held_out_samples_cost_nothing(planted: Any) -> None:
    """One carrier, who is held out, and counts of one sample, which is too."""
    samples = [f"s{i}" for i in range(40)]
    rng = np.random.default_rng(0)
    frames = {
        "calls": (rng.random((40, 8)) < 0.4).astype(float),
        "counts": rng.poisson(4.0, (40, 8)).astype(float),
    }
    for values in frames.values():
        values[:, 0] = 0.0
        values[3, 0] = 1.0
    frames["counts"][:, 1] = np.nan
    frames["counts"][3:5, 1] = [2.0, 5.0]
    tables = {name: pd.DataFrame(x, samples).add_prefix(name) for name, x in frames.items()}
    for counts in ("poisson", "negative_binomial"):
        model = poems.fit(
            tables,
            likelihood={"calls": "bernoulli", "counts": counts},
            stopping="held_out",
            validation=["s3", "s4"],
            epochs=10,
            **QUICK,
        )
        assert all(np.isfinite(x.to_numpy()).all() for x in model.reconstruct().values())
        assert model.latent.notna().all(axis=None)


def test_a_background_of_the_gaussian_views_is_theirs_alone(planted: Any) -> None:
    rng = np.random.default_rng(0)
    cohort = planted.cohort
    frames = {name: cohort.frame(name) for name in cohort.views}
    dense = rng.normal(size=(cohort.n_samples, 2)) @ rng.normal(size=(2, 40))
    frames["rna"] = frames["rna"] + 1.5 * dense
    model = poems.fit(frames, likelihood=KINDS, inference="exact", **QUICK)
    found = model.background_loadings
    assert model.background.shape[1] > 0
    (said,) = [finding for finding in model.findings if finding.code == "background-views"]
    assert set(said.items) == set(KINDS)
    assert (found["rna"] != 0).any(axis=None)
    for name in KINDS:
        assert (found[name] == 0).all(axis=None)
    assert model.total_r2["rna"] > model.r2["rna"]
    for name in KINDS:
        assert model.total_r2[name] == pytest.approx(model.r2[name], abs=1e-4)


def test_an_unmeasured_view_says_nothing(model: FittedPoems, planted: Any) -> None:
    new = planted.cohort.take(range(120, 150))
    frames = {name: new.frame(name).dropna(how="all") for name in ("rna", "levels")}
    without = poems.read(frames)
    assert model.transform(without).latent.notna().all(axis=None)
    assert (model.transform(without).gates[list(KINDS)[:2]] == 0).all(axis=None)


def test_the_probability_of_new_samples_is_finite_and_above_that_of_a_model_without_factors(
    planted: Any,
) -> None:
    cohort = planted.cohort
    frames = {"calls": cohort.frame("calls").dropna(how="all")}
    calls = poems.read(frames)
    model = poems.fit(calls.take(range(90)), likelihood="bernoulli", **QUICK)
    new = calls.take(range(90, calls.n_samples))
    found = log_prob(model, new, n_draws=200)
    x = new.frame("calls")[model.features("calls")].to_numpy()
    p = calls.take(range(90)).frame("calls")[model.features("calls")].to_numpy()
    p = (np.nansum(p, axis=0) + 0.5) / ((~np.isnan(p)).sum(axis=0) + 1)
    without = np.nansum(x * np.log(p) + (1 - x) * np.log1p(-p), axis=1)
    assert found["log_prob"].mean() > without.mean()


def test_values_of_another_kind_are_refused(planted: Any) -> None:
    with pytest.raises(DataError, match="Recode"):
        poems.fit(
            {"rna": planted.cohort.frame("rna").dropna(how="all")}, likelihood="bernoulli", **QUICK
        )
