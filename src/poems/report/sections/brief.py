"""The report for a meeting: the first screen, and on a second page the tables behind it."""

from __future__ import annotations

import pandas as pd

from poems.findings import count
from poems.report.blocks import Block, Cautions, Section, SideBySide, Text
from poems.report.sections.cautions import cautions_block
from poems.report.sections.cohort import view_table
from poems.report.sections.factors import closest_column
from poems.report.sections.labels import label_sentences
from poems.report.sections.overview import overview
from poems.report.sections.sentences import (
    cohort_sentences,
    survival_sentences,
)
from poems.report.sections.subtypes import subtype_sizes, top_markers
from poems.report.sections.summary import told_of_survival
from poems.report.source import Source
from poems.report.standing import sound_factors
from poems.report.tables import Column, make_table
from poems.report.verdict import verdict_of
from poems.report.wording import listing

# Rows of a table, and names in a cell, so that all is two pages.
_ROWS, _NAMED, _FACTORS = 10, 4, 8
_TOP = 2


def brief_sections(source: Source) -> dict[str, Section]:
    """Return the sections of the two pages, by their name."""
    cautions = cautions_block(source)
    more = len(cautions.all) - len(cautions.first)
    short = Cautions(cautions.first, ())
    first: list[Block] = [verdict_of(source), SideBySide(overview(source).pictures), short]
    if more:
        first.append(Text(f"{count(more, 'more caution')} in the full report (`poems report`)."))
    told = [
        *cohort_sentences(source),
        *survival_sentences(told_of_survival(source)),
        *(label_sentences(source, source.labels) if source.labels is not None else ()),
    ]
    first += [Text(each.text) for each in told]
    tables: list[Block] = [_omics(source), *_subtypes(source), *_factors(source)]
    return {
        "summary": Section("summary", "Summary", first),
        "tables": Section("tables", "The tables behind it", tables),
    }


def _omics(source: Source) -> Block:
    return make_table(
        "brief-omics",
        "The omics, and what the factors explain of each.",
        view_table(source),
        [
            Column("view", "Omic"),
            Column("features", "Features", "integer"),
            Column("measured", "Samples", "integer"),
            Column("r2", "Explained", "percent"),
        ],
        limit=_ROWS,
        sortable=False,
    )


def _subtypes(source: Source) -> list[Block]:
    sizes = subtype_sizes(source.subtypes)
    if len(sizes) < 2 or source.model.diagnose().signatures:
        return []
    table = pd.DataFrame({"subtype": sizes.index, "n_samples": sizes.to_numpy()})
    stability = source.get("subtype_stability")
    if stability is not None and "jaccard" in stability.columns:
        own = stability.set_index(stability["subtype"].astype(str))["jaccard"]
        table["jaccard"] = table["subtype"].map(own)
    survival = source.get("survival_summary")
    if survival is not None:
        table["median"] = table["subtype"].map(survival.set_index("subtype")["median"])
    markers = source.get("markers")
    if markers is not None:
        for word, sign in (("higher", 1), ("lower", -1)):
            table[word] = [_marking(markers, str(name), sign) for name in sizes.index]
    unit = f" ({source.time_unit})" if source.time_unit else ""
    return [
        make_table(
            "brief-subtypes",
            "The subtypes, and the features that mark them most.",
            table,
            [
                Column("subtype", "Subtype"),
                Column("n_samples", "Samples", "integer"),
                Column("jaccard", "Found again", "number", "Jaccard index"),
                Column("median", f"Median survival{unit}", "general"),
                Column("higher", "Higher"),
                Column("lower", "Lower"),
            ],
            limit=_ROWS,
            sortable=False,
        )
    ]


def _marking(markers: pd.DataFrame, subtype: str, sign: int) -> str:
    own = top_markers(markers, subtype)
    return listing(own[own["effect"] * sign > 0]["feature"].head(_NAMED)) or "–"


def _factors(source: Source) -> list[Block]:
    effects, obs = source.get("factor_effects"), source.get("factor_obs")
    shown = sound_factors(source)
    if effects is None or not shown:
        return []
    rows = []
    for factor in shown[:_FACTORS]:
        own = effects[effects["factor"] == factor]
        row = {"factor": factor, "obs": "" if obs is None else closest_column(obs, factor)}
        for at, view in enumerate(source.model.view_names):
            there = own[own["view"] == view]
            there = there.sort_values("loading", key=abs, ascending=False, kind="stable")
            row[f"view{at}"] = listing(there["feature"].head(_TOP)) or "–"
        rows.append(row)
    views = [Column(f"view{at}", str(v)) for at, v in enumerate(source.model.view_names[:4])]
    return [
        make_table(
            "brief-factors",
            f"The strongest factors, {min(len(shown), _FACTORS)} of {len(shown)}: the features "
            "that each moves most, and what it goes with.",
            pd.DataFrame(rows),
            [Column("factor", "Factor", "factor"), *views, Column("obs", "Goes with")],
            limit=_FACTORS,
            sortable=False,
        )
    ]
