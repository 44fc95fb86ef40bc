"""The picture of the criteria for the number of subtypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from poems.plots.style import PALETTE, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Columns of a table of numbers of subtypes that are drawn, with their titles.
CRITERIA: Final = {
    "silhouette": "Silhouette: higher is better",
    "gap": "Gap: higher is better",
    "pac": "PAC: lower is better",
}


def plot_criteria(numbers: pd.DataFrame, chosen: int | None) -> Figure:
    """Draw each criterion of the number of subtypes in a panel, the number chosen marked.

    Parameters
    ----------
    numbers
        Column ``n_subtypes`` and some of :data:`CRITERIA`; ``gap_se`` gives the
        gap its standard errors.
    chosen
        The number of subtypes reported; ``None`` marks none.

    Examples
    --------
    >>> numbers = pd.DataFrame({"n_subtypes": [2, 3], "silhouette": [0.3, 0.4]})
    >>> [ax.get_title(loc="left") for ax in plot_criteria(numbers, 3).axes]
    ['Silhouette: higher is better']
    """
    from matplotlib.ticker import MaxNLocator

    there = [name for name in CRITERIA if name in numbers.columns and numbers[name].notna().any()]
    figure, axes = panels(len(there), 3.3, 2.5)
    for ax, name in zip(axes, there, strict=True):
        own = numbers.dropna(subset=[name])
        error = own["gap_se"] if name == "gap" and "gap_se" in own.columns else None
        ax.errorbar(
            own["n_subtypes"], own[name], yerr=error, color=PALETTE[0], marker="o", markersize=4
        )
        if chosen is not None:
            ax.axvline(chosen, color=PALETTE[5], linewidth=1.2, linestyle=":", zorder=0)
        ax.set_title(CRITERIA[name], loc="left", fontsize="medium")
        ax.set_xlabel("Subtypes")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.spines[["top", "right"]].set_visible(False)
    return figure
