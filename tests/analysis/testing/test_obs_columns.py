from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.analysis.testing.obs_columns import testable_columns as sort_columns

N = 40


def sorted_out(values: object, name: str = "x") -> tuple[str, pd.Series] | str:
    """The kind and the values of one column, or why it is left out."""
    columns, findings = sort_columns(pd.DataFrame({name: values}))
    if columns:
        assert not findings
        return columns[0].kind, columns[0].values
    message = findings[0].message
    assert findings[0].items == (name,)
    return message.partition(f"not tested: {name} (")[2].removesuffix(")")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.linspace(0, 1, N), "numeric"),
        (np.arange(N) * 2, "numeric"),
        (np.tile([1, 2, 3, 4], N // 4), "numeric"),
        ([str(x) for x in np.linspace(0, 1, N)], "numeric"),
        (np.tile([0, 1], N // 2), "groups"),
        (np.tile([True, False], N // 2), "groups"),
        (np.tile([True, False, None], N)[:N], "groups"),
        (np.tile(["a", "b", "c"], N)[:N], "groups"),
        (pd.Categorical(np.tile(["a", "b"], N // 2), ["a", "b", "c"]), "groups"),
        (pd.array(np.arange(N) * 3, dtype="Int64"), "numeric"),
    ],
)
def test_columns_get_the_test_of_their_type(values: object, kind: str) -> None:
    found = sorted_out(values)
    assert found[0] == kind


@pytest.mark.parametrize(
    ("values", "name", "why"),
    [
        (["same"] * N, "x", "constant"),
        ([1.0] * 30 + [np.nan] * 10, "x", "constant"),
        ([None] * N, "x", "0 known values"),
        ([1.0, 2.0, 3.0] + [np.nan] * (N - 3), "x", "3 known values"),
        ([f"TCGA-{i}" for i in range(N)], "x", "identifiers"),
        (np.arange(N) + 100, "x", "identifiers"),
        (np.arange(N) ** 2, "patient_id", "identifiers"),
        (pd.date_range("2020-01-01", periods=N), "x", "dates"),
        (["2020-01-03", "2021-12-31"] * (N // 2), "x", "dates"),
        (["3/1/2020", "14/12/21"] * (N // 2), "x", "dates"),
        (["a"] * (N - 4) + ["b"] * 4, "x", "fewer than two groups of 5 samples"),
    ],
)
def test_columns_that_cannot_be_tested_are_said(values: object, name: str, why: str) -> None:
    assert sorted_out(values, name) == why


def test_numbers_that_are_not_finite_are_missing() -> None:
    values = np.linspace(0, 1, N)
    values[:3] = [np.inf, -np.inf, np.nan]
    assert sorted_out(values)[1].isna().sum() == 3


def test_rare_groups_are_counted_and_groups_named_as_numbers_are() -> None:
    columns, _ = sort_columns(pd.DataFrame({"x": [0.0] * 20 + [1.0] * 20, "y": list("aabb") * 10}))
    assert set(columns[0].values) == {"0", "1"}
    rare = pd.DataFrame({"x": ["a"] * 20 + ["b"] * 16 + ["c"] * 2 + [None] * 2})
    column = sort_columns(rare)[0][0]
    assert column.n_rare == 2
    assert column.values.isna().sum() == 4


def test_columns_of_one_name_are_kept_apart() -> None:
    obs = pd.DataFrame(np.column_stack([np.linspace(0, 1, N), np.ones(N)]), columns=["x", "x"])
    columns, findings = sort_columns(obs)
    assert len(columns) == len(findings) == 1


def test_numbers_too_large_to_square_are_not_tested() -> None:
    assert sorted_out([1e300, *(np.arange(1, 30) ** 0.5)]) == "numbers beyond 3.4e38"
