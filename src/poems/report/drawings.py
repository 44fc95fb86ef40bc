"""Pictures of the report that show a table's course: survival, and criteria of a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from poems.plots.style import PALETTE, colours, label, new_axes, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Columns of a table of numbers of subtypes that are drawn, with their titles.
CRITERIA: Final = {
    "silhouette": "Silhouette: higher is better",
    "gap": "Gap: higher is better",
    "pac": "PAC: lower is better",
}


def plot_survival(km: pd.DataFrame, time: str = "time", ax: Axes | None = None) -> Axes:
    """Draw Kaplan-Meier curves of groups with their 95 % limits and ticks for censoring.

    Parameters
    ----------
    km
        Columns ``subtype``, ``time``, ``survival`` and perhaps ``lower``,
        ``upper`` and ``censored``.
    time
        What the axis of times is called.
    ax
        Axes to draw in; new ones by default.

    Examples
    --------
    >>> km = pd.DataFrame({"subtype": "S1", "time": [0.0, 2.0], "survival": [1.0, 0.5]})
    >>> plot_survival(km, "years").get_xlabel()
    'years'
    """
    ax = new_axes(7.6, 4.2) if ax is None else ax
    for name, colour in colours(km["subtype"]).items():
        own = km[km["subtype"] == name]
        ax.step(own["time"], own["survival"], where="post", color=colour, label=label(name))
        if {"lower", "upper"} <= set(own.columns):
            ax.fill_between(
                own["time"],
                own["lower"].astype(float),
                own["upper"].astype(float),
                step="post",
                color=colour,
                alpha=0.12,
                linewidth=0,
            )
        if "censored" in own.columns:
            ended = own[own["censored"] > 0]
            ax.plot(ended["time"], ended["survival"], "|", color=colour, markersize=6)
    ax.set_ylim(0, 1.02)
    ax.set_xlim(left=0)
    ax.set_xlabel(label(time, 40))
    ax.set_ylabel("Survival")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize="small")
    return ax


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
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.spines[["top", "right"]].set_visible(False)
    return figure
