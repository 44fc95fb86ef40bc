"""Which features single precision would take digits from."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

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
    far = np.zeros(values.shape[1], dtype=np.bool_)
    if not values.size:
        return far
    # fmin and fmax pass over NaN.
    lowest, highest = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    largest = np.maximum(np.abs(lowest), np.abs(highest))
    if len(values) < _FEW_SAMPLES:
        far |= largest > _LARGE
    spread = highest - lowest
    # A standard deviation is at least the range over the root of 2 n: most features end here.
    some = (spread > 0) & (largest * np.sqrt(2 * len(values)) > _FURTHEST * spread)
    for at in np.flatnonzero(some & ~far).tolist():
        column = values[:, at].astype(np.float64)
        far[at] = largest[at] > _FURTHEST * float(np.nanstd(column))
    return far
