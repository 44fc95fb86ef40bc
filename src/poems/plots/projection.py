"""An embedding in the plane by t-SNE, UMAP or principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from poems.errors import DataError, SettingsError
from poems.plots.latent import plot_latent, points_of, principal_plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.subtypes.finding import Subtypes
    from poems.fitting.result import FittedPoems

Projector = Literal["tsne", "umap", "pca"]

# The paper's perplexity of t-SNE and neighbours of UMAP, for cohorts that are large enough.
_PERPLEXITY = 40.0
_NEIGHBOURS = 15
_FEWEST = 4


def tsne_plane(points: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Compute a t-SNE map (van der Maaten and Hinton, 2008) from the principal plane.

    Distances between far groups, and the sizes of groups, mean little in it.

    Parameters
    ----------
    points
        Embedding of shape (n_samples, n_dimensions).
    seed
        Seed of the descent.

    Returns
    -------
    DataFrame
        Shape (n_samples, 2), columns ``"t-SNE 1"`` and ``"t-SNE 2"``.

    Raises
    ------
    DataError
        If there are fewer than 4 samples, or a point is not finite.

    Examples
    --------
    >>> points = pd.DataFrame(np.random.default_rng(0).standard_normal((20, 3)))
    >>> tsne_plane(points).shape
    (20, 2)
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    values = _checked(points)
    # At most a third of the samples, as its authors advise.
    perplexity = min(_PERPLEXITY, (len(values) - 1) / 3)
    start = principal_plane(points).to_numpy()
    start *= 1e-4 / (start[:, 0].std() or 1.0)
    # Threads that wait for each other take a hundred times as long on a busy machine.
    with threadpool_limits(limits=1):
        map_ = TSNE(2, perplexity=perplexity, init=start, random_state=seed)
        plane = map_.fit_transform(values)
    return pd.DataFrame(plane, index=points.index, columns=["t-SNE 1", "t-SNE 2"])


def umap_plane(points: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Compute a UMAP map (McInnes, Healy and Melville, arXiv 1802.03426).

    Distances between far groups, and the sizes of groups, mean little in it.

    Parameters
    ----------
    points
        Embedding of shape (n_samples, n_dimensions).
    seed
        Seed of the descent.

    Returns
    -------
    DataFrame
        Shape (n_samples, 2), columns ``"UMAP 1"`` and ``"UMAP 2"``.

    Raises
    ------
    SettingsError
        If umap-learn is not installed.
    DataError
        If there are fewer than 4 samples, or a point is not finite.

    Examples
    --------
    >>> umap_plane(pd.DataFrame([[0.0], [1.0]]))
    Traceback (most recent call last):
    poems.errors.DataError: a map needs at least 4 samples, not 2
    """
    values = _checked(points)
    try:
        from umap import UMAP
    except ImportError as error:
        raise SettingsError(
            "UMAP needs the package umap-learn, which is not installed: "
            "pip install 'poems-omics[umap]', or draw another map (tsne, pca)"
        ) from error
    # A random start for small cohorts: the spectral one needs more samples than dimensions.
    few = len(values) < 30
    reducer = UMAP(
        n_neighbors=min(_NEIGHBOURS, len(values) - 1),
        init="random" if few else "spectral",
        random_state=seed,
        n_jobs=1,
    )
    plane = np.asarray(reducer.fit_transform(values), dtype=np.float64)
    return pd.DataFrame(plane, index=points.index, columns=["UMAP 1", "UMAP 2"])


def plot_projection(
    points: FittedPoems | pd.DataFrame,
    subtypes: pd.Series | Subtypes | None = None,
    method: Projector = "tsne",
    *,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw an embedding in a plane, coloured and shaped by subtype.

    Parameters
    ----------
    points
        A model, for its default embedding, or points of shape (n_samples, n_dimensions).
    subtypes
        Subtype by sample; ``None`` draws all alike.
    method
        ``"tsne"``, ``"umap"`` (needs umap-learn) or ``"pca"``.
    seed
        Seed of the map.
    ax
        Axes to draw in; new ones by default.

    Raises
    ------
    SettingsError
        If the method is unknown, or umap-learn is needed and not installed.
    DataError
        If there are too few samples, or a point is not finite.

    Examples
    --------
    >>> points = pd.DataFrame(np.random.default_rng(0).standard_normal((20, 3)))
    >>> plot_projection(points, method="pca").get_xlabel()[:3]
    'PC1'
    """
    points = points_of(points)
    if method == "tsne":
        plane = tsne_plane(points, seed=seed)
    elif method == "umap":
        plane = umap_plane(points, seed=seed)
    elif method == "pca":
        plane = principal_plane(points)
    else:
        raise SettingsError(f"no map '{method}'; there are tsne, umap, pca")
    ax = plot_latent(plane, subtypes, ax)
    if method != "pca":
        # Where these maps lie, and how they are turned, means nothing.
        ax.set_xticks([])
        ax.set_yticks([])
    return ax


def plot_umap(
    points: FittedPoems | pd.DataFrame,
    subtypes: pd.Series | Subtypes | None = None,
    ax: Axes | None = None,
    *,
    seed: int = 0,
) -> Axes:
    """Draw a UMAP map of a model's embedding, as :func:`plot_projection` does.

    Raises
    ------
    SettingsError
        If umap-learn is not installed.
    DataError
        If there are too few samples, or a point is not finite.
    """
    return plot_projection(points, subtypes, "umap", seed=seed, ax=ax)


def plot_tsne(
    points: FittedPoems | pd.DataFrame,
    subtypes: pd.Series | Subtypes | None = None,
    ax: Axes | None = None,
    *,
    seed: int = 0,
) -> Axes:
    """Draw a t-SNE map of a model's embedding, as :func:`plot_projection` does.

    Raises
    ------
    DataError
        If there are too few samples, or a point is not finite.
    """
    return plot_projection(points, subtypes, "tsne", seed=seed, ax=ax)


def _checked(points: pd.DataFrame) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    values = points.to_numpy(dtype=np.float64)
    if len(values) < _FEWEST:
        raise DataError(f"a map needs at least {_FEWEST} samples, not {len(values)}")
    wrong = int((~np.isfinite(values)).any(axis=1).sum())
    if wrong:
        raise DataError(f"{wrong} of {len(values)} points are not finite; leave those samples out")
    return values
