"""Effects of a simulation: the shapes they can have, their loadings and their sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from poems.errors import SettingsError

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]

Shape = Literal["linear", "saturating", "threshold", "u_shaped"]
Truth = Literal["linear", "saturating", "threshold", "u_shaped", "mixed", "interaction"]

# How steeply one factor opens the gate for another's effect.
_GATE_SLOPE = 4.0


@dataclass(frozen=True, eq=False)
class Effects:
    """The planted effects of one view, all of shape (n_features, n_factors).

    Parameters
    ----------
    sizes
        Signed effects in units of the noise, zero where a factor drives nothing.
    shapes
        The shape of each effect, empty text elsewhere.
    gates
        Position of the factor that gates an effect, -1 where none does.
    """

    sizes: _Floats
    shapes: npt.NDArray[np.object_]
    gates: npt.NDArray[np.intp]

    def loadings(self) -> _Floats:
        """Return the sizes with an entry for every factor that matters to a feature.

        A factor that gates effects, and has none of its own on the feature, gets
        the largest of those that it gates.
        """
        loadings = self.sizes.copy()
        for feature, gate, size in self._gate_only():
            if abs(size) > abs(loadings[feature, gate]):
                loadings[feature, gate] = size
        return loadings

    def named_shapes(self, factors: Sequence[str]) -> npt.NDArray[np.object_]:
        """Return the shapes with both sides of interactions named, given the factors' names."""
        shapes = self.shapes.copy()
        for feature, factor in np.argwhere(self.gates >= 0):
            shapes[feature, factor] = f"gated by {factors[self.gates[feature, factor]]}"
        for feature, gate, _ in self._gate_only():
            shapes[feature, gate] = "gate"
        return shapes

    def _gate_only(self) -> list[tuple[int, int, float]]:
        """List feature, gate and size of the effects whose gate has none of its own there."""
        rows, factors = np.nonzero(self.gates >= 0)
        gates = self.gates[rows, factors]
        bare = self.sizes[rows, gates] == 0
        kept = zip(rows[bare], gates[bare], self.sizes[rows, factors][bare], strict=True)
        return [(int(row), int(gate), float(size)) for row, gate, size in kept]


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
    z, weights = _standard_normal_grid()
    values = _raw(shape, z)
    mean = weights @ values
    return float(mean), float(np.sqrt(weights @ (values - mean) ** 2))


def _standard_normal_grid() -> tuple[_Floats, _Floats]:
    """Return points and weights of the trapezoid rule for expectations under N(0, 1)."""
    # For smooth integrands that vanish at both ends its error is far below rounding.
    z = np.linspace(-12, 12, 4801)
    weights = np.exp(-(z**2) / 2)
    return z, weights / weights.sum()


def apply_interaction(z: _Floats, gate: _Floats) -> _Floats:
    """Compute z g(gate) / sqrt(E g²), g(t) = 1 / (1 + exp(-4 t)): z acts where its gate is high.

    Of mean 0 and variance 1 where both are independent N(0, 1). About six tenths
    of that variance are linear in z and none is linear in the gate.

    Examples
    --------
    >>> apply_interaction(np.array([1.0, 1.0]), np.array([-2.0, 2.0])).round(3).tolist()
    [0.001, 1.563]
    """
    return np.asarray(z * expit(_GATE_SLOPE * gate) / _gate_norm(), dtype=np.float64)


@cache
def _gate_norm() -> float:
    """Return sqrt(E g²) under N(0, 1), by the trapezoid rule."""
    z, weights = _standard_normal_grid()
    return float(np.sqrt(weights @ expit(_GATE_SLOPE * z) ** 2))


def draw_effects(
    rng: np.random.Generator,
    n_features: int,
    active: _Bools,
    density: float,
    effect: tuple[float, float],
    truth: Truth,
) -> Effects:
    """Draw the effects of a view.

    Raises
    ------
    SettingsError
        If effects interact and just one factor is active.
    """
    n_factors = len(active)
    if truth == "interaction" and active.sum() == 1:
        raise SettingsError(
            "truth 'interaction' needs two active factors in a view, one to gate the other; a view "
            "has 1. Raise n_factors, or shared, or change activity."
        )
    sizes = np.zeros((n_features, n_factors))
    shapes = np.full(sizes.shape, "", dtype=object)
    gates = np.full(sizes.shape, -1, dtype=np.intp)
    n_driven = max(1, round(density * n_features)) if density > 0 else 0
    # A stream of their own, so that interactions gate the very effects of the other truths.
    gate_rng = rng.spawn(1)[0]
    for factor in range(n_factors):
        # Drawn for inactive factors too, so that activity does not change the other factors.
        driven = rng.choice(n_features, size=n_driven, replace=False)
        drawn = rng.uniform(*effect, size=n_driven) * rng.choice([-1.0, 1.0], size=n_driven)
        kinds = rng.choice(get_args(Shape), size=n_driven) if truth == "mixed" else truth
        if truth == "interaction":
            # The first of the candidates in a random order: only gates that are inactive change.
            rank = np.where(active & (np.arange(n_factors) != factor), 0.0, 1.0)
            partners = (rank + gate_rng.random((n_driven, n_factors))).argmin(axis=1)
            kinds = "interaction"
        if active[factor]:
            sizes[driven, factor] = drawn
            shapes[driven, factor] = kinds
            if truth == "interaction":
                gates[driven, factor] = partners
    return Effects(sizes, shapes, gates)


def compute_signal(z: _Floats, effects: Effects) -> _Floats:
    """Compute the noise-free values, of shape (n_samples, n_features), in units of the noise."""
    eta = np.zeros((len(z), len(effects.sizes)))
    for kind in get_args(Shape):
        eta += apply_shape(kind, z) @ np.where(effects.shapes == kind, effects.sizes, 0.0).T
    for gate in np.unique(effects.gates[effects.gates >= 0]):
        gated = np.where(effects.gates == gate, effects.sizes, 0.0)
        eta += apply_interaction(z, z[:, [gate]]) @ gated.T
    return eta


def rescale_to_r2(effects: Effects, eta: _Floats, r2: _Floats) -> tuple[Effects, _Floats]:
    """Rescale effects and signal of each informative feature to its share of variance."""
    informative = effects.sizes.any(axis=1)
    scale = np.ones(len(r2))
    sd = eta[:, informative].std(axis=0)
    scale[informative] = np.sqrt(r2[informative] / (1 - r2[informative])) / sd
    return replace(effects, sizes=effects.sizes * scale[:, None]), eta * scale
