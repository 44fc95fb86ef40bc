"""What is no sample and no measurement is named, and what is one is left alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poems
from poems.data.naming.strays import stray_findings

TABLE = pd.DataFrame(
    np.random.default_rng(0).normal(6.0, 3.0, (20, 30)),
    [f"s{i}" for i in range(20)],
    [f"g{j}" for j in range(30)],
)


def found(frame: pd.DataFrame, **how: object) -> dict[str, str]:
    report = poems.check({"rna": frame}, **how)  # type: ignore[arg-type]
    return {each.code: f"{each.severity} {each.message}" for each in report.findings}


@pytest.mark.parametrize("name", ["__no_feature", "N_unmapped", "Unassigned_Ambiguity"])
def test_reads_of_no_gene_are_no_feature(name: str) -> None:
    counts = TABLE.abs().round().assign(**{name: np.arange(20) * 7.0})
    assert found(counts)["no-genes"].startswith("error")
    assert "remove it" in found(counts.T, features_in_rows=True)["no-genes"]


def deviation(frame: pd.DataFrame) -> pd.Series[float]:
    return frame.std(axis=0)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Total", lambda frame: frame.sum(axis=0)),
        ("Mean", lambda frame: frame.mean(axis=0)),
        ("MEDIAN", lambda frame: frame.median(axis=0)),
        ("Std. Dev.", deviation),
    ],
)
@pytest.mark.parametrize("with_sd", [False, True])
def test_a_row_that_is_a_summary_of_the_others_is_refused(
    name: str, made: Callable[[pd.DataFrame], pd.Series[float]], with_sd: bool
) -> None:
    rows = [TABLE, made(TABLE).to_frame(name).T]
    rows += [deviation(TABLE).to_frame("SD").T] if with_sd else []
    assert found(pd.concat(rows))["summary-row"].startswith("error")


def test_a_sample_called_so_that_is_none_is_told_of() -> None:
    assert found(TABLE.rename(index={"s3": "Mean"}))["summary-row"].startswith("warning")


def test_what_describes_samples_is_told_of_beside_measurements_only() -> None:
    mixed = TABLE.assign(age=np.arange(30, 50), Class=[0, 1] * 10)
    text = found(mixed)["sample-annotations"]
    assert text.startswith("warning")
    assert "'age', 'Class'" in text
    clinical = TABLE.iloc[:, :3].set_axis(["age", "bmi", "stage"], axis=1)
    assert "sample-annotations" not in found(clinical)


def test_a_name_that_stands_twice_under_another_is_told_of() -> None:
    assert found(TABLE.rename(index={"s3": "s4.1"}))["made-unique"].startswith("warning")
    assert found(TABLE.rename(columns={"g3": "g4.1"}))["made-unique"].startswith("note")


@pytest.mark.parametrize(
    "names",
    [
        TABLE.index,
        [f"{n}.1" for n in range(10)] + [str(n) for n in range(10)],
        [name for n in range(10) for name in (f"P{n}", f"P{n}.1")],
        [f"Summary{n}" for n in range(20)],
    ],
)
def test_tables_of_other_names_are_left_alone(names: list[str]) -> None:
    codes = {"no-genes", "summary-row", "sample-annotations", "made-unique"}
    visits = TABLE.set_axis(pd.Index(names), axis=0)
    assert not codes & set(found(visits))


@given(st.lists(st.text(max_size=6), min_size=1, max_size=5, unique=True))
def test_no_names_break_it(names: list[str]) -> None:
    values = np.full((len(names), len(names)), np.nan)
    index = pd.Index(names, dtype=object)
    for each in stray_findings(index, index, values, "t.csv"):
        assert each.message.startswith("t.csv: ")
