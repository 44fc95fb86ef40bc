"""Subtypes: how many of them, and the features that mark each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.clustering.names import natural_order
from poems.plots.given import table_of
from poems.plots.style import DIVERGING, PALETTE, label, labels, panels
from poems.settings.rates import FDR

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

    from poems.analysis.subtypes.markers import Markers
    from poems.analysis.subtypes.numbers import SubtypeNumbers

# Column, its standard error, the title, and what is better.
_CRITERIA: Final = (
    ("silhouette", "silhouette_se", "Mean silhouette", "high"),
    ("gap", "gap_se", "Gap statistic", ""),
    ("pac", None, "Ambiguous pairs (PAC)", "low"),
    ("mixture_weight", None, "Weight of the components", "high"),
)
_BEST_OF: Final = {"mixture_weight": "mixture"}
# Inches for one row and column of dots, and for one character of a label.
_ROW = 0.2
_COLUMN = 0.42
_CHARACTER = 0.08
_LARGEST_DOT = 110.0
_MOST_SHAPES = 300
# Effects of this many standard deviations have the strongest colour and the largest dot.
_FULL_EFFECT = 2.0


def plot_subtype_numbers(
    table: SubtypeNumbers | pd.DataFrame,
    best: Mapping[str, int] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Draw criteria of the number of subtypes, a panel each, the number reported as a line.

    Parameters
    ----------
    table
        As ``SubtypeNumbers.table``: one row per number; columns of criteria without any
        value are left out. Bars are standard errors.
    best
        Criterion to the number that it chooses, marked by a ring.
    figure
        Figure to draw in; a new one by default.

    Raises
    ------
    ValueError
        If there is no criterion with a value.

    Examples
    --------
    >>> table = pd.DataFrame({"n_subtypes": [2, 3], "silhouette": [0.4, 0.5]})
    >>> table["chosen"] = [False, True]
    >>> len(plot_subtype_numbers(table, {"silhouette": 3}).axes)
    1
    """
    if best is None and not isinstance(table, pd.DataFrame):
        best = table.best
    table = table_of(table, "table")
    shown = [each for each in _CRITERIA if each[0] in table and table[each[0]].notna().any()]
    if not shown:
        raise ValueError("there is nothing to draw: no criterion has a value")
    figure, axes = panels(len(shown), 2.2, 2.1, figure=figure, columns=2)
    numbers = table["n_subtypes"].to_numpy(dtype=float)
    chosen = table.loc[table["chosen"].astype(bool), "n_subtypes"]
    for ax, (name, error, title, better) in zip(axes, shown, strict=True):
        values = table[name].to_numpy(dtype=float)
        spread = table[error].to_numpy(dtype=float) if error in table else None
        known = ~np.isnan(values)
        for number in chosen:
            ax.axvline(number, color="0.75", linewidth=5, zorder=0)
        ax.errorbar(
            numbers[known],
            values[known],
            yerr=None if spread is None else spread[known],
            color=PALETTE[0],
            marker="o",
            markersize=4,
            capsize=2,
            linewidth=1.2,
        )
        number = (best or {}).get(_BEST_OF.get(name, name))
        at = np.flatnonzero(known & (numbers == number))
        ax.plot(numbers[at], values[at], "o", ms=11, mfc="none", mec=PALETTE[5], mew=1.8)
        ax.set_title(title, loc="left", fontsize="medium")
        ax.set_xlabel(_caption(better), fontsize="small")
        ax.set_xticks(_ticks(numbers))
        ax.set_xlim(numbers.min() - 0.5, numbers.max() + 0.5)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def plot_markers(
    table: Markers | pd.DataFrame, top: int = 5, *, fdr: float = FDR, figure: Figure | None = None
) -> Figure:
    """Draw the markers with the largest effects of each subtype, a panel per view.

    A row per feature, a column per subtype; colour and size of a dot are the effect: the
    mean in the subtype less that outside it, in standard deviations. Effects that are
    no markers are pale. Views without a marker are named below.

    Parameters
    ----------
    table
        As ``Markers.table``.
    top
        Markers to show of each subtype and view, at most.
    fdr
        False discovery rate at which a feature is a marker.
    figure
        Figure to draw in; a new one by default.

    Raises
    ------
    ValueError
        If the table has no row, or ``top`` is below 1.

    Examples
    --------
    >>> table = pd.DataFrame({"view": "rna", "feature": ["a", "b"], "subtype": "S1"})
    >>> table[["effect", "q"]] = [[1.0, 0.01], [0.2, 0.8]]
    >>> figure = plot_markers(table)
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['a']
    """
    table = table_of(table, "table")
    if table.empty or top < 1:
        raise ValueError("there is nothing to draw: give a table with a row, and top of at least 1")
    names = sorted(table["subtype"].astype(str).unique(), key=natural_order)
    rows = {view: _rows(own, names, top, fdr) for view, own in table.groupby("view", sort=False)}
    without = [view for view, features in rows.items() if not features]
    rows = {view: features for view, features in rows.items() if features}
    ticks = {view: labels(features, 28) for view, features in rows.items()}
    most = max(map(len, rows.values()), default=4)
    widest = max((len(text) for texts in ticks.values() for text in texts), default=0)
    width = 0.9 + _COLUMN * max(len(names), 3) + _CHARACTER * widest
    n_columns = max(1, min(len(rows), int(7 // width)))
    needed = [max(len(features), 2) for features in rows.values()] or [most]
    # Panels side by side are as high as the highest of them needs.
    heights = [max(needed[at : at + n_columns]) for at in range(0, len(needed), n_columns)]
    mean = 0.8 + _ROW * float(np.mean(heights))
    figure, axes = panels(max(len(rows), 1), width, mean, figure=figure, columns=n_columns)
    grid = axes[0].get_gridspec()
    assert grid is not None
    grid.set_height_ratios(heights)
    if without:
        said = ", ".join(labels(without, 18))
        figure.supxlabel(f"No marker in {said}", fontsize="small")
    if not rows:
        axes[0].set_axis_off()
        return figure
    titles = labels(rows, 18)
    for at, (ax, (view, features)) in enumerate(zip(axes, rows.items(), strict=True)):
        ax.set_title(titles[at], loc="left", fontsize="medium")
        own = table[(table["view"] == view) & table["feature"].isin(features)]
        drawn = _dots(ax, own, features, names, fdr)
        ax.set_yticks(range(len(features)), labels=ticks[view])
        ax.set_xticks(range(len(names)), labels=[label(name, 8) for name in names])
        ax.xaxis.tick_top()
        ax.set_xlim(-0.6, len(names) - 0.4)
        ax.set_ylim(heights[at // n_columns] - 0.4, -0.6)
        ax.tick_params(length=0, labelsize=8)
        ax.spines[["top", "right", "left", "bottom"]].set_visible(False)
        ax.hlines(range(len(features)), -0.5, len(names) - 0.5, color="0.92", lw=0.6, zorder=0)
    shrink = min(1.0, 2.2 / (mean * len(heights)))
    bar = figure.colorbar(drawn, ax=axes, shrink=shrink, aspect=14)
    bar.set_label("Effect (sd)", fontsize="small")
    bar.ax.tick_params(labelsize=8)
    return figure


def _rows(own: pd.DataFrame, names: list[str], top: int, fdr: float) -> list[object]:
    """Features to show: the largest effects among the first subtype's markers, then the next's."""
    found = own[own["q"] <= fdr]
    order = np.argsort(-found["effect"].abs().to_numpy(dtype=float), kind="stable")
    found = found.iloc[order]
    shown: dict[object, None] = {}
    for name in names:
        shown |= dict.fromkeys(found.loc[found["subtype"].astype(str) == name, "feature"].head(top))
    return list(shown)


def _dots(
    ax: Axes, own: pd.DataFrame, features: list[object], names: list[str], fdr: float
) -> PathCollection:
    """Draw a dot per feature and subtype; return the markers, whose colours a bar explains."""
    place = {feature: at for at, feature in enumerate(features)}
    column = {name: at for at, name in enumerate(names)}
    for marker in (False, True):
        # A feature not measured in the subtype has no effect to draw, not an effect of 0.
        some = own[((own["q"] <= fdr) == marker) & own["effect"].notna()]
        effect = some["effect"].to_numpy(dtype=float)
        drawn = ax.scatter(
            [column[str(name)] for name in some["subtype"]],
            [place[feature] for feature in some["feature"]],
            c=effect,
            # The size of a dot ends at a full effect, as the bar says; the least can still be seen.
            s=_LARGEST_DOT * np.clip(np.abs(effect) / _FULL_EFFECT, 0.06, 1.0),
            cmap=DIVERGING,
            vmin=-_FULL_EFFECT,
            vmax=_FULL_EFFECT,
            alpha=1.0 if marker else 0.35,
            edgecolors="0.2" if marker else "none",
            linewidths=0.5,
            # A shape for each of many sizes would be a megabyte.
            rasterized=len(own) > _MOST_SHAPES,
        )
    return drawn


def _caption(better: str) -> str:
    said = {"high": " (higher is better)", "low": " (lower is better)"}
    return f"Number of subtypes{said.get(better, '')}"


def _ticks(numbers: np.ndarray) -> list[int]:
    step = max(1, -(-len(numbers) // 12))
    return [int(number) for number in numbers[::step]]
