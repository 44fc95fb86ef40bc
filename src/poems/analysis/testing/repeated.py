"""Samples that are not independent: several of one person, or of one family."""

from __future__ import annotations

import re
from typing import Final

import pandas as pd

from poems.findings import Finding, count

# What columns are called that say whose a sample is, in whole words, with or without "id".
_WHOSE: Final = frozenset(
    ("subject", "patient", "participant", "individual", "person", "donor", "proband", "infant",
     "child", "mother", "family", "household", "pedigree", "couple", "twin", "pair", "animal",
     "mouse", "rat", "cage", "litter", "case", "studyid", "pid", "subj", "host")
)  # fmt: skip
_FEWEST_GROUPS: Final = 5
# Samples of each on average, below which hardly any are repeated.
_FEWEST_EACH: Final = 1.5


def repeated_samples(obs: pd.DataFrame) -> tuple[Finding, ...]:
    """Warn where a column says that several samples are of one person or family.

    Tests take samples as independent; of repeated ones their p-values are too small.

    Parameters
    ----------
    obs
        One row a sample.

    Examples
    --------
    >>> obs = pd.DataFrame({"Subject": list("abcdefgh") * 5, "stage": list("12345678") * 5})
    >>> print(*repeated_samples(obs))
    warning: samples are not independent: 'Subject' has 8 values over 40 samples, some 5 each. ...
    """
    findings = []
    for at, column in enumerate(obs.columns):
        known = obs.iloc[:, at].dropna()
        n = known.nunique()
        if _says_whose(str(column)) and n >= _FEWEST_GROUPS and len(known) >= _FEWEST_EACH * n:
            text = (
                f"samples are not independent: '{column}' has {count(n, 'value')} over "
                f"{count(len(known), 'sample')}, some {len(known) / n:.0f} each. Tests of factors "
                "and subtypes take every sample as one of its own, so that their p-values are too "
                "small: keep one sample of each, or see that differences hold within them"
            )
            findings.append(Finding("warning", "samples-repeated", text, items=(str(column),)))
    return tuple(findings)


def _says_whose(column: str) -> bool:
    """Say whether a column is called as one that names persons.

    >>> [_says_whose(name) for name in ("subject", "patientID", "patient_age", "family_history")]
    [True, True, False, False]
    """
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", column).lower())
    own = [
        word for word in words if word not in ("id", "ids", "no", "nr", "number", "code", "name")
    ]
    return len(own) == 1 and (own[0] in _WHOSE or own[0].removesuffix("id") in _WHOSE)
