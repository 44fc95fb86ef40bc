"""Samples in the plane of an embedding, coloured by subtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from poems.clustering.names import natural_order
from poems.plots.given import groups_of
from poems.plots.style import colours, label, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.subtypes.finding import Subtypes
    from poems.fitting.result import FittedPoems

# Shapes tell subtypes apart where colours repeat or are printed grey.
_MARKERS = "os^DvP*X<>hp"


def principal_plane(points: pd.DataFrame, name: str = "") -> pd.DataFrame:
    """Return the first two principal components of ``points``, with their shares of variance.

    Parameters
    ----------
    points
        Embedding of shape (n_samples, n_dimensions).
    name
        What the embedding is called in the columns' names.

    Returns
    -------
    DataFrame
        Shape (n_samples, 2); the columns' names state the share of variance.
        A component that the points do not have is zero. Each component is
        turned so that its largest coordinate is positive.

    Examples
    --------
    >>> list(principal_plane(pd.DataFrame({"x": [1.0, 2.0, 4.0]}), "latent").columns)
    ['PC1 of latent (100%)', 'PC2 of latent (0%)']
    """
    values = points.to_numpy(dtype=np.float64)
    left, singular, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    scores = np.zeros((len(values), 2))
    n_found = min(2, len(singular))
    scores[:, :n_found] = (left * singular)[:, :n_found]
    scores *= np.sign(scores[np.abs(scores).argmax(axis=0), [0, 1]] + 1e-300)
    shares = np.zeros(2)
    if singular.any():
        shares[:n_found] = (singular**2 / (singular**2).sum())[:n_found]
    of = f" of {name}" if name else ""
    columns = [f"PC{at + 1}{of} ({100 * share:.0f}%)" for at, share in enumerate(shares)]
    return pd.DataFrame(scores, index=points.index, columns=columns)


def centre_plane(points: pd.DataFrame, subtypes: pd.Series, name: str = "") -> pd.DataFrame:
    """Return ``points`` seen in the plane that spreads the subtypes' centres most.

    The principal plane of all samples need not show what sets subtypes apart;
    this one does. It was chosen for it: what it shows is no evidence that the
    subtypes are real.

    Parameters
    ----------
    points
        Embedding of shape (n_samples, n_dimensions).
    subtypes
        Subtype of each sample.
    name
        What the embedding is called in the columns' names.

    Returns
    -------
    DataFrame
        Shape (n_samples, 2). With two subtypes the second axis is the
        principal one of what the first leaves over.

    Examples
    --------
    >>> points = pd.DataFrame({"x": [0.0, 9.0, 0.0, 9.0], "y": [0.0, 0.0, 1.0, 1.0]})
    >>> plane = centre_plane(points, pd.Series(["S1", "S1", "S2", "S2"]))
    >>> plane.iloc[:, 0].abs().round(6).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    values = points.to_numpy(dtype=np.float64)
    values = values - values.mean(axis=0)
    if not values.size:
        values = np.zeros((len(values), 1))
    groups = subtypes.reindex(points.index)
    centres = pd.DataFrame(values, index=points.index).groupby(groups).transform("mean")
    # Samples without a subtype are at the common mean, 0, and turn no axis.
    _, singular, axes = np.linalg.svd(np.nan_to_num(centres.to_numpy()), full_matrices=False)
    axes = axes[:2][singular[:2] > 1e-9 * max(singular[0], 1e-300)]
    if len(axes) < 2:
        left_over = values - values @ axes.T @ axes
        axes = np.vstack([axes, np.linalg.svd(left_over, full_matrices=False)[2]])[:2]
    scores = np.zeros((len(values), 2))
    scores[:, : len(axes)] = values @ axes.T
    total = (values**2).sum() or 1.0
    of = f" of {name}" if name else ""
    columns = [
        f"Between subtypes {at + 1} ({100 * (scores[:, at] ** 2).sum() / total:.0f}%{of})"
        for at in range(2)
    ]
    return pd.DataFrame(scores, index=points.index, columns=columns)


def plot_latent(
    plane: FittedPoems | pd.DataFrame,
    subtypes: pd.Series | Subtypes | None = None,
    ax: Axes | None = None,
    *,
    without: str = "no subtype",
) -> Axes:
    """Draw samples as points in a plane, coloured and shaped by subtype.

    Parameters
    ----------
    plane
        Two columns, as from :func:`principal_plane` or :func:`centre_plane`;
        they name the axes. Of a model, the principal plane of its default embedding.
    subtypes
        Subtype by sample; ``None`` draws all alike. Samples without one are
        drawn grey.
    ax
        Axes to draw in; new ones by default.
    without
        What the samples without a subtype are called.
    """
    plane, subtypes = plane_of(plane), groups_of(subtypes)
    ax = new_axes(6.0, 4.6) if ax is None else ax
    x, y = plane.columns[:2]
    # Of a marker: points, not data.
    size = float(np.clip(9000 / max(len(plane), 1), 6, 40))
    style: dict[str, Any] = {"s": size, "alpha": 0.85, "linewidths": 0.3, "edgecolors": "white"}
    if subtypes is None:
        ax.scatter(plane[x], plane[y], color="#0072B2", **style)
    else:
        groups = subtypes.reindex(plane.index)
        _draw_groups(ax, plane, groups, style, without)
    ax.set_xlabel(label(x, 40))
    ax.set_ylabel(label(y, 40))
    ax.set_aspect("equal", adjustable="datalim")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plane_of(given: FittedPoems | pd.DataFrame) -> pd.DataFrame:
    """Return a plane of samples: the one given, or the principal one of a model's embedding.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if isinstance(given, pd.DataFrame):
        return given
    return principal_plane(points_of(given), given.default_metric)


def points_of(given: FittedPoems | pd.DataFrame) -> pd.DataFrame:
    """Return points (n_samples, n_dimensions): those given, or a model's default embedding.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if isinstance(given, pd.DataFrame):
        return given
    if not hasattr(given, "embedding"):
        raise TypeError(
            "expected a fitted model or a table (pandas DataFrame) of points, not a "
            f"{type(given).__name__}"
        )
    return given.embedding()


def _draw_groups(
    ax: Axes, plane: pd.DataFrame, groups: pd.Series, style: dict[str, Any], without: str
) -> None:
    x, y = plane.columns[:2]
    alone = plane.loc[groups.isna()]
    if len(alone):
        ax.scatter(alone[x], alone[y], color="#BBBBBB", label=f"{without} ({len(alone)})", **style)
    palette = colours(sorted(groups.dropna().unique(), key=natural_order))
    for at, (name, colour) in enumerate(palette.items()):
        found = plane.loc[groups == name]
        marker = _MARKERS[at % len(_MARKERS)]
        text = f"{label(name)} ({len(found)})"
        ax.scatter(found[x], found[y], color=colour, marker=marker, label=text, **style)
    ax.legend(
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize="small",
        markerscale=(30.0 / style["s"]) ** 0.5,
        ncols=-(-len(palette) // 18) or 1,
    )
