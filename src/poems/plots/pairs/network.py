"""Cross-omic pairs as a network: features as boxes, pairs as lines between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
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
from poems.plots.pairs.placing import components, path_lengths, placed_by_paths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.pairs.cross_omic import CrossOmic

_Floats = npt.NDArray[np.float64]

# Inches between two boxes, and the length of a line, at least about.
_SPACE: Final = 0.1
_LENGTH: Final = 0.75
_STEPS: Final = 400


def plot_pair_network(
    pairs: CrossOmic | pd.DataFrame,
    *,
    views: Sequence[str] | None = None,
    top: int = 40,
    ax: Axes | None = None,
) -> Axes:
    """Draw pairs of features of different views as a network, boxes coloured by view.

    Red lines join what rises together, blue ones what moves against one
    another; the wider, the higher the score. Boxes are laid out by the lengths of the
    paths between them, component by component, and moved apart until none overlaps.

    Parameters
    ----------
    pairs
        The table of :func:`poems.analysis.pairs.cross_omic`.
    views
        The views in the order of their colours; by default those of the pairs.
    top
        Pairs to draw, at most: the best of each factor in turn. Of pairs that say the same one
        is drawn, of the features that stand for the others, which are counted.
    ax
        Axes to draw in, whose text is scaled to fit; by default new ones, large
        enough.

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
    >>> len(plot_pair_network(pairs).texts)
    3
    """
    pairs = table_of(pairs, "table")
    if top < 1:
        raise ValueError(f"top must be at least 1, not {top}")
    once = pairs_said_once(pairs)
    shown = spread_pairs(once, top)
    order = list(dict.fromkeys(views if views is not None else pair_views(shown)))
    nodes = pair_features(shown, order)
    present = [view for view in order if (nodes["view"] == view).any()]
    names = node_names(pairs, nodes)
    lengths = np.array([len(name.replace("\\", "")) for name in names], dtype=float)
    boxes = np.column_stack([lengths * CHARACTER + 0.16, np.full(len(names), LINE + 0.07)])
    at = {key: i for i, key in enumerate(zip(nodes["view"], nodes["feature"], strict=True))}
    first = [at[key] for key in zip(shown["view_a"], shown["feature_a"], strict=True)]
    second = [at[key] for key in zip(shown["view_b"], shown["feature_b"], strict=True)]
    where, extent = _layout(boxes, list(zip(first, second, strict=True)))
    width, height = extent
    if ax is None:
        ax = pair_axes(width, height, present)
    ax.set_axis_off()
    if shown.empty:
        ax.text(0.5, 0.5, "no cross-omic pairs", ha="center", transform=ax.transAxes)
        return ax
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    scale = _scale(ax, width, height)
    size = shown["score"].abs().to_numpy(dtype=float)
    wide = (0.5 + 2.0 * size / max(size.max(), 1e-12)) * scale
    for i, j, score, line in zip(first, second, shown["score"], wide, strict=True):
        ax.plot(
            where[[i, j], 0],
            where[[i, j], 1],
            color=UP if score > 0 else DOWN,
            linewidth=line,
            alpha=0.6,
            zorder=1,
        )
    colour = view_colours(order)
    for spot, (name, view) in enumerate(zip(names, nodes["view"], strict=True)):
        ax.text(
            where[spot, 0],
            where[spot, 1],
            name,
            fontsize=SIZE * scale,
            ha="center",
            va="center",
            zorder=2,
            bbox={
                "boxstyle": "round,pad=0.25",
                "facecolor": "white",
                "edgecolor": colour[view],
                "linewidth": 1.3 * scale,
            },
        )
    pair_key(ax, [colour[view] for view in present], present, len(shown), len(once))
    return ax


def _scale(ax: Axes, width: float, height: float) -> float:
    """Return how much smaller than wished the axes are."""
    there = axes_inches(ax)
    return min(1.0, there[0] / width, there[1] / height)


def _layout(boxes: _Floats, edges: list[tuple[int, int]]) -> tuple[_Floats, tuple[float, float]]:
    """Place boxes of (n, 2) inches, component by component; return centres and the extent."""
    lengths = path_lengths(len(boxes), edges)
    placed = np.zeros((len(boxes), 2))
    blocks = []
    for members in components(lengths):
        own = _component(lengths[np.ix_(members, members)], boxes[members])
        low = (own - boxes[members] / 2).min(axis=0)
        high = (own + boxes[members] / 2).max(axis=0)
        blocks.append((members, own - low, high - low))
    if not blocks:
        return placed, (1.0, 1.0)
    # Shelves of about the width that makes the whole a little wider than high.
    area = sum(float(np.prod(size + 3 * _SPACE)) for _, _, size in blocks)
    limit = max(1.3 * np.sqrt(area), max(float(size[0]) for _, _, size in blocks))
    x = y = shelf = widest = 0.0
    for members, own, size in blocks:
        if x > 0 and x + size[0] > limit:
            x, y, shelf = 0.0, y + shelf + 3 * _SPACE, 0.0
        placed[members] = own + np.array([x, y])
        x += float(size[0]) + 3 * _SPACE
        shelf, widest = max(shelf, float(size[1])), max(widest, x - 3 * _SPACE)
    return placed + _SPACE, (widest + 2 * _SPACE, y + shelf + 2 * _SPACE)


def _component(lengths: _Floats, boxes: _Floats) -> _Floats:
    """Lay out one component by the lengths of paths, and move its boxes apart."""
    if len(boxes) == 2:
        return np.array([[0.0, 0.0], [0.0, -_LENGTH * 0.6]])
    own = placed_by_paths(lengths)
    # Names are wider than high, and so are their places.
    reach = _LENGTH * np.sqrt(len(boxes)) / 2
    own *= np.array([reach * 1.3 + boxes[:, 0].mean() * 0.5, reach])
    for _ in range(_STEPS):
        gap = own[:, None] - own[None]
        need = (boxes[:, None] + boxes[None]) / 2 + _SPACE
        over = need - np.abs(gap)
        both = np.logical_and.reduce(over > 1e-9, axis=2)
        np.fill_diagonal(both, False)
        if not both.any():
            break
        # Along the side by which two boxes overlap less; ties by position in the list.
        axis = over.argmin(axis=2)
        turn = np.sign(np.subtract.outer(np.arange(len(own)), np.arange(len(own))))
        for side in (0, 1):
            sign = np.where(gap[:, :, side] == 0, turn, np.sign(gap[:, :, side]))
            push = np.where(both & (axis == side), over[:, :, side] * sign * 0.3, 0.0)
            own[:, side] += push.sum(axis=1)
    return own
