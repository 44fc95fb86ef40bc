"""Pairs that a user puts together: by names, genes or lists."""

from __future__ import annotations

import pandas as pd
import pytest

from poems.analysis.pairs.cis import PAIR_COLUMNS, cis_pairs
from poems.errors import DataError

FEATURES = {
    "rna": pd.Index(["ESR1", "GATA3", "a:b", "=cmd()"]),
    "protein": pd.Index(["ER-alpha", "GATA3", "x,y"]),
    "cnv": pd.Index(["ESR1", "GATA3"]),
}


def found(table: object) -> list[list[str]]:
    pairs, _ = cis_pairs(table, FEATURES)  # type: ignore[arg-type]
    assert list(pairs.columns) == PAIR_COLUMNS
    return [list(row) for row in pairs.itertuples(index=False, name=None)]


def test_equal_names_of_every_two_views() -> None:
    assert found("names") == [
        ["rna", "GATA3", "protein", "GATA3"],
        ["rna", "ESR1", "cnv", "ESR1"],
        ["rna", "GATA3", "cnv", "GATA3"],
        ["protein", "GATA3", "cnv", "GATA3"],
    ]


def test_a_mapping_to_genes_goes_before_names() -> None:
    table = pd.DataFrame(
        {"view": ["protein", "protein"], "feature": ["ER-alpha", "GATA3"], "gene": ["ESR1", "none"]}
    )
    assert found(table) == [
        ["rna", "ESR1", "protein", "ER-alpha"],
        ["rna", "ESR1", "cnv", "ESR1"],
        ["rna", "GATA3", "cnv", "GATA3"],
        ["protein", "ER-alpha", "cnv", "ESR1"],
    ]


def test_a_list_of_pairs_in_any_order_each_once() -> None:
    table = pd.DataFrame(
        {"x": ["x,y", "rna:a:b", "a:b", "cnv:GATA3"], "y": ["=cmd()", "x,y", "x,y", "GATA3"]}
    )
    assert found(table) == [
        ["rna", "=cmd()", "protein", "x,y"],
        ["rna", "a:b", "protein", "x,y"],
        ["rna", "GATA3", "cnv", "GATA3"],
        ["protein", "GATA3", "cnv", "GATA3"],
    ]


def test_names_that_no_view_has_are_said() -> None:
    table = pd.DataFrame({"x": ["ESR1", "gone"], "y": ["ER-alpha", "x,y"]})
    _, findings = cis_pairs(table, FEATURES)
    assert [finding.items for finding in findings] == [("gone",)]
    genes = pd.DataFrame({"view": ["dna", "rna"], "feature": ["a", "gone"], "gene": ["g", "g"]})
    _, findings = cis_pairs(genes, FEATURES)
    assert [finding.code for finding in findings] == ["cis-view-unknown", "cis-features-absent"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("ids", "a table or 'names', not 'ids'"),
        (pd.DataFrame({"a": ["ESR1"]}), "two columns of features, or the columns view, feature"),
        (pd.DataFrame({"a": ["gone"], "b": ["ESR1"]}), "no row .* names features of two"),
        (pd.DataFrame({"a": ["rna:ESR1"], "b": ["rna:GATA3"]}), "no row .* of two different views"),
    ],
)
def test_what_cannot_be_used_is_refused(table: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        cis_pairs(table, FEATURES)  # type: ignore[arg-type]
