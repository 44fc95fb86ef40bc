"""Survival of samples with low, middle and high values of a factor."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from poems.analysis.survival.curves import Curves, survival_curves
from poems.errors import DataError

# In the order of the alphabet, which groups are drawn in.
NAMES: Final = ("lowest third", "middle third", "top third")


def thirds_of(values: pd.Series) -> pd.Series:
    """Sort samples into thirds by their value; equal values stay together.

    Raises
    ------
    DataError
        If fewer than three values differ.

    Examples
    --------
    >>> thirds_of(pd.Series([3.0, 1.0, 2.0])).tolist()
    ['top third', 'lowest third', 'middle third']
    """
    known = values.dropna()
    if known.nunique() < 3:
        raise DataError(
            f"'{values.name}' has {known.nunique()} different values, which make no thirds"
        )
    low, high = np.quantile(known, [1 / 3, 2 / 3])
    third = (known > low).astype(int) + (known > high).astype(int)
    return pd.Series([NAMES[at] for at in third], known.index, name=values.name)


def curves_by_thirds(values: pd.Series, time: pd.Series, event: pd.Series) -> Curves:
    """Estimate survival in each third of a factor's values, as of subtypes.

    A picture of a factor's association with survival, whose test takes the values as they are:
    thirds lose some of what they tell.

    Parameters
    ----------
    values
        Of each sample.
    time, event
        Follow-up and whether the event was seen, by sample; no value is missing. Samples without
        them are left out.

    Raises
    ------
    DataError
        If fewer than three values differ.

    Examples
    --------
    >>> values = pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    >>> curves = curves_by_thirds(values, 10.0 - values, pd.Series([True] * 6))
    >>> curves.summary["median"].tolist()
    [8.0, 6.0, 4.0]
    """
    third = thirds_of(values.reindex(time.index))
    return survival_curves(time.loc[third.index], event.loc[third.index], third)
