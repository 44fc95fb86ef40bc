from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poems.analysis.subtypes.finding import kmeans_subtypes
from poems.analysis.subtypes.patterns import find_patterns, named_by_pattern


def cohort(sizes: dict[str, int], lacks: dict[str, list[str]]) -> tuple[pd.Series, pd.DataFrame]:
    subtypes = pd.Series([name for name, n in sizes.items() for _ in range(n)], name="subtype")
    measured = pd.DataFrame(True, index=subtypes.index, columns=["rna", "mirna", "cnv"])
    for name, views in lacks.items():
        measured.loc[subtypes == name, views] = False
    return subtypes, measured


def test_a_subtype_of_samples_that_lack_an_omic_is_named_after_it() -> None:
    subtypes, measured = cohort({"S1": 50, "S2": 30, "S3": 12}, {"S3": ["mirna"]})
    named, patterns = named_by_pattern(subtypes, measured)
    assert list(named.unique()) == ["S1", "S2", "S3 (without mirna)"]
    (found,) = patterns
    assert (found.n_with, found.n_samples, found.share_elsewhere) == (12, 12, 0.0)
    assert found.excess == 1.0
    again, _ = named_by_pattern(named, measured)
    pd.testing.assert_series_equal(again, named)


def test_two_subtypes_of_one_pattern_are_both_named() -> None:
    lacks = {"S2": ["rna", "cnv"], "S3": ["rna", "cnv"]}
    subtypes, measured = cohort({"S1": 60, "S2": 15, "S3": 12}, lacks)
    measured.loc[:4, "rna"] = False
    named, _ = named_by_pattern(subtypes, measured)
    assert set(named) == {"S1", "S2 (with mirna only)", "S3 (with mirna only)"}


def test_the_minority_is_the_pattern() -> None:
    # Most samples lack an omic: those that have it are the odd ones.
    subtypes, measured = cohort({"S1": 60, "S2": 15}, {"S1": ["cnv"]})
    assert [(each.subtype, each.what) for each in find_patterns(subtypes, measured)] == [
        ("S2", "with cnv")
    ]


@given(st.integers(0, 2**31), st.integers(2, 6))
@settings(max_examples=30, deadline=None)
def test_what_is_missing_at_random_makes_no_pattern(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    subtypes = pd.Series(rng.integers(k, size=120)).map(lambda at: f"S{at + 1}")
    measured = pd.DataFrame(rng.random((120, 3)) > 0.3, columns=["rna", "mirna", "cnv"])
    assert find_patterns(subtypes, measured) == ()


def test_a_subtype_that_lacks_an_omic_a_little_more_often_is_none() -> None:
    subtypes, measured = cohort({"S1": 200, "S2": 200}, {})
    measured.loc[:79, "rna"] = False
    measured.loc[200:319, "rna"] = False
    # 40 % and 60 %: highly significant, yet most of S2 would be there all the same.
    assert find_patterns(subtypes, measured) == ()


def test_samples_without_a_subtype_and_single_subtypes_say_nothing() -> None:
    subtypes, measured = cohort({"S1": 20}, {})
    measured.loc[:8, "rna"] = False
    assert find_patterns(subtypes, measured) == ()
    subtypes.iloc[:9] = None
    assert find_patterns(subtypes, measured) == ()


@pytest.fixture
def far_apart() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    centres = np.repeat([[0.0, 0.0], [12.0, 0.0], [0.0, 12.0]], [40, 25, 15], axis=0)
    return pd.DataFrame(centres + rng.normal(size=(80, 2)))


def test_patterns_are_no_subtypes_in_headline_and_findings(far_apart: pd.DataFrame) -> None:
    found = kmeans_subtypes(far_apart)
    measured = pd.DataFrame({"rna": True, "mirna": [True] * 65 + [False] * 15})
    told = found.by_measured_omics(measured)
    assert list(told.sizes.index) == ["S1", "S2", "S3 (without mirna)"]
    assert told.apart_from_patterns == ["S1", "S2"]
    assert told.explanation.startswith(
        "2 subtypes, and beside them S3 (without mirna), which goes with which omics were "
        "measured. 3 groups: each is found again"
    )
    assert list(told.found_again) == list(told.sizes.index)
    assert "subtypes-of-missing-omics" in {each.code for each in told.findings}
    assert found.by_measured_omics(measured.assign(mirna=True)).explanation == found.explanation


def test_a_pattern_beside_one_group_leaves_no_subtypes(far_apart: pd.DataFrame) -> None:
    found = kmeans_subtypes(far_apart.iloc[:65])
    measured = pd.DataFrame({"rna": True, "mirna": [True] * 40 + [False] * 25})
    assert found.by_measured_omics(measured).explanation.startswith(
        "No subtypes, and beside the rest S2 (without mirna)"
    )
