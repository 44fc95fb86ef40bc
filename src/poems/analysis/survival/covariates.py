"""Terms of a Cox model: covariates and groups coded as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.testing.obs_columns import NOT_TESTED, testable_columns
from poems.errors import DataError
from poems.findings import Finding, count, name_some


@dataclass(frozen=True, eq=False)
class Term:
    """One coefficient of a model.

    Parameters
    ----------
    name
        What it belongs to: a covariate, ``"subtype"``, a factor.
    level, reference
        Of groups: the group, and the one that it is compared with; else ``""``.
    values
        One number per sample, ``NaN`` where it is not known.
    """

    name: str
    level: str
    reference: str
    values: npt.NDArray[np.float64]


def split_names(given: Sequence[str], table: pd.DataFrame) -> list[str]:
    """Return the columns named, split at commas unless a column is called so.

    >>> split_names(["age,stage", "a,b"], pd.DataFrame(columns=["age", "stage", "a,b"]))
    ['age', 'stage', 'a,b']
    """
    names: list[str] = []
    for text in given:
        parts = [text] if text in table.columns else [part.strip() for part in text.split(",")]
        names += [part for part in parts if part and part not in names]
    return names


def group_terms(name: str, groups: pd.Series) -> list[Term]:
    """Code groups as one term each but the largest, which is the reference.

    Parameters
    ----------
    name
        What the groups are called.
    groups
        Group of each sample, missing where it is not known.

    Examples
    --------
    >>> [(t.level, t.reference) for t in group_terms("sex", pd.Series(["m", "f", "f"]))]
    [('m', 'f')]
    """
    sizes = groups.value_counts()
    # Of equal sizes the first by name, whatever the order of the samples.
    levels = sorted(map(str, sizes.index))
    if not levels:
        return []
    texts = groups.map(str, na_action="ignore")
    counts = texts.value_counts()
    reference = max(levels, key=lambda level: (int(counts[level]), -levels.index(level)))
    known = texts.notna().to_numpy()
    return [
        Term(name, level, reference, np.where(known, (texts == level).to_numpy(float), np.nan))
        for level in levels
        if level != reference
    ]


def covariate_terms(
    obs: pd.DataFrame | None, names: Sequence[str], samples: pd.Index
) -> tuple[list[Term], tuple[Finding, ...]]:
    """Code the chosen columns of an obs table for ``samples``.

    Numbers enter as they are, groups by :func:`group_terms`; groups of fewer than 5 samples count
    as missing.

    Parameters
    ----------
    obs
        One row per sample; ``None`` where there is none.
    names
        The columns.
    samples
        Samples to code.

    Raises
    ------
    DataError
        If a column is not there, or cannot be used (constant, identifiers, dates, too few
        values, numbers too large). The text says why.

    Examples
    --------
    >>> obs = pd.DataFrame({"age": np.arange(20) ** 0.5, "sex": ["f", "m"] * 10})
    >>> terms, _ = covariate_terms(obs, ["age", "sex"], obs.index)
    >>> [(term.name, term.level) for term in terms]
    [('age', ''), ('sex', 'm')]
    """
    if not names:
        return [], ()
    table = pd.DataFrame(index=samples) if obs is None else obs
    absent = [name for name in names if name not in table.columns]
    if absent:
        there = name_some(table.columns, 20) if len(table.columns) else "no columns"
        raise DataError(
            f"no column {name_some((repr(name) for name in absent), 5)} to adjust for; there are "
            f"{there}"
        )
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()].unique()
        raise DataError(f"the obs table has several rows for {name_some(twice)}; keep one of them")
    columns, noticed = testable_columns(table.reindex(samples)[list(dict.fromkeys(names))])
    left_out = [finding for finding in noticed if finding.code == NOT_TESTED]
    if left_out:
        raise DataError(
            f"cannot adjust for what does not vary as a covariate does: {left_out[0].message}; "
            "leave these out"
        )
    terms: list[Term] = []
    findings = list(noticed)
    for column in columns:
        if column.kind == "groups":
            terms += group_terms(column.name, column.values)
        else:
            values = column.values.to_numpy(dtype=np.float64)
            terms.append(Term(column.name, "", "", values))
        if column.n_rare:
            text = (
                f"{count(column.n_rare, 'sample')} in groups of '{column.name}' with fewer than 5 "
                "samples counted as without a value of it"
            )
            findings.append(Finding("note", "survival-rare-groups", text))
    return terms, tuple(findings)


def complete_cases(
    terms: Sequence[Term], samples: pd.Index
) -> tuple[npt.NDArray[np.bool_], tuple[Finding, ...]]:
    """Say which samples have every covariate, and which lack one.

    Examples
    --------
    >>> term = Term("age", "", "", np.array([1.0, np.nan]))
    >>> kept, findings = complete_cases([term], pd.Index(["a", "b"]))
    >>> kept.tolist(), findings[0].items
    ([True, False], ('b',))
    """
    kept = np.ones(len(samples), dtype=bool)
    for term in terms:
        kept &= ~np.isnan(term.values)
    lacking = samples[~kept]
    if not len(lacking):
        return kept, ()
    names = dict.fromkeys(term.name for term in terms)
    gone = {
        # All terms of one covariate are missing together.
        name: int(next(np.isnan(term.values).sum() for term in terms if term.name == name))
        for name in names
    }
    counts = ", ".join(f"{name} of {number}" for name, number in gone.items() if number)
    verb = "was" if len(lacking) == 1 else "were"
    text = (
        f"{count(len(lacking), 'sample')} without a covariate ({counts}) {verb} left out of the "
        f"adjusted Cox models, which use the {int(kept.sum())} complete cases"
    )
    return kept, (Finding("note", "survival-complete-cases", text, items=tuple(map(str, lacking))),)
