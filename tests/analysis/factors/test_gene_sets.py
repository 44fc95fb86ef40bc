from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

import poems
from poems.analysis import gene_set_enrichment
from poems.errors import DataError, SettingsError
from poems.simulation.cohort import Simulation

GENES = [f"g{at}" for at in range(200)]


def loadings(**columns: dict[int, float]) -> pd.DataFrame:
    table = pd.DataFrame(0.0, index=GENES, columns=list(columns))
    for name, values in columns.items():
        for at, value in values.items():
            table.iloc[at, table.columns.get_loc(name)] = value
    return table


def test_the_tests_are_hypergeometric_signed_and_corrected_over_all() -> None:
    up, down = {at: 1.0 + at for at in range(10)}, dict.fromkeys(range(50, 70), -1.0)
    table = loadings(factor_1={**up, **down}, factor_2={})
    sets = {"A": [*GENES[2:14], "unheard of"], "B": GENES[60:80], "C": GENES[100:140], "D": ["g1"]}
    found = gene_set_enrichment({"rna": table}, sets)
    rows = found.table.set_index("gene_set")
    assert list(rows.index) == ["A", "B"], "sorted by p; sets without a gene in common left out"
    # Two lists against three sets: factor_2 has no genes to test.
    assert found.n_tests == 6
    a, b = rows.loc["A"], rows.loc["B"]
    assert (a["direction"], a["n_overlap"], a["n_list"], a["n_set"]) == ("up", 8, 10, 12)
    assert (b["direction"], b["n_overlap"], b["n_list"], b["n_set"]) == ("down", 10, 20, 20)
    assert a["p"] == pytest.approx(hypergeom.sf(7, 200, 12, 10))
    assert b["p"] == pytest.approx(hypergeom.sf(9, 200, 20, 20))
    assert a["q"] == pytest.approx(6 * a["p"])
    assert b["q"] == pytest.approx(6 * b["p"] / 2)
    assert a["expected"] == pytest.approx(10 * 12 / 200)
    assert a["genes"].split(";")[:2] == ["g9", "g8"], "the strongest loading first"
    (said,) = found.findings
    assert "1 of 4 gene sets left out: 1 with fewer than 5 of the measured genes, 0" in said.message
    assert set(found.tables) == {"gene_sets"}


def test_turning_a_factor_swaps_the_directions() -> None:
    table = loadings(factor_1=dict.fromkeys(range(9), 1.0))
    sets = {"A": GENES[:12]}
    left, right = (gene_set_enrichment({"v": each}, sets).table for each in (table, -table))
    assert left["direction"].tolist() == ["up"]
    assert right["direction"].tolist() == ["down"]
    pd.testing.assert_frame_equal(left.drop(columns="direction"), right.drop(columns="direction"))


def test_a_gene_of_several_features_counts_once_with_its_strongest() -> None:
    table = loadings(factor_1={0: 1.0, 1: -3.0, 2: 2.0, 3: 1.0})
    pairs = [("g0", "X"), ("g1", "X"), ("g2", "Y"), ("g2", "Z"), ("g3", "Z")]
    pairs += [(f"g{at}", f"N{at}") for at in range(4, 190)]
    genes = pd.DataFrame(pairs, columns=["feature", "gene"])
    sets = {"S": ["X", "Y", "Z", "N4", "N5"]}
    found = gene_set_enrichment({"rna": table}, sets, genes=genes)
    rows = found.table.set_index("direction")
    assert rows.loc["down", "genes"] == "X"
    assert rows.loc["up", "genes"].split(";") == ["Y", "Z"]
    assert set(rows["n_background"]) == {3 + 186}
    (said,) = found.findings
    assert said.message.startswith("10 of 200 features without a gene in the table")
    assert len(said.items) == 10


def test_views_have_their_own_background_and_their_own_map() -> None:
    rna = loadings(factor_1=dict.fromkeys(range(8), 1.0))
    probes = rna.set_axis([f"cg{at}" for at in range(200)])
    mirna = rna.set_axis([f"mir{at}" for at in range(200)])
    pairs = {"feature": probes.index, "gene": GENES}
    sets = {"A": GENES[:10]}
    views = {"rna": rna, "methylation": probes, "mirna": mirna}
    found = gene_set_enrichment(views, sets, genes={"methylation": pd.DataFrame(pairs)})
    assert found.table["view"].tolist() == ["rna", "methylation"]
    assert found.table["p"].nunique() == 1
    assert [(each.code, each.view) for each in found.findings] == [
        ("gene-sets-no-overlap", "mirna")
    ]
    with pytest.raises(DataError, match="is given for protein, but the model has the views rna"):
        gene_set_enrichment(views, sets, genes={"protein": pd.DataFrame(pairs)})


def test_no_overlap_shows_both() -> None:
    table = loadings(factor_1={0: 1.0})
    with pytest.raises(DataError, match=r"g0, g1, .* and 195 more; the sets hold X, Y\. If the f"):
        gene_set_enrichment({"rna": table}, {"A": ["X", "Y"]})
    with pytest.raises(DataError, match=r"2 would match if upper .*--match-features case"):
        gene_set_enrichment({"rna": table}, {"A": ["G0", "G1"]})
    pairs = pd.DataFrame({"feature": ["cg1"], "gene": ["X"]})
    with pytest.raises(DataError, match="measured are none"):
        gene_set_enrichment({"rna": table}, {"A": ["X"]}, genes=pairs)


def test_sizes_that_leave_nothing() -> None:
    table = loadings(factor_1={0: 1.0})
    found = gene_set_enrichment({"rna": table}, {"A": GENES[:3], "B": GENES}, max_size=100)
    assert not len(found.table)
    assert found.n_tests == 0
    assert found.findings[0].severity == "warning"
    with pytest.raises(SettingsError, match="not 9 and 3"):
        gene_set_enrichment({"rna": table}, {"A": GENES}, min_size=9, max_size=3)


def test_no_factor_and_no_loading() -> None:
    empty = pd.DataFrame(index=GENES)
    for table in (empty, loadings(factor_1={})):
        found = gene_set_enrichment({"rna": table}, {"A": GENES[:10]})
        assert not len(found.table)
        assert found.n_tests == 0


def test_without_gseapy_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gseapy.stats", None)
    with pytest.raises(SettingsError, match=r"pip install 'poems-omics\[genesets\]'"):
        gene_set_enrichment({"rna": loadings(factor_1={0: 1.0})}, {"A": GENES})


def test_planted_sets_are_found_by_a_fitted_model(
    fitted: poems.FittedPoems, simulation: Simulation
) -> None:
    truth = simulation.loadings["rna"]
    rng = np.random.default_rng(0)
    planted = {f"true {k}": list(truth.index[truth[k] != 0]) for k in truth.columns}
    others = {f"random {at}": list(rng.choice(truth.index, 8, False)) for at in range(10)}
    found = gene_set_enrichment({"rna": fitted.loadings["rna"]}, {**planted, **others})
    passed = found.table[found.table["q"] <= 0.05]
    assert set(planted) <= set(passed["gene_set"])
    assert passed["gene_set"].str.startswith("true").mean() > 0.8


def test_random_lists_are_seldom_significant() -> None:
    rng = np.random.default_rng(0)
    sets = {f"set {at}": rng.choice(GENES, 20, replace=False) for at in range(20)}
    reports = 0
    for _ in range(40):
        columns = {}
        for k in range(3):
            rows = rng.choice(200, 25, replace=False)
            columns[f"factor_{k + 1}"] = dict(zip(rows.tolist(), rng.normal(size=25), strict=True))
        found = gene_set_enrichment({"rna": loadings(**columns)}, sets)
        reports += bool((found.table["q"] <= 0.1).any())
    assert reports <= 8


def test_genes_with_a_version_are_those_of_the_sets_when_asked_for() -> None:
    from poems.analysis.factors.genes import matched_genes

    table = loadings(factor_1=dict.fromkeys(range(10), 1.0))
    bare = [f"ENSG{at:011d}" for at in range(len(table))]
    table.index = pd.Index([f"{name}.{at % 7 + 1}" for at, name in enumerate(bare)])
    sets = {"A": bare[:12], "B": bare[30:50]}
    with pytest.raises(DataError, match="would match without the version"):
        gene_set_enrichment({"rna": table}, sets)
    genes = matched_genes(table.index, sets, "version")
    found = gene_set_enrichment({"rna": table}, sets, genes=genes).table
    assert found[["gene_set", "n_overlap"]].to_dict("records") == [
        {"gene_set": "A", "n_overlap": 10}
    ]
    # Where only some names fit, the rest is pointed out.
    sets["A"] = [*bare[:11], table.index[11]]
    (said,) = gene_set_enrichment({"rna": table}, sets).findings[:1]
    assert said.code == "gene-sets-nearly-match"
