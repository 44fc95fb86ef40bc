"""The pictures of a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from poems.analysis.subtypes.result import Subtypes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poems.fitting.result import FittedPoems

# Samples that figures show at most; of more, a random subset, which the figure says.
MOST_DRAWN: Final = 20_000


def run_figures(model: FittedPoems, subtypes: Subtypes) -> Mapping[str, Callable[[], Figure]]:
    """Return what draws each picture, by the name of its file; each can fail by itself."""
    drawn: dict[str, Callable[[], Axes | Figure]] = {
        "latent": lambda: _map(model, subtypes, "principal"),
        "subtypes": lambda: _map(model, subtypes, "centre"),
        "gates": lambda: _gates(model, subtypes),
        "loadings": lambda: _plots().plot_loadings(model.loadings, units=_units(model)),
        "sparsity": lambda: _plots().plot_sparsity(model.loadings),
    }
    if len(model.history):
        drawn["history"] = lambda: _plots().plot_history(model.history)
    return {name: _figure_of(draw) for name, draw in drawn.items()}


def _units(model: FittedPoems) -> dict[str, str]:
    return {view: scale.short for view, scale in model.effect_scales.items()}


def _figure_of(draw: Callable[[], Axes | Figure]) -> Callable[[], Figure]:
    def drawn() -> Figure:
        from poems.plots.saving import figure_of, with_empty_titles_settled

        return with_empty_titles_settled(figure_of(draw()))

    return drawn


def _plots() -> ModuleType:
    # Loaded when something is drawn: matplotlib takes a second.
    from poems import plots

    return plots


def _map(model: FittedPoems, subtypes: Subtypes, plane: Literal["principal", "centre"]) -> Axes:
    plots = _plots()
    metric = subtypes.metric or model.default_metric
    rows = _drawn_rows(model)
    points, found = model.embedding(metric).iloc[rows], subtypes.assignment.iloc[rows]
    plane_points = (
        plots.principal_plane(points, metric)
        if plane == "principal"
        else plots.centre_plane(points, found, metric)
    )
    return _titled(plots.plot_latent(plane_points, found), model)


def _gates(model: FittedPoems, subtypes: Subtypes) -> Axes:
    rows = _drawn_rows(model)
    drawn = _plots().plot_gates(model.gates.iloc[rows], subtypes.assignment.iloc[rows])
    return _titled(drawn, model)


def _drawn_rows(model: FittedPoems) -> npt.NDArray[np.intp]:
    """Return the rows of the samples drawn, in their order: all, or some at random."""
    n_samples = len(model.samples)
    if n_samples <= MOST_DRAWN:
        return np.arange(n_samples)
    drawn = np.random.default_rng(model.seed).choice(n_samples, MOST_DRAWN, replace=False)
    return np.sort(drawn)


def _titled(ax: Axes, model: FittedPoems) -> Axes:
    n_samples = len(model.samples)
    if n_samples > MOST_DRAWN:
        ax.set_title(f"{MOST_DRAWN} of {n_samples} samples, drawn at random")
    return ax
