"""Tables whose samples have no names, only the numbers of their rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from poems.data.tables import Table
from poems.findings import Finding, count, name_some

_FEWEST_FROM_ONE: Final = 3
_REMEDY: Final = (
    "Put the sample names in the first column of each table (the index of a DataFrame, obs_names "
    "of an AnnData)"
)


def numbered_from(names: pd.Index) -> int | None:
    """Return where names start counting if they are the numbers of the rows, in order.

    Examples
    --------
    >>> numbered_from(pd.Index(["0", "1", "2"])), numbered_from(pd.Index(["1", "2", "3"]))
    (0, 1)
    >>> numbered_from(pd.Index(["2", "1", "3"]))
    """
    if not len(names) or names[0] not in ("0", "1"):
        return None
    start = int(names[0])
    if start and len(names) < _FEWEST_FROM_ONE:
        return None
    counted = all(name == str(at) for at, name in enumerate(names, start))
    return start if counted else None


def row_number_problems(tables: Mapping[str, Table], obs_names: pd.Index | None) -> list[Finding]:
    """Say which tables are matched by the position of their rows, for want of names.

    An error where tables counted from 0, as programs number rows, differ in length: which rows
    belong together cannot be known then. Otherwise a warning.
    """
    starts = {name: numbered_from(table.samples) for name, table in tables.items()}
    numbered = {name: start for name, start in starts.items() if start is not None}
    if not numbered:
        return []
    lengths = {f"view '{name}'": len(tables[name].samples) for name in numbered}
    if obs_names is not None and numbered_from(obs_names) is not None:
        lengths["the obs table"] = len(obs_names)
    who = name_some(lengths, 8)
    several = len(lengths) > 1
    rows = ", ".join(f"{name} {count(n, 'row')}" for name, n in lengths.items())
    if 0 in numbered.values():
        have = "have" if several else "has"
        text = f"{who} {have} no sample names, only row numbers (0, 1, 2, …)"
        if len(set(lengths.values())) > 1:
            text += (
                f", and the tables differ in length ({rows}), so that which rows belong together "
                f"cannot be known. {_REMEDY}"
            )
            return [Finding("error", "numbered-samples", text, items=tuple(numbered))]
        if several:
            text += "; rows are matched by position, which is right only if all are in one order"
        text += f". {_REMEDY}"
        return [Finding("warning", "numbered-samples", text, items=tuple(numbered))]
    if not several:
        return []  # nothing is matched by them
    text = (
        f"{who} have samples that are numbered 1, 2, 3, … in the order of the rows. If these "
        "are row numbers rather than names, rows are matched by position: make sure that a number "
        "means one sample in all tables"
    )
    if len(set(lengths.values())) > 1:
        text += f" (they differ in length: {rows})"
    text += f". {_REMEDY} if there are others"
    return [Finding("warning", "numbered-samples", text, items=tuple(numbered))]
