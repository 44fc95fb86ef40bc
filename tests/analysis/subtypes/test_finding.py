from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poems.analysis.subtypes import forming
from poems.analysis.subtypes.finding import find_subtypes, kmeans_subtypes, mixture_subtypes
from poems.clustering.tried import NumberTried
from poems.errors import DataError, SettingsError


def _blobs(sizes: list[int], spread: float = 0.1, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    centres = 10 * np.eye(len(sizes), 5)
    values = centres[truth] + spread * rng.standard_normal((len(truth), 5))
    order = rng.permutation(len(truth))
    index = [f"p{at}" for at in range(len(truth))]
    return pd.DataFrame(values[order], index=index), truth[order]


def test_planted_groups_are_found_and_named_by_size() -> None:
    points, truth = _blobs([30, 12, 20])
    found = kmeans_subtypes(points)
    assert found.n_subtypes == 3
    assert found.sizes.to_dict() == {"S1": 30, "S2": 20, "S3": 12}
    expected = pd.Series(truth, index=points.index).map({0: "S1", 2: "S2", 1: "S3"})
    pd.testing.assert_series_equal(found.assignment, expected, check_names=False)
    assert found.assignment.name == "subtype"
    assert (found.sample_silhouette > 0.8).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), k=st.integers(2, 5))
def test_assignment_ignores_the_order_of_samples(seed: int, k: int) -> None:
    points, _ = _blobs([19, 18, 17, 16, 15][:k], seed=seed)
    shuffled = points.sample(frac=1, random_state=seed)
    left = kmeans_subtypes(points).assignment
    right = kmeans_subtypes(shuffled).assignment
    pd.testing.assert_series_equal(left, right.loc[left.index])


def test_same_seed_same_result() -> None:
    rng = np.random.default_rng(1)
    points = pd.DataFrame(rng.standard_normal((40, 3)))
    first, second = (kmeans_subtypes(points, seed=4) for _ in range(2))
    pd.testing.assert_frame_equal(first.table(), second.table())


def test_a_given_number_is_kept() -> None:
    points, _ = _blobs([10, 10])
    found = kmeans_subtypes(points, 4)
    assert found.n_subtypes == 4
    assert list(found.silhouette.index) == [4]
    assert list(found.table().columns) == ["subtype", "silhouette"]


def test_candidates_are_limited_by_the_number_of_samples() -> None:
    points = pd.DataFrame({"x": [0.0, 0.1, 9.0]}, index=["a", "b", "c"])
    found = kmeans_subtypes(points)
    assert list(found.silhouette.index) == [2]
    # Three samples cannot be drawn from: no number above 1 is shown to hold.
    assert found.sizes.to_dict() == {"S1": 3}


def test_one_subtype_has_no_silhouette() -> None:
    points, _ = _blobs([5, 5])
    found = kmeans_subtypes(points, 1)
    assert set(found.assignment) == {"S1"}
    assert found.silhouette.isna().all()
    each = kmeans_subtypes(points, 10)
    assert each.n_subtypes == 10
    assert each.sample_silhouette.isna().all()


def test_points_without_coordinates_are_one_subtype() -> None:
    points = pd.DataFrame(index=["a", "b", "c"], dtype=float)
    assert set(kmeans_subtypes(points, 1).assignment) == {"S1"}
    assert set(kmeans_subtypes(points).assignment) == {"S1"}


@pytest.mark.parametrize("values", [[0.0, 1.0], [0.0, 0.0, 0.0], [2.0]])
def test_points_that_cannot_be_two_subtypes_are_one(values: list[float]) -> None:
    assert kmeans_subtypes(pd.DataFrame({"x": values})).sizes.to_dict() == {"S1": len(values)}


def test_outliers_are_not_chosen_as_subtypes() -> None:
    points, _ = _blobs([20, 15, 2, 1])
    found = kmeans_subtypes(points, candidates=range(2, 7))
    assert found.choice().loc[4, "smallest"] == 1
    assert found.sizes.min() >= 3
    assert not found.tiny
    given = kmeans_subtypes(points, 4)
    assert given.sizes.tolist() == [20, 15, 2, 1]
    assert given.tiny == ["S3", "S4"]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_cloud_without_groups_is_one_group_and_that_is_said(seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal((60, 3))
    found = kmeans_subtypes(pd.DataFrame(values, index=[f"p{at}" for at in range(60)]))
    assert found.n_subtypes == 1
    said, *others = found.findings
    assert (said.severity, said.code) == ("note", "no-distinct-groups")
    # By chance some number may come close.
    assert {each.code for each in others} <= {"number-is-a-close-call"}
    assert said.message.startswith("No distinct groups")


def test_a_close_call_is_a_finding_unless_the_number_was_asked_for() -> None:
    found = kmeans_subtypes(_blobs([20, 15])[0])
    close = (NumberTried(2, (20, 15), (0.95, 0.93), 4.0, 3.9, 0.03),)
    said = {each.code: each for each in replace(found, tried=close).findings}
    assert said["number-is-a-close-call"].items == ("1",)
    asked = replace(found, tried=close, asked=True).findings
    assert "number-is-a-close-call" not in {each.code for each in asked}


def test_an_even_spread_is_no_two_groups_though_its_halves_are_found_again() -> None:
    values = np.random.default_rng(0).uniform(size=(120, 2)) * [9.0, 1.0]
    found = kmeans_subtypes(pd.DataFrame(values))
    two = found.tried[0]
    assert two.n_clusters == 2
    assert two.found_again
    assert not two.apart
    assert found.n_subtypes == 1
    most = max(each.n_clusters for each in found.tried if each.found_again)
    assert f"{most} subtypes are found again" in found.explanation
    assert f"--n-subtypes {most}" in found.explanation
    # Columns of points are no factors.
    assert "No distinct groups: a continuum." in found.explanation


def test_a_number_that_was_asked_for_is_said_not_to_hold() -> None:
    points, _ = _blobs([30, 30], spread=1.0)
    found = kmeans_subtypes(points, 4)
    (said,) = found.findings
    assert (said.severity, said.code) == ("warning", "asked-number-does-not-hold")
    assert "4 subtypes, as asked for" in said.message
    assert kmeans_subtypes(points, 2).findings == ()


def test_if_every_number_leaves_outliers_there_is_one_group() -> None:
    points, _ = _blobs([12, 1, 1])
    found = kmeans_subtypes(points, candidates=[3, 4])
    assert found.n_subtypes == 1
    assert list(found.silhouette.index) == [2, 3, 4]


def test_candidates_out_of_reach_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"\[50\] can be chosen for 9 samples .* from 2 to 8"):
        kmeans_subtypes(_blobs([5, 4])[0], candidates=[50])


def test_copied_samples_limit_the_candidates_without_a_warning() -> None:
    points = pd.DataFrame({"x": [0.0] * 5 + [1.0] * 4})
    assert kmeans_subtypes(points, 2).sizes.to_dict() == {"S1": 5, "S2": 4}
    assert list(kmeans_subtypes(points).silhouette.index) == [2]


@pytest.mark.parametrize(
    ("n_subtypes", "values", "error", "text"),
    [
        (7, [0.0, 1.0, 2.0], SettingsError, "n_subtypes is 7, but there are only 3 samples"),
        (0, [0.0, 1.0, 2.0], SettingsError, "at least 1, not 0"),
        (3, [0.0, 1.0, 1.0], DataError, "only 2 distinct points"),
        (2, [0.0, np.nan, 1.0], DataError, "1 of 3 samples is not finite: 1"),
    ],
)
def test_impossible_requests_say_why(
    n_subtypes: int | None, values: list[float], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        kmeans_subtypes(pd.DataFrame({"x": values}), n_subtypes)


def _model(points: pd.DataFrame, probabilities: pd.DataFrame | None = None) -> SimpleNamespace:
    return SimpleNamespace(
        embedding=lambda metric=None: points,
        component_probabilities=probabilities,
        latent=points,
        default_metric="latent",
        diagnose=lambda: SimpleNamespace(signatures=()),
        gates=pd.DataFrame({"rna": 1.0}, index=points.index),
    )


def test_mixture_takes_the_most_probable_component() -> None:
    points, truth = _blobs([6, 9])
    weights = np.full((15, 4), 0.05)
    weights[np.arange(15), np.where(truth == 0, 2, 0)] = 0.85
    probabilities = pd.DataFrame(weights, index=points.index)
    found = find_subtypes(_model(points, probabilities), method="mixture", metric="gram")
    assert found.sizes.to_dict() == {"S1": 9, "S2": 6}
    assert found.metric == "gram"
    assert list(found.table().columns) == ["subtype", "silhouette", "probability"]
    assert (found.table()["probability"] == 0.85).all()
    assert list(found.silhouette.index) == [2]


def test_mixture_may_leave_one_subtype() -> None:
    points, _ = _blobs([6])
    found = mixture_subtypes(points, pd.DataFrame({0: 1.0, 1: 0.0}, index=points.index))
    assert found.n_subtypes == 1
    assert found.silhouette.isna().all()


def test_mixture_without_a_mixture_prior_names_the_setting() -> None:
    points, _ = _blobs([6, 6])
    with pytest.raises(SettingsError, match='prior="mixture"'):
        find_subtypes(_model(points), method="mixture")
    probabilities = pd.DataFrame({0: 1.0}, index=points.index)
    with pytest.raises(SettingsError, match="n_subtypes=3 has no meaning"):
        find_subtypes(_model(points, probabilities), 3, method="mixture")
    with pytest.raises(SettingsError, match="not 'ward'"):
        find_subtypes(_model(points), method="ward")


def test_find_subtypes_clusters_the_embedding() -> None:
    points, _ = _blobs([18, 15])
    found = find_subtypes(_model(points), metric="latent")
    assert found.metric == "latent"
    pd.testing.assert_series_equal(found.assignment, kmeans_subtypes(points).assignment)


def test_of_very_many_samples_a_subset_is_clustered_and_the_others_join(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forming, "LARGEST_CLUSTERED", 50)
    monkeypatch.setattr("poems.clustering.kmeans._CLUSTERED_OF_MANY", 40)
    points, truth = _blobs([60, 24, 40])
    found = kmeans_subtypes(points)
    expected = pd.Series(truth, index=points.index).map({0: "S1", 2: "S2", 1: "S3"})
    pd.testing.assert_series_equal(found.assignment, expected, check_names=False)
    assert found.sizes.to_dict() == {"S1": 60, "S2": 40, "S3": 24}
    assert found.sample_silhouette.notna().sum() == 40
    (said,) = found.findings
    assert "random subset of 40 of 124 samples" in said.message
    pd.testing.assert_series_equal(kmeans_subtypes(points).assignment, found.assignment)

    names = pd.DataFrame(np.eye(3)[truth], index=points.index)
    mixed = mixture_subtypes(points, names)
    pd.testing.assert_series_equal(mixed.assignment, expected, check_names=False)
    assert mixed.sample_silhouette.notna().sum() == 40
    assert "silhouettes were computed" in mixed.findings[0].message
    few = kmeans_subtypes(points.iloc[:50])
    assert "subtypes-subset" not in {each.code for each in few.findings}
