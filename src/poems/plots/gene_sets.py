"""Gene sets of factors as dots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.names import natural_order
from poems.plots.given import table_of
from poems.plots.style import labels, new_axes
from poems.settings.rates import FDR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.factors.gene_sets import GeneSetEnrichment

_COLOURS = {"up": "#D55E00", "down": "#0072B2"}
_MARKERS = {"up": "^", "down": "v"}
# Dots grow no further beyond a false discovery rate of 1e-10.
_STRONGEST = 10.0


def plot_gene_sets(
    table: GeneSetEnrichment | pd.DataFrame,
    ax: Axes | None = None,
    *,
    n_sets: int = 20,
    fdr: float = FDR,
) -> Axes:
    """Draw the leading gene sets (rows) of the factors (columns).

    A triangle points to where the set's genes go with the factor; its area grows with
    -log10 q. Shown are the tests with q of at most ``fdr``; of several views the row names its
    view, and of both directions the smaller q is drawn.

    Parameters
    ----------
    table
        Columns ``factor``, ``view``, ``gene_set``, ``direction`` and ``q``, see
        :class:`poems.analysis.factors.gene_sets.GeneSetEnrichment`.
    ax
        Axes to draw in; new ones by default.
    n_sets
        Rows at most: those of the smallest q.
    fdr
        False discovery rate.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"factor": ["factor_1"], "view": ["rna"], "gene_set": ["HYPOXIA"],
    ...      "direction": ["up"], "q": [1e-4]}
    ... )
    >>> [text.get_text() for text in plot_gene_sets(table).get_yticklabels()]
    ['HYPOXIA']
    """
    table = table_of(table, "table")
    best = table[table["q"] <= fdr].sort_values("q", kind="stable")
    best = best.drop_duplicates(["factor", "view", "gene_set"])
    several = best["view"].nunique() > 1
    row = list(zip(best["gene_set"], best["view"], strict=True))
    rows = list(dict.fromkeys(row))[:n_sets]
    shown = best[np.array([each in rows for each in row], dtype=bool)]
    factors = sorted(shown["factor"].unique(), key=natural_order)
    # Sets of one factor stand together.
    first = {each: factors.index(f) for each, f in _leading(shown).items()}
    rows.sort(key=lambda each: first[each])
    if ax is None:
        ax = new_axes(4.6 + 0.38 * len(factors), 1.9 + 0.27 * max(len(rows), 4))
    if not rows:
        text = f"No gene set at a false discovery rate of {fdr:.0%}"
        ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
        ax.set_axis_off()
        return ax
    for direction, colour in _COLOURS.items():
        own = shown[shown["direction"] == direction]
        strength = _strength(own["q"])
        ax.scatter(
            [factors.index(factor) for factor in own["factor"]],
            [rows.index(each) for each in zip(own["gene_set"], own["view"], strict=True)],
            s=_area(strength), c=colour, marker=_MARKERS[direction], linewidths=0,
        )  # fmt: skip
    names = labels([name for name, _ in rows], 40)
    views = labels([view for _, view in rows], 14)
    if several:
        names = [f"{name}, {view}" for name, view in zip(names, views, strict=True)]
    ax.set_yticks(range(len(rows)), labels=names, fontsize="small")
    ax.set_ylim(len(rows) - 0.4, -0.6)
    texts = [factor.removeprefix("factor_") for factor in map(str, factors)]
    ax.set_xticks(range(len(factors)), labels=texts, fontsize="small")
    ax.set_xlim(-0.6, len(factors) - 0.4)
    ax.set_xlabel("Factor")
    ax.grid(color="#E6E6E6", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(length=0)
    ax.spines[["top", "right", "left", "bottom"]].set_visible(False)
    _legend(ax, shown)
    return ax


def _leading(shown: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the factor with the smallest q of each row; the table is sorted by q."""
    keys = zip(shown["gene_set"], shown["view"], shown["factor"], strict=True)
    leading: dict[tuple[str, str], str] = {}
    for name, view, factor in keys:
        leading.setdefault((name, view), factor)
    return leading


def _strength(q: pd.Series) -> npt.NDArray[np.float64]:
    """Return -log10 q, at most 10."""
    least = np.maximum(q.to_numpy(dtype=np.float64), 10.0**-_STRONGEST)
    return np.asarray(-np.log10(least), dtype=np.float64)


def _area(strength: npt.NDArray[np.float64]) -> list[float]:
    return [18.0 + 13.0 * float(each) for each in strength]


def _legend(ax: Axes, shown: pd.DataFrame) -> None:
    """Explain directions and sizes."""
    from matplotlib.lines import Line2D

    handles = []
    for direction, words in (("up", "up with the factor"), ("down", "down with it")):
        handles.append(
            Line2D(
                [], [], marker=_MARKERS[direction], color=_COLOURS[direction], linestyle="none",
                markersize=7, markeredgewidth=0, label=words,
            )
        )  # fmt: skip
    strongest = float(_strength(shown["q"]).max())
    for strength in sorted({1.0, min(3.0, strongest), strongest}):
        size = _area(np.array([strength]))[0] ** 0.5
        text = f"q = {10**-strength:.0e}" if strength > 1 else f"q = {10**-strength:.1f}"
        text = f"{text} or less" if strength >= _STRONGEST else text
        handles.append(
            Line2D(
                [], [], marker="^", color="#999999", linestyle="none", markersize=size,
                markeredgewidth=0, label=text,
            )
        )  # fmt: skip
    ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False,
        fontsize="small",
    )  # fmt: skip
