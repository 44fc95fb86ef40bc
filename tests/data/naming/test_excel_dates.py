"""Names that a spreadsheet made dates of are pointed out, and no others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poems
from poems.data.naming.excel_dates import date_findings, date_remedy
from poems.errors import DataError


@pytest.mark.parametrize(
    ("name", "gene"),
    [
        ("1-Mar", "MARCH1"),
        ("01-Mar", "MARC1"),
        ("2-Sep", "SEPTIN2"),
        ("1-Dec", "DELEC1"),
        ("Mar-01", "MARCH1"),
        ("Sep-09", "SEPT9"),
        ("2023-03-01 00:00:00", "MARCH1"),
        ("2023-03-01", "MARCH1"),
        ("44257", "MARCH2"),
        ("3/1/2023", "MARCH1"),
        ("01.03.2023", "MARCH1"),
        ("1. Mrz", "MARCH1"),
        ("01-mars", "MARCH1"),
        ("4-Okt", "OCT4"),
    ],
)
def test_a_date_is_named_with_the_gene_that_it_was(name: str, gene: str) -> None:
    (found,) = date_findings(["TP53", "MYC", name], "rna.csv")
    assert found.code == "names-are-dates"
    assert found.items == (name,)
    assert gene in found.message


@pytest.mark.parametrize(
    "names",
    [
        ["MARCH1", "SEPT2", "DEC1", "SEPTIN2", "OCT4"],
        ["1.1.1.27", "3.4.21", "10.5.12"],
        ["672", "7157", "44257", "40000", "38000"],
        ["cg00044257", "ENSG00000044257.3", "44257_at"],
        ["hsa-mir-1", "A1-Mar", "PC 36:2", "1-methylhistidine"],
        ["1.5", "2/3"],
    ],
)
def test_other_names_are_left_alone(names: list[str]) -> None:
    assert date_findings(names, "rna.csv") == []


def test_identifiers_that_became_powers_of_ten_are_named() -> None:
    (found,) = date_findings(["TP53", "2.31E+13"], "rna.csv")
    assert found.code == "names-are-numbers"


def test_genes_that_share_a_date_are_not_to_be_dropped() -> None:
    frame = pd.DataFrame(np.ones((3, 3)), index=list("abc"), columns=["1-Mar", "1-Mar", "TP53"])
    with pytest.raises(DataError, match="do not keep one of each"):
        poems.read({"rna": frame})
    assert date_remedy(["TP53"]) is None


@given(st.lists(st.text(max_size=12), max_size=8))
def test_no_name_breaks_it(names: list[str]) -> None:
    for found in date_findings(names, "t"):
        assert set(found.items) <= set(names)
