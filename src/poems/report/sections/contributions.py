"""How much each omic counted: by the gate, and by what changes when it is withheld."""

from __future__ import annotations

import pandas as pd

from poems.analysis.contributions.gates import mean_weights
from poems.report.blocks import Block, Fold, Section, Text
from poems.report.pictures import picture
from poems.report.source import Source
from poems.report.tables import Column, make_table
from poems.report.wording import listing, number, percent

# Samples drawn at most.
_MOST_DRAWN = 5000


def contributions_section(source: Source) -> Section | None:
    """Return the section on the omics' contributions; ``None`` of one omic, which has all."""
    if len(source.model.view_names) < 2:
        return None
    blocks: list[Block] = []
    several = source.subtypes.nunique() > 1
    table = source.get("contributions_by_view")
    if table is None:
        weights = mean_weights(source.gates)
        table = pd.DataFrame(
            {
                "view": [str(name) for name in weights.index],
                "n_samples": (source.gates > 0).sum().to_numpy(),
                "mean_gate": weights.to_numpy(),
            }
        )
        blocks.append(source.absent("contributions_by_view", "effective contributions"))
    blocks.append(
        make_table(
            "contributions-by-view",
            "Each omic: its mean weight in the gate, and what happens when it is withheld from "
            "the samples on which it was measured together with another.",
            table,
            [
                Column("view", "Omic"),
                Column("n_samples", "Samples", "integer"),
                Column("mean_gate", "Gate weight", "percent", "Mean over the samples measured"),
                Column(
                    "mean_shift",
                    "Shift of the latent",
                    "general",
                    "How far the sample moves in the latent space when the omic is withheld",
                ),
                Column(
                    "mean_subtype_change",
                    "Change of subtype probability",
                    "change",
                    "By how much the probability of the sample's subtype changes",
                ),
                Column(
                    "switched_share",
                    "Subtype switched",
                    "percent",
                    "Share of samples that would be in another subtype",
                ),
                Column("gate_rank", "Rank by gate", "integer"),
                Column("effect_rank", "Rank by effect", "integer"),
            ],
            where=source.where("contributions_by_view")
            if source.get("contributions_by_view") is not None
            else "gates.csv in the run folder",
            sortable=False,
        )
    )
    disagree = disagreement(table)
    if disagree:
        blocks.append(Text(disagree))
    blocks.append(_gates(source))
    groups = source.get("contributions_by_group")
    if groups is None:
        blocks.append(source.absent("contributions_by_group", "contributions by group"))
    elif len(groups):
        by_group = make_table(
            "contributions-by-group",
            f"Gate weight and effect by {'subtype and by ' if several else ''}column of the obs "
            "table: does an omic count more in some groups?",
            groups,
            [
                Column("column", "Column"),
                Column("group", "Group"),
                Column("view", "Omic"),
                Column("n_samples", "Samples", "integer"),
                Column("mean_gate", "Gate weight", "percent"),
                Column("mean_shift", "Shift of the latent", "general"),
                Column("p_gate", "p (weight)", "p", "That weights differ between groups"),
                Column("q_gate", "q (weight)", "p"),
                Column("p", "p (shift)", "p", "That shifts differ between the groups"),
                Column("q", "q (shift)", "p"),
            ],
            where=source.where("contributions_by_group"),
        )
        blocks.append(Fold("by-group", "Does an omic count more in some groups?", (by_group,)))
    lead = (
        "The gate is the weight that the model gives each omic, sample by sample. A weight is not "
        "an effect: an omic may weigh much and tell only what the others tell as well. So the "
        "model is also asked what would change without it."
    )
    return Section("contributions", "Contributions of the omics", blocks, lead)


def disagreement(table: pd.DataFrame) -> str:
    """Say where the gate and the effect rank the omics differently; empty if nowhere.

    Examples
    --------
    >>> table = pd.DataFrame({"view": ["rna", "cnv"], "gate_rank": [1, 2], "effect_rank": [2, 1],
    ...     "mean_gate": [0.6, 0.4], "mean_shift": [0.1, 0.2]})
    >>> disagreement(table)
    'Gate and effect disagree: rna is rank 1 by the gate and 2 by effect, cnv 2 and 1.'
    """
    if not {"gate_rank", "effect_rank"} <= set(table.columns):
        return ""
    known = table.dropna(subset=["gate_rank", "effect_rank"])
    differing = known[known["gate_rank"] != known["effect_rank"]]
    if not len(differing):
        return ""
    first, *rest = differing.itertuples()
    ranks = f"{first.gate_rank:.0f} by the gate and {first.effect_rank:.0f} by effect"
    text = f"{first.view} is rank {ranks}"
    others = [f"{row.view} {row.gate_rank:.0f} and {row.effect_rank:.0f}" for row in rest]
    return f"Gate and effect disagree: {', '.join([text, *others])}."


def _gates(source: Source) -> Block:
    from poems import plots

    gates: pd.DataFrame = source.gates
    subtypes = source.subtypes if source.subtypes.nunique() > 1 else None
    n = len(gates)
    said = ""
    if n > _MOST_DRAWN:
        rows = pd.Series(range(n)).sample(_MOST_DRAWN, random_state=source.model.seed).sort_values()
        gates = gates.iloc[rows.to_numpy()]
        said = f" {_MOST_DRAWN} of {n} samples, drawn at random."
    weights = mean_weights(source.gates)
    means = listing(f"{name} {percent(value)}" for name, value in weights.items())
    by = f"{'' if subtypes is None else 'subtype and by '}the weight of the leading omic"
    return picture(
        "gates",
        lambda: plots.plot_gates(gates, subtypes),
        alt=f"Stacked bars of the weights of the omics for each sample, sorted by {by}. "
        f"Mean weights where measured: {means}.",
        caption=f"The weight of each omic for each sample, sorted by {by}. A missing colour: not "
        f"measured.{said}",
        where="gates.csv in the run folder",
        many_points=n > 1000,
    )


def leading(table: pd.DataFrame, column: str) -> str | None:
    """Return the view with the largest value of a column, ``None`` if none is known.

    Examples
    --------
    >>> leading(pd.DataFrame({"view": ["a", "b"], "mean_gate": [0.2, 0.8]}), "mean_gate")
    'b'
    """
    if column not in table.columns:
        return None
    values = table.dropna(subset=[column])
    return None if not len(values) else str(values.loc[values[column].idxmax(), "view"])


def weight_text(table: pd.DataFrame, view: str, column: str) -> str:
    """Write a view's value of a column: a share as a percentage, a shift as a number."""
    value = float(table.loc[table["view"] == view, column].iloc[0])
    return number(value) if column == "mean_shift" else percent(value)
