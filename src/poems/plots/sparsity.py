"""How sparse the loadings are: which of them are there, and how large they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.plots.given import by_view_of
from poems.plots.style import PALETTE, label, labels, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poems.fitting.result import FittedPoems

_BINS = 60


def plot_sparsity_mask(
    loadings: FittedPoems | Mapping[str, pd.DataFrame],
    threshold: float = 0.0,
    figure: Figure | None = None,
) -> Figure:
    """Draw which loadings are larger than a threshold: factors by features, a panel per view.

    Features go by the factor that they load on most, then by how much, so that
    a sparse pattern shows as steps. Grey means several features to a pixel.

    Parameters
    ----------
    loadings
        A model, or a mapping of view to a table of shape (n_features, n_factors).
    threshold
        A loading is marked when it is larger than this in absolute value: 0
        for loadings that are exactly sparse.
    figure
        Figure to draw in; a new one by default.

    Raises
    ------
    ValueError
        If there is no view.

    Examples
    --------
    >>> table = pd.DataFrame({"factor_1": [1.0, 0.0], "factor_2": [0.0, 0.0]})
    >>> (ax,) = plot_sparsity_mask({"rna": table}).axes
    >>> ax.get_title(loc="left"), ax.get_xlabel()
    ('rna', '2 features, 25% non-zero')
    """
    loadings = by_view_of(loadings, "loadings")
    n_factors = max((table.shape[1] for table in loadings.values()), default=0)
    titles = labels(loadings, 14)
    figure, axes = _panels(loadings, 1.1 + max(0.11 * n_factors, 1.0), figure)
    for at, (ax, table) in enumerate(zip(axes, loadings.values(), strict=True)):
        size = np.abs(table.to_numpy(dtype=float))
        ax.set_title(titles[at], loc="left", fontsize="medium")
        if not size.size:
            ax.set_axis_off()
            continue
        mask = (size > threshold)[_by_strongest(size)].T
        ax.imshow(mask, aspect="auto", cmap="Greys", vmin=0, vmax=1)
        share = _share(size, threshold)
        ax.set_xlabel(f"{len(table)} features, {share}", fontsize="small")
        ax.set_xticks([])
        _name_factors(ax, table.columns)
    axes[0].set_ylabel("Factor")
    return figure


def plot_loading_histogram(
    loadings: FittedPoems | Mapping[str, pd.DataFrame],
    threshold: float = 0.0,
    figure: Figure | None = None,
) -> Figure:
    """Draw how often loadings of each size occur, a panel per view, all on the same scales.

    Counts are on a logarithmic scale, because most loadings of a sparse model are
    zero. Grey lines mark the threshold, if there is one.

    Parameters
    ----------
    loadings
        A model, or a mapping of view to a table of shape (n_features, n_factors).
    threshold
        Loadings up to this size count as zero in the shares below the panels.
    figure
        Figure to draw in; a new one by default.

    Raises
    ------
    ValueError
        If there is no view.

    Examples
    --------
    >>> table = pd.DataFrame({"factor_1": [1.0, 0.0], "factor_2": [0.0, -2.0]})
    >>> (ax,) = plot_loading_histogram({"rna": table}).axes
    >>> int(sum(bar.get_height() for bar in ax.patches))
    4
    """
    loadings = by_view_of(loadings, "loadings")
    titles = labels(loadings, 14)
    from matplotlib.ticker import MaxNLocator

    figure, axes = _panels(loadings, 2.4, figure)
    tables = [table.to_numpy(dtype=float).ravel() for table in loadings.values()]
    limit = max([float(np.abs(values).max()) for values in tables if values.size] + [1e-9])
    # An odd number of bins about zero, so that zero itself has one.
    edges = np.linspace(-limit, limit, _BINS + 2)
    counts = [np.histogram(values, edges)[0] for values in tables]
    highest = max(int(count.max()) for count in counts)
    for at, (ax, values) in enumerate(zip(axes, tables, strict=True)):
        ax.set_title(titles[at], loc="left", fontsize="medium")
        ax.bar(
            edges[:-1],
            counts[at].astype(float),
            np.diff(edges),
            align="edge",
            color=PALETTE[at % len(PALETTE)],
            linewidth=0,
        )
        for edge in (-threshold, threshold) if threshold > 0 else ():
            ax.axvline(edge, color="#666666", linewidth=0.8, linestyle="--")
        ax.set_ylim(0.5, max(2.0 * highest, 1.0))
        ax.set_yscale("log")
        ax.set_xlim(-limit, limit)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=4, symmetric=True))
        ax.set_xlabel(f"Loading, {_share(np.abs(values), threshold)}", fontsize="small")
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("Number of loadings")
    return figure


def _panels(
    loadings: Mapping[str, pd.DataFrame], height: float, figure: Figure | None
) -> tuple[Figure, list[Axes]]:
    if not loadings:
        raise ValueError("there is nothing to draw: give at least one view")
    return panels(len(loadings), 3.3, height, figure=figure)


def _share(size: npt.NDArray[np.float64], threshold: float) -> str:
    """Say how many of the loadings count."""
    share = 100.0 * (size > threshold).mean() if size.size else 0.0
    return f"{share:.3g}% " + (f"above {threshold:g}" if threshold > 0 else "non-zero")


def _by_strongest(size: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Order rows by the column that is largest in them, then by how large it is; zeros last."""
    strongest = np.where(size.any(axis=1), size.argmax(axis=1), size.shape[1])
    return np.lexsort([-size.max(axis=1), strongest])


def _name_factors(ax: Axes, names: pd.Index) -> None:
    shown = [label(str(name).removeprefix("factor_"), 8) for name in names]
    # Every so many, where they would run into one another.
    step = -(-len(shown) // 16)
    ax.set_yticks(range(0, len(shown), step), labels=shown[::step])
    ax.tick_params(axis="y", length=0, labelsize=7)
