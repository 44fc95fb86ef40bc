"""Whether the numbers of a loaded model can be those of one: finite, and in their range."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from poems.fitting.record import TRAINING, Record

_Array = npt.NDArray[Any]
# A share computed in single precision may miss its limit by this much.
_ROUNDING: Final = 1e-3
# What may be infinite: limits that do not limit, and weights of components that are gone.
_UNBOUNDED: Final = ("scaling.lower.", "scaling.upper.", "module.prior.log_weights")


def _positive(value: _Array) -> bool:
    return bool((value > 0).all())


def _not_negative(value: _Array) -> bool:
    return bool((value >= 0).all())


def _share(value: _Array) -> bool:
    return bool(((value >= -_ROUNDING) & (value <= 1 + _ROUNDING)).all())


def _shares(value: _Array) -> bool:
    return _share(value) and bool((np.abs(value.sum(axis=-1) - 1) <= _ROUNDING).all())


# How the names of arrays begin, and what holds of them.
_RANGES: Final[Mapping[str, tuple[str, Callable[[_Array], bool]]]] = {
    "samples.variance": ("are above 0", _positive),
    "samples.gates": ("lie from 0 to 1 and sum to 1 for each sample", _shares),
    "samples.components": ("lie from 0 to 1 and sum to 1 for each sample", _shares),
    "samples.shares": ("lie from 0 to 1", _share),
    "features.size.": ("are at least 0", _not_negative),
    "scaling.scale.": ("are above 0", _positive),
    "scaling.variance.": ("are at least 0", _not_negative),
    "module.prior.variance": ("are above 0", _positive),
    "module.background.precision": ("are above 0", _positive),
}


def require_sensible(record: Record, arrays: Mapping[str, _Array]) -> None:
    """Refuse numbers that no fit can have left.

    Raises
    ------
    ValueError
        If one is not finite, or out of its range; the text names it.
    """
    for name, value in arrays.items():
        if name.startswith(TRAINING) or value.dtype.kind != "f":
            continue
        unbounded = name.startswith(_UNBOUNDED)
        if np.isnan(value).any() if unbounded else not np.isfinite(value).all():
            raise ValueError(f"'{name}' holds numbers that are not finite")
        for start, (said, holds) in _RANGES.items():
            if name.startswith(start) and value.size and not holds(value):
                raise ValueError(f"the numbers of '{name}' do not fit: they {said}")
    for view in record.views:
        if view.r2 > 1 + _ROUNDING or (view.total or 0.0) > 1 + _ROUNDING:
            raise ValueError(f"the share explained of view '{view.name}' is above 1")
