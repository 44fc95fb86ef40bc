"""Scores of loadings: the textbook's statistics, and a ranking that goes on at zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from toy_parts import Laplace

import poems
from poems.evaluation.matching import support_auprc
from poems.nn.background import Background
from poems.nn.estimates import FeatureEstimates, SampleEstimates, estimate_features
from poems.nn.loading_scores import score_loadings
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.settings.schema import Settings

N, SIZES = 40, {"a": 7, "b": 5}


def sparse_model(**changes: object) -> POEMS:
    """A model with every third loading at zero, and latent 3 without any."""
    settings = Settings().updated(n_latent=4, encoder_layers=(8,), decoder_hidden=6, **changes)
    model = POEMS({name: torch.ones(size) for name, size in SIZES.items()}, settings)
    with torch.no_grad():
        for i, decoder in enumerate(model.decoders):
            pattern = (torch.arange(decoder.n_features * 4) + i).view(-1, 4) % 3 == 0
            if hasattr(decoder, "loadings"):
                decoder.loadings[pattern] = 0.0
                decoder.loadings[:, 3] = 0.0
    return model.eval()


def some_data(*, gaps: bool) -> Batch:
    values = {name: torch.randn(N, size) for name, size in SIZES.items()}
    measured = torch.ones(N, 2, dtype=torch.bool)
    observed: dict[str, Tensor | None] = dict.fromkeys(SIZES)
    if gaps:
        measured[:6, 1] = False
        values["b"][:6] = torch.nan
        there = torch.rand(N, SIZES["a"]) > 0.2
        observed["a"] = there
        values["a"] = values["a"].where(there, torch.inf)
    return Batch(values, observed, measured)


def estimates(model: POEMS, batch: Batch) -> tuple[SampleEstimates, FeatureEstimates]:
    loc = torch.randn(N, 4)
    loc[:, 1] += 0.7 * loc[:, 0]
    samples = SampleEstimates(loc, torch.ones_like(loc), torch.ones(N, 2), None)
    return samples, estimate_features(model, batch, loc)


def by_regression(
    model: POEMS, batch: Batch, loc: Tensor, view: int, j: int, k: int, scale: float
) -> float:
    """The score of one loading by least squares, feature by feature."""
    name, decoder = list(SIZES)[view], model.decoder(view)
    rows = batch.measured[:, view]
    mask = batch.observed[name]
    if mask is not None:
        rows = rows & mask[:, j]
    z = loc[rows].double().numpy()
    eta = model.decode(loc)[name][rows, j].detach().double().numpy()
    residual = (batch.values[name][rows, j].double().numpy() - eta) / scale
    driven, slopes = decoder.slopes(loc)
    at = (driven == j).nonzero()
    given = np.zeros(len(z))
    if len(at) and decoder.loadings[j, k] != 0:
        given = (loc[:, k] * slopes[:, int(at), k])[rows].double().numpy() / scale
    others = [o for o in range(3) if decoder.loadings[j, o] != 0 and o != k]
    design = np.column_stack([np.ones(len(z)), z[:, others], z[:, [k]]])
    solved, *_ = np.linalg.lstsq(design, residual + given, rcond=None)
    t = solved[-1] / np.sqrt(np.linalg.inv(design.T @ design)[-1, -1])
    bent = given - design @ np.linalg.lstsq(design, given, rcond=None)[0]
    return float(np.copysign(np.sqrt(t**2 + bent @ bent), t))


@pytest.mark.parametrize("gaps", [False, True])
def test_a_score_is_the_statistic_of_a_regression_within_the_pattern(gaps: bool) -> None:
    model, batch = sparse_model(), some_data(gaps=gaps)
    samples, features = estimates(model, batch)
    found = score_loadings(model, batch, samples, features)
    for view, (name, size) in enumerate(SIZES.items()):
        scale = model.standard_deviations()[view]
        expected = [
            [
                by_regression(model, batch, samples.loc, view, j, k, float(scale[j]))
                for k in range(3)
            ]
            for j in range(size)
        ]
        np.testing.assert_allclose(found[name][:, :3], expected, rtol=2e-3, atol=2e-3)
        assert not found[name][:, 3].any(), "a latent that drives nothing has no score"


@pytest.mark.parametrize("gaps", [False, True])
def test_chunks_do_not_change_scores(gaps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = sparse_model(), some_data(gaps=gaps)
    samples, features = estimates(model, batch)
    whole = score_loadings(model, batch, samples, features)
    chunks = Batch.chunks
    monkeypatch.setattr(Batch, "chunks", lambda data: chunks(data, 7))
    monkeypatch.setattr("poems.nn.loading_scores._MOST_NUMBERS", 60)
    parts = score_loadings(model, batch, samples, features)
    for name in SIZES:
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-4, atol=1e-4)


def test_what_the_background_says_is_none_of_the_loadings() -> None:
    model, batch = sparse_model(), some_data(gaps=False)
    samples, features = estimates(model, batch)
    plain = score_loadings(model, batch, samples, features)
    dense = Background(tuple(SIZES.values()), 2, model.n_latent)
    dense.loadings.normal_()
    scores = torch.randn(N, 2)
    model.background = dense
    added = torch.split(dense.predict(scores), list(SIZES.values()), dim=1)
    with_it = Batch(
        {name: x + y for (name, x), y in zip(batch.values.items(), added, strict=True)},
        batch.observed,
        batch.measured,
    )
    found = score_loadings(model, with_it, replace(samples, background=scores), features)
    for name in SIZES:
        torch.testing.assert_close(found[name], plain[name], rtol=1e-3, atol=1e-3)


def test_any_likelihood_and_any_decoder_has_scores() -> None:
    batch = some_data(gaps=True)
    for model in (sparse_model(), sparse_model(decoder="dense")):
        model.likelihoods = torch.nn.ModuleList(Laplace(torch.ones(s)) for s in SIZES.values())
        samples, features = estimates(model, batch)
        found = score_loadings(model, batch, samples, features)
        assert all(torch.isfinite(score).all() for score in found.values())
        assert any(score.any() for score in found.values())


def test_scores_are_finite_with_more_factors_than_samples_and_with_nothing_measured() -> None:
    model, batch = sparse_model(), some_data(gaps=False)
    samples, features = estimates(model, batch)
    few = replace(samples, loc=samples.loc[:3])
    for part, known in ((batch.take(torch.arange(3)), few), (batch, samples)):
        absent = Batch(part.values, part.observed, part.measured & torch.tensor([True, False]))
        found = score_loadings(model, absent, known, features)
        assert torch.isfinite(found["a"]).all()
        assert not found["b"].any()


def test_features_that_nothing_drives_have_scores_of_about_one() -> None:
    scores = []
    for seed in range(3):
        truth = poems.simulate(150, 150, 3, density=0.1, n_subtypes=1, seed=seed)
        model = poems.fit(truth.cohort, seed=seed, progress=False)
        for name, table in truth.loadings.items():
            undriven = (table == 0).all(axis=1)
            scores.append(model.loading_scores[name].loc[undriven].to_numpy().ravel())
    assert 0.9 < np.concatenate(scores).std() < 1.15


@pytest.mark.parametrize("truth", ["linear", "u_shaped"])
def test_weak_loadings_are_ranked_better_by_score_than_by_size(truth: str) -> None:
    better = 0
    for seed in range(3):
        planted = poems.simulate(
            100, 150, 4, density=0.06, effect=(0.3, 0.7), truth=truth, n_subtypes=1, seed=seed
        )
        model = poems.fit(planted.cohort, seed=seed, progress=False)
        by_size = support_auprc(planted.loadings, model.loadings)
        better += support_auprc(planted.loadings, model.loading_scores) > by_size + 0.02
    assert better == 3
