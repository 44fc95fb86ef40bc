"""Which gene sets the features of each factor come from.

A loading is exactly zero for most features, so that a ranking of all of them, as gene set
enrichment analysis takes it, is one long tie. The natural test is over-representation, of the
features that go up with the factor and of those that go down, among those measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from poems.analysis.factors.associations import false_discovery_rates
from poems.errors import DataError, SettingsError
from poems.findings import Finding, count, name_some

COLUMNS: Final = [
    "factor", "view", "gene_set", "direction", "n_overlap", "n_list", "n_set", "n_background",
    "expected", "odds_ratio", "p", "q", "genes",
]  # fmt: skip
_EXAMPLES = 5


@dataclass(frozen=True, eq=False)
class GeneSetEnrichment:
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
    by_view, findings = _gene_loadings(loadings, genes)
    everything = frozenset().union(*named.values())
    _require_overlap(by_view, everything, named)
    rows: list[dict[str, Any]] = []
    n_tests = 0
    for view, table in by_view.items():
        background = set(table.index)
        if not background & everything:
            findings.append(_no_overlap(view, table.index, everything))
            continue
        tested, left_out = _of_size(view, named, background, min_size, max_size)
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


def _gene_loadings(
    loadings: Mapping[str, pd.DataFrame],
    genes: pd.DataFrame | Mapping[str, pd.DataFrame] | None,
) -> tuple[dict[str, pd.DataFrame], list[Finding]]:
    """Bring each view to genes, each with its strongest loading on every factor."""
    if isinstance(genes, Mapping):
        unknown = [view for view in genes if view not in loadings]
        if unknown:
            raise DataError(
                f"a table of features and genes is given for {name_some(unknown)}, but the model "
                f"has the views {name_some(loadings, 20)}"
            )
    by_gene: dict[str, pd.DataFrame] = {}
    findings: list[Finding] = []
    for view, table in loadings.items():
        given = genes.get(view) if isinstance(genes, Mapping) else genes
        if given is None:
            by_gene[view] = table.set_axis(table.index.map(str))
            continue
        features = table.index.map(str)
        pairs = given[given["feature"].astype(str).isin(features)]
        unmapped = features[~features.isin(pairs["feature"].astype(str))]
        if len(unmapped) == len(features):
            findings.append(_unmapped(view, features, given))
            continue
        if len(unmapped):
            text = (
                f"{len(unmapped)} of {count(len(features), 'feature')} without a gene in the table "
                f"of features and genes left out: {name_some(unmapped)}"
            )
            findings.append(Finding("note", "gene-sets-unmapped", text, view, tuple(unmapped)))
        rows = features.get_indexer(pd.Index(pairs["feature"].astype(str)))
        named = table.iloc[rows].set_axis(pd.Index(pairs["gene"].astype(str), name="gene"))
        by_gene[view] = _strongest(named)
    return by_gene, findings


def _strongest(table: pd.DataFrame) -> pd.DataFrame:
    """Keep one row per gene: its strongest loading on each factor, of either sign.

    >>> _strongest(pd.DataFrame({"f": [1.0, -2.0, 0.5]}, index=["a", "a", "b"]))["f"].tolist()
    [-2.0, 0.5]
    """
    grouped = table.groupby(level=0, sort=False)
    highest, lowest = grouped.max(), grouped.min()
    return highest.where(highest >= -lowest, lowest)


def _unmapped(view: str, features: pd.Index, given: pd.DataFrame) -> Finding:
    text = (
        "left out of the gene sets: the table of features and genes names none of its features, "
        f"such as {name_some(features)}; it names {name_some(given['feature'])}"
    )
    return Finding("warning", "gene-sets-unmapped", text, view)


def _require_overlap(
    by_view: Mapping[str, pd.DataFrame], everything: frozenset[str], named: Mapping[str, object]
) -> None:
    """Refuse names that no gene set knows."""
    measured = [name for table in by_view.values() for name in table.index]
    if any(name in everything for name in measured):
        return
    lower = {name.lower() for name in everything}
    alike = [name for name in measured if name.lower() in lower]
    case = (
        f" {count(len(alike), 'name')} would be found if upper and lower case were alike; write "
        "them as the sets do"
        if alike
        else " If the features are no genes (probes, positions), say which they belong to: a "
        "table with the columns feature and gene (--map)"
    )
    known = name_some(sorted(everything), _EXAMPLES) or "none"
    raise DataError(
        f"none of {count(len(measured), 'gene')} measured is in any of "
        f"{count(len(named), 'gene set')}: measured are "
        f"{name_some(measured, _EXAMPLES) or 'none'}; the sets hold {known}.{case}"
    )


def _no_overlap(view: str, measured: pd.Index, everything: frozenset[str]) -> Finding:
    text = (
        f"left out of the gene sets, which hold none of its names, such as {name_some(measured)} "
        f"(the sets hold {name_some(sorted(everything))}); --view-map can say which genes they are"
    )
    return Finding("note", "gene-sets-no-overlap", text, view)


def _of_size(
    view: str,
    named: Mapping[str, frozenset[str]],
    background: set[str],
    min_size: int,
    max_size: int,
) -> tuple[dict[str, frozenset[str]], list[Finding]]:
    """Keep the sets, of measured genes, that are neither too small nor too large."""
    measured = {name: members & background for name, members in named.items()}
    small = sum(len(members) < min_size for members in measured.values())
    large = sum(len(members) > max_size for members in measured.values())
    kept = {n: members for n, members in measured.items() if min_size <= len(members) <= max_size}
    if not small and not large:
        return kept, []
    text = (
        f"{small + large} of {count(len(named), 'gene set')} left out: {small} with fewer than "
        f"{min_size} of the measured genes, {large} with more than {max_size}"
    )
    severity: Any = "note" if kept else "warning"
    return kept, [Finding(severity, "gene-sets-left-out", text, view)]


def _with_rates(rows: list[dict[str, Any]], n_tests: int) -> pd.DataFrame:
    """Add the q-values, and sort by p."""
    table = pd.DataFrame(rows, columns=COLUMNS)
    p = np.ones(n_tests)
    p[: len(table)] = table["p"].to_numpy(dtype=np.float64)
    table["q"] = false_discovery_rates(p)[: len(table)]
    order = np.lexsort((-table["odds_ratio"].to_numpy(np.float64), table["p"].to_numpy(np.float64)))
    return table.iloc[order].reset_index(drop=True)
