"""Which gene sets the features of each factor come from.

A loading is exactly zero for most features, so that a ranking of all of them by loadings is one
long tie. The natural test of loadings is over-representation, of the features that go up with the
factor and of those that go down, among those measured. The scores of loadings do rank all of them:
see :mod:`poems.analysis.factors.gene_set_ranks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from poems.analysis.factors.associations import false_discovery_rates
from poems.analysis.factors.genes import (
    by_gene,
    no_overlap,
    partly_named,
    require_overlap,
    sets_of_size,
)
from poems.errors import SettingsError
from poems.findings import Finding
from poems.notebook import Shown

COLUMNS: Final = [
    "factor", "view", "gene_set", "direction", "n_overlap", "n_list", "n_set", "n_background",
    "expected", "odds_ratio", "p", "q", "genes",
]  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class GeneSetEnrichment(Shown):
    """Over-representation of gene sets among the features of factors.

    Parameters
    ----------
    table
        One row per factor, view, gene set and direction with at least one gene in common, by p.
        Columns:

        ``factor``, ``view``, ``gene_set``
            What was tested.
        ``direction``
            ``"up"``: genes that rise with the factor; ``"down"``: that fall.
        ``n_overlap``, ``n_list``, ``n_set``, ``n_background``
            Genes in both, in the list, in the set (of those measured), and measured.
        ``expected``, ``odds_ratio``
            The overlap of a random list of this length; the odds ratio, half a gene added to
            every cell.
        ``p``, ``q``
            Of the hypergeometric test; false discovery rate by Benjamini and Hochberg (1995) over
            all factors, views, sets and directions, those without a gene in common (p = 1) among
            them.
        ``genes``
            The genes in common, the strongest loading first, between semicolons.
    n_tests
        How many tests there were.
    findings
        Sets, views and features that were left out.
    """

    table: pd.DataFrame
    n_tests: int
    findings: tuple[Finding, ...] = ()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The table by the stem of its file."""
        return {"gene_sets": self.table}


def gene_set_enrichment(
    loadings: Mapping[str, pd.DataFrame],
    sets: Mapping[str, Iterable[str]],
    *,
    genes: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
    min_size: int = 5,
    max_size: int = 500,
) -> GeneSetEnrichment:
    """Test whether the genes of a factor come from gene sets more often than by chance.

    A gene that several features belong to counts once, with its strongest loading. The background
    are the genes of all features of the view, whether a factor drives them or not.

    Parameters
    ----------
    loadings
        View name to (n_features, n_factors), exactly zero where a factor drives nothing, such as
        ``model.loadings``.
    sets
        Name to genes, such as :func:`poems.data.text.gene_files.read_gmt` gives.
    genes
        Columns ``feature`` and ``gene``, one row per pair, for all views or by view. Features that
        are in none of its rows are left out. Without it features are genes.
    min_size, max_size
        Sets with fewer or more genes among those measured are left out.

    Raises
    ------
    DataError
        If no view has a gene that is in any set, which the text shows by examples of both.
    SettingsError
        If the sizes do not allow for any set, or gseapy is not installed.

    Examples
    --------
    >>> names = [f"g{at}" for at in range(100)]
    >>> table = pd.DataFrame({"factor_1": [1.0] * 10 + [0.0] * 90}, index=names)
    >>> found = gene_set_enrichment({"rna": table}, {"A": names[:12], "B": names[30:50]})
    >>> found.table[["gene_set", "direction", "n_overlap"]].to_dict("records")
    [{'gene_set': 'A', 'direction': 'up', 'n_overlap': 10}]
    """
    if not 1 <= min_size <= max_size:
        raise SettingsError(
            f"gene sets need a smallest size of at least 1 and a largest one not below it, not "
            f"{min_size} and {max_size}"
        )
    calc_pvalues = _gseapy()
    named = {name: frozenset(map(str, members)) for name, members in sets.items()}
    by_view, findings = by_gene(loadings, genes)
    everything = frozenset().union(*named.values())
    require_overlap(by_view, everything, named)
    rows: list[dict[str, Any]] = []
    n_tests = 0
    for view, table in by_view.items():
        background = set(table.index)
        if not background & everything:
            findings.append(no_overlap(view, table.index, everything))
            continue
        findings += partly_named(view, table.index, everything)
        tested, left_out = sets_of_size(view, named, background, min_size, max_size)
        findings += left_out
        for factor in table.columns:
            column = table[factor].to_numpy(dtype=np.float64)
            for direction, there in (("up", column > 0), ("down", column < 0)):
                own = table.index[there]
                if not len(own) or not tested:
                    continue
                n_tests += len(tested)
                strongest = own[np.argsort(-np.abs(column[there]), kind="stable")]
                head = {"factor": factor, "view": view, "direction": direction}
                tested_sets = zip(*calc_pvalues(set(own), tested, background), strict=True)
                for name, p, ratio, overlap, size, hits in tested_sets:
                    expected = len(own) * size / len(background)
                    rows.append(
                        {
                            **head, "gene_set": name, "n_overlap": overlap, "n_list": len(own),
                            "n_set": size, "n_background": len(background), "expected": expected,
                            "odds_ratio": float(ratio), "p": float(p),
                            "genes": ";".join(gene for gene in strongest if gene in hits),
                        }
                    )  # fmt: skip
    return GeneSetEnrichment(_with_rates(rows, n_tests), n_tests, tuple(findings))


def _gseapy() -> Any:
    """Return the hypergeometric test of gseapy, which needs no connection."""
    try:
        from gseapy.stats import calc_pvalues
    except ImportError:
        raise SettingsError(
            "gene sets need gseapy, which is not installed: pip install 'poems-omics[genesets]'"
        ) from None
    return calc_pvalues


def _with_rates(rows: list[dict[str, Any]], n_tests: int) -> pd.DataFrame:
    """Add the q-values, and sort by p."""
    table = pd.DataFrame(rows, columns=COLUMNS)
    p = np.ones(n_tests)
    p[: len(table)] = table["p"].to_numpy(dtype=np.float64)
    table["q"] = false_discovery_rates(p)[: len(table)]
    order = np.lexsort((-table["odds_ratio"].to_numpy(np.float64), table["p"].to_numpy(np.float64)))
    return table.iloc[order].reset_index(drop=True)
