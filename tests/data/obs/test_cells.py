"""What of a clinical column is missing, and when it holds numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poems
from poems.analysis.factors.associations import associate
from poems.analysis.survival.covariates import covariate_terms
from poems.data.obs.cells import clean_column
from poems.data.obs.missing import missing_in_numbers, missing_in_text
from poems.data.obs.values import clean_obs
from poems.data.tables import load_obs
from poems.evaluation.labelled import label_column

N = 40
PURITY = np.round(50 + 10 * np.sin(np.arange(N)), 1)
NAMES = [f"P{at}" for at in range(N)]
MISSING = [
    "[Not Available]", "[Not Applicable]", "[Unknown]", "[Not Evaluated]", "[Discrepancy]",
    "[Pending]", "[Completed]", "Unknown", "not reported", "Not Reported", "N/A", "n/a", ".", "?",
    "#N/A", "#VALUE!", "#DIV/0!", "NULL", "", "NA", "NaN", "--", "'--",
]  # fmt: skip


def spoiled(entry: str, at: int = 5) -> pd.Series:
    """A column of numbers as text, with one other entry."""
    cells = [str(value) for value in PURITY]
    cells[at] = entry
    return pd.Series(cells, NAMES, dtype=object)


@pytest.mark.parametrize("word", [*MISSING, "None", "none", "-"])
def test_one_missing_word_leaves_a_number_a_number(word: str) -> None:
    clean = clean_column(spoiled(word), typed=True)
    expected = PURITY.copy()
    expected[5] = np.nan
    np.testing.assert_array_equal(clean.values.to_numpy(float), expected)
    assert clean.refused == ()


@pytest.mark.parametrize("entry", [">75", "<18", "1,5", "~60", "61 years", "high", "5e12345678901"])
def test_one_entry_that_is_no_number_is_missing_and_named(entry: str, tmp_path: Path) -> None:
    spoiled(entry).rename("purity").to_csv(tmp_path / "obs.csv")
    obs, findings = load_obs(tmp_path / "obs.csv")
    assert np.flatnonzero(obs["purity"].isna()).tolist() == [5]
    (finding,) = findings
    assert (finding.severity, finding.code, finding.items) == (
        "warning",
        "obs-not-numbers",
        ("P5",),
    )
    assert repr(entry) in finding.message
    assert "'P5'" in finding.message


@pytest.mark.parametrize("word", MISSING)
def test_missing_words_are_no_class_of_text(word: str) -> None:
    cells = pd.Series(["A", "B", word, "A", "B"], dtype=object)
    for column in (cells, cells.astype("category")):
        assert clean_column(column).values.isna().tolist() == [False, False, True, False, False]
    obs = pd.DataFrame({"grp": cells})
    assert label_column(obs, "grp", "run").nunique() == 2


@pytest.mark.parametrize("word", ["None", "none", "Pending", "Other", "negative", "0"])
def test_words_that_may_be_values_stay_classes(word: str) -> None:
    cells = pd.Series(["chemo", word, "chemo"], dtype=object)
    assert clean_column(cells, typed=True).values.tolist() == cells.tolist()


def test_a_minus_is_missing_unless_there_is_a_plus() -> None:
    assert clean_column(pd.Series(["II", "-", "III"])).values.isna().sum() == 1
    signs = clean_column(pd.Series(["+", "-", "+"]))
    assert signs.values.tolist() == ["+", "-", "+"]
    assert signs.kept == {"-": 1}


def test_codes_beside_words_stay_words() -> None:
    sites = pd.Series([str(at) for at in range(60, 90)] * 3 + ["NC", "L3"])
    assert clean_column(sites, typed=True).values.tolist() == sites.tolist()
    grades = pd.Series(["1", "2", "3"] * 10 + ["X"])
    assert clean_column(grades, typed=True).values.tolist() == grades.tolist()
    clusters = pd.Series(["0", "1", "10", "Unknown"] * 9).astype("category")
    assert clean_column(clusters).values.dropna().unique().tolist() == ["0", "1", "10"]


def test_decimal_commas_throughout_are_read_and_doubtful_ones_left() -> None:
    commas = pd.Series([str(value).replace(".", ",") for value in PURITY], dtype=object)
    clean = clean_column(commas)
    np.testing.assert_array_equal(clean.values.to_numpy(float), PURITY)
    assert clean.commas
    thousands = pd.Series([f"1,{at}" for at in range(600, 600 + N)], dtype=object)
    clean = clean_column(thousands, typed=True)
    assert clean.values.tolist() == thousands.tolist()
    arms = pd.Series(["1", "2", "1,2"] * 9, dtype=object)
    assert clean_column(arms, typed=True).values.tolist() == arms.tolist()


def test_all_who_read_obs_agree() -> None:
    obs = pd.DataFrame({"purity": spoiled("[Not Available]"), "grp": ["A", "Unknown"] * (N // 2)})
    obs.iloc[1::4, 1] = "B"
    latent = pd.DataFrame({"factor_1": PURITY}, NAMES)
    table = associate(latent, obs).table.set_index("column")
    assert table.loc["purity", "test"] == "Spearman"
    assert table.loc["purity", "n_missing"] == 1
    assert {table.loc["grp", "highest"], table.loc["grp", "lowest"]} == {"A", "B"}
    terms, findings = covariate_terms(obs, ["purity", "grp"], obs.index)
    assert [(term.name, term.level) for term in terms] == [("purity", ""), ("grp", "B")]
    assert findings[0].code == "obs-missing-words"
    assert label_column(obs, "grp", "run").value_counts().to_dict() == {"A": 20, "B": 10}


def test_missing_words_in_a_matrix_are_counted() -> None:
    rna = pd.DataFrame({"g1": ["1.5", "[Not Available]", "2"], "g2": [1, 2, 3]}, index=list("abc"))
    cohort = poems.read({"rna": rna})
    assert np.isnan(cohort["rna"].values[1, 0])
    (finding,) = cohort.findings
    assert str(finding) == (
        "note: rna: 1 entry was taken for missing values: '[Not Available]' (1)"
    )


@given(st.lists(st.text(max_size=8) | st.floats().map(str) | st.sampled_from(MISSING), max_size=9))
def test_cleaning_twice_is_cleaning_once(cells: list[str]) -> None:
    obs = pd.DataFrame({"x": pd.Series(cells, dtype=object)})
    once, _ = clean_obs(obs, typed=True)
    twice, findings = clean_obs(once)
    pd.testing.assert_frame_equal(once, twice)
    assert not {each.code for each in findings} & {"obs-missing-words", "obs-not-numbers"}


@given(st.text(max_size=12))
def test_what_is_missing_among_words_is_so_among_numbers(word: str) -> None:
    assert missing_in_numbers(word) or not missing_in_text(word)


def test_blanks_around_words_make_no_class() -> None:
    column = pd.Series(["M", " M", "F", "F ", "M", "F"], list("abcdef"), name="sex")
    table, findings = clean_obs(column.to_frame())
    assert table["sex"].tolist() == ["M", "M", "F", "F", "M", "F"]
    assert [each.code for each in findings] == ["obs-blanks-removed"]


def test_words_that_differ_by_case_are_told_of_where_they_are_classes() -> None:
    column = pd.Series(["M", "m", "F", "F", "M", "F"], list("abcdef"), name="sex")
    table, (found,) = clean_obs(column.to_frame())
    assert table["sex"].tolist() == column.tolist()
    assert (found.severity, found.code) == ("warning", "obs-near-words")
    assert "'M' = 'm'" in found.message
    notes = pd.Series(["a", "A", "b", "c", "d"], list("abcde"), name="note")
    assert clean_obs(notes.to_frame())[1] == ()
