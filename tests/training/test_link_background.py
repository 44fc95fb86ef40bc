"""Background factors of views that are not Gaussian: planted ones, and none where is noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import poems
from poems.nn.background import Background
from poems.nn.inference import infer
from poems.nn.link_scores import Entries, link_scores
from poems.training.link_background import fit_link_background

QUICK: dict[str, Any] = {"epochs": 30, "progress": False}


def made(seed: int, kind: str, strength: float) -> dict[str, pd.DataFrame]:
    """A Gaussian view, and one of a kind that a dense factor moves by so much a feature."""
    rng = np.random.default_rng(seed)
    names = [f"s{i}" for i in range(80)]
    shared, dense = rng.normal(size=(2, 80, 1))
    rna = shared @ rng.normal(size=(1, 30)) + rng.normal(size=(80, 30))
    eta = strength * dense @ rng.normal(size=(1, 60))
    if kind == "bernoulli":
        values = rng.random(eta.shape) < 1.0 / (1.0 + np.exp(-eta))
    else:
        values = rng.poisson(np.exp(1.0 + eta) * rng.gamma(4.0, 0.25, size=eta.shape))
    tables = {"rna": rna, "own": values.astype(float)}
    return {
        view: pd.DataFrame(x, index=names, columns=[f"{view}{j}" for j in range(x.shape[1])])
        for view, x in tables.items()
    }


@pytest.fixture(scope="module", params=["bernoulli", "negative_binomial"])
def model(request: pytest.FixtureRequest) -> poems.FittedPoems:
    # One factor has enough to do with the Gaussian view.
    kinds = {"own": request.param}
    return poems.fit(made(0, request.param, 1.0), likelihood=kinds, n_latent=1, **QUICK)


def test_what_is_dense_is_foretold_and_latents_stay(model: poems.FittedPoems) -> None:
    (said,) = [each for each in model.findings if each.code == "background-links"]
    assert said.items == ("own",)
    assert model.total_r2["own"] > model.r2["own"] + 0.05
    loadings = model.background_loadings
    own = (loadings["own"] != 0).any().to_numpy()
    assert own.any()
    # Each factor is of one side, and the latents are those without it.
    assert ((loadings["rna"] != 0).any().to_numpy() != own).all()
    module, batch = model.module, model.preprocessing.apply(model_cohort(model))[0]
    before = infer(module, batch)
    whole = module.background
    module.background = whole.part(range(2), ~whole.factors_of([1]))
    after = infer(module, batch)
    module.background = whole
    assert torch.equal(before.loc, after.loc)
    assert torch.equal(before.variance, after.variance)


def model_cohort(model: poems.FittedPoems) -> poems.MultiOmics:
    kind = model.settings.model.likelihood["own"]
    return poems.read(made(0, kind, 1.0))


def test_a_file_keeps_it(model: poems.FittedPoems, tmp_path: Any) -> None:
    model.save(tmp_path / "model.poems")
    again = poems.load(tmp_path / "model.poems")
    pd.testing.assert_frame_equal(again.background, model.background)
    pd.testing.assert_frame_equal(again.reconstruct()["own"], model.reconstruct()["own"])


def entries_of(model: poems.FittedPoems) -> tuple[Entries, Background]:
    module, batch = model.module, model.preprocessing.apply(model_cohort(model))[0]
    whole = module.background
    own = whole.part([1], whole.factors_of([1]))
    return Entries.of(module, batch, infer(module, batch).loc, [1]), own


def test_scores_are_at_the_mode_whoever_is_beside(model: poems.FittedPoems) -> None:
    entries, background = entries_of(model)
    b, covariance, settled = link_scores(entries, background)
    assert settled.all()
    K = background.n_latent
    told = background.precision * entries.weights
    at = b.double().requires_grad_()
    eta = entries.eta + background.offset + at @ background.loadings.double().T
    (likelihood,) = entries.likelihoods
    gain = likelihood.log_prob(entries.x, eta) @ entries.weights.double()
    share = (likelihood.information(eta).detach() @ entries.weights.double()) / told.sum()
    doubt = ((at @ background.uncertainty[0, K:, K:].double()) * at).sum(dim=1) * share
    (slope,) = torch.autograd.grad((gain - 0.5 * at.square().sum(dim=1) - 0.5 * doubt).sum(), at)
    # What another step would still gain is next to nothing.
    left = (slope[:, None] @ covariance.double() @ slope[:, :, None])[:, 0, 0]
    assert float(left.max()) < 1e-3
    alone, _, _ = link_scores(entries.take(torch.arange(5)), background)
    torch.testing.assert_close(alone, b[:5], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bernoulli", "negative_binomial"])
def test_what_is_noise_is_kept_seldom_and_then_costs_next_to_nothing(kind: str) -> None:
    kept = 0
    for seed in range(4):
        tables = made(seed, kind, 0.0)
        model = poems.fit(
            tables, likelihood={"own": kind}, inference="amortised", n_latent=1, **QUICK
        )
        batch, _ = model.preprocessing.apply(poems.read(tables))
        found = infer(model.module, batch)
        told = fit_link_background(model.module, batch, found.loc, 30, seed)
        kept += told["own"].pays
        assert told["own"].gain < 0.02
    assert kept <= 2


def test_parts_of_two_backgrounds_are_found_again() -> None:
    ours, theirs = Background((3, 2), 2, 1), Background((3, 2), 1, 0)
    ours.loadings[:3] = torch.randn(3, 2)
    ours.offset[:3] = 1.0
    theirs.loadings[3:] = torch.randn(2, 1)
    theirs.offset[3:] = 2.0
    theirs.uncertainty[1] = 0.5
    both = ours.beside(theirs)
    assert both.factors_of([0]).tolist() == [True, True, False]
    assert both.factors_of([1]).tolist() == [False, False, True]
    assert both.offset.tolist() == [1.0, 1.0, 1.0, 2.0, 2.0]
    part = both.part([1], both.factors_of([1]))
    assert torch.equal(part.loadings, theirs.loadings[3:])
    assert part.uncertainty[0].tolist() == [[0.0, 0.0], [0.0, 0.5]]
    again = both.part([0, 1], both.factors_of([0]))
    assert torch.equal(again.loadings, ours.loadings)
    assert torch.equal(again.uncertainty, ours.uncertainty)
