"""What every registered likelihood has to fulfil; a new one adds a line to ``SCIPY``."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import integrate, special, stats
from torch import Tensor
from toy_parts import Laplace

import poems
from poems.data.container import MultiOmics, View
from poems.nn.likelihoods import Likelihood, OwnScaleLikelihood
from poems.resampling.factor_matching import match_factors
from poems.settings.parts import LIKELIHOODS

f64 = torch.float64


class Levels:
    """What scipy's frozen distributions say, of ordered levels: differences of logistics."""

    dist = SimpleNamespace(pmf=True)

    def __init__(self, own: Any, eta: np.ndarray) -> None:
        cuts = own["first"][:, None] + np.cumsum(
            np.pad(np.exp(own["log_gaps"]), ((0, 0), (1, 0))), axis=1
        )
        below = special.expit(cuts.T[:, None] - eta)
        self.p = np.diff(np.pad(below, ((1, 1), (0, 0), (0, 0)), constant_values=(0, 1)), axis=0)
        self.p[0] = below[0]
        self.levels = np.arange(len(self.p))[:, None, None]

    def logpmf(self, x: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.log(np.take_along_axis(self.p, x[None].astype(int), axis=0)[0])
        return found

    def mean(self) -> np.ndarray:
        return np.asarray((self.levels * self.p).sum(axis=0))

    def var(self) -> np.ndarray:
        return np.asarray(((self.levels - self.mean()) ** 2 * self.p).sum(axis=0))

    def ppf(self, p: float) -> float:
        return 0.0 if p < 0.5 else float(len(self.p) - 1)


class Inflated:
    """The same of counts of which a share is put to 0."""

    dist = SimpleNamespace(pmf=True)

    def __init__(self, own: Any, eta: np.ndarray) -> None:
        self.share = special.expit(own["log_odds"])
        mean = np.exp(eta) / (1 - self.share)
        theta = np.exp(-own["log_dispersion"])
        self.counts = stats.nbinom(theta, theta / (theta + mean))

    def logpmf(self, x: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.log(self.share * (x == 0) + (1 - self.share) * self.counts.pmf(x))
        return found

    def mean(self) -> np.ndarray:
        return np.asarray((1 - self.share) * self.counts.mean())

    def var(self) -> np.ndarray:
        squares = self.counts.var() + self.counts.mean() ** 2
        return np.asarray((1 - self.share) * squares - self.mean() ** 2)

    def ppf(self, p: float) -> float:
        return 0.0 if p < 0.5 else float(np.ravel(self.counts.ppf(p))[0])


# Each likelihood as scipy has it, given its parameters (n_features,) and eta.
SCIPY: dict[str, Callable[[Any, Any], Any]] = {
    "gaussian": lambda own, eta: stats.norm(eta, np.exp(own["log_scale"])),
    "laplace of a test": lambda own, eta: stats.laplace(eta, np.exp(own["log_b"])),
    "bernoulli": lambda own, eta: stats.bernoulli(special.expit(eta)),
    "poisson": lambda own, eta: stats.poisson(np.exp(eta)),
    "negative_binomial": lambda own, eta: stats.nbinom(
        np.exp(-own["log_dispersion"]), 1 / (1 + np.exp(eta + own["log_dispersion"]))
    ),
    "zinb": lambda own, eta: Inflated(own, eta),
    "student_t": lambda own, eta: stats.t(2 + np.exp(own["log_df"]), eta, np.exp(own["log_scale"])),
    "beta": lambda own, eta: stats.beta(
        np.exp(own["log_precision"]) * special.expit(eta),
        np.exp(own["log_precision"]) * special.expit(-eta),
    ),
    "ordinal": lambda own, eta: Levels(own, eta),
}
# Families whose values have no noise of a size of its own.
WITHOUT_NOISE = {"bernoulli", "poisson", "ordinal"}
# Registered by the tests of this file alone.
OUTSIDE = {"laplace of a test": Laplace}


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIKELIHOODS, "_parts", {**LIKELIHOODS._parts, **OUTSIDE})


def test_every_likelihood_is_held_against_scipy() -> None:
    assert set(SCIPY) == set(LIKELIHOODS)


def made(name: str, n_features: int = 4) -> Likelihood:
    """A likelihood in double precision whose parameters are not those it was built with."""
    likelihood = LIKELIHOODS.find(name)(torch.rand(n_features, dtype=f64) + 0.5)
    with torch.no_grad():
        for parameter in likelihood.parameters():
            parameter += 0.4 * torch.randn_like(parameter)
    return likelihood


def in_scipy(name: str, likelihood: Likelihood, eta: Tensor) -> Any:
    own = {key: value.detach().numpy() for key, value in likelihood.named_parameters()}
    return SCIPY[name](own, eta.numpy())


def log_density(frozen: Any, x: np.ndarray) -> np.ndarray:
    found: np.ndarray = frozen.logpmf(x) if hasattr(frozen.dist, "pmf") else frozen.logpdf(x)
    return found


def drawn(likelihood: Likelihood, eta: Tensor) -> Tensor:
    return likelihood.sample(eta, torch.Generator().manual_seed(1)).detach()


@pytest.mark.parametrize("name", SCIPY)
def test_the_density_is_that_of_scipy(name: str) -> None:
    likelihood, eta = made(name), 2.0 * torch.randn(50, 4, dtype=f64)
    x = drawn(likelihood, eta)
    expected = log_density(in_scipy(name, likelihood, eta), x.numpy())
    np.testing.assert_allclose(likelihood.log_prob(x, eta).detach(), expected, rtol=1e-9)


@pytest.mark.parametrize("name", SCIPY)
def test_probabilities_sum_to_one(name: str) -> None:
    likelihood, eta = made(name, 1), torch.tensor([[0.3]], dtype=f64)
    frozen = in_scipy(name, likelihood, eta)

    def density(x: np.ndarray) -> np.ndarray:
        values = torch.as_tensor(np.asarray(x, dtype=np.float64)).reshape(-1, 1)
        found: np.ndarray = likelihood.log_prob(values, eta).detach().exp().numpy()[:, 0]
        return found

    low, high = (float(np.ravel(frozen.ppf(p))[0]) for p in (1e-12, 1 - 1e-12))
    if hasattr(frozen.dist, "pmf"):
        total = density(np.arange(low, high + 1)).sum()
    else:
        grid = np.linspace(low, high, 200_001)
        total = integrate.trapezoid(density(grid), grid)
    assert total == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", SCIPY)
def test_draws_have_the_mean_and_the_variance(name: str) -> None:
    likelihood, eta = made(name), torch.randn(1, 4, dtype=f64).expand(40_000, 4)
    x = drawn(likelihood, eta)
    deviation = likelihood.standard_deviation(eta).detach()
    torch.testing.assert_close(deviation.square(), likelihood.variance(eta).detach())
    error = (x.mean(dim=0) - likelihood.mean(eta)[0].detach()) / deviation[0]
    assert (error.abs() < 5 / 200).all()
    torch.testing.assert_close(x.std(dim=0), deviation[0], rtol=0.03, atol=0)
    frozen = in_scipy(name, likelihood, eta[:1])
    np.testing.assert_allclose(likelihood.mean(eta[:1]).detach(), frozen.mean(), rtol=1e-9)
    np.testing.assert_allclose(likelihood.variance(eta[:1]).detach(), frozen.var(), rtol=1e-9)


@pytest.mark.parametrize("name", sorted(set(SCIPY) - {"gaussian"} - set(OUTSIDE)))
def test_quantile_residuals_are_even_and_lead_back_to_the_values(name: str) -> None:
    likelihood, eta = made(name), torch.randn(4000, 4, dtype=f64)
    assert isinstance(likelihood, OwnScaleLikelihood)
    x = drawn(likelihood, eta).numpy()
    own = likelihood.distribution(eta)
    assert own is not None
    below, upto = own.cdf(x - 1.0 if likelihood.discrete else x), own.cdf(x)
    u = below + np.random.default_rng(0).random(x.shape) * (upto - below)
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3
    np.testing.assert_allclose(own.ppf(u), x, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", SCIPY)
def test_the_link_undoes_the_mean(name: str) -> None:
    likelihood, eta = made(name), torch.randn(5, 4, dtype=f64)
    torch.testing.assert_close(likelihood.link(likelihood.mean(eta)), eta)


@pytest.mark.parametrize("name", SCIPY)
def test_the_score_is_the_derivative(name: str) -> None:
    likelihood = made(name)
    eta = torch.randn(30, 4, dtype=f64, requires_grad=True)
    x = drawn(likelihood, eta.detach())
    (expected,) = torch.autograd.grad(likelihood.log_prob(x, eta).sum(), eta)
    torch.testing.assert_close(likelihood.score(x, eta.detach()).detach(), expected)


@pytest.mark.parametrize("name", SCIPY)
def test_the_information_is_the_expected_square_of_the_score(name: str) -> None:
    likelihood, eta = made(name), torch.randn(1, 4, dtype=f64).expand(40_000, 4)
    squares = likelihood.score(drawn(likelihood, eta), eta).detach().square()
    information = likelihood.information(eta).detach()
    assert information.shape == eta.shape
    torch.testing.assert_close(squares.mean(dim=0), information[0], rtol=0.05, atol=0)
    torch.testing.assert_close(likelihood.standard_error(eta).detach(), information.rsqrt())


@pytest.mark.parametrize("name", SCIPY)
def test_the_deviance_is_what_is_lost_against_the_best_prediction(name: str) -> None:
    likelihood = made(name)
    x = drawn(likelihood, torch.randn(20, 4, dtype=f64))
    eta = torch.randn(20, 4, dtype=f64)
    grid = torch.linspace(-30, 30, 60_001, dtype=f64)
    best = torch.stack(
        [likelihood.log_prob(row, grid[:, None].expand(-1, 4)).amax(dim=0) for row in x[:, None]]
    )
    lost = 2.0 * (best - likelihood.log_prob(x, eta))
    deviance = likelihood.deviance(x, eta)
    assert (deviance >= 0).all()
    torch.testing.assert_close(deviance, lost, atol=0.01, rtol=0)


@pytest.mark.parametrize("name", SCIPY)
def test_what_was_not_observed_counts_neither_in_value_nor_in_derivatives(name: str) -> None:
    likelihood, observed = made(name), torch.rand(6, 4) > 0.4
    x = drawn(likelihood, torch.zeros(6, 4, dtype=f64))
    results = []
    for garbage in (0.0, 1e30, torch.inf, torch.nan):
        eta = torch.zeros(6, 4, dtype=f64, requires_grad=True)
        nll = likelihood.nll(torch.where(observed, x, garbage), eta, observed)
        grads = torch.autograd.grad(nll.sum(), [eta, *likelihood.parameters()], allow_unused=True)
        assert (grads[0][~observed] == 0).all()
        results.append([nll, *(g for g in grads if g is not None)])
    expected = -(likelihood.log_prob(x, torch.zeros_like(x)) * observed).sum(dim=1)
    torch.testing.assert_close(results[0][0], expected)
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


@pytest.mark.parametrize("name", SCIPY)
def test_the_start_has_the_noise_that_was_left(name: str) -> None:
    likelihood = LIKELIHOODS.find(name)(torch.ones(3))
    before = likelihood.standard_deviation(torch.zeros(1, 3)).detach()
    likelihood.start(torch.tensor([0.5, 0.0, 2.0]))
    after = likelihood.standard_deviation(torch.zeros(1, 3)).detach()
    if name in WITHOUT_NOISE:
        torch.testing.assert_close(after, before)
        return
    # Where nothing is known, as for a feature that is constant, the parameter stays.
    torch.testing.assert_close(after[0, 1], before[0, 1])
    assert after[0, 0] < after[0, 2]


@pytest.mark.parametrize("name", SCIPY)
def test_a_fit_recovers_planted_factors_and_is_loaded_as_it_was_saved(
    name: str, tmp_path: Any
) -> None:
    planted = poems.simulate(
        n_samples=200, n_features={"rna": 60, "protein": 50}, n_factors=3, density=0.3, seed=2
    )
    views, generator = {}, torch.Generator().manual_seed(0)
    for view, eta in planted.signal.items():
        likelihood = LIKELIHOODS.find(name)(torch.ones(eta.shape[1]))
        values = likelihood.sample(torch.tensor(eta.to_numpy(), dtype=torch.float32), generator)
        rows = np.ones(len(eta), dtype=bool)
        views[view] = View(values.detach().numpy(), pd.Index(eta.columns), rows)
    samples = planted.cohort.samples
    cohort = MultiOmics(views, samples, pd.DataFrame(index=samples))
    model = poems.fit(cohort, likelihood=name, n_latent=6, epochs=50, seed=0, progress=False)
    assert all(type(each) is LIKELIHOODS[name] for each in model.module.likelihoods)
    match = match_factors(planted.loadings, model.loadings)
    for true, estimated in enumerate(match.estimated):
        pair = planted.latent.iloc[:, true], model.latent.iloc[:, estimated]
        assert abs(np.corrcoef(*pair)[0, 1]) > 0.9
    model.save(tmp_path / "model.poems")
    loaded = poems.load(tmp_path / "model.poems")
    pd.testing.assert_frame_equal(loaded.transform(cohort).latent, model.transform(cohort).latent)
    for view in model.view_names:
        pd.testing.assert_series_equal(loaded.noise[view], model.noise[view])
