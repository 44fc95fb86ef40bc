"""Views of several likelihoods together, and likelihoods that come from outside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from toy_parts import Laplace

import poems
from poems.data.container import MultiOmics
from poems.errors import SettingsError, StorageError
from poems.fitting.result import FittedPoems
from poems.nn.likelihoods import (
    LIKELIHOODS,
    GaussianLikelihood,
    Likelihood,
    likelihood_terms,
    register_likelihood,
)
from poems.nn.objective import elbo_terms


@pytest.fixture
def _laplace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIKELIHOODS, "_parts", dict(LIKELIHOODS._parts))
    register_likelihood("laplace", Laplace)


class Tripled(GaussianLikelihood):
    """A subclass that changes one thing."""

    def log_prob(self, x: torch.Tensor, eta: torch.Tensor) -> torch.Tensor:
        return 3.0 * super().log_prob(x, eta)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_views_of_several_classes_have_the_terms_that_each_has_alone(
    weighted: bool, masked: bool
) -> None:
    kinds = [GaussianLikelihood, Laplace, GaussianLikelihood, Tripled]
    sizes = [4, 3, 2, 5]
    likelihoods = [kind(torch.rand(n) + 0.5) for kind, n in zip(kinds, sizes, strict=True)]
    x, eta = torch.randn(2, 6, 14)
    measured = torch.rand(6, 4) > 0.3
    observed = torch.rand(6, 14) > 0.3 if masked else None
    weight = torch.rand(6) if weighted else None
    there = measured.repeat_interleave(torch.tensor(sizes), dim=1)
    there = there if observed is None else there & observed
    x[~there] = torch.nan
    eta.requires_grad_()
    per_view, prior = likelihood_terms(likelihoods, x, eta, measured, observed, weight)
    (slope,) = torch.autograd.grad(per_view.sum(), eta)
    assert torch.isfinite(slope).all()
    expected_prior = torch.zeros(())
    first = 0
    for i, (likelihood, n) in enumerate(zip(likelihoods, sizes, strict=True)):
        part = slice(first, first + n)
        first += n
        entries = likelihood.log_prob(x[:, part], eta[:, part]).where(there[:, part], 0.0)
        each = -entries.sum(dim=1)
        expected = each.sum() if weight is None else (each * weight).sum()
        torch.testing.assert_close(per_view[i], expected)
        expected_prior = expected_prior - likelihood.log_prior().sum()
    torch.testing.assert_close(prior, expected_prior)


def test_a_subclass_is_not_taken_for_its_parent() -> None:
    x, eta = torch.randn(2, 5, 3)
    measured = torch.ones(5, 1, dtype=torch.bool)
    (usual,), _ = likelihood_terms([GaussianLikelihood(torch.ones(3))], x, eta, measured, None)
    (tripled,), _ = likelihood_terms([Tripled(torch.ones(3))], x, eta, measured, None)
    torch.testing.assert_close(tripled, 3.0 * usual)


def test_the_general_way_is_that_of_the_gaussian_by_hand() -> None:
    likelihoods = [GaussianLikelihood(torch.rand(n) + 0.5) for n in (4, 3)]
    x, eta = torch.randn(2, 6, 7)
    given = (likelihoods, x, eta, torch.rand(6, 2) > 0.3, torch.rand(6, 7) > 0.2)
    for one, two in zip(
        Likelihood.joint_terms(*given), GaussianLikelihood.joint_terms(*given), strict=True
    ):
        torch.testing.assert_close(one, two)


def laplace_cohort() -> MultiOmics:
    """Effects as they are simulated, noise of a Laplace distribution."""
    planted = poems.simulate(
        n_samples=200, n_features={"rna": 40, "protein": 30}, n_factors=3, density=0.3, seed=2
    )
    rng = np.random.default_rng(0)
    tables = {}
    for name, eta in planted.signal.items():
        tables[name] = eta + rng.laplace(size=eta.shape)
    return poems.read(tables)


def densities(model: FittedPoems, cohort: MultiOmics, **of_views: object) -> None:
    """Hold the objective against scipy, and what is reported against the parameters."""
    module, settings = model.module, model.settings
    batch, _ = model.preprocessing.apply(cohort)
    with torch.no_grad():
        torch.manual_seed(4)
        terms = elbo_terms(module, batch, settings, n_samples=len(batch), kl_weight=1.0)
        torch.manual_seed(4)
        (z,), _ = module.encode(batch).posterior.rsample()
        decoded = module.decode(z)
    for i, (name, distribution) in enumerate(of_views.items()):
        scale = torch.exp(next(module.likelihood(i).parameters())).detach().double().numpy()
        x, eta = batch.values[name].double().numpy(), decoded[name].double().numpy()
        expected = -distribution.logpdf(x, eta, scale).sum() / len(batch)  # type: ignore[attr-defined]
        assert terms.nll[name].item() == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(model.noise[name], distribution.std(0, scale), rtol=1e-5)  # type: ignore[attr-defined]
        # For both of them the information is the inverse square of the scale.
        np.testing.assert_allclose(module.standard_errors()[i], scale, rtol=1e-5)


@pytest.mark.usefixtures("_laplace")
def test_a_likelihood_from_outside_is_what_is_fitted(tmp_path: Path) -> None:
    cohort = laplace_cohort()
    model = poems.fit(cohort, likelihood="laplace", n_latent=6, epochs=100, progress=False)
    densities(model, cohort, rna=stats.laplace, protein=stats.laplace)
    # What was learned is the mean size of the residuals, not their standard deviation.
    batch, _ = model.preprocessing.apply(cohort)
    residual = batch.values["rna"] - model.module.predict(model.sample_estimates.loc)["rna"]
    learned = model.module.standard_errors()[0]
    torch.testing.assert_close(learned.mean(), residual.abs().mean(), rtol=0.1, atol=0)
    assert (residual.std() / learned.mean()) > 1.2
    model.save(tmp_path / "model.poems")
    loaded = poems.load(tmp_path / "model.poems")
    assert loaded.transform(cohort).latent.equals(model.transform(cohort).latent)
    densities(loaded, cohort, rna=stats.laplace, protein=stats.laplace)


@pytest.mark.usefixtures("_laplace")
def test_each_view_has_the_likelihood_that_it_is_given() -> None:
    cohort = laplace_cohort()
    model = poems.fit(cohort, likelihood={"protein": "laplace"}, epochs=10, progress=False)
    densities(model, cohort, rna=stats.norm, protein=stats.laplace)
    with pytest.raises(SettingsError, match="names the view dna; there are rna, protein"):
        poems.fit(cohort, likelihood={"dna": "laplace"}, epochs=10, progress=False)


def test_a_likelihood_that_is_not_registered_is_refused_by_name(tmp_path: Path) -> None:
    cohort = poems.simulate(n_samples=40, n_features=10, seed=0).cohort
    with pytest.raises(SettingsError, match="no likelihood 'cauchy'; there are gaussian"):
        poems.fit(cohort, likelihood="cauchy", progress=False)
    with pytest.raises(SettingsError, match="no likelihood 'cauchy'; there are gaussian"):
        poems.fit(cohort, likelihood={"view1": "cauchy"}, progress=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LIKELIHOODS, "_parts", {**LIKELIHOODS._parts, "cauchy": Laplace})
        poems.fit(cohort, likelihood="cauchy", epochs=2, progress=False).save(tmp_path / "m.poems")
    with pytest.raises(StorageError, match="no likelihood 'cauchy'; there are gaussian"):
        poems.load(tmp_path / "m.poems")


def test_models_of_before_likelihoods_could_be_chosen_are_gaussian() -> None:
    settings = json.loads(poems.Settings().model_dump_json())
    del settings["model"]["likelihood"]
    read = poems.Settings.model_validate(settings)
    assert read.model.likelihoods_of(["a", "b"]) == ["gaussian", "gaussian"]
