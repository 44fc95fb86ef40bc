"""Values that are not Gaussian, drawn about a planted signal on the scale of their link."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from poems.errors import SettingsError
from poems.findings import name_some

_Floats = npt.NDArray[np.float64]
Planted = Literal[
    "gaussian", "student_t", "bernoulli", "ordinal", "beta", "poisson", "negative_binomial", "zinb"
]

# What a signal of one noise standard deviation is on the scale of the link.
STRENGTHS: Mapping[str, float] = {
    "gaussian": 1.0,
    "student_t": 1.0,
    "bernoulli": 1.0,
    "ordinal": 1.0,
    "beta": 0.5,
    "poisson": 0.5,
    "negative_binomial": 0.5,
    "zinb": 0.5,
}
# Standard deviation of the samples' log sizes, the counts' dispersion and share of zeros of their
# own, the precision of fractions, the degrees of freedom, and the cuts between levels.
_LOG_SIZES, _DISPERSION, _ZEROS, _PRECISION, _DF = 0.4, 0.3, 0.3, 8.0, 3.0
_CUTS = (-2.5, -1.0, 1.0, 2.5)


def kinds_by_view(kinds: Mapping[str, str] | None, views: Mapping[str, int]) -> dict[str, Planted]:
    """Return what each view's values are, Gaussian where nothing is said.

    Raises
    ------
    SettingsError
        If a view or a kind is unknown.
    """
    given = {} if kinds is None else dict(kinds)
    unknown = [name for name in given if name not in views]
    if unknown:
        raise SettingsError(
            f"kinds names the view {name_some(unknown)}; there are {name_some(views, 20)}"
        )
    known = get_args(Planted)
    for name, kind in given.items():
        if kind not in known:
            raise SettingsError(
                f"no kind '{kind}' (of view '{name}'); there are {', '.join(known)}"
            )
    return {name: given.get(name, "gaussian") for name in views}  # type: ignore[misc]


def draw_values(rng: np.random.Generator, kind: Planted, signal: _Floats) -> _Floats:
    """Draw values about a signal (n_samples, n_features) on the scale of the link.

    Features have intercepts of their own: probabilities about a quarter, mean counts about three;
    samples of counts have sizes, zeros of their own are three in ten. Levels are -2, -1, 0, 1, 2.

    Examples
    --------
    >>> levels = draw_values(np.random.default_rng(0), "ordinal", np.zeros((50, 3)))
    >>> sorted(set(levels.flatten().tolist())) == [-2, -1, 0, 1, 2]
    True
    """
    n_samples, n_features = signal.shape
    level = rng.normal(0.0, 0.7, n_features)
    if kind == "bernoulli":
        chance = 1 / (1 + np.exp(-(signal + level - 1.0)))
        return (rng.random(signal.shape) < chance).astype(np.float64)
    if kind == "ordinal":
        noisy = signal + rng.logistic(size=signal.shape)
        return np.searchsorted(np.array(_CUTS), noisy).astype(np.float64) - 2.0
    if kind == "beta":
        mean = 1 / (1 + np.exp(-(signal + level)))
        return rng.beta(_PRECISION * mean, _PRECISION * (1 - mean))
    if kind in ("poisson", "negative_binomial", "zinb"):
        sizes = rng.normal(0.0, _LOG_SIZES, (n_samples, 1))
        rate = np.exp(signal + level + sizes + 1.0)
        if kind != "poisson":
            rate = rate * rng.gamma(1 / _DISPERSION, _DISPERSION, signal.shape)
        if kind == "zinb":
            rate = np.where(rng.random(signal.shape) < _ZEROS, 0.0, rate)
        return rng.poisson(rate).astype(np.float64)
    return signal + _NOISES[kind](rng, signal.shape)


_NOISES: Mapping[str, Callable[[np.random.Generator, tuple[int, ...]], _Floats]] = {
    "gaussian": lambda rng, shape: rng.standard_normal(shape),
    "student_t": lambda rng, shape: rng.standard_t(_DF, shape),
}
