"""The order of cautions: by how much each would change a conclusion, the most harmful first.

The order is a judgement and is documented (docs/design.md, "The order of cautions"). A
caution is known by the code of its finding; codes of other packages, and new ones, come last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from poems.findings import Finding
from poems.report.wording import factor_title, sentence
from poems.wording import general, in_omics

# What is at stake, and the codes of it, by their beginnings. A finding counts where it is first.
HARMS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "the fit cannot be trusted",
        (
            "no-factors",
            "explains-nothing",
            "posterior-collapsed",
            "posterior-overconfident",
            "gate-collapsed",
            "not-converged",
            "sparsity-incomplete",
            "interrupted",
            "loadings-dense",
        ),
    ),
    (
        "groups may be missing data or batches",
        (
            "subtypes-follow",
            "subtypes-of-missing",
            "factors-follow",
            "batch-in",
            "depth",
            "detected-in",
            "mean-in",
        ),
    ),
    (
        "samples may be mixed up",
        (
            "names-nearly-match",
            "two-names",
            "looks-swapped",
            "numbered-samples",
            "sample-names",
            "order-differs",
            "obs-conflict",
            "annotation-columns",
        ),
    ),
    (
        "subtypes may not be found again",
        (
            "asked-number",
            "number-is-a-close-call",
            "subtypes-unstable",
            "subtypes-lost",
            "subtypes-tiny",
            "markers-of",
            "refits-of",
            "few-samples",
            "too-few",
        ),
    ),
    (
        "what goes with a clinical column may be missing data, or too few persons",
        ("obs-follows", "samples-repeated"),
    ),
    ("what goes with survival may be wrong", ("survival",)),
    (
        "values may be on another scale",
        ("unlogged-values", "view-scales", "extreme-outliers", "winsorised", "many-missing"),
    ),
    (
        "little is explained",
        ("badly-reconstructed", "weak-omics", "baseline", "factors-dropped", "features-screened"),
    ),
    ("something was left out", ("analysis", "rows-unusable", "network", "background", "chunks")),
    ("a weight is read as an effect", ("gate-against",)),
)
# Shortened for the first screen: longer lists in brackets, and whatever follows so many letters.
_LONG_BRACKET: Final = re.compile(r" \([^()]{60,}\)")
_END: Final = re.compile(r"[;:.] ")
_ENOUGH: Final = 45
_LONGEST: Final = 130
_POWER: Final = re.compile(r"(?<![\w.])\d+(?:\.\d+)?e[+-]\d{2,3}(?![\w.]\w)")
_MINUS: Final = re.compile(r"(?<=[ (])-(?=\d)")
# Messages that want the omic for their subject.
_VERB: Final = re.compile(r"(?:has|holds|is|looks) ")
_FACTOR: Final = re.compile(r"\bfactor_(\d+)\b")


def harm_of(code: str) -> int:
    """Return the place of a finding's code in :data:`HARMS`, behind the last if it has none.

    Examples
    --------
    >>> harm_of("subtypes-follow-missingness") < harm_of("gate-against-effect") < harm_of("rare")
    True
    """
    for place, (_, beginnings) in enumerate(HARMS):
        if code.startswith(beginnings):
            return place
    return len(HARMS)


def most_harmful(findings: Sequence[Finding], most: int = 3) -> tuple[Finding, ...]:
    """Return the findings to be seen first, at most one for each harm.

    Parameters
    ----------
    findings
        In the order of their harm.
    most
        How many at most.

    Examples
    --------
    >>> some = [Finding("warning", code, "") for code in ("two-names", "order-differs", "rare")]
    >>> [each.code for each in most_harmful(some)]
    ['two-names', 'rare']
    """
    first = {harm_of(each.code): each for each in reversed(findings)}
    return tuple(first[place] for place in sorted(first))[:most]


def in_order_of_harm(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, the most harmful first; those alike stay in their order.

    Examples
    --------
    >>> some = [Finding("warning", code, "") for code in ("extreme-outliers", "unlogged-values")]
    >>> [each.code for each in in_order_of_harm(some)]
    ['unlogged-values', 'extreme-outliers']
    """
    return sorted(findings, key=lambda each: (harm_of(each.code), _within(each.code)))


def _within(code: str) -> int:
    """Return the place of a code among those with the same harm."""
    place = harm_of(code)
    beginnings = HARMS[place][1] if place < len(HARMS) else ()
    return next((at for at, each in enumerate(beginnings) if code.startswith(each)), 0)


def in_full(finding: Finding) -> str:
    """Return a finding as a sentence of the report.

    Examples
    --------
    >>> in_full(Finding("warning", "x", "factor_2 drives no feature of this view", "rna"))
    'In rna: Factor 2 drives no feature of this omic.'
    >>> in_full(Finding("warning", "x", "looks like raw counts", "rna"))
    'The omic rna looks like raw counts.'
    """
    return _placed(finding.view, spoken_text(finding.message))


def in_short(finding: Finding) -> str:
    """Return a finding as a sentence that a glance takes in: what was found, not what to do.

    Examples
    --------
    >>> found = "subtypes follow which views were measured (p = 10⁻⁸): of the 66 samples without "
    >>> in_short(Finding("warning", "x", found + "rna and cnv 60 are in S2; compare with a fit to "
    ...     "the samples that have every view, which holds no missing data"))
    'Subtypes follow which omics were measured (p = 10⁻⁸).'
    """
    text = spoken_text(finding.message)
    if len(text) > _LONGEST:
        text = _LONG_BRACKET.sub("", text)
    if len(text) > _LONGEST:
        ends = [at.start() for at in _END.finditer(text) if at.start() >= _ENOUGH]
        # Not within brackets.
        whole = [at for at in ends if text[:at].count("(") == text[:at].count(")")]
        text = text[: whole[0]] if whole else text
    return _placed(finding.view, text)


def spoken_text(message: str) -> str:
    """Return a message of the library with factors and omics named as in the report.

    >>> spoken_text("factor_2 is read from a view")
    'Factor 2 is read from an omic'
    >>> spoken_text("p = 5e-18, the furthest is 1.704e+04")
    'p = 5 × 10⁻¹⁸, the furthest is 17,040'
    """
    named = _FACTOR.sub(lambda found: factor_title(found[0]), message)
    # Of runs of older versions, whose messages hold numbers as programs write them.
    return _MINUS.sub("−", in_omics(_POWER.sub(lambda found: general(found[0]), named)))


def _placed(view: str | None, text: str) -> str:
    if view and _VERB.match(text):
        return sentence(f"the omic {view} {text}")
    return sentence(f"In {view}: {text}" if view else text)
