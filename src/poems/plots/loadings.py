"""What the factors drive: the strongest features, and how sparse the loadings are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.plots.given import by_view_of
from poems.plots.style import DIVERGING, SEQUENTIAL, label, labels, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from poems.fitting.result import FittedPoems

# Inches for one row or column of a heat map whose every row is named.
_ROW = 0.16
_COLUMN = 0.34


def top_features(loadings: Mapping[str, pd.DataFrame], top: int) -> pd.DataFrame:
    """Return the loadings of ``top`` features of each view, stacked, each factor having its own.

    The factors that have loadings in the view take turns, those with the
    largest loading first; each takes the feature that loads on it most of
    those not yet taken. Within a view the features go by the factor that took
    them, then by their loading on it. Features without any loading are not
    shown.

    Parameters
    ----------
    loadings
        Mapping of view to a table of shape (n_features, n_factors).
    top
        Features to take from each view, at most.

    Returns
    -------
    DataFrame
        Index of (view, feature), one column per factor.

    Examples
    --------
    >>> table = pd.DataFrame({"factor_1": [0.1, 3.0, 2.0], "factor_2": [0.5, 0.0, 0.0]})
    >>> top_features({"rna": table}, 2).index.tolist()
    [('rna', 1), ('rna', 0)]
    """
    parts: dict[str, pd.DataFrame] = {}
    for view, table in loadings.items():
        rows = _rows_by_turns(table.abs().to_numpy(dtype=float), top)
        if rows:
            parts[view] = table.iloc[rows]
    if not parts:
        columns = next(iter(loadings.values())).columns if loadings else None
        return pd.DataFrame(columns=columns, dtype=float)
    stacked: pd.DataFrame = pd.concat(parts, names=["view", "feature"])
    return stacked


def _rows_by_turns(size: npt.NDArray[np.float64], top: int) -> list[int]:
    """Let the columns of ``size`` choose rows in turn; return those of each column together."""
    largest = size.max(axis=0, initial=0.0)
    queues = {}
    for column in np.argsort(-largest, kind="stable").tolist():
        order = np.argsort(-size[:, column], kind="stable").tolist()
        queues[column] = iter(order[: np.count_nonzero(size[:, column])])
    taken: dict[int, int] = {}  # row: the column that took it; in the order of taking
    while queues and len(taken) < top:
        for column, queue in list(queues.items()):
            row = next((row for row in queue if row not in taken), None)
            if row is None:
                del queues[column]
            elif len(taken) < top:
                taken[row] = column
    return sorted(taken, key=taken.__getitem__)


def plot_loadings(
    loadings: FittedPoems | Mapping[str, pd.DataFrame],
    top: int = 12,
    ax: Axes | None = None,
    *,
    units: Mapping[str, str] | None = None,
) -> Axes:
    """Draw the strongest features of each view and factor against the factors, as a heat map.

    Red raises the feature as the factor rises, blue lowers it, white is
    exactly zero; the colours reach as far as the 99th percentile of what is
    shown. :func:`top_features` chooses the rows.

    Parameters
    ----------
    loadings
        A model, or a mapping of view to a table of shape (n_features, n_factors), in
        standard deviations of the feature per standard deviation of the
        factor.
    top
        Features to show of each view, at most.
    ax
        Axes to draw in; by default new ones, tall enough to name every row.
    units
        What the loadings of each view are in, ``"log odds"`` say; by default all in ``"sd"``.
        Where they differ, colours are shares of the largest loading of the view.

    Examples
    --------
    >>> calls = pd.DataFrame({"factor_1": [1.2, 0.0]}, index=["TP53", "KRAS"])
    >>> ax = plot_loadings({"calls": calls}, units={"calls": "log odds"})
    >>> ax.figure.axes[-1].get_ylabel()
    'Effect, log odds per sd of the factor'
    """
    loadings = by_view_of(loadings, "loadings")
    table = top_features(loadings, top)
    n_rows, n_columns = table.shape
    if ax is None:
        ax = new_axes(max(3.6 + _COLUMN * n_columns, 4.5), max(1.4 + _ROW * n_rows, 2.0))
    if table.empty:
        return _say(ax, "every loading is zero")
    values = table.to_numpy(dtype=float)
    several = len(set((units or {}).values())) > 1
    if several:
        # Log odds and standard deviations share no scale: the larger would pale the smaller.
        for view in table.index.unique(0):
            rows = table.index.get_level_values(0) == view
            values[rows] /= _far(values[rows])
    limit = 1.0 if several else _far(values)
    image = ax.imshow(values, aspect="auto", cmap=DIVERGING, vmin=-limit, vmax=limit)
    ax.set_yticks(range(n_rows), labels=labels(table.index.get_level_values(1)))
    ax.tick_params(axis="y", labelsize=7, length=0)
    _name_factors(ax, table.columns)
    _name_views(ax, table.index.get_level_values(0))
    of = "\nas a share of the largest in the omic" if several else ""
    _colour_bar(ax, image, f"Effect, {_in_units(units)} per sd of the factor{of}")
    return ax


def _far(values: np.ndarray) -> float:
    """Return how far colours reach: the 99th percentile of what is not zero."""
    some = np.abs(values[values != 0])
    return float(np.quantile(some, 0.99)) if some.size else 1.0


def plot_sparsity(
    loadings: FittedPoems | Mapping[str, pd.DataFrame], ax: Axes | None = None
) -> Axes:
    """Draw how many features of each view each factor drives: the count, shaded by the share.

    Parameters
    ----------
    loadings
        A model, or a mapping of view to a table of shape (n_features, n_factors), exactly
        zero where a factor does not drive a feature.
    ax
        Axes to draw in; new ones by default.
    """
    loadings = by_view_of(loadings, "loadings")
    counts = pd.DataFrame({view: (table != 0).sum() for view, table in loadings.items()}).T
    n_views, n_columns = counts.shape
    if ax is None:
        ax = new_axes(max(2.8 + 0.46 * n_columns, 4.5), 1.3 + 0.36 * n_views)
    if counts.empty:
        return _say(ax, "no factor is left")
    features = np.array([[max(len(loadings[view]), 1)] for view in counts.index])
    share = counts.to_numpy() / features
    image = ax.imshow(
        share, aspect="auto", cmap=SEQUENTIAL, vmin=0, vmax=max(float(share.max()), 1e-9)
    )
    for (row, column), count in np.ndenumerate(counts.to_numpy()):
        dark = share[row, column] > 0.6 * share.max()
        ax.text(
            column,
            row,
            str(count),
            ha="center",
            va="center",
            fontsize=7,
            color="white" if dark else "black",
        )
    names = [
        f"{text} ({len(loadings[view])})"
        for view, text in zip(loadings, labels(loadings, 20), strict=True)
    ]
    ax.set_yticks(range(n_views), labels=names)
    ax.tick_params(axis="y", length=0)
    _name_factors(ax, counts.columns)
    _colour_bar(ax, image, "Share of features", percent=True)
    return ax


def _in_units(units: Mapping[str, str] | None) -> str:
    """Name the units, once each: with their views if they are several."""
    by_unit: dict[str, list[str]] = {}
    for view, unit in ({} if units is None else units).items():
        by_unit.setdefault(unit, []).append(label(view, 15))
    if len(by_unit) < 2:
        return next(iter(by_unit), "sd")
    return ", ".join(f"{unit} ({', '.join(views)})" for unit, views in by_unit.items())


def _say(ax: Axes, text: str) -> Axes:
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
    return ax


def _name_factors(ax: Axes, names: pd.Index) -> None:
    shown = [label(str(name).removeprefix("factor_"), 8) for name in names]
    upright = max(len(text) for text in shown) > 3
    ax.set_xticks(range(len(shown)), labels=shown, rotation=90 if upright else 0)
    ax.tick_params(axis="x", length=0, labelsize=8)
    ax.set_xlabel("Factor")
    ax.spines[:].set_visible(False)


def _name_views(ax: Axes, views: pd.Index) -> None:
    # The names stand at the right, between the map and its scale, read from top to bottom.
    rows = np.arange(len(views))
    distinct = list(dict.fromkeys(views))
    for view, text in zip(distinct, labels(distinct, 15), strict=True):
        own = rows[views == view]
        # A name longer than its rows would run into the next one: it lies flat.
        fits = len(text) <= len(own) * _ROW * 72 / 5.2
        if own[0] > 0:
            ax.axhline(own[0] - 0.5, color="black", linewidth=0.8)
        ax.annotate(
            text,
            (1.01, own.mean()),
            xycoords=("axes fraction", "data"),
            rotation=270 if fits else 0,
            ha="left",
            va="center",
            fontsize=8,
        )


def _colour_bar(ax: Axes, image: AxesImage, text: str, *, percent: bool = False) -> None:
    figure = ax.get_figure(root=True)
    if figure is None:
        return
    bar = figure.colorbar(image, ax=ax, shrink=0.6, aspect=20, pad=0.04)
    bar.set_label(text, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    if percent:
        from matplotlib.ticker import PercentFormatter

        bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0))
