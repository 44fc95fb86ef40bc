"""Which features single precision would take digits from."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating[Any]]
Bools: TypeAlias = npt.NDArray[np.bool_]

# Single precision has 24 bits: beyond this ratio rounding is a thousandth of the deviation.
_FURTHEST: Final = 10_000.0
# Few samples do not tell how much a feature varies: then values beyond this keep their digits.
_FEW_SAMPLES: Final = 30
_LARGE: Final = 1e5


def far_from_zero(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.bool_]:
    """Say which features lie so far from 0 that single precision would lose their differences.

    That is where the largest absolute value is more than 10,000 standard deviations; of fewer than
    30 samples also where it is beyond 100,000, for what these were deviations from is not known.

    Parameters
    ----------
    values
        Of shape (n_samples, n_features), ``NaN`` where missing.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(size=(50, 2)) + [1e8, 5.0]
    >>> far_from_zero(values)
    array([ True, False])
    """
    if not values.size:
        return np.zeros(values.shape[1], dtype=np.bool_)
    # fmin and fmax pass over NaN.
    lowest, highest = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    far, unsure = far_by_range(lowest, highest, len(values))
    for at in np.flatnonzero(unsure).tolist():
        deviation = float(np.nanstd(values[:, at].astype(np.float64)))
        far[at] = is_far(max(abs(lowest[at]), abs(highest[at])), deviation)
    return far


def far_by_range(lowest: Array, highest: Array, n_samples: int) -> tuple[Bools, Bools]:
    """Say which features are far from 0 for certain, and of which the deviation has to tell.

    Parameters
    ----------
    lowest, highest
        Of each feature, of shape (n_features,); ``NaN`` of one without a value.
    n_samples
        Values of each.
    """
    largest = np.maximum(np.abs(lowest), np.abs(highest))
    far = (largest > _LARGE) & (n_samples < _FEW_SAMPLES)
    spread = highest - lowest
    # A standard deviation is at least the range over the root of 2 n: most features end here.
    some = (spread > 0) & (largest * np.sqrt(2 * n_samples) > _FURTHEST * spread)
    return far, some & ~far


def is_far(largest: float, deviation: float) -> bool:
    """Say whether a feature is far from 0, by its largest absolute value.

    >>> is_far(1e8, 1.0), is_far(50.0, 1.0)
    (True, False)
    """
    return largest > _FURTHEST * deviation
