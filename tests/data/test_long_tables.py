"""Long tables are called so, with what makes them wide; wide ones never are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import poems
from poems.data.long_tables import require_wide
from poems.errors import DataError

WIDE = pd.DataFrame(
    np.random.default_rng(0).normal(size=(6, 4)).round(3),
    index=[f"s{n}" for n in range(6)],
    columns=["g1", "g2", "g3", "g4"],
)


def long(names: list[str], wide: pd.DataFrame = WIDE) -> pd.DataFrame:
    return wide.stack().rename("value").reset_index().set_axis(names, axis=1)


def pivoted(message: str, table: pd.DataFrame) -> pd.DataFrame:
    """Do as the message says."""
    found = re.search(r"pivot\(index='(.*)', columns='(.*)', values='(.*?)'\)", message)
    assert found is not None
    return table.pivot(index=found[1], columns=found[2], values=found[3])


@pytest.mark.parametrize(
    "names",
    [
        ["sample", "feature", "value"],
        ["Patient ID", "gene_symbol", "TPM"],
        ["SampleID", "Assay", "NPX"],
        ["who", "what", "how much"],
    ],
)
@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 1, 0]])
def test_a_long_table_is_named_and_its_remedy_makes_it_wide(
    names: list[str], order: list[int], tmp_path: Path
) -> None:
    table = long(names)[[names[at] for at in order]]
    path = tmp_path / "long.csv"
    table.to_csv(path, index=False)
    with pytest.raises(DataError, match="is a long table") as caught:
        poems.read({"long": path})
    wide = pivoted(str(caught.value), table)
    wide = wide if set(wide.index) == set(WIDE.index) else wide.T
    np.testing.assert_array_equal(wide.loc[WIDE.index, WIDE.columns], WIDE)


def test_row_numbers_before_a_long_table_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    long(["sample", "feature", "value"]).to_csv(path)
    with pytest.raises(DataError, match=r"one sample \('sample'\) and feature \('feature'\)"):
        poems.read({"long": path})


def test_identifiers_that_are_numbers_are_told_by_their_names() -> None:
    table = long(["patient", "entrez_gene_id", "value"])
    table["patient"] = table["patient"].str[1:].astype(int) + 100
    table["entrez_gene_id"] = table["entrez_gene_id"].str[1:].astype(int) + 7000
    with pytest.raises(DataError, match=r"'patient'.*'entrez_gene_id'"):
        require_wide(table.set_index("patient"), "long.csv")


def test_views_of_a_long_table_become_one_table_each() -> None:
    table = pd.concat([long(["sample", "feature", "value"]).assign(view=v) for v in ("a", "b")])
    with pytest.raises(DataError, match=r"groupby\('view'\)"):
        require_wide(table.set_index("sample"), "long.csv")


def test_gaps_of_a_long_table_hide_it_not() -> None:
    table = long(["sample", "feature", "value"]).drop([3, 8, 9, 15])
    with pytest.raises(DataError, match="is a long table"):
        require_wide(table.set_index("sample"), "long.csv")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["Hugo_Symbol", "Chromosome", "Variant_Classification", "Tumor_Sample_Barcode"], "a MAF"),
        (["ID", "chrom", "loc.start", "loc.end", "num.mark", "seg.mean"], "table of segments"),
        (["Sample", "Chromosome", "Start", "End", "Segment_Mean"], "table of segments"),
    ],
)
def test_mutations_and_segments_are_named(columns: list[str], message: str) -> None:
    frame = pd.DataFrame([["x"] * len(columns)] * 5, columns=columns)
    with pytest.raises(DataError, match=message):
        poems.read({"mut": frame.set_index(columns[0])})


@settings(max_examples=30, deadline=None)
@given(n=st.integers(4, 30), d=st.integers(1, 11), levels=st.integers(1, 4), seed=st.integers(0, 9))
def test_a_wide_table_of_numbers_is_never_taken_for_a_long_one(
    n: int, d: int, levels: int, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, levels, size=(n, d))
    frame = pd.DataFrame(values, index=[f"s{at}" for at in range(n)])
    require_wide(frame.rename(columns="g{}".format), "wide.csv")
