"""Columns of a clinical table that tell the outcome again, in other units or words."""

from __future__ import annotations

from typing import Final

import pandas as pd

# Months that were rounded correlate by more than this with the days; another outcome of the same
# patients, as progression is beside death, by much less.
_SAME_TIME: Final = 0.999
_FEWEST: Final = 5


def outcome_columns(obs: pd.DataFrame, time: str | None, event: str | None) -> list[str]:
    """Return the columns of follow-up and events, and others that say the same.

    Of follow-up these are columns of numbers in another unit (a correlation of 0.999 or more), of
    events columns of two values one to one with theirs; both over 5 samples or more that have
    both.

    Parameters
    ----------
    obs
        A row per sample.
    time, event
        Names of its columns; none, or one that is not there, has no copies.

    Examples
    --------
    >>> obs = pd.DataFrame({"days": [30, 61, 91, 122, 152], "months": [1, 2, 3, 4, 5],
    ...                     "dead": [1, 0, 1, 0, 1], "status": list("DADAD"), "sex": list("FFMMM")})
    >>> outcome_columns(obs, "days", "dead")
    ['days', 'months', 'dead', 'status']
    """
    named = {name for name in (time, event) if name is not None}
    found = []
    for name in map(str, obs.columns):
        same_time = time in obs and _same_numbers(obs[name], obs[time])
        same_event = event in obs and _one_to_one(obs[name], obs[event])
        if name in named or same_time or same_event:
            found.append(name)
    return found


def _same_numbers(one: pd.Series, other: pd.Series) -> bool:
    if not all(pd.api.types.is_numeric_dtype(each) for each in (one, other)):
        return False
    both = one.notna() & other.notna()
    if both.sum() < _FEWEST:
        return False
    x, y = one[both].astype(float), other[both].astype(float)
    # Two values are no times.
    return min(x.nunique(), y.nunique()) > 2 and abs(float(x.corr(y))) >= _SAME_TIME


def _one_to_one(one: pd.Series, other: pd.Series) -> bool:
    both = one.notna() & other.notna()
    if both.sum() < _FEWEST:
        return False
    pairs = pd.DataFrame({"one": one[both].astype(str), "other": other[both].astype(str)})
    return len(pairs.drop_duplicates()) == pairs["one"].nunique() == pairs["other"].nunique() == 2
