"""What refits of the cohort find again: factors, subtypes, biomarkers, explained variance."""

from __future__ import annotations

from typing import Final

from poems.findings import count
from poems.report.blocks import Block, Section, Text
from poems.report.source import Source
from poems.report.standing import LEAST_FOUND, sound_factors
from poems.report.tables import Column, make_table
from poems.report.wording import percent, verb, whole
from poems.settings.rates import FDR

_SHOWN = 100
# Refits below which a share of them is coarse.
_FEW: Final = 10
_DRAWN: Final = {
    "subsample": "each time to {drawn} samples drawn from the cohort",
    "bootstrap": "each time to samples drawn from the cohort with replacement, {drawn} different "
    "ones",
    "none": "each time to all samples from another start",
}
_RESTS: Final = {
    "subsample": "rests on the choice of samples",
    "bootstrap": "rests on the choice of samples",
    "none": "rests on the start of the fit",
}


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
    return Section("stability", "Found again by refits", blocks, _lead(source))


def _lead(source: Source) -> str:
    """Say how many refits there were, and of what."""
    runs = source.get("stability_runs")
    if runs is None:
        return (
            "The model was fitted again and again to other samples of the cohort. What is not "
            f"found again {_RESTS['subsample']}."
        )
    n, how = len(runs), str(runs["resample"].iloc[0])
    drawn = int(runs["n_samples"].median())
    few = (
        f" {whole(n)} refits are few: a share moves by {percent(1 / n)} with each."
        if n < _FEW
        else ""
    )
    return (
        f"The model was fitted {count(n, 'more time')}, {_DRAWN[how].format(drawn=whole(drawn))}. "
        f"What is not found again {_RESTS[how]}.{few}"
    )


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
