"""Effects of all features against their significance, the strongest named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.plots.given import table_of
from poems.plots.matrix import SMALL
from poems.plots.style import colours, label, labels, new_axes
from poems.settings.rates import FDR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.subtypes.markers import Markers

_SHAPES: Final = "os^DvP*X"


def plot_volcano(
    markers: Markers | pd.DataFrame,
    subtype: str = "S1",
    ax: Axes | None = None,
    *,
    fdr: float = FDR,
    named: int = 8,
) -> Axes:
    """Draw every feature's effect in a subtype against its false discovery rate.

    Right: higher in the subtype than outside it, left: lower; the further up, the surer. Omics
    have a colour and a shape each, features above the line are markers, and the surest of these
    are named where there is room.

    Parameters
    ----------
    markers
        Of :func:`poems.analysis.subtypes.markers.subtype_markers`, or its table.
    subtype
        Name of the subtype.
    ax
        Axes to draw in; new ones by default.
    fdr
        False discovery rate at which a feature is a marker.
    named
        Features to name, at most.

    Raises
    ------
    ValueError
        If no feature was tested in such a subtype.

    Examples
    --------
    >>> table = pd.DataFrame({"view": "rna", "feature": ["a", "b"], "subtype": "S1"})
    >>> table[["effect", "q"]] = [[1.0, 1e-6], [0.2, 0.8]]
    >>> plot_volcano(table).get_xlabel()
    'Difference from the others (sd)'
    """
    table = table_of(markers, "table")
    own = table[table["subtype"].astype(str) == str(subtype)].dropna(subset=["effect", "q"])
    if not len(own):
        there = ", ".join(map(str, table["subtype"].unique()[:12])) or "none"
        raise ValueError(f"no feature was tested in subtype '{subtype}'; there are: {there}")
    ax = new_axes(4.1, 3.6) if ax is None else ax
    views = list(dict.fromkeys(own["view"]))
    height = _heights(own["q"].to_numpy(dtype=float))
    effect = own["effect"].to_numpy(dtype=float)
    found = own["q"].to_numpy(dtype=float) <= fdr
    palette = colours(views)
    for at, (view, text) in enumerate(zip(views, labels(views, 16), strict=True)):
        of_view = own["view"].to_numpy() == view
        for rows, colour, size in (
            (of_view & ~found, "0.72", 5),
            (of_view & found, palette[view], 13),
        ):
            # Thousands of points as one image: as shapes they would be megabytes.
            ax.scatter(
                effect[rows],
                height[rows],
                marker=_SHAPES[at % len(_SHAPES)],
                color=colour,
                s=size,
                alpha=0.8,
                linewidths=0,
                rasterized=len(own) > 300,
            )
        ax.scatter([], [], marker=_SHAPES[at % len(_SHAPES)], color=palette[view], s=16, label=text)
    ax.axhline(-np.log10(fdr), color="0.3", linewidth=0.8, linestyle="--")
    ax.axvline(0, color="0.8", linewidth=0.6, zorder=0)
    ax.margins(x=0.12, y=0.08)
    ax.set_ylim(bottom=0)
    _name(ax, own, effect, height, found, named)
    ax.set_xlabel("Difference from the others (sd)", fontsize=SMALL + 1)
    ax.set_ylabel("−log₁₀ of the false discovery rate", fontsize=SMALL + 1)
    ax.set_title(label(subtype, 24), loc="left", fontsize="medium")
    ax.tick_params(labelsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.17), frameon=False, fontsize=SMALL,
        ncols=min(len(views), 3),
    )  # fmt: skip
    return ax


def _heights(q: np.ndarray) -> np.ndarray:
    """Return -log10 q; a q that is 0 by rounding stands a little above the smallest other."""
    least = q[q > 0].min(initial=1.0)
    return np.asarray(-np.log10(np.where(q > 0, q, least / 10)), dtype=float)


def _name(
    ax: Axes,
    own: pd.DataFrame,
    effect: np.ndarray,
    height: np.ndarray,
    found: np.ndarray,
    named: int,
) -> None:
    """Name the surest markers, each beside its point, where neither name nor point stands."""
    low, high = ax.get_xlim()
    top = ax.get_ylim()[1]
    box = ax.get_window_extent()
    # In shares of the axes; a little more than the letters take.
    wide, tall = (
        0.75 * SMALL / (72 * box.width / ax.figure.dpi),
        SMALL * 1.25 / (72 * box.height / ax.figure.dpi),
    )
    taken: list[tuple[float, float, float, float]] = []
    shares = np.column_stack([(effect - low) / (high - low), height / top])
    rows = np.flatnonzero(found)
    for row in rows[np.lexsort((-np.abs(effect[rows]), -height[rows]))]:
        text = label(own["feature"].iloc[row], 16)
        x, y = (effect[row] - low) / (high - low), height[row] / top
        width = wide * len(text)
        sides = [(x + 0.02, True), (x - 0.02 - width, False)]
        places = [((left, y - tall / 2, left + width, y + tall / 2), at) for left, at in sides]
        free = [
            (place, at)
            for place, at in places
            if place[0] >= 0
            and place[2] <= 1
            and not any(_meet(place, other) for other in taken)
            and not _covered(place, shares)
        ]
        if not free:
            continue
        place, right = free[0]
        taken.append(place)
        ax.annotate(
            text,
            (effect[row], height[row]),
            xytext=(4 if right else -4, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            fontsize=SMALL - 0.5,
        )
        if len(taken) == named:
            return


def _covered(place: tuple[float, float, float, float], points: np.ndarray) -> bool:
    """Say whether a name at a place would lie on a point; points are of shape (n_points, 2)."""
    x, y = points.T
    return bool(((x > place[0]) & (x < place[2]) & (y > place[1]) & (y < place[3])).any())


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
