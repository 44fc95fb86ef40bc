"""Subtypes that are patterns of missing omics: who was measured, rather than what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.kmeans import FEWEST_SAMPLES
from poems.findings import Finding, count

Bools = npt.NDArray[np.bool_]

# A subtype is a pattern if more of its samples are there because of it than are not.
MOST_OF_IT: Final = 0.5
# And if chance hardly makes that of any subtype and pattern: Fisher's test, all of them counted.
_LEVEL: Final = 0.01


@dataclass(frozen=True)
class SubtypePattern:
    """A subtype that goes with which omics were measured.

    Parameters
    ----------
    subtype
        Its name.
    what
        The pattern in words, such as ``"without mirna and rna"``.
    n_samples
        Samples of the subtype.
    n_with
        Those of them that have the pattern.
    share_elsewhere
        Share of the samples in other subtypes that have it.
    excess
        Share of the subtype's samples that would not be in it if samples with the pattern were in
        it as often as those without (the attributable fraction).
    p
        Of Fisher's exact test, one-sided, times the subtypes and patterns that were tested.
    """

    subtype: str
    what: str
    n_samples: int
    n_with: int
    share_elsewhere: float
    excess: float
    p: float


def find_patterns(subtypes: pd.Series, measured: pd.DataFrame) -> tuple[SubtypePattern, ...]:
    """Find the subtypes that go with a pattern of measured omics.

    Patterns are: to lack an omic, to have one that most samples lack, and to lack just
    these omics; only what at most half of the samples have is one. A subtype goes
    with a pattern if

        excess = (a - N_with b / N_without) / (a + b) > 1/2,

    a and b its samples with and without the pattern of N_with and N_without in the cohort: more
    than half of it would not be there if the pattern made no difference; and if Fisher's exact
    test says that this is no chance (p at most 0.01, times the number of subtypes and patterns).

    Parameters
    ----------
    subtypes
        Subtype of each sample, by name.
    measured
        Whether each omic was measured, of shape (n_samples, n_views), with the same index.

    Returns
    -------
    One entry a subtype that is a pattern, in the order of ``subtypes``' sizes; of several
    patterns the one with the largest excess, and then the smallest p.

    Examples
    --------
    >>> subtypes = pd.Series(["S1"] * 40 + ["S2"] * 12)
    >>> measured = pd.DataFrame({"rna": True, "mirna": [True] * 40 + [False] * 12})
    >>> [(each.subtype, each.what) for each in find_patterns(subtypes, measured)]
    [('S2', 'without mirna')]
    """
    known = subtypes.notna().to_numpy()
    labels = subtypes.to_numpy()[known].astype(str)
    there = measured.loc[subtypes.index].to_numpy(dtype=bool)[known]
    candidates = list(_candidates(there, [str(name) for name in measured.columns]))
    names = list(pd.Series(labels, dtype=object).value_counts().index)
    if len(names) < 2:
        return ()
    found = []
    for name in names:
        own = labels == name
        tested = [
            _test(name, what, own, rows, len(candidates) * len(names)) for what, rows in candidates
        ]
        some = [each for each in tested if each.excess > MOST_OF_IT and each.p <= _LEVEL]
        if some:
            found.append(min(some, key=lambda each: (-each.excess, each.p)))
    return tuple(found)


def pattern_findings(patterns: Sequence[SubtypePattern]) -> tuple[Finding, ...]:
    """Say that subtypes are patterns of missing omics.

    Examples
    --------
    >>> one = SubtypePattern("S2 (without mirna)", "without mirna", 12, 12, 0.0, 1.0, 1e-9)
    >>> print(*pattern_findings([one]))
    warning: S2 (without mirna) goes with which omics were measured: 12 of its 12 samples are
    without mirna, of the others 0%. That is a group of measurements rather than a subtype; markers
    and survival tests leave it out
    """
    if not patterns:
        return ()
    several = len(patterns) > 1
    told = [
        f"{each.n_with} of {'the' if several else 'its'} {count(each.n_samples, 'sample')}"
        f"{f' of {each.subtype}' if several else ''} are {each.what}, of the others "
        f"{each.share_elsewhere:.0%}"
        for each in patterns
    ]
    names = _listed([each.subtype for each in patterns])
    text = (
        f"{names} {'go' if several else 'goes'} with which omics were measured: "
        f"{'; '.join(told)}. "
        + (
            "These are groups of measurements rather than subtypes; markers and survival tests "
            "leave them out"
            if several
            else "That is a group of measurements rather than a subtype; markers and survival "
            "tests leave it out"
        )
    )
    items = tuple(each.subtype for each in patterns)
    return (Finding("warning", "subtypes-of-missing-omics", text, items=items),)


def pattern_name(name: str, what: str) -> str:
    """Return the name of a subtype that is a pattern, which says so; once is enough.

    Examples
    --------
    >>> pattern_name("S2", "without mirna"), pattern_name("S2 (without mirna)", "without mirna")
    ('S2 (without mirna)', 'S2 (without mirna)')
    """
    return name if name.endswith(f" ({what})") else f"{name} ({what})"


def named_by_pattern(
    subtypes: pd.Series, measured: pd.DataFrame
) -> tuple[pd.Series, tuple[SubtypePattern, ...]]:
    """Give the subtypes that are patterns names that say so.

    Parameters
    ----------
    subtypes, measured
        As for :func:`find_patterns`, which finds them.

    Returns
    -------
    The subtypes under their new names, and the patterns by these.

    Examples
    --------
    >>> subtypes = pd.Series(["S1"] * 40 + ["S2"] * 12)
    >>> measured = pd.DataFrame({"rna": True, "mirna": [True] * 40 + [False] * 12})
    >>> named_by_pattern(subtypes, measured)[0].unique().tolist()
    ['S1', 'S2 (without mirna)']
    """
    found = find_patterns(subtypes, measured)
    names = {each.subtype: pattern_name(each.subtype, each.what) for each in found}
    renamed = subtypes.map(lambda name: names.get(name, name), na_action="ignore")
    return renamed, tuple(replace(each, subtype=names[each.subtype]) for each in found)


def _candidates(there: Bools, views: Sequence[str]) -> Iterator[tuple[str, Bools]]:
    """Yield patterns that some samples have, at most half of them, and each set of samples once."""
    seen = set()
    single = [(f"without {view}", ~there[:, at]) for at, view in enumerate(views)]
    having = [(f"with {view}", there[:, at]) for at, view in enumerate(views)]
    several = [
        (_lacking(row, views), (there == row).all(axis=1))
        for row in np.unique(there, axis=0)
        if not row.all()
    ]
    for what, rows in (*several, *single, *having):
        key = rows.tobytes()
        if FEWEST_SAMPLES <= rows.sum() <= len(rows) / 2 and key not in seen:
            seen.add(key)
            yield what, rows


def _lacking(row: Bools, views: Sequence[str]) -> str:
    """Say what a sample has, or what it lacks: whichever is less."""
    has = [view for view, one in zip(views, row, strict=True) if one]
    lacks = [view for view, one in zip(views, row, strict=True) if not one]
    if len(has) < len(lacks):
        return f"with {_listed(has)} only"
    return f"without {_listed(lacks)}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _test(name: str, what: str, own: Bools, rows: Bools, n_tests: int) -> SubtypePattern:
    from scipy.stats import hypergeom

    inside, n_with, size = int((own & rows).sum()), int(rows.sum()), int(own.sum())
    without = len(rows) - n_with
    expected = n_with * (size - inside) / without
    p = float(hypergeom.sf(inside - 1, len(rows), n_with, size))
    return SubtypePattern(
        subtype=name,
        what=what,
        n_samples=size,
        n_with=inside,
        share_elsewhere=(n_with - inside) / (len(rows) - size),
        excess=(inside - expected) / size,
        p=min(1.0, p * n_tests),
    )
