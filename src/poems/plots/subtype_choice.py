"""How many subtypes: what each number has for it, beside what data without groups give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.analysis.subtypes.choice_words import choice_table
from poems.plots.style import PALETTE, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poems.analysis.subtypes.result import Subtypes

_GREY: Final = "0.55"


def plot_subtype_choice(
    table: Subtypes | pd.DataFrame, chosen: int | None = None, figure: Figure | None = None
) -> Figure:
    """Draw, for each number of subtypes, how well they are found again and how far they are apart.

    Left: the Jaccard index of the subtype that is found again least, and the line above which
    each is. Right: how far the nearest two are apart, and the farthest in data without
    groups. Filled dots are numbers that hold.

    Parameters
    ----------
    table
        As :func:`poems.analysis.subtypes.choice_words.choice_table`.
    chosen
        The reported number, marked by a grey line.
    figure
        Figure to draw in; a new one by default.

    Raises
    ------
    ValueError
        If the table has no number above 1.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"n_subtypes": [2, 3], "least_jaccard": [0.9, 0.5]})
    >>> table["needed_jaccard"] = 0.7
    >>> table[["separation", "without_groups"]] = [[5.0, 4.0], [2.5, 3.8]]
    >>> table["holds"] = [True, False]
    >>> [ax.get_title(loc="left") for ax in plot_subtype_choice(table, 2).axes]
    ['Found again', 'Apart']
    """
    if not isinstance(table, pd.DataFrame):
        chosen = table.n_subtypes if chosen is None else chosen
        table = choice_table(table.tried)
    shown = table[table["n_subtypes"] > 1]
    if shown.empty:
        raise ValueError("there is nothing to draw: no number of subtypes above 1 was tried")
    figure, (again, apart) = panels(2, 3.7, 2.7, figure=figure, columns=2)
    numbers = shown["n_subtypes"].to_numpy(dtype=float)
    holds = shown["holds"].astype(str).str.lower().eq("true").to_numpy()
    for ax in (again, apart):
        if chosen is not None and chosen > 1:
            ax.axvline(chosen, color="0.88", linewidth=9, zorder=0)
        ax.set_xticks(numbers)
        ax.set_xlim(numbers.min() - 0.6, numbers.max() + 0.6)
        ax.set_xlabel("Number of subtypes", fontsize="small")
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    _curve(again, numbers, shown["least_jaccard"].to_numpy(dtype=float), holds)
    needed = shown["needed_jaccard"].to_numpy(dtype=float)
    again.plot(numbers, needed, color=_GREY, linestyle="--", linewidth=1, zorder=1)
    _name_line(again, "needed", np.nanmax([*needed[-3:], *shown["least_jaccard"][-3:]]))
    again.set_ylim(0, 1.05)
    again.set_ylabel("Least Jaccard index", fontsize="small")
    again.set_title("Found again", loc="left", fontsize="medium")
    _curve(apart, numbers, shown["separation"].to_numpy(dtype=float), holds)
    limits = shown["without_groups"].to_numpy(dtype=float)
    apart.plot(numbers, limits, color=_GREY, linestyle="--", linewidth=1, zorder=1)
    # Above all that it spans: half of the numbers. It stands below the title.
    spanned = slice(-(-len(shown) // 2) - 1, None)
    _name_line(
        apart, "without groups", np.nanmax([*shown["separation"][spanned], *limits[spanned], 0.0])
    )
    apart.set_ylim(0, 1.2 * float(np.nanmax([*shown["separation"], *limits, 1e-9])))
    apart.set_ylabel("Nearest two (sd)", fontsize="small")
    apart.set_title("Apart", loc="left", fontsize="medium")
    return figure


def _name_line(ax: Axes, text: str, height: float) -> None:
    """Name a dashed line at the right, a little above what is there."""
    ax.annotate(
        text, (ax.get_xlim()[1], height), (0, 3), textcoords="offset points", color=_GREY,
        fontsize=8, ha="right", va="bottom",
    )  # fmt: skip


def _curve(ax: Axes, numbers: np.ndarray, values: np.ndarray, holds: np.ndarray) -> None:
    ax.plot(numbers, values, color=PALETTE[0], linewidth=1.2)
    ax.scatter(
        numbers,
        values,
        s=34,
        facecolors=[PALETTE[0] if held else "white" for held in holds],
        edgecolors=PALETTE[0],
        zorder=3,
    )
