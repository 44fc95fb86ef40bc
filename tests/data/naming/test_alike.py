"""Names of one table that nobody tells apart, and names that are values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import poems

TABLE = pd.DataFrame(
    np.random.default_rng(0).normal(size=(12, 9)).round(3),
    [f"P{i:02d}" for i in range(12)],
    [f"g{j}" for j in range(9)],
)


def found(frame: pd.DataFrame) -> dict[str, str]:
    report = poems.check({"rna": frame})
    return {each.code: f"{each.severity} {each.message}" for each in report.findings}


@pytest.mark.parametrize(("one", "other"), [("P01", "p01"), ("A-1", "A_1"), ("é", "e\u0301")])
def test_samples_of_one_table_that_look_alike_are_named(one: str, other: str) -> None:
    said = found(TABLE.rename(index={"P01": one, "P05": other}))["names-alike"]
    assert said.startswith("warning")
    assert f"{one!a} = {other!a}" in said or f"{other!a} = {one!a}" in said


def test_of_features_a_separator_tells_apart_and_case_is_noted() -> None:
    assert "names-alike" not in found(TABLE.rename(columns={"g1": "HLA-A", "g2": "HLA.A"}))
    said = found(TABLE.rename(columns={"g1": "hsa-mir-1", "g2": "hsa-miR-1"}))["names-alike"]
    assert said.startswith("note")


def test_names_that_differ_so_by_design_are_left_alone() -> None:
    both = [f"{letter}{i}" for i in range(6) for letter in "pP"]
    assert "names-alike" not in found(TABLE.set_axis(both, axis=0))


def test_a_table_without_a_header_is_refused_where_values_are_negative() -> None:
    values = TABLE.iloc[0].astype(str)
    assert found(TABLE.set_axis(values, axis=1))["feature-names-are-numbers"].startswith("error")
    values = TABLE.iloc[0].abs().astype(str)
    assert found(TABLE.set_axis(values, axis=1))["feature-names-are-numbers"].startswith("warning")


@pytest.mark.parametrize("names", [np.arange(9) * 0.5 + 80.1, np.arange(9)[::-1] * 0.04 + 0.5])
def test_masses_and_shifts_are_names(names: np.ndarray) -> None:
    assert "feature-names-are-numbers" not in found(TABLE.set_axis(names.round(3), axis=1))
