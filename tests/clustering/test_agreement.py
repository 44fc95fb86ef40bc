from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from poems.clustering.agreement import (
    ari,
    balanced_accuracy,
    clustering_accuracy,
    homogeneity_completeness,
    nmi,
    purity,
    silhouette,
)
from poems.errors import DataError

labellings = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30).map(
    lambda pairs: tuple(zip(*pairs, strict=True))
)


@given(labellings)
def test_clustering_accuracy_is_the_best_over_all_renamings(
    labelling: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    labels, clusters = (np.array(codes) for codes in labelling)
    best = max(np.mean(np.array(names)[clusters] == labels) for names in permutations(range(4)))
    assert clustering_accuracy(labels, clusters) == pytest.approx(best)


@given(labellings)
def test_scores_do_not_depend_on_the_names_or_type_of_labels(
    labelling: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    labels, clusters = labelling
    texts = [f"class {9 - label}" for label in labels]
    categories = pd.Series(clusters).astype("category")
    for score in (clustering_accuracy, nmi, ari):
        assert score(texts, categories) == pytest.approx(score(labels, clusters))
        assert score(labels, labels) == pytest.approx(1.0)


def test_surplus_clusters_count_as_wrong() -> None:
    assert clustering_accuracy(["a"] * 4, [0, 0, 1, 2]) == 0.5


def test_independent_clusters_score_zero() -> None:
    labels, clusters = ["a", "a", "b", "b"], [0, 1, 0, 1]
    assert nmi(labels, clusters) == pytest.approx(0.0, abs=1e-12)
    assert ari(labels, clusters) == pytest.approx(-0.5)


def test_nmi_uses_the_arithmetic_mean_of_the_entropies() -> None:
    # H(labels) = log 2, H(clusters) = log 4, mutual information = log 2.
    assert nmi([0, 0, 1, 1], [0, 1, 2, 3]) == pytest.approx(2 / 3)


@given(labellings)
def test_balanced_accuracy_equals_the_reference(
    labelling: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    labels, predictions = labelling
    assume(len(set(labels)) > 1)
    predictions = tuple(p if p in labels else labels[0] for p in predictions)
    assert balanced_accuracy(labels, predictions) == pytest.approx(
        balanced_accuracy_score(labels, predictions)
    )


def test_balanced_accuracy_takes_predictions_of_classes_that_do_not_occur() -> None:
    assert balanced_accuracy(["a", "a", "b"], ["a", "c", "b"]) == 0.75


def test_silhouette_is_high_for_far_clusters_and_negative_for_swapped_points() -> None:
    points = np.array([[0.0], [0.2], [10.0], [10.2]])
    assert silhouette(points, ["a", "a", "b", "b"]) > 0.95
    assert silhouette(points, ["a", "b", "a", "b"]) < 0


def test_wrong_input_is_named() -> None:
    with pytest.raises(DataError, match="labels has 1 missing values in 3; leave those samples"):
        clustering_accuracy(["a", None, "b"], [0, 0, 1])
    with pytest.raises(DataError, match="clusters has 1 missing values in 2"):
        nmi(["a", "b"], [0.0, np.nan])
    with pytest.raises(DataError, match="there are 2 labels for 3 clusters"):
        ari([0, 1], [0, 1, 1])
    with pytest.raises(
        DataError, match=r"labels must have one entry a sample; its shape is \(0,\)"
    ):
        ari([], [])
    with pytest.raises(DataError, match="at least 2 clusters and fewer than samples; there are 1"):
        silhouette([[0.0], [1.0], [2.0]], [0, 0, 0])
    with pytest.raises(DataError, match="there are 3 points for 2 labels"):
        silhouette([[0.0], [1.0], [2.0]], [0, 1])
    with pytest.raises(DataError, match="1 of 3 points are not finite"):
        silhouette([[0.0], [np.nan], [2.0]], [0, 1, 1])
    with pytest.raises(DataError, match=r"points must be a table .* its shape is \(3,\)"):
        silhouette([0.0, 1.0, 2.0], [0, 1, 1])


def test_points_and_labels_of_other_samples_are_refused() -> None:
    points = pd.DataFrame({"PC1": [0.0, 1.0, 2.0]}, index=["s1", "s2", "s3"])
    labels = pd.Series(["a", "b", "b"], index=["s2", "s1", "s3"])
    with pytest.raises(DataError, match=r"pass labels.loc\[points.index\]"):
        silhouette(points, labels)
    assert np.isfinite(silhouette(points, labels.loc[points.index]))


@given(labellings)
def test_purity_is_at_least_the_accuracy_and_one_for_single_samples(
    labelling: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    labels, clusters = labelling
    assert purity(labels, clusters) >= clustering_accuracy(labels, clusters) - 1e-12
    assert purity(labels, range(len(labels))) == 1.0
    most = max(labels.count(label) for label in labels)
    assert purity(labels, [0] * len(labels)) == pytest.approx(most / len(labels))


@given(labellings)
def test_homogeneity_and_completeness_change_places_with_the_labellings(
    labelling: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    labels, clusters = labelling
    one, other = homogeneity_completeness(labels, clusters)
    assert homogeneity_completeness(clusters, labels) == pytest.approx((other, one))
    assert homogeneity_completeness(labels, range(len(labels)))[0] == pytest.approx(1.0)
