"""Checks of what a simulation is asked for: every number in range, one value per view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, get_args

import numpy as np
import numpy.typing as npt

from poems.errors import SettingsError
from poems.findings import name_some
from poems.settings.groups import MOST_FACTORS
from poems.simulation.effects import Truth

# Far beyond what memory holds: more would be a slip of the finger, and never end.
MOST_VIEWS: Final = 1000
MOST_VALUES: Final = 10**10


def view_sizes(n_features: int | Mapping[str, int], n_views: int) -> dict[str, int]:
    """Return the number of features by view."""
    if isinstance(n_features, Mapping):
        sizes = dict(n_features)
    else:
        if n_views > MOST_VIEWS:
            raise SettingsError(f"n_views must be at most {MOST_VIEWS}, not {n_views}")
        sizes = {f"view{number}": n_features for number in range(1, n_views + 1)}
    if not sizes:
        raise SettingsError(
            "a cohort needs at least one view; name one in n_features, or raise n_views"
        )
    for name, size in sizes.items():
        if size < 1:
            raise SettingsError(f"n_features of view '{name}' must be at least 1, not {size}")
    return sizes


def check_numbers(
    n_samples: int,
    n_features: int,
    n_factors: int,
    n_subtypes: int,
    density: float,
    separation: float,
    truth: str,
    seed: int,
) -> None:
    """Raise unless the plain numbers are in range; ``n_features`` are those of all views."""
    if n_samples < 2:
        raise SettingsError(f"n_samples must be at least 2, not {n_samples}")
    if n_samples * n_features > MOST_VALUES:
        raise SettingsError(
            f"{n_samples} samples of {n_features} features are more than {MOST_VALUES:.0e} values, "
            "which no memory holds; lower n_samples or n_features"
        )
    if n_factors < 1:
        raise SettingsError(f"n_factors must be at least 1, not {n_factors}")
    if n_factors > MOST_FACTORS:
        raise SettingsError(f"n_factors must be at most {MOST_FACTORS}, not {n_factors}")
    if n_subtypes < 1:
        raise SettingsError(f"n_subtypes must be at least 1, not {n_subtypes}")
    if n_subtypes > n_factors + 1:
        raise SettingsError(
            f"{n_factors} factors can hold at most {n_factors + 1} equally distant subtypes, not "
            f"{n_subtypes}; lower n_subtypes or raise n_factors to {n_subtypes - 1}"
        )
    if n_subtypes > n_samples:
        raise SettingsError(
            f"{n_samples} samples cannot hold {n_subtypes} subtypes; "
            "lower n_subtypes or raise n_samples"
        )
    if not 0 <= density <= 1:
        raise SettingsError(f"density must be between 0 and 1, not {density}")
    if not (separation >= 0 and np.isfinite(separation)):
        raise SettingsError(f"separation must be 0 or more, and finite, not {separation}")
    if seed < 0:
        raise SettingsError(f"seed must be 0 or more, not {seed}")
    known = get_args(Truth)
    if truth not in known:
        raise SettingsError(f"no truth '{truth}'; there are {', '.join(known)}")


def check_range(
    name: str, value: float | tuple[float, float], *, upper: float
) -> tuple[float, float]:
    """Return a number or a pair as a range that lies above 0 and below ``upper``."""
    pair = value if isinstance(value, Sequence) else (value, value)
    if len(pair) != 2:
        raise SettingsError(f"{name} must be a pair (lowest, highest), not {value}")
    low, high = pair
    if not 0 < low <= high < upper:
        below = "finite" if np.isinf(upper) else f"below {upper:g}"
        raise SettingsError(
            f"{name} must be above 0, {below} and in order (lowest first), not {value}"
        )
    return float(low), float(high)


def by_view(
    name: str,
    value: float | Mapping[str, float],
    views: Mapping[str, int],
    *,
    probability: bool = False,
) -> dict[str, float]:
    """Return one value per view, from one for all or a mapping that names each view."""
    if isinstance(value, Mapping):
        unknown, absent = set(value) - set(views), set(views) - set(value)
        if unknown or absent:
            raise SettingsError(
                f"{name} must name each of the views {name_some(views, 20)}, and no other; "
                f"it names {name_some(value, 20)}"
            )
    values = {view: float(value[view] if isinstance(value, Mapping) else value) for view in views}
    for view, number in values.items():
        if probability and not 0 <= number < 1:
            raise SettingsError(
                f"{name} of view '{view}' must be at least 0 and below 1, not {number}"
            )
        if not probability and not (0 < number < np.inf):
            raise SettingsError(f"{name} of view '{view}' must be above 0 and finite, not {number}")
    return values


def active_factors(
    activity: npt.ArrayLike | None, shared: float, views: tuple[str, ...], n_factors: int
) -> npt.NDArray[np.bool_]:
    """Return which factor is active in which view, of shape (n_views, n_factors)."""
    if not 0 <= shared <= 1:
        raise SettingsError(f"shared must be between 0 and 1, not {shared}")
    shape = (len(views), n_factors)
    if activity is None:
        active = np.ones(shape, dtype=bool)
        for turn, factor in enumerate(range(round(shared * n_factors), n_factors)):
            active[:, factor] = np.arange(len(views)) == turn % len(views)
        return active
    if shared != 1:
        raise SettingsError("shared and activity contradict each other; give one of them")
    active = np.asarray(activity)
    if active.shape != shape or active.dtype != np.bool_:
        raise SettingsError(
            f"activity must be a boolean array of shape {shape} (views, factors), not "
            f"{active.dtype} of shape {active.shape}"
        )
    return active


def subtype_sizes(
    n_samples: int, n_subtypes: int, proportions: Sequence[float] | None
) -> list[int]:
    """Divide the samples by the proportions, leaving no subtype empty.

    Examples
    --------
    >>> subtype_sizes(10, 3, None)
    [4, 3, 3]
    """
    share = np.ones(n_subtypes) if proportions is None else np.asarray(proportions, dtype=float)
    if share.shape != (n_subtypes,) or not (np.isfinite(share).all() and (share > 0).all()):
        raise SettingsError(
            f"proportions must be {n_subtypes} numbers above 0, one a subtype, not {proportions}"
        )
    ideal = share / share.sum() * n_samples
    sizes = np.floor(ideal).astype(int)
    # Largest remainders first; a stable sort gives ties to the first subtypes.
    order = np.argsort(sizes - ideal, kind="stable")
    sizes[order[: n_samples - sizes.sum()]] += 1
    if not sizes.all():
        raise SettingsError(
            f"proportions {proportions} leave a subtype without any of the {n_samples} samples; "
            "raise n_samples or the smallest proportion"
        )
    return [int(size) for size in sizes]
