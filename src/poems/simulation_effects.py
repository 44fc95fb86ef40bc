"""Effects of a simulation: the shapes they can have, their loadings and their sum."""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import expit

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]

Shape = Literal["linear", "saturating", "threshold", "u_shaped"]
Truth = Literal["linear", "saturating", "threshold", "u_shaped", "mixed"]


def apply_shape(shape: Shape, z: _Floats) -> _Floats:
    """Compute f(z), of mean 0 and variance 1 where z is N(0, 1).

    The shapes before scaling are z (``"linear"``), tanh(2 z)
    (``"saturating"``), a smooth step at one half, 1 / (1 + exp(-8 (z - 1/2)))
    (``"threshold"``), and z² (``"u_shaped"``).

    Examples
    --------
    >>> apply_shape("u_shaped", np.array([0.0, 1.0, -1.0])).round(3).tolist()
    [-0.707, 0.0, 0.0]
    """
    mean, sd = _moments(shape)
    return (_raw(shape, z) - mean) / sd


def _raw(shape: Shape, z: _Floats) -> _Floats:
    match shape:
        case "linear":
            return z
        case "saturating":
            return np.tanh(2 * z)
        case "threshold":
            return np.asarray(expit(8 * (z - 0.5)), dtype=np.float64)
        case "u_shaped":
            return z**2


@cache
def _moments(shape: Shape) -> tuple[float, float]:
    """Return mean and standard deviation under N(0, 1), by the trapezoid rule."""
    # For smooth integrands that vanish at both ends its error is far below rounding.
    z = np.linspace(-12, 12, 4801)
    weights = np.exp(-(z**2) / 2)
    weights /= weights.sum()
    values = _raw(shape, z)
    mean = weights @ values
    return float(mean), float(np.sqrt(weights @ (values - mean) ** 2))


def draw_loadings(
    rng: np.random.Generator,
    n_features: int,
    active: _Bools,
    density: float,
    effect: tuple[float, float],
    truth: Truth,
) -> tuple[_Floats, npt.NDArray[np.object_]]:
    """Draw a view's loadings and the shape of each, both of shape (n_features, n_factors)."""
    w = np.zeros((n_features, len(active)))
    shape = np.full(w.shape, "", dtype=object)
    n_driven = max(1, round(density * n_features)) if density > 0 else 0
    for factor in range(len(active)):
        # Drawn for inactive factors too, so that activity does not change the other factors.
        driven = rng.choice(n_features, size=n_driven, replace=False)
        sizes = rng.uniform(*effect, size=n_driven) * rng.choice([-1.0, 1.0], size=n_driven)
        kinds = rng.choice(get_args(Shape), size=n_driven) if truth == "mixed" else truth
        if active[factor]:
            w[driven, factor] = sizes
            shape[driven, factor] = kinds
    return w, shape


def compute_signal(z: _Floats, w: _Floats, shape: npt.NDArray[np.object_]) -> _Floats:
    """Compute the noise-free values, of shape (n_samples, n_features), in units of the noise."""
    eta = np.zeros((len(z), len(w)))
    for kind in get_args(Shape):
        eta += apply_shape(kind, z) @ np.where(shape == kind, w, 0.0).T
    return eta


def rescale_to_r2(w: _Floats, eta: _Floats, r2: _Floats) -> tuple[_Floats, _Floats]:
    """Rescale loadings and signal of each informative feature to its share of variance."""
    informative = w.any(axis=1)
    scale = np.ones(len(w))
    sd = eta[:, informative].std(axis=0)
    scale[informative] = np.sqrt(r2[informative] / (1 - r2[informative])) / sd
    return w * scale[:, None], eta * scale
