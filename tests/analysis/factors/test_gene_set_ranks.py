from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu, rankdata

from poems.analysis import gene_set_ranks
from poems.analysis.factors.gene_set_ranks import rank_sum
from poems.errors import DataError, SettingsError

GENES = [f"g{at}" for at in range(300)]


def scores(seed: int = 0, **shifts: tuple[slice, float]) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(index=GENES)
    for factor, (genes, shift) in shifts.items():
        values = rng.normal(size=len(GENES))
        values[genes] += shift
        table[factor] = values
    return table


@pytest.mark.parametrize("tied", [False, True])
def test_without_correlation_the_test_is_wilcoxons(tied: bool) -> None:
    values = np.random.default_rng(1).normal(size=80)
    values = values.round(0) if tied else values
    there = np.arange(80) < 15
    ranks = rankdata(values)
    auc, p = rank_sum(ranks, there, np.unique(ranks, return_counts=True)[1], 0.0)
    expected = mannwhitneyu(values[there], values[~there], method="asymptotic")
    assert auc == pytest.approx(expected.statistic / (15 * 65))
    assert p == pytest.approx(expected.pvalue)


def test_genes_that_go_together_by_themselves_are_held_against_a_set() -> None:
    values = np.random.default_rng(1).normal(size=80)
    values[:15] += 1.0
    ranks, there = rankdata(values), np.arange(80) < 15
    ties = np.ones(80, dtype=np.intp)
    p = [rank_sum(ranks, there, ties, r)[1] for r in (0.0, 0.01, 0.1, 0.5)]
    assert p == sorted(p)
    assert p[0] < p[1]


def test_correlated_sets_without_an_effect_are_found_at_the_nominal_rate() -> None:
    rng, rate = np.random.default_rng(3), []
    for correlation in (0.0, 0.05):
        p = []
        for _ in range(800):
            values = rng.normal(size=200)
            values[:30] = (
                np.sqrt(correlation) * rng.normal() + np.sqrt(1 - correlation) * values[:30]
            )
            ranks, there = rankdata(values), np.arange(200) < 30
            p.append(rank_sum(ranks, there, np.ones(200, dtype=np.intp), correlation)[1])
        rate.append(np.mean(np.array(p) < 0.05))
    assert all(0.025 < each < 0.08 for each in rate)


def test_sets_at_either_end_are_found_with_their_direction_and_leading_genes() -> None:
    table = scores(one=(slice(0, 25), 2.0), two=(slice(100, 125), -2.0))
    sets = {"A": GENES[:25], "B": GENES[100:125], "C": GENES[200:230], "few": GENES[:2]}
    found = gene_set_ranks({"rna": table}, sets)
    passed = found.table[found.table["q"] < 0.01].set_index("factor")
    assert passed["gene_set"].to_dict() == {"one": "A", "two": "B"}
    assert passed["direction"].to_dict() == {"one": "up", "two": "down"}
    lead = passed.loc["two", "genes"].split(";")
    assert lead[0] == table["two"].iloc[100:125].idxmin()
    assert found.n_tests == len(found.table) == 6
    assert [f.code for f in found.findings] == ["gene-sets-left-out", "gene-sets-correlation"]


def test_turning_a_factor_swaps_the_directions_alone() -> None:
    table = scores(one=(slice(0, 25), 1.0))
    left, right = (gene_set_ranks({"v": each}, {"A": GENES[:25]}).table for each in (table, -table))
    assert left["direction"].tolist() == ["up"]
    assert right["direction"].tolist() == ["down"]
    assert left["p"].tolist() == pytest.approx(right["p"].tolist())


def test_what_cannot_be_tested_is_refused_or_left_out() -> None:
    table = scores(one=(slice(0, 25), 1.0))
    with pytest.raises(DataError, match="none of 300 genes measured is in any of 1 gene set"):
        gene_set_ranks({"rna": table}, {"A": ["x", "y"]})
    with pytest.raises(SettingsError, match="from 0 to below 1, not 1"):
        gene_set_ranks({"rna": table}, {"A": GENES[:9]}, correlation=1.0)
    with pytest.raises(SettingsError, match="not 9 and 3"):
        gene_set_ranks({"rna": table}, {"A": GENES[:9]}, min_size=9, max_size=3)
    whole = gene_set_ranks({"rna": table}, {"A": GENES, "B": GENES[:9]})
    assert whole.table["gene_set"].tolist() == ["B"]
    alike = gene_set_ranks({"rna": table * 0.0}, {"B": GENES[:9]}).table
    assert alike[["auc", "p"]].to_numpy().tolist() == [[0.5, 1.0]]
