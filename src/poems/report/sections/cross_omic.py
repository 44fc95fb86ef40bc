"""Features of different omics that share factors."""

from __future__ import annotations

from typing import Any, Final

from poems.analysis.pairs.alike import group_numbers, said_once, strongest_first
from poems.report.blocks import Block, Fold, Section, Text
from poems.report.pictures import picture
from poems.report.sections.drawn import pair_circle
from poems.report.source import Source
from poems.report.tables import Column, make_table
from poems.report.wording import factor_title, listing, number, p_text, whole
from poems.settings.groups import ALIKE
from poems.settings.rates import FDR

# Pairs in the picture, and pairs that its text names.
_DRAWN = 40
# Rows of the table: long names make each of them long.
_ROWS = 100
_NAMED = 3
NO_PAIR: Final = "No pair of features from different omics shares a factor."


def cross_omic_section(source: Source) -> Section | None:
    """Return the section on cross-omic associations; ``None`` of one omic."""
    if len(source.model.view_names) < 2:
        return None
    lead = (
        "Pairs of features from different omics that the same factors drive, and whose values go "
        "together across the samples. An association is no evidence of a mechanism: one factor "
        "may move both."
    )
    table = source.get("cross_omic")
    if table is None:
        none: Block = (
            Text(NO_PAIR)
            if "cross_omic" in source.tables
            else source.absent("cross_omic", "cross-omic associations")
        )
        return Section("cross-omic", "Cross-omic associations", [none], lead)
    once = said_once(strongest_first(table))
    same = any(map(len, [*once["alike_a"], *once["alike_b"]]))
    shown = make_table(
        "cross-omic-pairs",
        "Pairs of features, those of the highest scores first.",
        once.assign(alike=[_alike_text(row) for row in once.itertuples()]),
        [
            Column("feature_a", "Feature"),
            Column("view_a", "Omic"),
            Column("feature_b", "Other feature"),
            Column("view_b", "Omic"),
            Column("factors", "Factors", "factors", "Those that drive both"),
            Column("score", "Score", "effect", "From the loadings of both on the shared factors"),
            Column(
                "predicted_correlation",
                "Correlation predicted",
                "number",
                "Between what the model predicts of both",
            ),
            Column("correlation", "measured", "number"),
            Column("n_samples", "Samples", "integer"),
            Column("p", "p", "p", "By permutation"),
            Column("q", "FDR q", "p", floor=pair_floor(source)),
            Column("support", "Support", "percent", "Share of refits that found the pair"),
            Column("alike", "Say the same", hint="Features nearly equal to those of the pair"),
        ],
        where=source.where("cross_omic"),
        limit=_ROWS,
        note=f"One pair for all whose features say the same (correlated at {ALIKE} or more within "
        "their omic, as copy numbers of a chromosome arm are); all are in the file."
        if same
        else "",
    )
    return Section("cross-omic", "Cross-omic associations", [*_network(source), shown], lead)


def _network(source: Source) -> list[Block]:
    from poems import plots

    table = source.tables["cross_omic"]
    own = table[table["q"] <= FDR]
    if not len(own):
        return []
    own = strongest_first(own)
    group = group_numbers(own)
    drawn = own[group < _DRAWN]
    n_groups, n_drawn = len(set(group)), min(len(set(group)), _DRAWN)
    names = listing(
        f"{row.feature_a} with {row.feature_b}"
        for row in said_once(drawn).head(_NAMED).itertuples()
    )
    which = _which(n_drawn, n_groups, of_more=_of_more(source))
    counted = "; +3: it stands for 3 more that say the same" if n_groups < len(own) else ""
    return [
        picture(
            "pair-network",
            lambda: plots.plot_pair_network(drawn, views=list(source.model.view_names), top=_DRAWN),
            alt=f"Network of the {n_drawn} pairs of features of the highest scores; among them "
            f"{names}.",
            caption=f"{which}, boxes coloured by omic{counted}. Red lines join "
            "what rises together, blue ones what moves against one another.",
            where=source.where("cross_omic"),
        ),
        Fold(
            "pairs-by-omic",
            "The same pairs, omic by omic",
            tuple(pair_circle(source, drawn, names)),
        ),
    ]


def _which(n_drawn: int, n: int, *, of_more: bool) -> str:
    """Say which pairs are drawn; ``of_more``: more were found than the table holds.

    >>> _which(40, 5000, of_more=True)
    'The 40 pairs of the highest scores of the 5000 in the table'
    """
    if n_drawn == n:
        return "The pair" if n == 1 else f"All {whole(n)} pairs"
    whose = f"the {whole(n)} in the table" if of_more else whole(n)
    return f"The {n_drawn} pairs of the highest scores of {whose}"


def _of_more(source: Source) -> bool:
    numbers = source.get("cross_omic_numbers")
    return numbers is not None and bool((numbers["n_significant"] > numbers["n_listed"]).any())


def _alike_text(row: Any) -> str:
    """List the features that say the same as those of a pair."""
    return "; ".join(listing(names, _NAMED) for names in (row.alike_a, row.alike_b) if names)


def pair_floor(source: Source) -> float | None:
    """Return the least false discovery rate that the permutations could have given."""
    numbers = source.get("cross_omic_numbers")
    # A p-value beyond what is reported is no floor of what is.
    p = 1.0 if numbers is None else float(numbers["overall_p"].iloc[0])
    return p if p <= FDR else None


def pair_text(row: Any, floor: float | None = None) -> str:
    """Write a pair of :func:`poems.analysis.pairs.alike.said_once` with its numbers."""
    names = [factor_title(part) for part in str(row.factors).split("+")]
    numbers = [name.removeprefix("Factor ") for name in names]
    factors = names[0] if len(names) == 1 else f"Factors {listing(numbers)}"
    one, other = _with_others(row, "a"), _with_others(row, "b")
    return (
        f"{one} ({row.view_a}) with {other} ({row.view_b}) through {factors} "
        f"(correlation {number(row.correlation)}, {p_text(row.q, 'q', floor)})"
    )


def _with_others(row: Any, side: str) -> str:
    """Name a feature, and how many more say the same."""
    more = len(getattr(row, f"alike_{side}"))
    name = getattr(row, f"feature_{side}")
    return f"{name} and {more} like it" if more else str(name)
