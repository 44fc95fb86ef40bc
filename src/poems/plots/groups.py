"""Values of a factor, or of anything else that samples have, by group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.clustering.names import natural_order
from poems.plots.given import groups_of, table_of
from poems.plots.matrix import CHARACTER, SMALL
from poems.plots.style import colours, labels, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.subtypes.finding import Subtypes
    from poems.fitting.result import FittedPoems

# Samples of a group that are drawn as points, at most; its box is of all.
_MOST_POINTS: Final = 200


def plot_factor_by_group(
    values: FittedPoems | pd.DataFrame,
    groups: pd.Series | Subtypes,
    factor: str = "factor_1",
    ax: Axes | None = None,
) -> Axes:
    """Draw the values of a factor in each group: a point per sample over the box of each group.

    The box goes from the first to the third quartile, with a line at the median. Of more than
    200 samples of a group every so many is drawn as a point.

    Parameters
    ----------
    values
        A model, for the posterior means of its factors, or a table (n_samples, n_factors).
    groups
        Group of each sample: subtypes, or a column of the obs table. Samples without one are
        left out.
    factor
        Name of a factor.
    ax
        Axes to draw in; new ones by default.

    Raises
    ------
    ValueError
        If there is no such factor, or no sample with a group.

    Examples
    --------
    >>> values = pd.DataFrame({"factor_1": [0.0, 1.0, 5.0]}, index=["a", "b", "c"])
    >>> groups = pd.Series(["S1", "S1", "S2"], index=["a", "b", "c"])
    >>> ax = plot_factor_by_group(values, groups)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['S1 (2)', 'S2 (1)']
    """
    table = table_of(values, "latent")
    if factor not in table.columns:
        there = ", ".join(map(str, table.columns[:12])) or "none"
        raise ValueError(f"no factor '{factor}'; there are: {there}")
    group = groups_of(groups)
    assert group is not None
    own = group.reindex(table.index).dropna().astype(str)
    names = sorted(own.unique(), key=natural_order)
    if not names:
        raise ValueError("no sample has a group; are the names of the samples those of the model?")
    samples = {name: table.loc[own.index[own == name], factor].to_numpy(float) for name in names}
    texts = [
        f"{text} ({len(samples[name])})"
        for name, text in zip(names, labels(names, 18), strict=True)
    ]
    if ax is None:
        ax = new_axes(2.6 + CHARACTER * max(map(len, texts)), 0.8 + 0.26 * len(names))
    palette = colours(names)
    for at, name in enumerate(names):
        _draw_group(ax, samples[name], at, palette[name])
    ax.set_yticks(range(len(names)), labels=texts)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlabel(factor.replace("factor_", "Factor "), fontsize=SMALL + 1)
    ax.tick_params(axis="y", length=0, labelsize=SMALL)
    ax.tick_params(axis="x", labelsize=SMALL)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax


def _draw_group(ax: Axes, values: np.ndarray, at: int, colour: str) -> None:
    drawn = np.sort(values)[:: -(-len(values) // _MOST_POINTS)]
    # Steps of the golden ratio spread neighbours apart, the same way each time.
    spread = (np.arange(len(drawn)) * 0.618034) % 1.0 - 0.5
    ax.scatter(drawn, at + 0.5 * spread, s=7, color=colour, alpha=0.55, linewidths=0, zorder=1)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    edges = ([low, high], at - 0.3, at + 0.3)
    ax.fill_between(*edges, color="none", edgecolor="0.15", lw=0.9, zorder=2)
    ax.plot([middle, middle], [at - 0.3, at + 0.3], color="black", linewidth=1.8, zorder=3)
