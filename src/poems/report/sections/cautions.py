"""What to distrust, in sentences: failures, warnings, doubtful subtypes, a baseline not beaten."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pandas as pd

from poems.diagnosis.nuisance import batch_subtypes
from poems.findings import Finding, together
from poems.report.blocks import Cautions, Sentence
from poems.report.harm import in_full, in_order_of_harm, in_short, most_harmful
from poems.report.sections.labels import BASELINE
from poems.report.sections.subtypes import subtype_sizes
from poems.report.source import Source
from poems.report.verdict import lost_subtypes
from poems.report.wording import listing, number, percent, verb

_LEAST_R2: Final = 0.05
_FEWEST: Final = 3
# Where a caution leads to, by the beginning of its code; others lead to the findings.
_TARGETS: Final = (
    ("survival", "survival"),
    ("asked-number", "subtype-number"),
    ("subtypes-lost", "subtype-number"),
    ("subtypes-unstable", "subtype-sizes"),
    ("subtypes-tiny", "subtype-sizes"),
    ("baseline", "labels"),
    ("weak-omics", "cohort"),
    ("gate-against", "contributions"),
)
# What the verdict or a finding of the diagnosis has said already.
_SAID: Final = ("subtypes-of-failed-fit",)


def cautions_block(source: Source) -> Cautions:
    """Return what to distrust: three in short, and all in full, the most harmful first."""
    found = in_order_of_harm(together(_cautions(source)))
    return Cautions(
        tuple(_sentence(each, in_short(each)) for each in most_harmful(found)),
        tuple(_sentence(each, in_full(each)) for each in found),
    )


def caution_sentences(source: Source) -> Iterable[Sentence]:
    """Say what to distrust, the most harmful first."""
    return cautions_block(source).all


def _cautions(source: Source) -> Iterable[Finding]:
    findings = source.findings
    known = set(findings["code"])
    for row in findings[findings["severity"] != "note"].itertuples():
        if row.code not in _SAID:
            view = None if pd.isna(row.view) or not row.view else str(row.view)
            yield Finding("warning", str(row.code), str(row.message), view)
    diagnosis = source.model.diagnose()
    # A run of an older version has them in its model alone.
    yield from (
        each for each in diagnosis.findings if each.severity == "warning" and each.code not in known
    )
    if "subtypes-follow-batch" not in known:
        yield from batch_subtypes(source.subtypes, source.run.obs)
    yield from _doubtful_subtypes(source, known)
    yield from (each for each in source.survival or () if each.severity != "note")
    yield from _baseline(source)
    weak = [
        f"{view} ({percent(r2)})"
        for view, r2 in source.model.r2.items()
        if float(r2) < _LEAST_R2 and source.model.n_active
    ]
    if weak:
        text = (
            f"the factors explain next to nothing of {listing(weak)}: what the report says of "
            f"{verb(len(weak), 'this omic', 'these omics')} rests on little"
        )
        yield Finding("warning", "weak-omics", text)


def _baseline(source: Source) -> Iterable[Finding]:
    scores = source.get("label_scores")
    if source.labels is None or scores is None or BASELINE not in set(scores["embedding"]):
        return
    own, pca = scores.iloc[0], scores[scores["embedding"] == BASELINE].iloc[0]
    if own["nmi"] <= pca["nmi"]:
        text = (
            f"plain principal components find the labels in '{source.labels}' as well as the model "
            f"or better (NMI {number(pca['nmi'])} against {number(own['nmi'])})"
        )
        yield Finding("warning", "baseline-not-beaten", text)


def _doubtful_subtypes(source: Source, known: set[str]) -> Iterable[Finding]:
    sizes = subtype_sizes(source.subtypes)
    if len(sizes) < 2:
        return
    tiny = [f"{name} ({size})" for name, size in sizes.items() if size < _FEWEST]
    if tiny and "subtypes-tiny" not in known:
        text = (
            f"{listing(tiny)} {verb(len(tiny), 'holds', 'hold')} fewer than {_FEWEST} samples: "
            "outliers rather than subtypes"
        )
        yield Finding("warning", "subtypes-tiny", text)
    lost = {} if "subtypes-unstable" in known else lost_subtypes(source)
    if lost:
        listed = listing((f"{name} ({number(value)})" for name, value in lost.items()), 6)
        text = (
            f"{listed} {verb(len(lost), 'is', 'are')} not found again when samples are drawn anew "
            "(Jaccard index; 1 is the same samples)"
        )
        yield Finding("warning", "subtypes-lost", text)


def _sentence(finding: Finding, text: str) -> Sentence:
    target = next((to for code, to in _TARGETS if finding.code.startswith(code)), "findings")
    return Sentence("Caution", text, caution=True, target=target)
