"""Features as genes, and gene sets as sets of the genes that were measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from poems.data.naming.near_features import FeatureMatch, matched_features, near_hint
from poems.errors import DataError
from poems.findings import Finding, count, name_some

if TYPE_CHECKING:
    from poems.data.text.gene_files import GeneSets

_EXAMPLES = 5
# How names that are no genes of the sets are matched with those that are.
_HOW = "to do so, pass genes=matched_genes(…, match='{0}') (--match-features {0})"
# Fewer of a view's names than this among the genes are too few to say nothing of it.
_FEW = 0.5


def by_gene(
    loadings: Mapping[str, pd.DataFrame],
    genes: pd.DataFrame | Mapping[str, pd.DataFrame] | None,
) -> tuple[dict[str, pd.DataFrame], list[Finding]]:
    """Bring each view to genes, each with its strongest value on every factor.

    ``loadings``, or scores: view name to (n_features, n_factors); ``genes`` as in
    :func:`poems.analysis.factors.gene_sets.gene_set_enrichment`. Findings say what was left out.

    Raises
    ------
    DataError
        If ``genes`` names a view that is not there.
    """
    if isinstance(genes, Mapping):
        unknown = [view for view in genes if view not in loadings]
        if unknown:
            raise DataError(
                f"a table of features and genes is given for {name_some(unknown)}, but the model "
                f"has the views {name_some(loadings, 20)}"
            )
    found: dict[str, pd.DataFrame] = {}
    findings: list[Finding] = []
    for view, table in loadings.items():
        given = genes.get(view) if isinstance(genes, Mapping) else genes
        if given is None:
            found[view] = table.set_axis(table.index.map(str))
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
        found[view] = _strongest(named)
    return found, findings


def _strongest(table: pd.DataFrame) -> pd.DataFrame:
    """Keep one row a gene: its strongest loading on each factor, of either sign.

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


def require_overlap(
    by_view: Mapping[str, pd.DataFrame], everything: frozenset[str], named: Mapping[str, object]
) -> None:
    """Refuse names that no gene set knows.

    Raises
    ------
    DataError
        If no gene measured is in any set.
    """
    measured = [name for table in by_view.values() for name in table.index]
    if any(name in everything for name in measured):
        return
    remedy = near_hint(measured, everything, _HOW) or (
        ". If the features are no genes (probes, positions), say which they belong to: a "
        "table with the columns feature and gene (--map)"
    )
    known = name_some(sorted(everything), _EXAMPLES) or "none"
    raise DataError(
        f"none of {count(len(measured), 'gene')} measured is in any of "
        f"{count(len(named), 'gene set')}: measured are "
        f"{name_some(measured, _EXAMPLES) or 'none'}; the sets hold {known}{remedy}"
    )


def matched_genes(
    features: Iterable[str], sets: Mapping[str, Iterable[str]], match: FeatureMatch
) -> pd.DataFrame:
    """Return the table of features and genes after a known change of names.

    Parameters
    ----------
    features
        Of a view.
    sets
        Gene sets by name.
    match
        As in :func:`poems.data.naming.near_features.matched_features`.

    Examples
    --------
    >>> sets = {"A": ["ENSG00000141510"]}
    >>> matched_genes(["ENSG00000141510.16", "x"], sets, "version")["gene"].tolist()
    ['ENSG00000141510', 'x']
    """
    names = [str(name) for name in features]
    everything = frozenset(gene for members in sets.values() for gene in members)
    pairs = matched_features(names, everything, match).pairs
    return pd.DataFrame({"feature": names, "gene": [pairs.get(name, name) for name in names]})


def genes_as_descriptions(
    sets: GeneSets,
    features: Mapping[str, Iterable[str]],
    genes: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
) -> tuple[Finding, ...]:
    """Say which descriptions of gene sets are genes that were measured, and may belong to them.

    A line without a description has its first gene in that place, which its set then lacks.

    Parameters
    ----------
    sets
        As :func:`poems.data.text.gene_files.read_gmt` gives them.
    features
        Of each view.
    genes
        As in :func:`poems.analysis.factors.gene_sets.gene_set_enrichment`.

    Examples
    --------
    >>> from poems.data.text.gene_files import GeneSets
    >>> sets = GeneSets({"A": ("G2",), "B": ("G4",)}, descriptions={"A": "G1", "B": "words"})
    >>> genes_as_descriptions(sets, {"rna": ["G1", "G2"]})[0].items
    ('A',)
    """
    measured: set[str] = set()
    for view, own in features.items():
        table = genes.get(view) if isinstance(genes, Mapping) else genes
        names = set(map(str, own))
        if table is not None:
            names = set(table["gene"][table["feature"].astype(str).isin(names)].astype(str))
        measured |= names
    # What is called after its description, as sets of the targets of a gene are, lacks nothing.
    found = {
        name: text
        for name, text in sets.descriptions.items()
        if text in measured and text != name and text not in sets.sets[name]
    }
    if not found:
        return ()
    shown = name_some([f"'{text}' of '{name}'" for name, text in found.items()])
    text = (
        f"the description of {len(found)} of {count(len(sets.sets), 'gene set')} is a gene that "
        f"was measured ({shown}), which its set does not count. If these sets have no "
        "descriptions, put one, or anything, between the name of each set and its genes"
    )
    return (Finding("warning", "gene-sets-undescribed", text, items=tuple(found)),)


def partly_named(view: str, measured: pd.Index, everything: frozenset[str]) -> list[Finding]:
    """Say that many more of a view's names would be genes of the sets after a known change."""
    known = sum(name in everything for name in measured)
    if known >= _FEW * min(len(measured), len(everything)):
        return []
    hint = near_hint(measured, everything, _HOW)
    if not hint:
        return []
    text = f"only {known} of {count(len(measured), 'name')} are genes of the sets{hint}"
    return [Finding("warning", "gene-sets-nearly-match", text, view)]


def no_overlap(view: str, measured: pd.Index, everything: frozenset[str]) -> Finding:
    """Say that a view has no gene of any set."""
    text = (
        f"left out of the gene sets, which hold none of its names, such as {name_some(measured)} "
        f"(the sets hold {name_some(sorted(everything))})"
    )
    text += near_hint(measured, everything, _HOW) or "; --view-map can say which genes they are"
    return Finding("note", "gene-sets-no-overlap", text, view)


def sets_of_size(
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
