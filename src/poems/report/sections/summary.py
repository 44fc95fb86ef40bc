"""The summary: the verdict, two pictures and three cautions, and what was found, folded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from poems.findings import Finding
from poems.report.blocks import Block, Fold, Section, Sentence, Sentences
from poems.report.sections.cautions import cautions_block
from poems.report.sections.labels import label_sentences
from poems.report.sections.overview import overview
from poems.report.sections.sentences import (
    cohort_sentences,
    contribution_sentences,
    factor_sentences,
    gene_set_sentences,
    marker_sentences,
    obs_sentences,
    pair_sentences,
    subtype_sentences,
    survival_sentences,
)
from poems.report.sections.survival import OF_SUBTYPES
from poems.report.source import Source
from poems.report.verdict import verdict_of


def summary_section(source: Source) -> Section:
    """Return the first screen: the verdict, two pictures, three cautions; the rest is folded."""
    told = tuple(found_sentences(source))
    topics = list(dict.fromkeys(each.topic for each in told))
    placed = tuple(replace(each, place=topics.index(each.topic)) for each in told)
    cautions = cautions_block(source)
    blocks: list[Block] = [
        verdict_of(source),
        overview(source),
        cautions,
        Fold("found", "What was found, in sentences", (Sentences(placed),)),
    ]
    return Section("summary", "Summary", blocks)


def found_sentences(source: Source) -> Iterable[Sentence]:
    """Say what was found, each sentence made from a number of the section it links to."""
    yield from cohort_sentences(source)
    yield from subtype_sentences(source)
    yield from survival_sentences(told_of_survival(source))
    if not source.model.diagnose().signatures:
        yield from marker_sentences(source)
    yield from factor_sentences(source)
    yield from contribution_sentences(source)
    yield from obs_sentences(source)
    yield from pair_sentences(source)
    yield from gene_set_sentences(source)
    if source.labels is not None:
        yield from label_sentences(source, source.labels)


def told_of_survival(source: Source) -> list[Finding]:
    """Return what is said of survival: nothing of subtypes that are not reported."""
    told = list(source.survival or ())
    if source.subtypes.nunique() > 1 and not source.model.diagnose().signatures:
        return told
    return [each for each in told if not each.code.startswith(OF_SUBTYPES)]
