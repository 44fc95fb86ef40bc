"""What to distrust, in sentences: failures, warnings, doubtful subtypes, a baseline not beaten."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pandas as pd

from poems.diagnosis.nuisance import batch_subtypes
from poems.findings import count
from poems.report.blocks import Sentence
from poems.report.sections.labels import BASELINE
from poems.report.sections.subtypes import subtype_sizes
from poems.report.sections.survival import spoken
from poems.report.source import Source
from poems.report.wording import listing, number, percent, sentence, verb

# Below it a cluster should not be trusted (Hennig 2007).
_LEAST_JACCARD: Final = 0.6
_LEAST_R2: Final = 0.05
_FEWEST: Final = 3


def caution_sentences(source: Source) -> Iterable[Sentence]:
    """Say what to distrust."""
    findings = source.findings
    signatures = set(source.model.diagnose().signatures)
    if signatures:
        yield _caution(
            f"{count(len(signatures), 'failure signature')} {verb(len(signatures), 'was', 'were')} "
            f"found: {listing(sorted(signatures))}",
            "diagnostics",
        )
    for row in findings[findings["severity"] != "note"].itertuples():
        where = "" if pd.isna(row.view) or not row.view else f"In {row.view!s}: "
        yield _caution(f"{where}{row.message!s}", "diagnostics")
    for each in batch_subtypes(source.subtypes, source.run.obs):
        yield _caution(each.message, "subtype-sizes")
    yield from _doubtful_subtypes(source)
    if "subtypes-unstable" not in set(findings["code"]):  # which has said it
        yield from _loose_subtypes(source)
    if source.labels is not None:
        scores = source.get("label_scores")
        if scores is not None and BASELINE in set(scores["embedding"]):
            own, pca = scores.iloc[0], scores[scores["embedding"] == BASELINE].iloc[0]
            if own["nmi"] <= pca["nmi"]:
                yield _caution(
                    f"Plain principal components find the labels in '{source.labels}' as well as "
                    f"the model or better (NMI {number(pca['nmi'])} against {number(own['nmi'])})",
                    "labels",
                )
    for each in source.survival or ():
        if each.severity != "note":
            yield _caution(spoken(each), "survival")
    weak = [
        f"{view} ({percent(r2)})"
        for view, r2 in source.model.r2.items()
        if float(r2) < _LEAST_R2 and source.model.n_active
    ]
    if weak:
        yield _caution(
            f"The factors explain next to nothing of {listing(weak)}: what the report says of "
            f"{verb(len(weak), 'this omic', 'these omics')} rests on little",
            "cohort",
        )


def _doubtful_subtypes(source: Source) -> Iterable[Sentence]:
    sizes = subtype_sizes(source.subtypes)
    if len(sizes) < 2:
        return
    tiny = [f"{name} ({size})" for name, size in sizes.items() if size < _FEWEST]
    if tiny:
        yield _caution(
            f"{listing(tiny)} {verb(len(tiny), 'holds', 'hold')} fewer than {_FEWEST} samples: "
            "outliers rather than subtypes",
            "subtype-sizes",
        )


def _loose_subtypes(source: Source) -> Iterable[Sentence]:
    stability = source.get("subtype_stability")
    if stability is None or "jaccard" not in stability.columns:
        return
    loose = stability[stability["jaccard"] < _LEAST_JACCARD]
    if len(loose):
        listed = listing(f"{row.subtype} ({number(row.jaccard)})" for row in loose.itertuples())
        yield _caution(
            f"{listed} {verb(len(loose), 'is', 'are')} not found again when the subtyping is "
            f"repeated (overlap below {_LEAST_JACCARD})",
            "subtype-sizes",
        )


def _caution(text: str, target: str) -> Sentence:
    return Sentence("Caution", sentence(text), caution=True, target=target)
