"""What a picture is asked to draw: a table, or the model or result that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from poems.analysis.subtypes.result import Subtypes


def table_of(given: object, *names: str) -> pd.DataFrame:
    """Return a table: the one given, or the first of these attributes that what is given has.

    Raises
    ------
    TypeError
        If it is no table and has none of them.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> table_of(SimpleNamespace(gates=pd.DataFrame({"rna": [1.0]})), "gates").shape
    (1, 1)
    >>> table_of([1.0], "gates")
    Traceback (most recent call last):
    TypeError: expected a table (pandas DataFrame) or an object with 'gates', not a list
    """
    if isinstance(given, pd.DataFrame):
        return given
    for name in names:
        value = getattr(given, name, None)
        if isinstance(value, pd.DataFrame):
            return value
    raise TypeError(
        f"expected a table (pandas DataFrame) or an object with {_listed(names)}, not "
        f"{_kind(given)}"
    )


def by_view_of(given: object, name: str) -> Mapping[str, pd.DataFrame]:
    """Return tables by view: those given, or this attribute of what is given.

    Raises
    ------
    TypeError
        If it is no mapping and has none.
    """
    if isinstance(given, Mapping):
        return given
    value = getattr(given, name, None)
    if isinstance(value, Mapping):
        return value
    raise TypeError(
        f"expected a mapping of views to tables or an object with '{name}', not {_kind(given)}"
    )


def groups_of(given: pd.Series | Subtypes | None) -> pd.Series | None:
    """Return the group of each sample: a series as it is, subtypes as their assignment.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if given is None or isinstance(given, pd.Series):
        return given
    assignment: Any = getattr(given, "assignment", None)
    if isinstance(assignment, pd.Series):
        return assignment
    raise TypeError(f"expected a group by sample (pandas Series) or subtypes, not {_kind(given)}")


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(f"'{name}'" for name in names)


def _kind(given: object) -> str:
    return f"a {type(given).__name__}"
