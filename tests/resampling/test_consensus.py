from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.resampling.alignment import align
from poems.resampling.consensus import (
    ambiguity,
    average_linkage,
    co_association,
    consensus_latent,
    ensemble,
    subtypes_of,
)
from poems.resampling.refits import Refit


def noisy_clusterings(truth: np.ndarray, flipped: float, seed: int = 0) -> list[np.ndarray]:
    """Renumbered copies of a clustering, in which some samples go elsewhere."""
    rng = np.random.default_rng(seed)
    k = truth.max() + 1
    copies = []
    for _ in range(12):
        labels = rng.permutation(k)[truth]
        elsewhere = rng.random(len(truth)) < flipped
        labels[elsewhere] = rng.integers(k, size=elsewhere.sum())
        copies.append(labels.astype(np.int32))
    return copies


def test_numbers_of_clusters_do_not_matter() -> None:
    truth = np.repeat([0, 1, 2], 5)
    matrix = co_association(noisy_clusterings(truth, 0.0))
    np.testing.assert_array_equal(matrix, truth[:, None] == truth[None, :])
    assert ambiguity(matrix) == 0.0


def test_clusters_are_recovered_from_clusterings_that_err() -> None:
    truth = np.repeat([0, 1, 2, 3], [20, 15, 10, 8])
    samples = pd.Index([f"s{i}" for i in range(len(truth))])
    right = co_association(noisy_clusterings(truth, 0.05))
    # Two of the four put together, differently each time, and one split at random.
    rng = np.random.default_rng(0)
    merged = co_association([np.where(t == rng.integers(4), 0, t) for t in [truth] * 12])
    split = co_association(
        [np.where((t == 0) & (rng.random(len(t)) < 0.5), 4, t) for t in [truth] * 12]
    )
    found = subtypes_of({3: merged, 4: right, 5: split}, samples, 4)
    assert found.n_subtypes == 4
    assert pd.crosstab(truth, found.assignment.to_numpy()).astype(bool).sum().eq(1).all()
    assert found.assignment.value_counts().index[0] == "S1"
    assert found.choice.loc[5, "pac"] > 0
    assert subtypes_of({3: merged, 4: right}, samples, 3).n_subtypes == 3


def test_one_subtype_holds_all_samples() -> None:
    samples = pd.Index(range(20)).astype(str)
    found = subtypes_of({2: co_association([np.repeat([0, 1], 10)])}, samples, 1)
    assert set(found.assignment) == {"S1"}
    assert (found.agreement == 1).all()
    assert found.choice.index.tolist() == [2]


def test_the_linkage_forms_as_many_clusters_as_asked_for_despite_ties() -> None:
    for k in (1, 2, 3, 6):
        assert len(set(average_linkage(np.eye(6), k))) == k


def refit_of(latent: np.ndarray, loadings: np.ndarray) -> Refit:
    return Refit({"a": loadings.astype(np.float32)}, latent.astype(np.float32), {}, {}, {})


def test_consensus_latents_undo_order_sign_and_scale_and_average_the_noise_out() -> None:
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((60, 3)) * [3.0, 2.0, 1.0] + [0.0, 1.0, 0.0]
    loadings = np.kron(np.eye(3), np.ones((4, 1)))
    reference = truth + 0.5 * rng.standard_normal(truth.shape)
    refits, alignments = [], []
    for _ in range(20):
        order, sign = rng.permutation(3), rng.choice([-1.0, 1.0], 3)
        noisy = (truth + 0.5 * rng.standard_normal(truth.shape)) * sign * rng.uniform(0.2, 5.0, 3)
        refits.append(refit_of(noisy[:, order], loadings[:, order]))
        alignments.append(align({"a": loadings}, reference, refits[-1].loadings, refits[-1].latent))
    consensus = consensus_latent(reference, refits, alignments)
    for k in range(3):
        before = np.corrcoef(reference[:, k], truth[:, k])[0, 1]
        assert np.corrcoef(consensus[:, k], truth[:, k])[0, 1] > max(before, 0.99)
    np.testing.assert_allclose(consensus.mean(axis=0), reference.mean(axis=0))
    np.testing.assert_allclose(consensus.std(axis=0), reference.std(axis=0))


def test_a_factor_that_no_refit_contains_keeps_the_references_latents() -> None:
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((20, 2))
    first, second = np.array([[1.0, 0], [0, 1], [0, 0]]), np.array([[1.0, 0], [0, 0], [0, 1]])
    refit = refit_of(rng.standard_normal((20, 2)), second)
    alignment = align({"a": first}, latent, refit.loadings, refit.latent)
    np.testing.assert_array_equal(alignment.found, [True, False])
    consensus = consensus_latent(latent, [refit], [alignment])
    np.testing.assert_allclose(consensus[:, 1], latent[:, 1])
    assert not np.allclose(consensus[:, 0], latent[:, 0])


def test_distances_in_the_ensemble_are_means_over_refits() -> None:
    rng = np.random.default_rng(0)
    latents = [rng.standard_normal((5, k)) for k in (3, 1, 0)]
    points = ensemble([refit_of(z, np.zeros((2, z.shape[1]))) for z in latents])
    squared = [np.square(z[0] - z[1]).sum() for z in latents]
    assert points.shape == (5, 4)
    assert np.square(points[0] - points[1]).sum() == pytest.approx(np.mean(squared), rel=1e-5)
