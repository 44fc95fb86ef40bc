"""How much each view counted, sample by sample."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.names import natural_order
from poems.plots.given import groups_of, table_of
from poems.plots.style import colours, label, labels, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.subtypes.finding import Subtypes
    from poems.fitting.result import FittedPoems


def plot_gates(
    gates: FittedPoems | pd.DataFrame,
    subtypes: pd.Series | Subtypes | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the views' weights as one stacked bar a sample, samples grouped by subtype.

    Within a subtype samples go by the weight of the view that counts most in
    the cohort, so that the bars form steps rather than noise.

    Parameters
    ----------
    gates
        Shape (n_samples, n_views); rows sum to 1, 0 where a view was not
        measured. Of a model, its gates.
    subtypes
        Subtype by sample; ``None`` draws one group. Samples without one come
        last.
    ax
        Axes to draw in; new ones by default.
    """
    gates, subtypes = table_of(gates, "gates"), groups_of(subtypes)
    ax = new_axes(6.0, 3.2) if ax is None else ax
    ordered, edges, names = _order(gates, subtypes)
    # Steps rather than bars: thousands of bars leave hairlines between them, and are slow.
    at = np.arange(len(ordered) + 1)
    below = np.zeros(len(ordered))
    palette = colours(gates.columns)
    for view, text in zip(gates.columns, labels(gates.columns), strict=True):
        above = below + ordered[view].to_numpy(dtype=float)
        ax.fill_between(
            at,
            np.append(below, below[-1]),
            np.append(above, above[-1]),
            step="post",
            color=palette[view],
            linewidth=0,
            label=text,
        )
        below = above
    ax.set_xlim(0, len(ordered))
    ax.set_ylim(0, 1)
    ax.set_ylabel("Weight of the omic")
    ax.margins(0)
    _name_groups(ax, edges, names, len(ordered))
    ax.legend(
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize="small",
        reverse=True,
    )
    return ax


def _order(
    gates: pd.DataFrame, subtypes: pd.Series | None
) -> tuple[pd.DataFrame, npt.NDArray[np.intp], list[str]]:
    if subtypes is None:
        group = pd.Series("", index=gates.index)
    else:
        group = subtypes.reindex(gates.index).astype(object)
        group = group.where(group.notna(), "no subtype")
    names = sorted(group.unique(), key=lambda name: (name == "no subtype", natural_order(name)))
    rank = group.map({name: at for at, name in enumerate(names)}).to_numpy()
    leading = gates.mean().sort_values(ascending=False, kind="stable").index
    keys = [gates[view].to_numpy() for view in reversed(leading)]
    order = np.lexsort([*keys, rank])
    edges = np.concatenate([[0], np.cumsum(np.bincount(rank, minlength=len(names)))])
    return gates.iloc[order], edges, [str(name) for name in names]


def _name_groups(ax: Axes, edges: npt.NDArray[np.intp], names: list[str], n_samples: int) -> None:
    for edge in edges[1:-1]:
        ax.axvline(edge, color="white", linewidth=1.5)
        ax.axvline(edge, color="black", linewidth=0.6)
    if names == [""]:
        ax.set_xticks([])
        ax.set_xlabel(f"{n_samples} samples")
        return
    middles = [(start + end) / 2 for start, end in pairwise(edges)]
    widest = max(len(label(name, 12)) for name in names)
    # A name needs about 1.4 % of the width a character; where one lacks it, all stand upright.
    room = min(end - start for start, end in pairwise(edges)) / n_samples
    upright = room < 0.014 * (widest + 1)
    shown = _spread(middles, n_samples * (0.028 if upright else 0.0))
    ax.set_xticks(middles, labels=[label(name, 12) for name in names])
    ax.tick_params(axis="x", length=0, labelsize="small", rotation=90 if upright else 0)
    for at, text in enumerate(ax.get_xticklabels()):
        text.set_visible(at in shown)
    ax.set_xlabel(f"{n_samples} samples by subtype")


def _spread(positions: list[float], least: float) -> set[int]:
    # Names of groups too thin to be read beside their neighbour are left out.
    shown: set[int] = set()
    last = -np.inf
    for at, position in enumerate(positions):
        if position - last >= least:
            shown.add(at)
            last = position
    return shown
