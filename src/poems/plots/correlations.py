"""How alike the subtypes are, in the data and in the latent space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from poems.clustering.names import natural_order
from poems.errors import DataError
from poems.findings import name_some
from poems.plots.style import DIVERGING, labels, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def subtype_correlations(
    points: pd.DataFrame, subtypes: pd.Series, *, centre: bool = False
) -> pd.DataFrame:
    """Compute Pearson correlations between the mean vectors of the subtypes.

    Parameters
    ----------
    points
        A view, or an embedding, of shape (n_samples, n_dimensions). Missing
        entries are left out of a mean; a dimension that a subtype never has is
        left out of all.
    subtypes
        Subtype by sample; samples without one are left out.
    centre
        Take the mean over the subtypes off each dimension first. Without,
        features of different level make all subtypes of a view look alike.

    Returns
    -------
    DataFrame
        Shape (n_subtypes, n_subtypes), in natural order of their names. NaN
        where a subtype's vector is constant.

    Raises
    ------
    DataError
        If no sample has a subtype, or no dimension is left.

    Examples
    --------
    >>> points = pd.DataFrame({"x": [0.0, 0.0, 5.0], "y": [1.0, 1.0, 4.0], "z": [2.0, 2.0, 3.0]})
    >>> subtype_correlations(points, pd.Series(["a", "a", "b"])).loc["a", "b"].round(6).item()
    -1.0
    """
    groups = subtypes.reindex(points.index)
    if not groups.notna().any():
        raise DataError("no sample has a subtype; there is nothing to correlate")
    means = points.groupby(groups.astype(object), sort=False).mean()
    means = means.loc[sorted(means.index, key=natural_order)]
    means = means.loc[:, means.notna().all(axis=0)]
    if means.empty:
        raise DataError(
            f"no dimension was measured in every subtype ({name_some(means.index, 20)})"
        )
    values = means.to_numpy(dtype=np.float64)
    if centre:
        values = values - values.mean(axis=0)
    residual = values - values.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(residual, axis=1)
    # What rounding leaves of a constant vector is none.
    norm[norm <= 1e-12 * np.abs(values).max(axis=1, initial=0.0)] = np.nan
    unit = residual / norm[:, None]
    names = [str(name) for name in means.index]
    # Cosines, beyond 1 by rounding alone; NaN stays NaN.
    return pd.DataFrame(np.clip(unit @ unit.T, -1.0, 1.0), index=names, columns=names)


def plot_subtype_correlations(
    correlations: Mapping[str, pd.DataFrame], figure: Figure | None = None
) -> Figure:
    """Draw matrices of correlations between subtypes side by side, on one scale of colours.

    Parameters
    ----------
    correlations
        Mapping of a panel's title to a square table, from
        :func:`subtype_correlations`: the views first, the latent space last,
        for example.
    figure
        Figure to draw in; a new one by default.

    Raises
    ------
    ValueError
        If there is no table.

    Examples
    --------
    >>> table = pd.DataFrame([[1.0, 0.2], [0.2, 1.0]], index=["a", "b"], columns=["a", "b"])
    >>> figure = plot_subtype_correlations({"rna": table, "latent": table})
    >>> [ax.get_title(loc="left") for ax in figure.axes[:2]]
    ['rna', 'latent']
    """
    if not correlations:
        raise ValueError("there is nothing to draw: give at least one table of correlations")
    n_most = max(len(table) for table in correlations.values())
    named = {title: labels(table.index, 14) for title, table in correlations.items()}
    # Squares, with room for the longest name: below every panel, and left of the first.
    side = max(0.36 * min(n_most, 14), 1.6)
    room = 0.08 * max(len(name) for names in named.values() for name in names)
    own = figure is None
    figure, axes = panels(
        len(correlations), side + 0.3 + room / 4, side + 0.6 + room, figure=figure, columns=4
    )
    titles = labels(correlations, 18)
    if own:
        # As constrained, for axes of a fixed aspect.
        figure.set_layout_engine("compressed")
    for at, (title, table) in enumerate(correlations.items()):
        ax = axes[at]
        values = table.to_numpy(dtype=float)
        image = ax.imshow(values, cmap=DIVERGING, vmin=-1, vmax=1)
        names = named[title]
        ax.set_xticks(range(len(names)), labels=names, rotation=90)
        # The rows are named once per line of panels.
        ax.set_yticks(range(len(names)), labels=names if at % 4 == 0 else [])
        ax.tick_params(length=0, labelsize=8)
        ax.set_title(titles[at], loc="left", fontsize="medium")
        ax.spines[:].set_visible(False)
        # Beyond this many subtypes the numbers in the cells would not fit.
        if n_most > 8:
            continue
        for (row, column), value in np.ndenumerate(values):
            text = "–" if np.isnan(value) else f"{value:.2f}".replace("-", "−")
            ax.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                fontsize=7,
                color="white" if abs(value) > 0.65 else "black",
            )
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=25, pad=0.02)
    bar.set_label("Correlation of means", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    return figure
