"""Features of different omics that share factors."""

from __future__ import annotations

from typing import Any

from poems.report.blocks import Block, Fold, Section
from poems.report.pictures import picture
from poems.report.sections.drawn import pair_circle
from poems.report.source import Source
from poems.report.tables import Column, make_table
from poems.report.wording import factor_title, listing, number, p_text
from poems.settings.rates import FDR

# Pairs in the picture, and pairs that its text names.
_DRAWN = 40
_NAMED = 3


def cross_omic_section(source: Source) -> Section:
    """Return the section on cross-omic associations."""
    lead = (
        "Pairs of features from different omics that the same factors drive, and whose values go "
        "together across the samples. An association is no evidence of a mechanism: one factor "
        "may move both."
    )
    table = source.get("cross_omic")
    if table is None:
        blocks: list[Block] = []
        if len(source.model.view_names) > 1 or "cross_omic" in source.tables:
            blocks.append(source.absent("cross_omic", "cross-omic associations"))
        return Section("cross-omic", "Cross-omic associations", blocks, lead)
    order = table["score"].abs().sort_values(ascending=False, kind="stable").index
    shown = make_table(
        "cross-omic-pairs",
        "Pairs of features, the strongest first.",
        table.loc[order],
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
        ],
        where=source.where("cross_omic"),
    )
    return Section("cross-omic", "Cross-omic associations", [*_network(source), shown], lead)


def _network(source: Source) -> list[Block]:
    from poems import plots

    table = source.tables["cross_omic"]
    own = table[table["q"] <= FDR]
    if not len(own):
        return []
    order = own["score"].abs().sort_values(ascending=False, kind="stable").index
    drawn = own.loc[order[:_DRAWN]]
    names = listing(
        f"{row.feature_a} with {row.feature_b}" for row in drawn.head(_NAMED).itertuples()
    )
    return [
        picture(
            "pair-network",
            lambda: plots.plot_pair_network(drawn, views=list(source.model.view_names), top=_DRAWN),
            alt=f"Network of the {len(drawn)} strongest pairs of features; among them {names}.",
            caption=f"The {len(drawn)} strongest of {len(own):,} pairs, boxes coloured by omic. "
            "Red lines join what rises together, blue ones what moves against one another.",
            where=source.where("cross_omic"),
        ),
        Fold(
            "pairs-by-omic",
            "The same pairs, omic by omic",
            tuple(pair_circle(source, drawn, names)),
        ),
    ]


def pair_floor(source: Source) -> float | None:
    """Return the least false discovery rate that the permutations could have given."""
    numbers = source.get("cross_omic_numbers")
    # A p-value beyond what is reported is no floor of what is.
    p = 1.0 if numbers is None else float(numbers["overall_p"].iloc[0])
    return p if p <= FDR else None


def pair_text(row: Any, floor: float | None = None) -> str:
    """Write a pair with its numbers."""
    names = [factor_title(part) for part in str(row.factors).split("+")]
    numbers = [name.removeprefix("Factor ") for name in names]
    factors = names[0] if len(names) == 1 else f"Factors {listing(numbers)}"
    return (
        f"{row.feature_a} ({row.view_a}) with {row.feature_b} ({row.view_b}) through {factors} "
        f"(correlation {number(row.correlation)}, {p_text(row.q, 'q', floor)})"
    )
