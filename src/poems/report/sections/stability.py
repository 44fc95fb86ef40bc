"""What refits of the cohort find again: factors, subtypes, biomarkers, explained variance."""

from __future__ import annotations

from poems.report.blocks import Block, Section, Text
from poems.report.source import Source
from poems.report.standing import LEAST_FOUND, sound_factors
from poems.report.tables import Column, make_table
from poems.report.wording import percent, verb
from poems.settings.rates import FDR

_SHOWN = 100


def stability_section(source: Source) -> Section | None:
    """Return the section on refits, if the folder of ``poems stability`` was named."""
    factors = source.get("stability_factors")
    if factors is None:
        return None
    lost = int((factors["found"] < LEAST_FOUND).sum())
    blocks: list[Block] = [
        Text(
            f"{lost} of {len(factors)} factors {verb(lost, 'is', 'are')} found in fewer than "
            f"{percent(LEAST_FOUND)} of the refits: do not build on {verb(lost, 'it', 'them')}."
            if lost
            else "Every factor is found in at least half of the refits."
        ),
        make_table(
            "stability-factors",
            "The factors, and how often refits on other samples contain them. Grey: in fewer than "
            "half.",
            factors,
            [
                Column("factor", "Factor", "factor"),
                Column("found", "Found in", "percent", "Share of refits"),
                Column("similarity", "Similarity", "number", "Mean cosine of the loadings"),
                Column("chance", "by chance", "number", "With features in random places"),
            ],
            where=source.where("stability_factors"),
            faint=list(factors["found"] < LEAST_FOUND),
        ),
        *_others(source),
    ]
    lead = (
        "The model was fitted again and again to other samples of the cohort. What is not found "
        "again rests on the choice of samples."
    )
    return Section("stability", "Found again by refits", blocks, lead)


def _others(source: Source) -> list[Block]:
    blocks: list[Block] = []
    subtypes = source.get("stability_subtypes")
    if subtypes is not None:
        blocks.append(
            make_table(
                "stability-subtypes",
                "How well refits find each subtype again.",
                subtypes,
                [
                    Column("subtype", "Subtype"),
                    Column("jaccard", "Jaccard", "number", "Overlap with its match in refits"),
                ],
                where=source.where("stability_subtypes"),
                sortable=False,
            )
        )
    held_out = source.get("stability_held_out")
    if held_out is not None:
        blocks.append(
            make_table(
                "stability-held-out",
                "Variance explained of samples that were left out of the refit, beside that of the "
                "samples of the fit.",
                held_out.assign(own=[source.model.r2[view] for view in held_out["view"]]),
                [
                    Column("view", "Omic"),
                    Column("own", "Samples of the fit", "percent"),
                    Column("model", "Samples left out", "percent"),
                    Column("pca", "by PCA", "percent", "As many principal components"),
                ],
                where=source.where("stability_held_out"),
                sortable=False,
            )
        )
    biomarkers = source.get("stability_biomarkers")
    if biomarkers is not None:
        shown = biomarkers[biomarkers["factor"].isin(sound_factors(source))]
        blocks.append(
            make_table(
                "stability-biomarkers",
                f"Biomarkers at a false discovery rate of {FDR:.0%}: features of factors that are "
                f"found again ({len(shown)} of {len(biomarkers)} pairs; those of other factors are "
                "left out).",
                shown,
                [
                    Column("factor", "Factor", "factor"),
                    Column("feature", "Feature"),
                    Column("view", "Omic"),
                    Column("loading", "Mean loading", "effect"),
                    Column("frequency", "In refits", "percent"),
                    Column("q", "FDR q", "p"),
                ],
                where=source.where("stability_biomarkers"),
                limit=_SHOWN,
            )
        )
    return blocks
