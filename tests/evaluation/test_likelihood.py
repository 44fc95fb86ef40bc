from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from torch import Tensor

from poems.data.container import MultiOmics
from poems.errors import DataError, SettingsError
from poems.evaluation.likelihood import linear_gaussian_log_prob, log_prob, log_prob_bound
from poems.evaluation.proposals import likely_latents, log_joint
from poems.fitting.result import FittedPoems
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.scaling.preprocessing import fit_preprocessing
from poems.settings.groups import PreprocessingSettings
from poems.settings.schema import Settings
from poems.simulation.cohort import Simulation

N_LATENT, SIZES = 4, {"a": 30, "b": 20}


def model(**settings: object) -> POEMS:
    options = {"n_latent": N_LATENT, "prior": "normal", "decoder": "sparse"} | settings
    variances = {name: torch.ones(size) for name, size in SIZES.items()}
    module = POEMS(variances, Settings().updated(**options))
    with torch.no_grad():
        for i in range(len(SIZES)):
            module.likelihood(i).log_scale.uniform_(-1.0, 0.3)
    return module.requires_grad_(False).eval()


def linear_model() -> tuple[POEMS, np.ndarray, np.ndarray]:
    """A model whose decoders are linear, its loadings and its noise variances."""
    module = model(decoder_hidden=2)
    slopes = []
    for i, size in enumerate(SIZES.values()):
        decoder = module.decoder(i)
        decoder.loadings.mul_(torch.rand(size, N_LATENT) < 0.4)
        # relu(x) - relu(-x) = x.
        signs = torch.tensor([[1.0], [-1.0]])
        decoder.mixing.copy_(signs.expand(2, N_LATENT))
        decoder.heads.copy_(signs.T.expand(size, 2))
        mixing, heads = decoder.weights()
        slope = decoder.loadings * mixing[0] * heads[:, :1]
        slopes.append(slope.numpy())
    noise = [module.likelihood(i).scale.square().numpy() for i in range(len(SIZES))]
    return module, np.vstack(slopes), np.concatenate(noise)


def drawn(module: POEMS, n_samples: int, z: Tensor | None = None) -> Batch:
    """Samples of the model itself."""
    z = torch.randn(n_samples, N_LATENT) if z is None else z
    values = {
        name: eta + module.likelihood(i).scale * torch.randn_like(eta)
        for i, (name, eta) in enumerate(module.decode(z).items())
    }
    return Batch(values, dict.fromkeys(values), torch.ones(n_samples, len(values)).bool())


def stacked(batch: Batch) -> np.ndarray:
    """All views side by side, NaN where not measured."""
    parts = []
    for i, (name, values) in enumerate(batch.values.items()):
        x = values.double().numpy().copy()
        mask = batch.observed[name]
        if mask is not None:
            x[~mask.numpy()] = np.nan
        x[~batch.measured[:, i].numpy()] = np.nan
        parts.append(x)
    return np.hstack(parts)


@given(n_features=st.integers(1, 12), n_factors=st.integers(0, 4), seed=st.integers(0, 99))
def test_the_linear_density_is_the_multivariate_normal_s(
    n_features: int, n_factors: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((n_features, n_factors))
    noise, mean = rng.uniform(0.1, 2.0, n_features), rng.standard_normal(n_features)
    x = rng.standard_normal((7, n_features))
    expected = multivariate_normal(mean, w @ w.T + np.diag(noise)).logpdf(x)
    np.testing.assert_allclose(linear_gaussian_log_prob(x, w, noise, mean), np.atleast_1d(expected))


def test_missing_entries_are_integrated_out() -> None:
    rng = np.random.default_rng(0)
    w, noise = rng.standard_normal((6, 2)), rng.uniform(0.5, 1.0, 6)
    x = rng.standard_normal((5, 6))
    x[rng.random(x.shape) < 0.4] = np.nan
    x[3] = np.nan
    found = linear_gaussian_log_prob(x, w, noise)
    for row, value in zip(x, found, strict=True):
        there = ~np.isnan(row)
        alone = linear_gaussian_log_prob(row[None, there], w[there], noise[there])
        assert value == pytest.approx(alone[0])
    assert found[3] == 0.0


def test_shapes_and_variances_are_checked() -> None:
    with pytest.raises(DataError, match=r"they are \(2, 3\), \(4, 1\), \(3,\)"):
        linear_gaussian_log_prob(np.zeros((2, 3)), np.zeros((4, 1)), np.ones(3))
    with pytest.raises(DataError, match="1 noise variances are not above 0"):
        linear_gaussian_log_prob(np.zeros((2, 2)), np.zeros((2, 1)), [1.0, 0.0])


def test_the_bound_approaches_the_exact_density_of_a_linear_model_from_below() -> None:
    module, w, noise = linear_model()
    batch = drawn(module, 60)
    exact = linear_gaussian_log_prob(stacked(batch), w, noise)
    # A start that is nowhere near: the encoder is not trained.
    start = 3.0 * torch.randn(60, N_LATENT)
    one, many = (log_prob_bound(module, batch, start, n_draws=n) for n in (1, 500))
    assert (one.log_prob.numpy() - exact).mean() < 0
    np.testing.assert_allclose(many.log_prob, exact, atol=0.15)
    assert many.log_prob.numpy().mean() == pytest.approx(exact.mean(), abs=0.01)
    assert many.effective_draws.min() > 300
    assert (one.effective_draws == 1).all()


def test_what_was_not_measured_does_not_count() -> None:
    module, w, noise = linear_model()
    full = drawn(module, 30)
    measured = full.measured.clone()
    measured[:10, 1] = False
    observed = torch.rand(30, SIZES["a"]) < 0.7
    values = dict(full.values)
    values["a"] = torch.where(observed, values["a"], torch.tensor(1e6))
    values["b"] = torch.where(measured[:, 1:], values["b"], torch.nan)
    batch = Batch(values, {"a": observed, "b": None}, measured)
    bound = log_prob_bound(module, batch, torch.zeros(30, N_LATENT), n_draws=500)
    exact = linear_gaussian_log_prob(stacked(batch), w, noise)
    np.testing.assert_allclose(bound.log_prob, exact, atol=0.2)


@pytest.mark.parametrize("prior", ["normal", "mixture"])
@pytest.mark.parametrize("decoder", ["sparse", "dense"])
def test_the_bound_agrees_with_integration_over_a_grid(prior: str, decoder: str) -> None:
    options = {"n_latent": 1, "prior": prior, "n_components": 3, "decoder": decoder}
    module = model(**options)
    batch = drawn(module, 20, torch.randn(20, 1))
    grid = torch.linspace(-6, 6, 601)
    on_grid = torch.stack([log_joint(module, batch, point.expand(20, 1)) for point in grid])
    expected = torch.logsumexp(on_grid, dim=0) + torch.log(grid[1] - grid[0])
    bound = log_prob_bound(module, batch, torch.zeros(20, 1), n_draws=500)
    np.testing.assert_allclose(bound.log_prob, expected, atol=0.4)
    assert bound.log_prob.mean().item() == pytest.approx(expected.mean().item(), abs=0.03)


def test_the_likely_latents_are_more_likely_than_the_start_and_than_their_neighbours() -> None:
    module = model()
    batch = drawn(module, 40)
    start = torch.randn(40, N_LATENT)
    found = likely_latents(module, batch, start)
    there = log_joint(module, batch, found)
    assert (there > log_joint(module, batch, start)).all()
    for _ in range(5):
        loss = there - log_joint(module, batch, found + 0.3 * torch.randn_like(found))
        # At a kink of relu a search by slopes may stop a little too early.
        assert loss.mean() > 0.3
        assert loss.min() > -0.3


def test_latents_that_no_feature_follows_go_to_the_middle_of_the_prior() -> None:
    module = model()
    for i in range(len(SIZES)):
        module.decoder(i).loadings[:, 2] = 0.0
    found = likely_latents(module, drawn(module, 10), torch.randn(10, N_LATENT))
    np.testing.assert_allclose(found[:, 2], 0, atol=0.01)


def test_the_same_seed_gives_the_same_bound_and_leaves_torch_s_own_generator_alone() -> None:
    module = model()
    batch, start = drawn(module, 5), torch.zeros(5, N_LATENT)
    state = torch.get_rng_state()
    first, again, other = (
        log_prob_bound(module, batch, start, n_draws=20, seed=seed).log_prob for seed in (1, 1, 2)
    )
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())


def test_draws_are_counted_from_one() -> None:
    with pytest.raises(SettingsError, match="n_draws must be at least 1, not 0"):
        log_prob_bound(model(), drawn(model(), 2), torch.zeros(2, N_LATENT), n_draws=0)


def test_the_table_is_by_sample_and_counts_the_measured_entries(
    fitted_incomplete: FittedPoems, incomplete: MultiOmics
) -> None:
    table = log_prob(fitted_incomplete, incomplete, n_draws=20)
    assert table.index.equals(incomplete.samples)
    entries = sum(np.isfinite(v.values[v.measured]).sum() for v in incomplete.views.values())
    assert table["n_entries"].sum() == entries
    assert np.isfinite(table["log_prob"]).all()
    assert table["effective_draws"].between(1, 20.001).all()


def test_the_density_is_in_the_units_of_the_input(
    fitted: FittedPoems, simulation: Simulation
) -> None:
    cohort = simulation.cohort
    table = log_prob(fitted, cohort, n_draws=20)
    # The same model, of data in units that are ten times as fine.
    scalings = fitted.preprocessing.views
    finer = {
        name: replace(
            scaling,
            **{part: 10 * getattr(scaling, part) for part in ("lower", "upper", "offset", "scale")},
        )
        for name, scaling in scalings.items()
    }
    views = {name: replace(v, values=10 * v.values) for name, v in cohort.views.items()}
    other = replace(fitted, preprocessing=replace(fitted.preprocessing, views=finer))
    scaled = log_prob(other, replace(cohort, views=views), n_draws=20)
    expected = table["log_prob"] - table["n_entries"] * np.log(10)
    pd.testing.assert_series_equal(scaled["log_prob"], expected, atol=0.05, check_names=False)


def test_counts_have_the_density_of_counts_and_not_of_their_logarithms(
    fitted: FittedPoems, simulation: Simulation
) -> None:
    cohort = simulation.cohort
    raw = {
        name: replace(v, values=np.expm1(v.values - v.values.min()))
        for name, v in cohort.views.items()
    }
    logs = {name: replace(v, values=v.values - v.values.min()) for name, v in cohort.views.items()}
    counts, logarithms = replace(cohort, views=raw), replace(cohort, views=logs)

    def bound(given: MultiOmics, log1p: tuple[str, ...]) -> pd.Series:
        settings = PreprocessingSettings(log1p=log1p)
        preprocessing, _ = fit_preprocessing(given, settings)
        return log_prob(replace(fitted, preprocessing=preprocessing), given, n_draws=20)["log_prob"]

    slope = sum(v.values.astype(np.float64).sum(axis=1) for v in logs.values())
    expected = bound(logarithms, ()) - slope
    found = bound(counts, tuple(cohort.views))
    pd.testing.assert_series_equal(found, expected, rtol=1e-3, check_names=False)


def test_an_outlier_is_judged_by_its_value_not_by_what_it_would_be_clipped_to(
    fitted: FittedPoems, simulation: Simulation
) -> None:
    cohort = simulation.cohort.take([0])
    values = []
    for distance in (20.0, 40.0):
        view = cohort["rna"]
        shifted = view.values.copy()
        shifted[0, 0] = distance
        views = {**cohort.views, "rna": replace(view, values=shifted)}
        values.append(log_prob(fitted, replace(cohort, views=views), n_draws=50).iloc[0, 0])
    assert values[1] < values[0] - 100
