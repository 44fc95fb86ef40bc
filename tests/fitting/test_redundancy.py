"""Fits in which features that say the same count less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import poems
from poems.data.container import MultiOmics
from poems.errors import StorageError
from poems.files.tensors import read_state, write_state
from poems.fitting.record import read_stored
from poems.fitting.result import FittedPoems

N_FACTORS = 3


def cohort_with(copies: int, seed: int) -> tuple[MultiOmics, np.ndarray[Any, Any]]:
    """An rna of two factors, and copy numbers of a third that are so many copies of eight."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(150, N_FACTORS))
    effects = 0.6 * np.repeat(np.eye(2), 30, axis=0)
    rna = z[:, :2] @ effects.T + 0.8 * rng.normal(size=(150, 60))
    segments = 0.9 * z[:, 2:] + 0.4 * rng.normal(size=(150, 8))
    copynumber = np.repeat(segments, copies, axis=1)
    copynumber += 0.1 * rng.normal(size=copynumber.shape)
    samples = [f"s{i}" for i in range(150)]
    tables = {"rna": rna, "copynumber": copynumber}
    return poems.read(
        {
            name: pd.DataFrame(x, samples, [f"{name}{j}" for j in range(x.shape[1])])
            for name, x in tables.items()
        }
    ), z


def fit(cohort: MultiOmics, seed: int = 0, **settings: Any) -> FittedPoems:
    return poems.fit(cohort, seed=seed, **{"n_latent": 8, "progress": False, **settings})


def told(model: FittedPoems, z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How much of each true factor's variance the latents tell, linearly."""
    latent = np.column_stack([np.ones(len(z)), model.latent])
    left = z - latent @ np.linalg.lstsq(latent, z, rcond=None)[0]
    share: np.ndarray[Any, Any] = 1.0 - left.var(axis=0) / z.var(axis=0)
    return share


def test_copies_in_one_omic_do_not_drown_another_as_they_do_without_weights() -> None:
    """In two of three seeds at least, each way: latents lose little, and nearly all without."""
    kept, lost = 0, 0
    for seed in range(3):
        (plain, z), (copied, _) = cohort_with(1, seed), cohort_with(60, seed)
        before = told(fit(plain, seed), z)[:2].min()
        assert before > 0.8
        kept += told(fit(copied, seed), z)[:2].min() > before - 0.1
        lost += told(fit(copied, seed, redundancy="none"), z)[:2].max() < 0.5
    assert kept >= 2
    assert lost >= 2


def test_the_remedy_for_an_omic_that_is_drowned_cures_it() -> None:
    cohort, _ = cohort_with(60, 0)
    drowned = fit(cohort, redundancy="none")
    (finding,) = [f for f in drowned.findings if f.code == "badly-reconstructed"]
    assert finding.view == "rna"
    assert "fit with redundancy='correlation'" in finding.message
    assert "badly-reconstructed" not in {f.code for f in fit(cohort).findings}


def test_a_feature_keeps_its_own_effect_and_noise_beside_its_copies() -> None:
    """Of all features: what counts less is still explained as well as it is on its own."""
    (plain, _), (copied, _) = cohort_with(1, 0), cohort_with(10, 0)
    one, many = fit(plain, n_latent=N_FACTORS), fit(copied, n_latent=N_FACTORS)
    assert float(many.feature_weights["copynumber"].max()) < 0.4
    expected = np.repeat(one.noise["copynumber"].to_numpy(), 10)
    np.testing.assert_allclose(many.noise["copynumber"], expected, rtol=0.2)
    assert many.r2["copynumber"] == pytest.approx(one.r2["copynumber"], abs=0.1)
    # No threshold rose: each of the copies has a loading.
    assert (many.loadings["copynumber"] != 0).any(axis=1).mean() > 0.95
    # A copy has the effect that the feature has; of the strongest factor there is.
    sizes = [
        np.abs(m.loadings["copynumber"].to_numpy()).max(axis=1).reshape(8, -1).mean(axis=1)
        for m in (one, many)
    ]
    np.testing.assert_allclose(sizes[1], sizes[0], rtol=0.25)


def test_features_that_are_all_distinct_give_the_fit_without_weights_bit_for_bit() -> None:
    cohort = poems.simulate(n_samples=80, n_features=30, missing_entries=0.02, seed=1).cohort
    one, other = (
        fit(cohort, redundancy=way, epochs=12, inference=inference)
        for way, inference in (("correlation", "exact"), ("none", "exact"))
    )
    assert all((weights == 1).all() for weights in one.feature_weights.values())
    assert one.latent.equals(other.latent)
    assert one.history.equals(other.history)
    assert torch.equal(*(m.network for m in (one, other)))  # type: ignore[arg-type]
    for name in one.view_names:
        assert one.loadings[name].equals(other.loadings[name])


def test_what_a_view_counts_for_is_told_and_none_lets_all_count() -> None:
    cohort, _ = cohort_with(20, 0)
    model = fit(cohort, epochs=2)
    weights = model.feature_weights["copynumber"]
    assert list(weights.index) == list(model.features("copynumber"))
    (note,) = [f for f in model.findings if f.code == "features-redundant"]
    assert note.view == "copynumber"
    assert f"160 features count as {weights.sum():.0f}," in note.message
    plain = fit(cohort, epochs=2, redundancy="none")
    assert all((own == 1).all() for own in plain.feature_weights.values())
    assert "features-redundant" not in {f.code for f in plain.findings}


def test_samples_held_out_do_not_bear_on_the_weights() -> None:
    cohort, _ = cohort_with(3, 0)
    watched = [str(name) for name in cohort.samples[:30]]
    settings: dict[str, Any] = {"epochs": 2, "stopping": "held_out", "scale": "none"}
    settings |= {"winsorise": None, "validation": watched}
    before = fit(cohort, **settings).feature_weights["copynumber"]
    rng = np.random.default_rng(0)
    cohort.views["copynumber"].values[:30] = rng.normal(size=(30, 24))
    after = fit(cohort, **settings).feature_weights["copynumber"]
    pd.testing.assert_series_equal(before, after)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    cohort, _ = cohort_with(5, 0)
    path = tmp_path / "model.poems"
    fit(cohort, epochs=2).save(path)
    return path


def test_weights_are_stored_with_the_model(saved: Path) -> None:
    cohort, _ = cohort_with(5, 0)
    model, loaded = fit(cohort, epochs=2), poems.load(saved)
    assert loaded.settings.model.redundancy == "correlation"
    for name in model.view_names:
        pd.testing.assert_series_equal(loaded.feature_weights[name], model.feature_weights[name])


def test_a_file_of_before_there_were_weights_has_weights_of_one(saved: Path) -> None:
    tensors, record = read_state(saved)
    tensors.pop("module.feature_weights")
    del record["settings"]["model"]["redundancy"]
    write_state(saved, tensors, record)
    loaded = poems.load(saved)
    assert all((weights == 1).all() for weights in loaded.feature_weights.values())
    # What is the default now was not done then.
    assert loaded.settings.model.redundancy == "none"
    assert read_stored(saved).record.settings.model.redundancy == "none"
    loaded.save(saved)
    assert poems.load(saved).settings.model.redundancy == "none"


@pytest.mark.parametrize("wrong", [0.0, -1.0, 1.5, np.nan, np.inf])
def test_weights_that_no_features_have_are_refused(saved: Path, wrong: float) -> None:
    tensors, record = read_state(saved)
    weights = tensors["module.feature_weights"].copy()
    weights[3] = wrong
    write_state(
        saved, {**tensors, "module.feature_weights": weights}, json.loads(json.dumps(record))
    )
    with pytest.raises(StorageError, match=r"weights of features|feature_weights"):
        poems.load(saved)
