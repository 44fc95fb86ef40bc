from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.errors import DataError, SettingsError
from poems.evaluation.paper.protocol import PAPER_SEEDS, kmeans_scores, knn_accuracy


def two_groups(n: int = 40, distance: float = 8.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.array(["a", "b"] * (n // 2))
    return rng.standard_normal((n, 3)) + distance * (labels == "b")[:, None], labels


def test_kmeans_finds_far_groups_with_every_seed() -> None:
    scores = kmeans_scores(*two_groups())
    assert tuple(scores.runs.index) == PAPER_SEEDS
    assert list(scores.runs) == ["accuracy", "nmi", "ari", "silhouette"]
    assert scores.mean[["accuracy", "nmi", "ari"]].tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert scores.mean["silhouette"] > 0.6
    assert scores.sd["accuracy"] == pytest.approx(0.0)


def test_kmeans_does_not_find_what_is_not_there() -> None:
    scores = kmeans_scores(*two_groups(200, distance=0.0))
    assert scores.mean["accuracy"] < 0.65
    assert scores.mean["nmi"] < 0.1


def test_mean_and_spread_are_over_the_runs() -> None:
    points, _ = two_groups(60, distance=0.0)
    labels = np.arange(60) % 6
    scores = kmeans_scores(points, labels, seeds=[0, 1, 2, 3], n_init=1)
    assert scores.mean["nmi"] == pytest.approx(np.mean(scores.runs["nmi"]))
    assert scores.sd["nmi"] == pytest.approx(np.std(scores.runs["nmi"], ddof=1))
    assert np.isnan(kmeans_scores(points, labels, seeds=[0]).sd["nmi"])


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_samples_without_a_label_are_left_out_and_counted(missing: object) -> None:
    points, labels = two_groups()
    more_points = np.vstack([points, np.full((3, 3), 1e3)])
    more_labels = [*labels, missing, missing, missing]
    plain, more = kmeans_scores(points, labels), kmeans_scores(more_points, more_labels)
    assert (more.n_scored, more.n_unlabelled) == (40, 3)
    assert (plain.n_scored, plain.n_unlabelled) == (40, 0)
    pd.testing.assert_frame_equal(plain.runs, more.runs)
    knn = knn_accuracy(more_points, more_labels)
    assert knn.n_unlabelled == 3
    pd.testing.assert_frame_equal(knn.runs, knn_accuracy(points, labels).runs)


def test_neighbours_tell_far_groups_apart_in_five_splits() -> None:
    scores = knn_accuracy(*two_groups())
    assert list(scores.runs) == ["accuracy", "balanced_accuracy"]
    assert len(scores.runs) == 5
    assert (scores.runs == 1.0).all(axis=None)


def test_splits_depend_on_the_seed_alone() -> None:
    points, labels = two_groups(80, distance=1.0)
    first, again, other = (knn_accuracy(points, labels, seed=seed).runs for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_the_number_of_neighbours_is_the_number_of_classes() -> None:
    points, labels = two_groups(80, distance=1.0)
    by_default = knn_accuracy(points, labels).runs
    pd.testing.assert_frame_equal(by_default, knn_accuracy(points, labels, n_neighbours=2).runs)
    assert not by_default.equals(knn_accuracy(points, labels, n_neighbours=9).runs)


def test_a_rare_class_lowers_balanced_accuracy_only() -> None:
    rng = np.random.default_rng(0)
    labels = np.array(["common"] * 95 + ["rare"] * 5)
    scores = knn_accuracy(rng.standard_normal((100, 2)), labels, n_neighbours=15, stratify=True)
    assert scores.mean["accuracy"] > 0.9
    assert scores.mean["balanced_accuracy"] == pytest.approx(0.5)


def test_a_group_stays_in_one_part() -> None:
    # Twins lie on one another and share a label that nothing else predicts.
    rng = np.random.default_rng(0)
    points = np.repeat(rng.standard_normal((100, 5)), 2, axis=0)
    labels = np.repeat(rng.integers(0, 2, 100), 2)
    patients = [f"patient {number // 2}" for number in range(200)]
    leaky = knn_accuracy(points, labels, n_neighbours=1).mean["accuracy"]
    honest = knn_accuracy(points, labels, n_neighbours=1, groups=patients).mean["accuracy"]
    assert leaky > 0.75
    assert honest < 0.65


def test_groups_follow_their_samples_when_some_have_no_label() -> None:
    points, labels = two_groups()
    groups = np.arange(40) // 2
    plain = knn_accuracy(points, labels, groups=groups)
    more = knn_accuracy(
        np.vstack([[[99.0] * 3], points]), [None, *labels], groups=[777, *groups.tolist()]
    )
    pd.testing.assert_frame_equal(plain.runs, more.runs)


def test_wrong_input_is_named() -> None:
    points, labels = two_groups()
    with pytest.raises(DataError, match="at least 2 classes; 40 of 40 samples have a label, of 1"):
        kmeans_scores(points, ["a"] * 40)
    with pytest.raises(DataError, match="at least 2 classes; 0 of 40 samples have a label, of 0"):
        knn_accuracy(points, [None] * 40)
    with pytest.raises(SettingsError, match="seeds is empty"):
        kmeans_scores(points, labels, seeds=[])
    with pytest.raises(SettingsError, match="stratify and groups cannot be combined"):
        knn_accuracy(points, labels, stratify=True, groups=labels)
    with pytest.raises(DataError, match="there are 39 groups for 40 labels"):
        knn_accuracy(points, labels, groups=labels[1:])
    with pytest.raises(DataError, match="31 neighbours cannot be found among 30 samples"):
        knn_accuracy(points, labels, n_neighbours=31)
    with pytest.raises(DataError, match="the samples cannot be split: The least populated class"):
        knn_accuracy(points, ["c", *labels[1:]], stratify=True)
