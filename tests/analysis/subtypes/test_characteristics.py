"""The obs table by subtype: what is counted, which test, and what the p-values are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.analysis.subtypes.characteristics import characteristics
from poems.errors import DataError
from poems.wording import general


@pytest.fixture
def subtypes() -> pd.Series:
    return pd.Series(["S1", "S2", "S3"] * 20, [f"s{at}" for at in range(60)])


@pytest.fixture
def obs(subtypes: pd.Series) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = len(subtypes)
    return pd.DataFrame(
        {
            "age": rng.normal(60, 9, n),
            "grade": subtypes.map({"S1": "low", "S2": "high", "S3": "high"}),
            "sex": rng.choice(["f", "m"], n),
            "id": [f"P{at}" for at in range(n)],
        },
        index=subtypes.index,
    )


def test_counts_are_those_of_each_subtype(subtypes: pd.Series, obs: pd.DataFrame) -> None:
    table = characteristics(obs, subtypes).table
    low = table[(table["column"] == "grade") & (table["group"] == "low")].iloc[0]
    assert (low["S1"], low["S2"], low["all"]) == ("20 (100 %)", "0 (0 %)", "20 (33 %)")
    age = table[table["column"] == "age"].iloc[0]
    assert age["S2"].startswith(f"{general(obs.loc[subtypes == 'S2', 'age'].median())} (")


def test_what_differs_is_told_from_what_does_not(subtypes: pd.Series, obs: pd.DataFrame) -> None:
    found = characteristics(obs, subtypes)
    p = found.table.dropna(subset=["p"]).set_index("column")["p"]
    assert p["grade"] < 1e-6
    assert min(p["age"], p["sex"]) > 0.01
    assert "id" not in p
    assert any("id (identifiers)" in each.message for each in found.findings)


def test_the_order_of_samples_does_not_matter(subtypes: pd.Series, obs: pd.DataFrame) -> None:
    shuffled = obs.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        characteristics(shuffled, subtypes).table, characteristics(obs, subtypes).table
    )


def test_subtypes_and_groups_stand_in_the_order_of_their_names() -> None:
    names = ["S1", "S2 (without rna)", "S3", "S10"]
    subtypes = pd.Series([name for name in names for _ in range(20)])
    obs = pd.DataFrame({"stage": ["I", "II", "III", "IV"] * 20})
    found = characteristics(obs, subtypes)
    assert list(found.subtypes) == names
    assert found.table["group"].tolist() == ["I", "II", "III", "IV"]


def test_a_column_is_tested_once(subtypes: pd.Series, obs: pd.DataFrame) -> None:
    table = characteristics(obs, subtypes).table
    assert table.groupby("column")["p"].count().eq(1).all()


def test_small_groups_are_compared_with_shuffles() -> None:
    subtypes = pd.Series(["S1"] * 5 + ["S2"] * 15)
    obs = pd.DataFrame({"site": ["a"] * 5 + ["b"] * 15})
    row = characteristics(obs, subtypes).table.iloc[0]
    assert row["test"] == "chi-squared, shuffled"
    # Of all ways to choose 5 of 20 only the one that was seen is as extreme.
    assert row["p"] == pytest.approx(1 / 15504, abs=6e-4)
    assert row["p"] >= 1 / 5000


def test_one_subtype_cannot_be_compared(obs: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="needs two subtypes"):
        characteristics(obs, pd.Series("S1", obs.index))
