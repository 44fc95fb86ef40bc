from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import poems
from poems.analysis import variance_explained, view_contributions
from poems.evaluation.held_out import (
    cross_view_r2,
    predicted_by,
    reconstruction_r2,
)
from poems.fitting.explaining import training_means
from poems.fitting.result import FittedPoems
from poems.fitting.storage import without_weak_effects
from poems.nn.estimates import estimate_samples

QUICK = {"progress": False, "epochs": 40}


def a_cohort(seed: int, n_dense: int = 3) -> poems.MultiOmics:
    """Sparse factors, and dense ones that every feature of both views has a share in."""
    cohort = poems.simulate(
        n_samples=150, n_features={"a": 80, "b": 60}, n_factors=4, seed=seed
    ).cohort
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(cohort.n_samples, n_dense))
    frames = {}
    for name in cohort.views:
        frame = cohort.frame(name)
        loadings = 0.5 * rng.normal(size=(n_dense, frame.shape[1]))
        frames[name] = frame + frame.std().mean() * scores @ loadings
    return poems.read(frames)


@pytest.fixture(scope="module")
def cohort() -> poems.MultiOmics:
    return a_cohort(0)


@pytest.fixture(scope="module")
def exact(cohort: poems.MultiOmics) -> FittedPoems:
    return poems.fit(cohort, seed=0, **QUICK)


@pytest.mark.slow
def test_new_samples_and_views_from_the_others_are_told_better() -> None:
    for seed in range(3):
        cohort = a_cohort(seed)
        training, new = cohort.take(range(110)), cohort.take(range(110, 150))
        scores = []
        for options in ({"inference": "amortised"}, {}):
            model = poems.fit(training, seed=0, **QUICK, **options)
            batch, _ = model.preprocessing.apply(new)
            means = training_means(model.preprocessing)
            scores.append(
                [
                    np.mean(list(score(batch, predicted_by(model), means).values()))
                    for score in (reconstruction_r2, cross_view_r2)
                ]
            )
        (held_out, across), (exact_held_out, exact_across) = scores
        assert exact_held_out > held_out + 0.05
        assert exact_across > across + 0.05


def test_background_factors_leave_the_loadings_alone(
    cohort: poems.MultiOmics, exact: FittedPoems
) -> None:
    plain = poems.fit(cohort, seed=0, inference="amortised", **QUICK)
    for name in cohort.views:
        assert (
            exact.weights[name].ne(0).to_numpy().sum() == plain.weights[name].ne(0).to_numpy().sum()
        )
    assert exact.background.shape[1] > 0
    assert plain.background.shape[1] == 0
    assert (exact.total_r2 > exact.r2 + 0.02).all()
    assert plain.total_r2.tolist() == plain.r2.tolist()
    assert plain.precision_shares is None
    assert exact.precision_shares is not None
    np.testing.assert_allclose(exact.precision_shares.sum(axis=1), 1.0, rtol=1e-5)


def test_it_is_saved_and_loaded(
    exact: FittedPoems, cohort: poems.MultiOmics, tmp_path: Path
) -> None:
    exact.save(tmp_path / "model.poems")
    loaded = poems.load(tmp_path / "model.poems")
    pd.testing.assert_frame_equal(loaded.background, exact.background)
    for name, table in exact.background_loadings.items():
        pd.testing.assert_frame_equal(loaded.background_loadings[name], table)
    some = cohort.take(range(10))
    pd.testing.assert_frame_equal(loaded.transform(some).latent, exact.transform(some).latent)
    assert repr(loaded) == repr(exact)
    assert "with the background" in repr(loaded)


def test_training_samples_are_projected_where_they_were(
    exact: FittedPoems, cohort: poems.MultiOmics
) -> None:
    again = exact.transform(cohort)
    np.testing.assert_allclose(again.latent, exact.latent, atol=5e-3)
    assert again.background is not None
    np.testing.assert_allclose(again.background, exact.background, atol=5e-3)


def test_analyses_take_exact_posteriors(exact: FittedPoems, cohort: poems.MultiOmics) -> None:
    explained = variance_explained(exact, cohort).wide().loc["all"]
    np.testing.assert_allclose(explained, exact.r2, atol=5e-3)
    shifts = view_contributions(exact, cohort, poems.find_subtypes(exact, 3)).tables
    assert all(len(table) for table in shifts.values())


def test_a_background_that_cannot_be_found_costs_no_model(
    cohort: poems.MultiOmics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object) -> None:
        raise np.linalg.LinAlgError("did not converge")

    monkeypatch.setattr("poems.fitting.after_training.fit_background", fails)
    model = poems.fit(cohort, seed=0, progress=False, epochs=3)
    assert model.background.shape[1] == 0
    assert "background-failed" in [finding.code for finding in model.findings]


def test_a_file_of_before_factors_had_weak_effects_has_none(exact: FittedPoems) -> None:
    state = exact.module.state_dict()
    dense = exact.module.background
    older = {name: value for name, value in state.items() if name.startswith("background.")}
    for name in ("weak", "carried", "moments"):
        del older[f"background.{name}"]
    n_latent = dense.n_latent
    older["background.uncertainty"] = dense.uncertainty[:, n_latent:, n_latent:]
    read = without_weak_effects(dense, older)
    assert {**older, **read}.keys() == {name for name in state if name.startswith("background.")}
    assert not read["background.weak"].any()
    assert (read["background.carried"] == 1).all()
    assert read["background.uncertainty"].shape == dense.uncertainty.shape


def test_a_view_that_was_not_measured_is_predicted_with_less(
    exact: FittedPoems, cohort: poems.MultiOmics
) -> None:
    name = next(iter(cohort.views))
    module = deepcopy(exact.module)
    module.background.carried[0] = 0.5
    batch, _ = exact.preprocessing.apply(cohort)
    lacking = batch.measured.clone()
    lacking[:, 0] = False
    found = estimate_samples(module, replace(batch, measured=lacking))
    plain = module.predict(found.loc, found.background)
    shrunk = module.predict(found.loc, found.background, measured=lacking)
    assert shrunk[name].var() < plain[name].var()
    for other in list(cohort.views)[1:]:
        torch.testing.assert_close(shrunk[other], plain[other], rtol=0, atol=0)
