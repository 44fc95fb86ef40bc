"""A benchmark's results: scores of every method on every task, and mean ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from poems.errors import DataError
from poems.plots.style import colours, labels, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The room that the points of one task take of the distance between tasks.
_BAND = 0.7
_MARKERS = "osD^vPX*"


def plot_scores(
    mean: pd.DataFrame, sd: pd.DataFrame, *, names: Mapping[str, str], ax: Axes | None = None
) -> Axes:
    """Draw the mean score of each method on each task, with bars of one standard deviation.

    Methods have their own colour, mark and height within a task's band, in
    the order of the columns.

    Parameters
    ----------
    mean, sd
        Of shape (n_tasks, n_methods); missing where there is none.
    names
        Method to how the legend calls it.
    ax
        Axes to draw into; by default those of a new figure.

    Raises
    ------
    DataError
        If there is nothing to draw.
    """
    if mean.empty:
        raise DataError("there are no scores to draw")
    if ax is None:
        ax = new_axes(7, 1 + 0.12 * mean.size)
    colour = colours(mean.columns)
    offsets = np.linspace(-0.5, 0.5, mean.shape[1]) * _BAND if mean.shape[1] > 1 else [0.0]
    at = np.arange(len(mean))
    for position, (method, offset) in enumerate(zip(mean.columns, offsets, strict=True)):
        ax.errorbar(
            mean[method],
            at + offset,
            xerr=sd[method].fillna(0.0),
            fmt=_MARKERS[position % len(_MARKERS)],
            color=colour[method],
            markersize=5,
            elinewidth=1.2,
            label=names[method],
        )
    for line in at[1:] - 0.5:
        ax.axhline(line, color="0.9", linewidth=0.8, zorder=0)
    ax.set_yticks(at, labels(mean.index, 28))
    ax.set_ylim(len(mean) - 0.5, -0.5)
    ax.grid(axis="x", color="0.92", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_ranks(
    ranks: pd.DataFrame,
    *,
    names: Mapping[str, str],
    metrics: Mapping[str, str],
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean rank of each method by each metric as a shaded table; 1 is best.

    Parameters
    ----------
    ranks
        Of shape (n_methods, n_metrics).
    names, metrics
        How to call methods and metrics.
    ax
        Axes to draw into; by default those of a new figure.

    Raises
    ------
    DataError
        If there is nothing to draw.
    """
    if ranks.empty:
        raise DataError("there are no ranks to draw")
    if ax is None:
        ax = new_axes(2 + 0.8 * ranks.shape[1], 1 + 0.35 * len(ranks))
    values = ranks.to_numpy(dtype=float)
    ax.imshow(-values, cmap="Blues", vmin=-len(ranks), vmax=0.5, aspect="auto")
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        dark = value < 0.45 * len(ranks)
        text = "–" if np.isnan(value) else f"{value:.2f}"
        ax.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
    ax.set_yticks(range(len(ranks)), labels([names[each] for each in ranks.index]))
    titles = labels([metrics[each] for each in ranks.columns], 30)
    ax.set_xticks(range(ranks.shape[1]), titles, rotation=30, ha="right", rotation_mode="anchor")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def benchmark_figure(
    scores: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    ranks: pd.DataFrame,
    *,
    names: Mapping[str, str],
    metrics: Mapping[str, str],
    chosen: Sequence[str] = ("nmi", "accuracy", "knn"),
) -> Axes:
    """Draw the summary of a benchmark: a panel per metric, and the mean ranks below.

    Parameters
    ----------
    scores
        Metric to means and standard deviations, as :func:`plot_scores` takes them.
    ranks
        As :func:`plot_ranks` takes them; no panel if empty.
    names, metrics
        How to call methods and metrics.
    chosen
        Metrics that have a panel, where there are scores.

    Returns
    -------
    Axes of the first panel; its ``figure`` holds all.

    Raises
    ------
    DataError
        If there are no scores at all.
    """
    from matplotlib.figure import Figure

    shown = [each for each in chosen if each in scores and not scores[each][0].empty]
    if not shown:
        shown = [each for each, (mean, _) in scores.items() if not mean.empty][:3]
    if not shown:
        raise DataError("there are no scores to draw")
    n_tasks = max(len(scores[each][0]) for each in shown)
    n_methods = max(scores[each][0].shape[1] for each in shown)
    top = 0.9 + n_tasks * max(0.5, 0.14 * n_methods)
    bottom = 0.0 if ranks.empty else 1.4 + 0.32 * len(ranks)
    figure = Figure(figsize=(2.2 + 3.2 * len(shown), top + bottom + 0.5), layout="constrained")
    upper, lower = _halves(figure, top, bottom)
    panels = upper.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for panel, metric in zip(panels, shown, strict=True):
        plot_scores(*scores[metric], names=names, ax=panel)
        panel.set_xlabel(metrics[metric])
    handles, texts = panels[0].get_legend_handles_labels()
    upper.legend(
        handles, texts, loc="outside upper center", ncols=min(6, len(texts)), frameon=False
    )
    if lower is not None:
        below = lower.subplots()
        plot_ranks(ranks, names=names, metrics=metrics, ax=below)
        below.set_title("mean rank over cohorts (1 is best)", fontsize="medium")
    first: Axes = panels[0]
    return first


def _halves(figure: Figure, top: float, bottom: float) -> tuple[Any, Any]:
    """Split a figure by height; there is no lower half if ``bottom`` is 0."""
    if not bottom:
        return figure, None
    halves: Any = figure.subfigures(2, 1, height_ratios=[top, bottom])
    return halves[0], halves[1]
