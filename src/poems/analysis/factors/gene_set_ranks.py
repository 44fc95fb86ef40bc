"""Which gene sets lie at an end of a factor's ranking of all genes, loadings of zero among them.

Over-representation asks of the loadings that are not zero; a set of which many genes move a
little has few of these. The rank test asks where a set lies among all genes measured, ranked by
the scores of their loadings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.factors.associations import false_discovery_rates
from poems.analysis.factors.gene_sets import GeneSetEnrichment
from poems.analysis.factors.genes import (
    by_gene,
    no_overlap,
    partly_named,
    require_overlap,
    sets_of_size,
)
from poems.errors import SettingsError
from poems.findings import Finding

COLUMNS: Final = [
    "factor", "view", "gene_set", "direction", "n_set", "n_background", "auc", "p", "q", "genes",
]  # fmt: skip
# Correlation of the ranks of two genes of a set that is not the factor's doing: the default of
# CAMERA, which holds its error rate in expression data.
CORRELATION: Final = 0.01
# Genes of a set that are named.
_NAMED = 10


def gene_set_ranks(
    scores: Mapping[str, pd.DataFrame],
    sets: Mapping[str, Iterable[str]],
    *,
    genes: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
    min_size: int = 5,
    max_size: int = 500,
    correlation: float = CORRELATION,
) -> GeneSetEnrichment:
    """Test whether the genes of a set lie towards an end of a factor's ranking.

    Wilcoxon's rank sum test with genes of a set correlated among themselves (Barry, Nobel & Wright
    2008; CAMERA, Wu & Smyth 2012): taken for independent, sets of genes that go together by
    themselves would be found far too often.

    Parameters
    ----------
    scores
        View name to (n_features, n_factors), such as ``model.loading_scores``.
    sets, genes, min_size, max_size
        As in :func:`poems.analysis.gene_set_enrichment`; of a gene's features the one with the
        strongest score counts.
    correlation
        Of the ranks of two genes of a set, from 0 up to below 1.

    Returns
    -------
    GeneSetEnrichment
        With one row a factor, view and set, by p: ``direction``, the end of the ranking that the
        set lies towards; ``auc``, the probability that a gene of the set ranks above one outside;
        ``genes``, those of the set furthest towards that end; the rest as in over-representation.

    Raises
    ------
    DataError
        If no view has a gene that is in any set.
    SettingsError
        If the sizes do not allow for any set, or the correlation is out of range.

    Examples
    --------
    >>> names = [f"g{at}" for at in range(100)]
    >>> table = pd.DataFrame({"factor_1": np.linspace(3, -3, 100)}, index=names)
    >>> found = gene_set_ranks({"rna": table}, {"A": names[:12], "B": names[40:60]})
    >>> found.table[["gene_set", "direction", "auc"]].to_dict("records")[0]
    {'gene_set': 'A', 'direction': 'up', 'auc': 1.0}
    """
    if not 1 <= min_size <= max_size:
        raise SettingsError(
            f"gene sets need a smallest size of at least 1 and a largest one not below it, not "
            f"{min_size} and {max_size}"
        )
    if not 0 <= correlation < 1:
        raise SettingsError(f"the correlation of genes lies from 0 to below 1, not {correlation:g}")
    named = {name: frozenset(map(str, members)) for name, members in sets.items()}
    by_view, findings = by_gene(scores, genes)
    everything = frozenset().union(*named.values())
    require_overlap(by_view, everything, named)
    rows: list[dict[str, Any]] = []
    for view, table in by_view.items():
        if not set(table.index) & everything:
            findings.append(no_overlap(view, table.index, everything))
            continue
        findings += partly_named(view, table.index, everything)
        tested, left_out = sets_of_size(view, named, set(table.index), min_size, max_size)
        findings += left_out
        # A set of all genes lies nowhere in particular.
        tested = {name: found for name, found in tested.items() if len(found) < len(table)}
        for factor in table.columns:
            rows += _of_factor(view, factor, table[factor], tested, correlation)
    findings.append(_assumed(correlation))
    found = pd.DataFrame(rows, columns=COLUMNS)
    found["q"] = false_discovery_rates(found["p"].to_numpy(dtype=np.float64))
    order = np.argsort(found["p"].to_numpy(dtype=np.float64), kind="stable")
    return GeneSetEnrichment(found.iloc[order].reset_index(drop=True), len(rows), tuple(findings))


def _of_factor(
    view: str,
    factor: str,
    scores: pd.Series[float],
    tested: Mapping[str, frozenset[str]],
    correlation: float,
) -> list[dict[str, Any]]:
    ranks = scores.rank().to_numpy(dtype=np.float64)
    _, ties = np.unique(ranks, return_counts=True)
    rows = []
    for name, members in tested.items():
        there = scores.index.isin(members)
        auc, p = rank_sum(ranks, there, ties, correlation)
        own = scores[there].sort_values(ascending=auc < 0.5, kind="stable")
        rows.append(
            {
                "factor": factor, "view": view, "gene_set": name,
                "direction": "up" if auc >= 0.5 else "down", "n_set": int(there.sum()),
                "n_background": len(scores), "auc": auc, "p": p,
                "genes": ";".join(map(str, own.index[:_NAMED])),
            }
        )  # fmt: skip
    return rows


def rank_sum(
    ranks: npt.NDArray[np.floating[Any]],
    there: npt.NDArray[np.bool_],
    ties: npt.NDArray[np.intp],
    correlation: float,
) -> tuple[float, float]:
    """Compare the ranks of some with those of the others: P(above) and the p-value of both sides.

    The variance of Mann and Whitney's U where the m inside are correlated by r and the n outside
    are not (Barry, Nobel & Wright 2008):

        m n / (2 pi) [asin(1) + (n - 1) asin(1/2) + (m - 1) (n - 1) asin(r / 2)
                      + (m - 1) asin((1 + r) / 2)],

    the usual one for r = 0. ``ties``: how often each rank occurs.
    """
    m, n = int(there.sum()), int((~there).sum())
    above = float(ranks[there].sum()) - m * (m + 1) / 2
    angles = math.asin(1.0) + (n - 1) * math.asin(0.5)
    angles += (m - 1) * ((n - 1) * math.asin(correlation / 2) + math.asin((1 + correlation) / 2))
    total = len(ranks)
    tied = 1.0 - float((ties.astype(np.float64) ** 3 - ties).sum()) / (total**3 - total)
    variance = m * n / (2 * math.pi) * angles * tied
    if variance <= 0:
        return 0.5, 1.0
    # Half a rank towards the middle, as ranks are whole numbers.
    distance = max(abs(above - m * n / 2) - 0.5, 0.0)
    return above / (m * n), math.erfc(distance / math.sqrt(2.0 * variance))


def _assumed(correlation: float) -> Finding:
    text = (
        f"genes of a set are taken to correlate by {correlation:g} in their ranks beside what the "
        "factor does; sets whose genes go together more than that are found too often"
    )
    return Finding("note", "gene-sets-correlation", text)
