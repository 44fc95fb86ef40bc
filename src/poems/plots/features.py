"""The features that count most: of each view, and of each factor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from poems.plots.given import by_view_of
from poems.plots.style import DIVERGING, PALETTE, label, labels, new_axes, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poems.fitting.result import FittedPoems

# Inches for one bar, and for one row and one character of a column of the table of names.
_BAR = 0.19
_ROW = 0.22
_CHARACTER = 0.085


def feature_strength(loadings: Mapping[str, pd.DataFrame]) -> dict[str, pd.Series]:
    """Compute the strength of each feature: the sum over factors of its absolute loadings.

    Parameters
    ----------
    loadings
        Mapping of view to a table of shape (n_features, n_factors).

    Returns
    -------
    dict
        Mapping of view to a Series of shape (n_features,), the strongest first.

    Examples
    --------
    >>> table = pd.DataFrame({"factor_1": [1.0, -2.0], "factor_2": [0.0, 3.0]}, index=["a", "b"])
    >>> feature_strength({"rna": table})["rna"].to_dict()
    {'b': 5.0, 'a': 1.0}
    """
    return {
        view: table.abs().sum(axis=1).sort_values(ascending=False, kind="stable")
        for view, table in loadings.items()
    }


def plot_top_features(
    loadings: FittedPoems | Mapping[str, pd.DataFrame], top: int = 10, figure: Figure | None = None
) -> Figure:
    """Draw the strongest features of each view as bars, a panel per view.

    Parameters
    ----------
    loadings
        A model, or a mapping of view to a table of shape (n_features, n_factors).
    top
        Features to show of each view, at most; those without a loading are
        left out.
    figure
        Figure to draw in; a new one by default.

    Raises
    ------
    ValueError
        If there is no view, or ``top`` is below 1.

    Examples
    --------
    >>> table = pd.DataFrame({"factor_1": [1.0, -2.0, 0.0]}, index=["a", "b", "c"])
    >>> (ax,) = plot_top_features({"rna": table}).axes
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['b', 'a']
    """
    loadings = by_view_of(loadings, "loadings")
    if not loadings or top < 1:
        raise ValueError("there is nothing to draw: give at least one view, and top of at least 1")
    shown = {
        view: strength[strength > 0].iloc[:top]
        for view, strength in feature_strength(loadings).items()
    }
    rows = max(max(map(len, shown.values())), 3)
    ticks = {view: labels(strength.index) for view, strength in shown.items()}
    widest = max((len(text) for texts in ticks.values() for text in texts), default=0)
    figure, axes = panels(len(shown), 2.9 + _CHARACTER * widest, 0.9 + _BAR * rows, figure=figure)
    names = labels(shown, 14)
    for at, (ax, (view, strength)) in enumerate(zip(axes, shown.items(), strict=True)):
        ax.set_title(names[at], loc="left", fontsize="medium")
        if strength.empty:
            ax.set_axis_off()
            ax.text(0.5, 0.5, "every loading is zero", ha="center", transform=ax.transAxes)
            continue
        places = np.arange(len(strength))
        ax.barh(places, strength.to_numpy(dtype=float), color=PALETTE[at % len(PALETTE)])
        ax.set_yticks(places, labels=ticks[view])
        # The same height of a bar in every panel, and the strongest on top.
        ax.set_ylim(rows - 0.4, -0.6)
        ax.tick_params(axis="y", length=0, labelsize=8)
        ax.tick_params(axis="x", labelsize=8)
        ax.set_xlabel("Sum of absolute loadings", fontsize="small")
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def top_per_factor(loadings: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the feature of each view that loads most on each factor.

    Parameters
    ----------
    loadings
        Mapping of view to a table of shape (n_features, n_factors), the factors
        the same in all.

    Returns
    -------
    DataFrame
        One row per factor and view: ``factor``, ``view``, ``feature``,
        ``loading``. Where a view has no loading on a factor there is no row.

    Examples
    --------
    >>> table = pd.DataFrame({"factor_1": [1.0, -2.0], "factor_2": [0.0, 0.0]}, index=["a", "b"])
    >>> top_per_factor({"rna": table}).to_dict("records")
    [{'factor': 'factor_1', 'view': 'rna', 'feature': 'b', 'loading': -2.0}]
    """
    rows = []
    for view, table in loadings.items():
        for factor in table.columns:
            column = table[factor]
            best = int(np.argmax(column.abs().to_numpy())) if len(column) else 0
            if len(column) and column.iloc[best] != 0:
                rows.append((factor, view, column.index[best], float(column.iloc[best])))
    return pd.DataFrame(rows, columns=["factor", "view", "feature", "loading"])


def plot_top_per_factor(
    loadings: FittedPoems | Mapping[str, pd.DataFrame], ax: Axes | None = None
) -> Axes:
    """Draw a table that names, for each factor and view, the feature that loads on it most.

    Red cells raise their feature as the factor rises, blue ones lower it, the
    stronger the darker; a view without any loading on a factor has an empty
    cell.

    Parameters
    ----------
    loadings
        A model, or a mapping of view to a table of shape (n_features, n_factors).
    ax
        Axes to draw in; by default new ones, large enough for the names.

    Examples
    --------
    >>> table = pd.DataFrame({"factor_1": [1.0, -2.0]}, index=["a", "b"])
    >>> [text.get_text() for text in plot_top_per_factor({"rna": table}).texts]
    ['b']
    """
    loadings = by_view_of(loadings, "loadings")
    best = top_per_factor(loadings)
    views = list(loadings)
    factors = list(dict.fromkeys(factor for table in loadings.values() for factor in table))
    texts = [label(name, 18) for name in best["feature"]]
    widest = max(len(text) for text in [*texts, *labels(views, 18), "factor"])
    if ax is None:
        ax = new_axes(1.6 + _CHARACTER * (widest + 2) * len(views), 1.1 + _ROW * len(factors))
    if best.empty:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "every loading is zero", ha="center", transform=ax.transAxes)
        return ax
    columns = [views.index(view) for view in best["view"]]
    rows = [factors.index(factor) for factor in best["factor"]]
    sizes = best["loading"].to_numpy(dtype=float)
    cells = np.full((len(factors), len(views)), np.nan)
    cells[rows, columns] = sizes
    limit = float(np.abs(sizes).max())
    image = ax.imshow(cells, aspect="auto", cmap=DIVERGING, vmin=-limit, vmax=limit)
    for row, column, size, text in zip(rows, columns, sizes, texts, strict=True):
        colour = "white" if abs(size) > 0.6 * limit else "black"
        ax.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    ax.set_xticks(range(len(views)), labels=labels(views, 18))
    ax.xaxis.tick_top()
    shown = [label(str(factor).removeprefix("factor_"), 8) for factor in factors]
    ax.set_yticks(range(len(factors)), labels=shown)
    ax.tick_params(length=0, labelsize=8)
    ax.set_ylabel("Factor")
    ax.spines[:].set_visible(False)
    figure = ax.get_figure(root=True)
    if figure is not None:
        bar = figure.colorbar(image, ax=ax, aspect=30, pad=0.02)
        bar.set_label("Loading", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.outline.set_visible(False)
    return ax
