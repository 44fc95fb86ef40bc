"""Weight of each view against what happens when it is withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from poems.clustering.names import natural_order
from poems.plots.given import table_of
from poems.plots.style import colours, labels, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.contributions.tables import ViewContributions

# Shapes that are told apart when small, for subtypes; they repeat after 12.
_SHAPES: Final = ("^", "s", "D", "v", "P", "X", "<", ">", "p", "*", "h", "d")
_GREY = "#666666"

# Of more entries the legend would be higher than the axes.
_LEGEND_ROWS = 16


def plot_contributions(
    by_view: ViewContributions | pd.DataFrame,
    by_group: pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw each view's mean shift against its mean gate, for the cohort and for each subtype.

    A view far up and left counts more than its weight says, one far down and
    right less.

    Parameters
    ----------
    by_view
        One row per view: columns ``view``, ``mean_gate``, ``mean_shift``, as in
        :class:`poems.analysis.contributions.tables.ViewContributions`.
    by_group
        The same with columns ``column`` and ``group``. Drawn are the rows of
        one column, that of its first row: the subtypes, as a rule. ``None``
        draws the cohort alone.
    ax
        Axes to draw in; new ones by default.
    """
    if by_group is None and not isinstance(by_view, pd.DataFrame):
        by_group = by_view.by_group
    by_view = table_of(by_view, "by_view")
    ax = new_axes(6.2, 4.2) if ax is None else ax
    palette = colours(by_view["view"])
    views = by_view.dropna(subset=["mean_gate", "mean_shift"]).set_index("view")
    groups = _groups(by_group)
    shapes = {name: _SHAPES[at % len(_SHAPES)] for at, name in enumerate(_names(groups))}
    for view, row in views.iterrows():
        own = groups[groups["view"] == view]
        for _, each in own.iterrows():
            xs, ys = [row["mean_gate"], each["mean_gate"]], [row["mean_shift"], each["mean_shift"]]
            ax.plot(xs, ys, color=palette[view], linewidth=0.7, alpha=0.5, zorder=1)
            ax.scatter(
                xs[1],
                ys[1],
                marker=shapes[each["group"]],
                s=26,
                color=palette[view],
                edgecolors="white",
                linewidths=0.5,
                zorder=2,
            )
    for view, text in zip(views.index, labels(views.index), strict=True):
        ax.scatter(
            float(views["mean_gate"][view]),
            float(views["mean_shift"][view]),
            s=110,
            color=palette[view],
            edgecolors="black",
            linewidths=0.9,
            zorder=3,
            label=text,
        )
    for name, text in zip(shapes, labels(shapes, 16), strict=True):
        ax.scatter([], [], marker=shapes[name], s=26, color=_GREY, label=text)
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("Mean weight of the omic (gate)")
    ax.set_ylabel("Mean shift of the latent without the omic (sd)")
    if len(views):
        ax.legend(
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            frameon=False,
            fontsize="small",
            ncols=1 + (len(views) + len(shapes) - 1) // _LEGEND_ROWS,
        )
    else:
        ax.text(
            *(0.5, 0.5),
            "no sample has two views: nothing can be withheld",
            transform=ax.transAxes,
            ha="center",
            va="center",
        )
    return ax


def _groups(by_group: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows of the first column of the table that have means."""
    if by_group is None or not len(by_group):
        return pd.DataFrame(columns=["group", "view", "mean_gate", "mean_shift"])
    first = by_group["column"].iloc[0]
    own: pd.DataFrame = by_group[by_group["column"] == first]
    return own.dropna(subset=["mean_gate", "mean_shift"])


def _names(groups: pd.DataFrame) -> list[str]:
    return sorted(map(str, groups["group"].unique()), key=natural_order)
