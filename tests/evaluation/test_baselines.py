from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from poems.data.container import MultiOmics, View
from poems.errors import DataError, SettingsError
from poems.evaluation.baselines import pca_embedding
from poems.evaluation.paper.protocol import kmeans_scores
from poems.simulation.cohort import simulate


def with_values(cohort: MultiOmics, name: str, values: np.ndarray) -> MultiOmics:
    view = View(values.astype(np.float32), cohort[name].features, cohort[name].measured)
    return replace(cohort, views={**cohort.views, name: view})


def test_scores_equal_those_of_a_reference_on_complete_data() -> None:
    cohort = simulate(60, {"rna": 40, "protein": 9}, 4).cohort
    blocks = []
    for name in cohort:
        x = cohort[name].values.astype(float)
        blocks.append((x - x.mean(axis=0)) / x.std(axis=0) / np.sqrt(x.shape[1]))
    expected = PCA(5, svd_solver="full").fit_transform(np.hstack(blocks))
    scores = pca_embedding(cohort, n_components=5)
    np.testing.assert_allclose(np.abs(scores), np.abs(expected), atol=1e-6)
    assert scores.index.equals(cohort.samples)
    assert list(scores) == ["PC1", "PC2", "PC3", "PC4", "PC5"]


def test_scale_and_offset_of_features_do_not_matter() -> None:
    cohort = simulate(60, {"rna": 40, "protein": 9}, 4).cohort
    scale = np.geomspace(0.01, 100, 9)
    changed = with_values(cohort, "protein", cohort["protein"].values * scale + 3)
    np.testing.assert_allclose(pca_embedding(changed), pca_embedding(cohort), atol=1e-3)


def test_a_constant_feature_and_an_unmeasured_one_add_nothing() -> None:
    cohort = simulate(30, {"rna": 10}, 2, n_subtypes=1).cohort
    plain = cohort["rna"].values
    wide = np.column_stack([plain, np.full(30, 0.1), np.full(30, np.nan)]).astype(np.float32)
    view = View(wide, pd.Index(range(12)).astype(str), cohort["rna"].measured)
    scores = pca_embedding(replace(cohort, views={"rna": view}), n_components=9)
    # Only the block's scale changes, with its number of features.
    expected = pca_embedding(cohort, n_components=9) * np.sqrt(10 / 12)
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_an_unmeasured_view_places_a_sample_at_the_mean_of_that_view() -> None:
    cohort = simulate(50, {"rna": 20, "protein": 5}, 4, missing_views={"rna": 0.5, "protein": 0.0})
    scores = pca_embedding(cohort.cohort.select(["rna", "protein"]), n_components=3)
    assert np.isfinite(scores).all(axis=None)
    np.testing.assert_allclose(scores.mean(), 0, atol=1e-9)


def test_missing_entries_count_as_the_mean() -> None:
    cohort = simulate(50, {"rna": 20}, 3, missing_entries=0.2).cohort
    x = cohort["rna"].values.astype(float)
    z = np.nan_to_num((x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0)) / np.sqrt(20)
    expected = PCA(4, svd_solver="full").fit_transform(z)
    np.testing.assert_allclose(np.abs(pca_embedding(cohort, 4)), np.abs(expected), atol=1e-6)


def test_a_small_cohort_has_fewer_components() -> None:
    assert pca_embedding(simulate(10, 20).cohort).shape == (10, 9)
    assert pca_embedding(simulate(50, 2, n_views=2).cohort).shape == (50, 4)


def test_planted_subtypes_are_found() -> None:
    simulation = simulate(seed=1, separation=6.0)
    scores = pca_embedding(simulation.cohort, n_components=8)
    assert kmeans_scores(scores, simulation.subtypes, seeds=[0]).mean["nmi"] > 0.85


def test_wrong_input_is_named() -> None:
    cohort = simulate(10, 5).cohort
    with pytest.raises(SettingsError, match="n_components must be at least 1, not 0"):
        pca_embedding(cohort, 0)
    with pytest.raises(DataError, match="at least 2 samples, not 1"):
        pca_embedding(cohort.take([0]))
