"""Pairs of features that belong together by what is known, such as those of one gene."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Final, Literal

import pandas as pd

from poems.errors import DataError
from poems.findings import Finding, count, name_some

PAIR_COLUMNS: Final = ["view_a", "feature_a", "view_b", "feature_b"]
_MAPPING: Final = ["view", "feature", "gene"]


def cis_pairs(
    given: pd.DataFrame | Literal["names"], features: Mapping[str, pd.Index]
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Find the pairs of features of different views that a table, or their names, put together.

    Parameters
    ----------
    given
        ``"names"``: features of equal name. A table with the columns ``view``,
        ``feature`` and ``gene``: features of equal gene; those that the table
        leaves out go by their name. Any other table of two columns: a pair a
        row, each cell the name of a feature, or ``view:feature`` where the name
        alone would do for several views.
    features
        View to the names of its features.

    Returns
    -------
    DataFrame
        Columns ``view_a``, ``feature_a``, ``view_b``, ``feature_b``, views in the
        order of ``features``; no pair twice.
    tuple of Finding
        Names that no view has.

    Raises
    ------
    DataError
        If the table has other columns, or no pair results.

    Examples
    --------
    >>> features = {"rna": pd.Index(["ESR1", "GATA3"]), "protein": pd.Index(["ER-alpha", "GATA3"])}
    >>> cis_pairs("names", features)[0].to_numpy().tolist()
    [['rna', 'GATA3', 'protein', 'GATA3']]
    >>> table = pd.DataFrame({"transcript": ["ESR1"], "protein": ["protein:ER-alpha"]})
    >>> cis_pairs(table, features)[0].to_numpy().tolist()
    [['rna', 'ESR1', 'protein', 'ER-alpha']]
    """
    findings: tuple[Finding, ...] = ()
    if isinstance(given, str):
        if given != "names":
            raise DataError(f"cis is a table or 'names', not '{given}'")
        pairs = _by_gene({view: pd.Series(index, index=index) for view, index in features.items()})
        what = "no two views have features of equal name; give a table that maps them"
    elif set(_MAPPING) <= set(given.columns):
        genes, findings = _genes(given, features)
        pairs = _by_gene(genes)
        what = "no two features of different views have the same gene in the table of cis pairs"
    elif given.shape[1] == 2:
        pairs, findings = _listed(given, features)
        what = (
            "no row of the table of cis pairs names features of two different views: it has "
            f"{name_some(given.iloc[:, 0])} and {name_some(given.iloc[:, 1])}"
        )
    else:
        raise DataError(
            f"a table of cis pairs has two columns of features, or the columns "
            f"{', '.join(_MAPPING)}; this one has {name_some(given.columns, 6)}"
        )
    if not len(pairs):
        raise DataError(what)
    return pairs, findings


def _by_gene(genes: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Pair features of different views whose gene (indexed by feature) is the same."""
    parts = []
    for a, b in combinations(genes, 2):
        first = pd.DataFrame({"gene": genes[a].astype(str), "feature_a": genes[a].index})
        second = pd.DataFrame({"gene": genes[b].astype(str), "feature_b": genes[b].index})
        both = first.merge(second, on="gene")
        parts.append(both.assign(view_a=a, view_b=b)[PAIR_COLUMNS])
    pairs = pd.concat(parts) if parts else pd.DataFrame(columns=PAIR_COLUMNS)
    return pairs.drop_duplicates(ignore_index=True)


def _genes(
    table: pd.DataFrame, features: Mapping[str, pd.Index]
) -> tuple[dict[str, pd.Series], tuple[Finding, ...]]:
    known = table.dropna(subset=_MAPPING)[_MAPPING].astype(str)
    genes, unknown = {}, set(known["view"]) - set(features)
    findings: list[Finding] = []
    if unknown:
        text = (
            f"the table of cis pairs names the view {name_some(sorted(unknown))}, which the model "
            f"lacks; it has {name_some(features, 20)}"
        )
        findings.append(Finding("warning", "cis-view-unknown", text, items=tuple(sorted(unknown))))
    for view, index in features.items():
        own = known[known["view"] == view].drop_duplicates()
        absent = sorted(set(own["feature"]) - set(map(str, index)))
        if absent:
            findings.append(_absent(absent, view))
        # A feature may stand for several genes.
        rest = pd.Series([name for name in index if str(name) not in set(own["feature"])])
        listed = own[own["feature"].isin(set(map(str, index)))]
        genes[view] = pd.concat(
            [
                pd.Series(
                    listed["gene"].to_numpy(), index=listed["feature"].to_numpy(), dtype=object
                ),
                pd.Series(rest.to_numpy(), index=rest.to_numpy(), dtype=object),
            ]
        )
    return genes, tuple(findings)


def _listed(
    table: pd.DataFrame, features: Mapping[str, pd.Index]
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    by_name: dict[str, list[tuple[str, str]]] = {}
    for view, index in features.items():
        for name in map(str, index):
            by_name.setdefault(name, []).append((view, name))
            by_name.setdefault(f"{view}:{name}", []).append((view, name))
    order = {view: at for at, view in enumerate(features)}
    rows, absent = [], []
    for cells in table.dropna().astype(str).itertuples(index=False):
        absent += [cell for cell in cells if cell not in by_name]
        first, second = (by_name.get(cell, []) for cell in cells)
        for one in first:
            for other in second:
                if one[0] != other[0]:
                    pair = sorted([one, other], key=lambda each: order[each[0]])
                    rows.append((*pair[0], *pair[1]))
    pairs = pd.DataFrame(rows, columns=PAIR_COLUMNS).drop_duplicates(ignore_index=True)
    names = list(dict.fromkeys(absent))
    return pairs, (_absent(names, None),) if names else ()


def _absent(names: list[str], view: str | None) -> Finding:
    text = (
        f"{count(len(names), 'name')} of the table of cis pairs, no features that the model uses: "
        f"{name_some(names)}"
    )
    return Finding("note", "cis-features-absent", text, view, tuple(names))
