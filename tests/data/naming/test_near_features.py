"""Features under other names: proposals, never merging two."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.cli.inputs import FeatureMatchName
from poems.data.naming.near_features import CHANGES, FeatureMatch, matched_features, near_features

NAMES = st.lists(st.text("aAbB1.-_ |:X", max_size=6), max_size=8, unique=True)


@pytest.mark.parametrize(
    ("given_name", "wanted", "change"),
    [
        ("ENSG00000141510", "ENSG00000141510.16", "version"),
        ("ENSG00000141510.2", "ENSG00000141510.16", "version"),
        ("ENSG00000141510_16", "ENSG00000141510", "version"),
        ("NM_000546.5", "NM_000546", "version"),
        ("ENST00000269305.8", "ENST00000269305", "version"),
        ("tp53", "TP53", "case"),
        ("HLA-A", "HLA.A", "separators"),
        ("IL 6", "IL-6", "separators"),
        ("TP53\u200b", "TP53", "case"),
        ("rna:TP53", "TP53", "prefix"),
        ("X100", "100", "prefix"),
        ("TP53|7157", "TP53", "suffix"),
        ("200814_at", "200814", "suffix"),
        ("rna_TP53|7157", "tp53", "any"),
    ],
)
def test_a_known_change_is_found(given_name: str, wanted: str, change: str) -> None:
    found = near_features([given_name, "q"], [wanted, "other"])
    assert found is not None
    assert found.change == change
    assert found.pairs == {given_name: wanted}
    assert f"{given_name!a} for {wanted!a}" in str(found)


def test_a_gene_on_y_is_not_its_copy_on_x() -> None:
    names = ["ENSG00000182378.14", "ENSG00000182378.14_PAR_Y"]
    found = matched_features(names, ["ENSG00000182378.15"], "version")
    assert found.pairs == {names[0]: "ENSG00000182378.15"}


def test_two_names_that_would_become_one_are_left_alone() -> None:
    found = matched_features(["tp53", "Tp53", "kras"], ["TP53", "KRAS"], "case")
    assert found.pairs == {"kras": "KRAS"}
    assert set(found.doubtful) == {"tp53", "Tp53"}


@pytest.mark.parametrize("change", CHANGES)
@given(there=NAMES, wanted=NAMES)
def test_no_two_names_are_ever_merged(
    change: FeatureMatch, there: list[str], wanted: list[str]
) -> None:
    pairs = matched_features(there, wanted, change).pairs
    renamed = [pairs.get(name, name) for name in there]
    assert len(set(renamed)) == len(renamed)
    assert not set(pairs) & set(wanted)


def test_the_flag_has_the_changes_that_there_are() -> None:
    assert get_args(FeatureMatchName) == get_args(FeatureMatch) == ("exact", *CHANGES)


def test_a_number_of_one_omic_is_no_number_of_another() -> None:
    counted = [f"mirna_{at}" for at in range(4)]
    assert near_features(counted, [f"mrna_{at}" for at in range(4)]) is None
    assert not matched_features(counted, ["rna_1", "rna_2"], "any").pairs
    found = near_features(["rna_TP53", "entrez:7157"], ["gene_TP53", "X7157"])
    assert found is not None
    assert found.pairs == {"rna_TP53": "gene_TP53", "entrez:7157": "X7157"}
