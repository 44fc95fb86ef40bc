from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.evaluation.paired import paired_differences


def table(values: dict[str, dict[str, list[float]]]) -> pd.DataFrame:
    """Method to cohort to the values of its splits, as rows."""
    rows = [
        (cohort, split, method, "r2", value)
        for method, by_cohort in values.items()
        for cohort, splits in by_cohort.items()
        for split, value in enumerate(splits)
    ]
    return pd.DataFrame(rows, columns=["cohort", "split", "method", "metric", "value"])


def test_differences_are_taken_within_a_split() -> None:
    rows = table({"a": {"x": [0.1, 0.9], "y": [5.0]}, "b": {"x": [0.2, 1.0], "y": [5.1]}})
    found = paired_differences(rows, "a").loc[("b", "r2")]
    assert found["mean"] == pytest.approx(0.1)
    assert found["se"] == pytest.approx(0.0, abs=1e-12)
    assert (found["n_better"], found["n_cohorts"], found["n_pairs"]) == (2, 2, 3)


def test_cohorts_count_alike_whatever_their_splits() -> None:
    rows = table({"a": {"x": [0.0] * 3, "y": [0.0]}, "b": {"x": [1.0] * 3, "y": [0.0]}})
    assert paired_differences(rows, "a").loc[("b", "r2"), "mean"] == pytest.approx(0.5)


def test_only_pairs_count() -> None:
    rows = table({"a": {"x": [0.0, 9.0]}, "b": {"x": [1.0], "y": [3.0]}, "c": {"z": [1.0]}})
    found = paired_differences(rows, "a")
    assert found.loc[("b", "r2"), ["mean", "n_pairs"]].tolist() == [1.0, 1.0]
    assert "c" not in found.index
    assert paired_differences(rows, "absent").empty


def test_without_shared_studies_the_error_is_that_of_the_cohorts_means() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(size=6)
    rows = table({"a": {str(c): [0.0] for c in range(6)},
                  "b": {str(c): [m] for c, m in enumerate(means)}})  # fmt: skip
    found = paired_differences(rows, "a").loc[("b", "r2")]
    assert found["se"] == pytest.approx(means.std(ddof=1) / np.sqrt(6))
    assert np.isnan(found["se_splits"])


def test_copies_of_a_cohort_do_not_make_a_difference_surer() -> None:
    one = table({"a": {"x": [0.0], "y": [0.0]}, "b": {"x": [0.1], "y": [0.3]}})
    two = table({"a": {c: [0.0] for c in ("x", "x2", "y", "y2")},
                 "b": {"x": [0.1], "x2": [0.1], "y": [0.3], "y2": [0.3]}})  # fmt: skip
    alone = paired_differences(one, "a")
    copied = paired_differences(two, "a", studies={"x2": "x", "y2": "y"})
    assert copied["se"].item() == pytest.approx(alone["se"].item())
    assert np.isnan(paired_differences(two, "a", studies=dict.fromkeys(
        ("x", "x2", "y", "y2"), "s"))["se"].item())  # fmt: skip


def test_splits_that_share_training_samples_tell_less_than_independent_ones() -> None:
    values = [0.1, 0.2, 0.4, 0.3, 0.0]
    rows = table({"a": {"x": [0.0] * 5}, "b": {"x": values}})
    found = paired_differences(rows, "a", held_out=0.2)["se_splits"].item()
    assert found == pytest.approx(np.std(values, ddof=1) * np.sqrt(1 / 5 + 0.25))
    independent = paired_differences(rows, "a", held_out=0.0)["se_splits"].item()
    assert independent == pytest.approx(np.std(values, ddof=1) / np.sqrt(5))
