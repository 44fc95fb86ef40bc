"""Cross-omic pairs as a circle: views as arcs, pairs of features as chords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from poems.plots.given import table_of
from poems.plots.pairs.parts import (
    CHARACTER,
    DOWN,
    LINE,
    SIZE,
    UP,
    axes_inches,
    node_names,
    pair_axes,
    pair_features,
    pair_key,
    pair_views,
    pairs_said_once,
    spread_pairs,
    view_colours,
)
from poems.plots.style import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.pairs.cross_omic import CrossOmic

_GAP = 2.0  # Between two views, in features.


def plot_pair_circle(
    pairs: CrossOmic | pd.DataFrame,
    *,
    views: Sequence[str] | None = None,
    top: int = 40,
    ax: Axes | None = None,
) -> Axes:
    """Draw pairs of features of different views as chords of a circle whose arcs are the views.

    Red chords join what rises together, blue ones what moves against one
    another; the wider, the higher the score. Features go by factor within a view. Where there
    is no room for every name, the strongest features have theirs.

    Parameters
    ----------
    pairs
        The table of :func:`poems.analysis.pairs.cross_omic`.
    views
        The views, in the order of their arcs; by default those of the pairs.
    top
        Pairs to draw, at most: the best of each factor in turn. Of pairs that say the same one
        is drawn, of the features that stand for the others, which are counted.
    ax
        Axes to draw in; by default new ones, large enough for all names.

    Raises
    ------
    ValueError
        If ``top`` is below 1.

    Examples
    --------
    >>> pairs = pd.DataFrame(
    ...     {
    ...         "view_a": "rna",
    ...         "feature_a": ["ESR1", "KRT5"],
    ...         "view_b": "protein",
    ...         "feature_b": "ER-alpha",
    ...         "factors": "factor_1",
    ...         "score": [0.8, -0.4],
    ...     }
    ... )
    >>> ax = plot_pair_circle(pairs)
    >>> sorted(text.get_text() for text in ax.texts)
    ['ER-alpha', 'ESR1', 'KRT5']
    """
    pairs = table_of(pairs, "table")
    from matplotlib.patches import PathPatch, Wedge
    from matplotlib.path import Path

    if top < 1:
        raise ValueError(f"top must be at least 1, not {top}")
    once = pairs_said_once(pairs)
    shown = spread_pairs(once, top)
    order = list(dict.fromkeys(views if views is not None else pair_views(shown)))
    nodes = pair_features(shown, order)
    names = node_names(pairs, nodes)
    present = [view for view in order if (nodes["view"] == view).any()]
    slots = len(nodes) + _GAP * len(present)
    room = CHARACTER * max((len(name.replace("\\", "")) for name in names), default=0) + 0.15
    if ax is None:
        radius = max(1.5, slots * LINE / (2 * np.pi * 1.08))
        side = 2 * (1.1 * radius + room)
        ax = pair_axes(side, side, present)
    ax.set_axis_off()
    if shown.empty:
        ax.text(0.5, 0.5, "no cross-omic pairs", ha="center", transform=ax.transAxes)
        return ax
    radius = _radius(ax, room)
    limit = (1.1 * radius + room) / radius
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    colour = view_colours(order)
    step = 2 * np.pi / slots
    angle = np.empty(len(nodes))
    at = _GAP / 2
    for view in present:
        own = np.flatnonzero(nodes["view"] == view)
        angle[own] = (at + np.arange(len(own)) + 0.5) * step
        start, stop = np.rad2deg([at * step, (at + len(own)) * step])
        wedge = Wedge((0, 0), 1.06, start, stop, width=0.05, color=colour[view], linewidth=0)
        wedge.set_label(label(view, 20))
        ax.add_patch(wedge)
        at += len(own) + _GAP
    place = dict(zip(zip(nodes["view"], nodes["feature"], strict=True), angle, strict=True))
    size = shown["score"].abs().to_numpy(dtype=float)
    width = 0.5 + 2.5 * size / max(size.max(), 1e-12)
    # The strongest on top.
    for row, wide in reversed(list(zip(shown.itertuples(index=False), width, strict=True))):
        ends = [place[row.view_a, row.feature_a], place[row.view_b, row.feature_b]]
        (x, y), (x2, y2) = [(np.cos(end), np.sin(end)) for end in ends]
        path = Path([(x, y), (0.15 * (x + x2), 0.15 * (y + y2)), (x2, y2)], [1, 3, 3])
        edge = UP if row.score > 0 else DOWN
        ax.add_patch(PathPatch(path, facecolor="none", edgecolor=edge, linewidth=wide, alpha=0.65))
    for spot in _with_room(nodes["strength"].to_numpy(), angle, LINE / (1.08 * radius)):
        turn = np.rad2deg(angle[spot])
        left = 90 < turn < 270
        ax.text(
            1.09 * np.cos(angle[spot]),
            1.09 * np.sin(angle[spot]),
            names[spot],
            fontsize=SIZE,
            rotation=turn + 180 if left else turn,
            rotation_mode="anchor",
            ha="right" if left else "left",
            va="center",
        )
    pair_key(ax, [colour[view] for view in present], present, len(shown), len(once))
    return ax


def _radius(ax: Axes, room: float) -> float:
    """Return the radius of the circle in inches, once the names around it have their room."""
    half = min(axes_inches(ax)) / 2
    return float(max((half - room) / 1.1, 0.3))


def _with_room(strength: np.ndarray, angle: np.ndarray, least: float) -> list[int]:
    """Choose the features to name: the strongest first, each if it is clear of those before."""
    named: list[int] = []
    for spot in np.argsort(-strength, kind="stable"):
        away = np.abs(angle[named] - angle[spot])
        if (np.minimum(away, 2 * np.pi - away) >= least * 0.98).all():
            named.append(int(spot))
    return named
