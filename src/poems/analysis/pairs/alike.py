"""Pairs that say the same, in tables that name what stands for them: they are told once."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

# The columns that name the feature which stands for each of a pair.
GROUP_COLUMNS: Final = ["group_a", "group_b"]


def group_numbers(table: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Number the groups of pairs that say the same, from 0, in the order of their first pairs.

    A table of an older version has no groups: each of its pairs is one.

    Returns
    -------
    One number for each pair.
    """
    keys = []
    for side, group in zip("ab", GROUP_COLUMNS, strict=True):
        keys += [table[f"view_{side}"], table[group if group in table else f"feature_{side}"]]
    first: dict[tuple[str, ...], int] = {}
    numbers = [
        first.setdefault(tuple(map(str, key)), len(first)) for key in zip(*keys, strict=True)
    ]
    return np.array(numbers, dtype=np.intp)


def strongest_first(table: pd.DataFrame) -> pd.DataFrame:
    """Return pairs by decreasing size of their scores; equals stay in their order."""
    return table.sort_values("score", key=abs, ascending=False, kind="stable")


def said_once(table: pd.DataFrame) -> pd.DataFrame:
    """Return the first of each pairs that say the same, and the features that are like its own.

    Parameters
    ----------
    table
        The table of :func:`poems.analysis.pairs.cross_omic`, by decreasing size of the score.

    Returns
    -------
    The first pair of each group, in the order of the table, with the columns ``alike_a`` and
    ``alike_b``: tuples of the names of the other features on that side in the pairs of the group.

    Examples
    --------
    >>> pairs = pd.DataFrame(
    ...     {
    ...         "view_a": "cnv",
    ...         "feature_a": ["SOX2", "THPO", "EGFR"],
    ...         "view_b": "mutation",
    ...         "feature_b": "HRAS",
    ...         "group_a": ["SOX2", "SOX2", "EGFR"],
    ...         "group_b": "HRAS",
    ...     }
    ... )
    >>> said_once(pairs)[["feature_a", "alike_a", "alike_b"]].to_numpy().tolist()
    [['SOX2', ('THPO',), ()], ['EGFR', (), ()]]
    """
    number = group_numbers(table)
    first = ~pd.Series(number, index=table.index).duplicated()
    alike = {}
    for side in "ab":
        names: list[dict[str, None]] = [{} for _ in range(int(first.sum()))]
        for group, feature in zip(number, table[f"feature_{side}"], strict=True):
            names[group][str(feature)] = None
        alike[f"alike_{side}"] = [tuple(own)[1:] for own in names]
    return table[first].assign(
        **{name: pd.Series(own, table.index[first]) for name, own in alike.items()}
    )
