"""Rows and columns that belong to a table of measurements no more than its annotations do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sized
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.findings import Finding, Severity, count, name_some

# What HTSeq, STAR and featureCounts count beside genes.
_NO_GENES: Final = re.compile(
    r"__(no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique)"
    r"|N_(unmapped|multimapping|noFeature|ambiguous)|Unassigned_\w+",
    re.IGNORECASE,
)
_SUMMARIES: Final = {
    **dict.fromkeys(("total", "sum", "grandtotal"), "sum"),
    **dict.fromkeys(("mean", "average", "avg"), "mean"),
    "median": "median",
    **dict.fromkeys(("sd", "std", "stdev", "stddev"), "standard deviation"),
    **dict.fromkeys(("sem", "cv", "min", "max", "variance"), ""),
}
# What samples are described by; no molecule is called so.
_OF_SAMPLES: Final = frozenset(
    ("age", "sex", "gender", "class", "label", "labels", "group", "batch", "stage", "subtype",
     "cluster", "diagnosis", "status", "event", "os", "ostime", "osstatus", "osmonths", "osevent",
     "osdays", "pfs", "pfi", "dfs", "dss", "vitalstatus", "survival", "survivaltime", "daystodeath",
     "daystolastfollowup", "followup", "phenotype", "condition", "treatment", "target", "outcome",
     "response", "patientid", "sampleid", "bmi", "dead", "death", "deceased", "race", "ethnicity",
     "tumorstage", "tumourstage", "ytrue")
)  # fmt: skip
_HALF, _BY_DESIGN = 0.5, 0.4
_COPY: Final = re.compile(r"(.+)\.[1-9]")
_CLOSE: Final = 1e-3

Array = npt.NDArray[np.float64]


def stray_findings(
    samples: pd.Index, features: pd.Index, values: Array, where: str
) -> Iterator[Finding]:
    """Find what is no sample or no measurement by its name, or by what it holds.

    An error where names say so for certain (reads that belong to no gene), or where a sample is
    the sum, mean or median of the others; a warning where a name is that of a summary, of a
    column about samples, or of a second column or row of one name.

    Parameters
    ----------
    samples, features
        The names.
    values
        Of shape (n_samples, n_features).
    where
        The table, for messages.

    Examples
    --------
    >>> values = np.array([[1.0, 2.0], [3.0, 4.0], [4.0, 6.0]])
    >>> names = pd.Index(["s1", "s2", "Total"]), pd.Index(["g1", "g2"])
    >>> print(*stray_findings(*names, values, "rna.csv"))
    error: rna.csv: sample 'Total' is the sum of all others, and no sample; remove it
    """
    no_genes = [str(name) for name in features if _NO_GENES.fullmatch(str(name))]
    if no_genes:
        text = (
            f"{where}: {name_some(map(repr, no_genes), 5)} {_is(no_genes, 'counts', 'count')} "
            "reads that belong to no gene, and would be taken for a feature; remove "
            f"{_is(no_genes, 'it', 'them')}"
        )
        yield Finding("error", "no-genes", text, items=tuple(no_genes))
    yield from _summaries(samples, values, where)
    yield from _of_samples(features, where)
    for kind, names in (("sample", samples), ("feature", features)):
        yield from _copies(names, kind, where)


def _summaries(samples: pd.Index, values: Array, where: str) -> Iterator[Finding]:
    bare = [re.sub(r"[\W_]", "", str(name)).casefold() for name in samples]
    called = [at for at, name in enumerate(bare) if name in _SUMMARIES]
    if not called:
        return
    others = np.delete(values, called, axis=0)
    for at in called:
        name, what = str(samples[at]), _SUMMARIES[bare[at]]
        if _is_summary(values[at], others, what):
            text = f"{where}: sample {name!r} is the {what} of all others, and no sample; remove it"
            yield Finding("error", "summary-row", text, items=(name,))
            continue
        text = (
            f"{where}: sample {name!r} is called as a summary of samples is; remove it if it is "
            "one, for it would count as a sample"
        )
        yield Finding("warning", "summary-row", text, items=(name,))


def _is_summary(row: Array, others: Array, what: str) -> bool:
    """Whether a row is the sum, mean, median or standard deviation of others that vary."""
    # Of a column with gaps there is nothing to compare.
    whole = ~np.isnan(row) & ~np.isnan(others).any(axis=0)
    row, others = row[whole], others[:, whole]
    if len(others) < 2 or not np.ptp(others, axis=0).any():
        return False
    made = {
        "sum": [others.sum(axis=0)],
        "mean": [others.mean(axis=0)],
        "median": [np.median(others, axis=0)],
        "standard deviation": [others.std(axis=0, ddof=1), others.std(axis=0)],
    }.get(what, [])
    return any(np.abs(row - each).max() <= _CLOSE * np.abs(each).max() for each in made)


def _of_samples(features: pd.Index, where: str) -> Iterator[Finding]:
    found = [
        str(name) for name in features if re.sub(r"[\W_]", "", str(name)).casefold() in _OF_SAMPLES
    ]
    if not found or len(found) > _HALF * len(features):
        return  # a table of these alone was given as an omic on purpose
    text = (
        f"{where}: {name_some(map(repr, found), 5)} {_is(found, 'is', 'are')} called as what "
        f"describes samples is, and would be taken for {_is(found, 'a feature', 'features')}, "
        f"which tells the factors what they are to find; move {_is(found, 'it', 'them')} to the "
        f"obs table if {_is(found, 'it is no measurement', 'they are no measurements')}"
    )
    yield Finding("warning", "sample-annotations", text, items=tuple(found))


def _copies(names: pd.Index, kind: str, where: str) -> Iterator[Finding]:
    """Warn of names such as ``P1.1`` beside ``P1``, as pandas and R make of a name given twice."""
    found = list(_second(map(str, names)))
    # Where most are so they are measured twice, or numbered, by design.
    if not found or len(found) >= _BY_DESIGN * len(names):
        return
    shown = name_some((f"{each!r} beside {base!r}" for base, each in found), 5)
    text = (
        f"{where}: {count(len(found), f'{kind} name looks', f'{kind} names look')} as pandas and R "
        f"make a name that stands twice ({shown}), and would count as another {kind}. If "
        f"{_is(found, 'it is the same', 'they are the same')}, keep one"
    )
    severity: Severity = "warning" if kind == "sample" else "note"
    yield Finding(severity, "made-unique", text, items=tuple(each for _, each in found))


def _second(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    there = list(names)
    known = set(there)
    for name in there:
        match = _COPY.fullmatch(name)
        if match is not None and match[1] in known and not match[1].isdigit():
            yield match[1], name


def _is(names: Sized, one: str, many: str) -> str:
    return one if len(names) == 1 else many
