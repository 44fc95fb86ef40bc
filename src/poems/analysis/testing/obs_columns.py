"""Which test fits a column of the obs table, and which columns are not to be tested."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from poems.data.obs.cells import CleanColumn, clean_column
from poems.data.obs.values import column_findings
from poems.findings import Finding, name_some

Kind = Literal["numeric", "groups"]
# The code of the finding that names the columns left out.
NOT_TESTED: Final = "obs-not-tested"

# Known values of a column, and samples of a group, below which a test has no power to speak of and
# the distributions by which p-values are computed do not hold.
FEWEST_VALUES: Final = 10
FEWEST_IN_GROUP: Final = 5
# A column is one of dates if this share of its values looks so.
_MOST_DATES = 0.9
_DATE = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(\D.*)?")
_ID = re.compile(r"(^|[\W_])(id|ids|identifier|barcode|uuid|accession)($|[\W_])", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class ObsColumn:
    """A column that can be tested.

    Parameters
    ----------
    name
        Its name.
    kind
        ``"numeric"``, or ``"groups"``: text, truth values, two different numbers.
    values
        One value per sample, ``NaN`` where there is none: numbers, or names of
        groups as text. Groups of fewer than 5 samples are ``NaN`` too.
    n_rare
        Samples of such groups.
    """

    name: str
    kind: Kind
    values: pd.Series
    n_rare: int = 0


def testable_columns(obs: pd.DataFrame) -> tuple[list[ObsColumn], tuple[Finding, ...]]:
    """Sort the columns of an obs table by the test that fits, and say which are left out.

    Left out are columns with fewer than 10 known values, constant ones,
    identifiers (text that differs for more than half of the samples; different
    whole numbers that follow one another, or whose column is called an id),
    dates, and groups of which fewer than two have 5 samples. What is missing, and
    which columns are numbers, goes by :func:`poems.data.obs.cells.clean_column`; what
    it decides is among the findings.

    Parameters
    ----------
    obs
        One row per sample.

    Examples
    --------
    >>> obs = pd.DataFrame({"age": np.arange(20) ** 0.5, "sex": ["f", "m"] * 10, "site": "x"})
    >>> columns, findings = testable_columns(obs)
    >>> [(column.name, column.kind) for column in columns]
    [('age', 'numeric'), ('sex', 'groups')]
    >>> print(*findings)
    note: 1 column of the obs table was not tested: site (constant)
    """
    columns: list[ObsColumn] = []
    left_out: list[tuple[str, str]] = []
    cleaned: list[tuple[str, CleanColumn]] = []
    for at, label in enumerate(obs.columns):
        name = str(label)
        clean = clean_column(obs.iloc[:, at], typed=True)
        cleaned.append((name, clean))
        sorted_out = _sort_out(name, clean.values)
        if isinstance(sorted_out, str):
            left_out.append((name, sorted_out))
        else:
            columns.append(sorted_out)
    findings = column_findings(cleaned)
    if not left_out:
        return columns, findings
    one = len(left_out) == 1
    text = (
        f"{len(left_out)} {'column' if one else 'columns'} of the obs table "
        f"{'was' if one else 'were'} not tested: "
        f"{name_some((f'{name} ({why})' for name, why in left_out), 20)}"
    )
    items = tuple(name for name, _ in left_out)
    return columns, (*findings, Finding("note", NOT_TESTED, text, items=items))


def _sort_out(name: str, column: pd.Series) -> ObsColumn | str:
    """Return the column with its kind, or why it is left out."""
    values = _plain(column)
    known = values.dropna()
    n_known, n_different = len(known), known.nunique()
    if n_known and n_different == 1:
        return "constant"
    if n_known < FEWEST_VALUES:
        return f"{n_known} known values" if n_known != 1 else "1 known value"
    if pd.api.types.is_datetime64_any_dtype(values) or _are_dates(known):
        return "dates"
    numeric = pd.api.types.is_numeric_dtype(values)
    if numeric and (known.astype(float).abs() > np.finfo(np.float32).max).any():
        return "numbers beyond 3.4e38"  # their squares are beyond all numbers
    if _are_identifiers(name, known, numeric):
        return "identifiers"
    if numeric and n_different > 2:
        return ObsColumn(name, "numeric", values.astype(float))
    groups = values.map(_group_name, na_action="ignore").astype(object)
    sizes = groups.map(groups.value_counts())
    kept = groups.where(sizes >= FEWEST_IN_GROUP)
    if kept.nunique() < 2:
        return f"fewer than two groups of {FEWEST_IN_GROUP} samples"
    return ObsColumn(name, "groups", kept, int(groups.notna().sum() - kept.notna().sum()))


def _plain(column: pd.Series) -> pd.Series:
    """Bring a column to numbers, dates or text; numbers that are not finite become missing."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    if pd.api.types.is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(object)
    if not pd.api.types.is_numeric_dtype(column):
        return column.astype(object)
    numbers = pd.Series(column.to_numpy(dtype=float, na_value=np.nan), index=column.index)
    return numbers.where(np.isfinite(numbers))


def _group_name(value: object) -> str:
    """Name a group; whole numbers without a point."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _are_dates(known: pd.Series) -> bool:
    """Do nearly all values look like dates?"""
    if pd.api.types.is_numeric_dtype(known):
        return False
    looks = known.map(lambda value: hasattr(value, "year") or bool(_DATE.fullmatch(str(value))))
    return bool(looks.mean() >= _MOST_DATES)


def _are_identifiers(name: str, known: pd.Series, numeric: bool) -> bool:
    """Do the values name the samples rather than describe them?"""
    if not numeric:
        # Text that takes more different values than this share of the samples names them.
        return bool(known.nunique() > 0.5 * len(known))
    if known.nunique() < len(known) or (known % 1 != 0).any():
        return False
    return bool(known.max() - known.min() == len(known) - 1 or _ID.search(name))
