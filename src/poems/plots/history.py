"""The course of training: one small panel per term, as the terms differ in scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from poems.plots.given import table_of
from poems.plots.style import PALETTE, label, labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poems.fitting.result import FittedPoems

_COLUMNS = 3
# Inches of a panel.
_NARROWEST = 2.1
_TITLES = {
    "objective": "Objective",
    "kl": "KL to the prior",
    "penalty": "Sparsity penalty",
    "noise_prior": "Noise prior",
    "kl_weight": "KL weight",
    "spike_ramp": "Spike, share of full rate",
    "nonzero": "Non-zero loadings",
    "held_out": "Held-out objective",
}
_SCHEDULES = ("kl_weight", "spike_ramp")


def plot_history(history: FittedPoems | pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Draw every column of a training history over the epochs, each in its own panel.

    A grey line in the panels of the objective marks the epoch from which the
    KL weight and the spike's rate no longer change: values before it are of
    other objectives.

    Parameters
    ----------
    history
        Indexed by epoch, one column per term of the objective; columns without
        any finite value are left out.
    figure
        Figure to draw in; a new one by default.

    Returns
    -------
    Figure
        The panels, three a row or as many as a given figure has room for, with a shared axis of
        epochs.

    Raises
    ------
    ValueError
        If there is nothing finite to draw.

    Examples
    --------
    >>> figure = plot_history(pd.DataFrame({"objective": [3.0, 2.0], "kl": [0.1, 0.2]}))
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['Objective', 'KL to the prior']
    """
    history = table_of(history, "history")
    drawn = history.loc[:, np.isfinite(history.to_numpy(dtype=float)).any(axis=0)]
    if drawn.empty:
        raise ValueError("the history holds no finite value to draw")
    n_panels = drawn.shape[1]
    room = _COLUMNS if figure is None else int(figure.get_size_inches()[0] // _NARROWEST)
    n_columns = min(n_panels, max(room, 1))
    n_rows = -(-n_panels // n_columns)
    if figure is None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(3.2 * n_columns, 1.9 * n_rows + 0.3), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, sharex=True, squeeze=False)
    for at, (name, title) in enumerate(zip(drawn.columns, _titles(drawn.columns), strict=True)):
        ax = grid.flat[at]
        _draw_term(ax, drawn[name])
        if name in ("objective", "held_out"):
            _mark_full_strength(ax, drawn)
        ax.set_title(title, loc="left", fontsize="medium")
        if at + n_columns >= n_panels:
            ax.set_xlabel("Epoch")
            ax.tick_params(labelbottom=True)
    for ax in grid.flat[n_panels:]:
        ax.remove()
    return figure


def _draw_term(ax: Axes, values: pd.Series) -> None:
    from matplotlib.ticker import MaxNLocator

    # A single epoch makes no line: the marker shows it.
    ax.plot(
        values.index, values.to_numpy(), color=PALETTE[0], marker="o" if len(values) == 1 else ""
    )
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize="small")


def _mark_full_strength(ax: Axes, history: pd.DataFrame) -> None:
    schedules = history[[name for name in _SCHEDULES if name in history]]
    changing = (schedules != schedules.iloc[-1]).any(axis=1).to_numpy()
    at = int(np.flatnonzero(changing).max(initial=-1)) + 1
    # Nothing is scheduled, or training ended before the schedules did.
    if not 0 < at < len(history) - 1:
        return
    ax.axvline(history.index[at], color="#999999", linewidth=0.8, zorder=0)
    ax.annotate(
        "schedules end",
        (history.index[at], 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-3, -2),
        textcoords="offset points",
        rotation=90,
        ha="right",
        va="top",
        fontsize=8,
        color="#666666",
    )


def _titles(names: pd.Index) -> list[str]:
    views = [str(name).removeprefix("nll_") for name in names if str(name).startswith("nll_")]
    shown = dict(zip(views, labels(views, 18), strict=True))
    return [
        f"Misfit of {shown[str(name).removeprefix('nll_')]}"
        if str(name).startswith("nll_")
        else _TITLES.get(str(name), label(name, 30))
        for name in names
    ]
