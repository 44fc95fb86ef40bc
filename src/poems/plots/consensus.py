"""How often refits, or subsamples, put two samples together."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.names import natural_order
from poems.plots.given import groups_of, table_of
from poems.plots.style import SEQUENTIAL, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.subtypes.assessment import SubtypeAssessment


def plot_consensus(
    matrix: SubtypeAssessment | pd.DataFrame,
    subtypes: pd.Series | None = None,
    ax: Axes | None = None,
    *,
    of: str = "refits",
) -> Axes:
    """Draw a co-association matrix, samples grouped by subtype.

    Within a subtype samples stand in the order of an average-linkage tree, so
    that those that always go together are neighbours.

    Parameters
    ----------
    matrix
        Share of refits in which two samples lie in one cluster, of shape
        (n_samples, n_samples).
    subtypes
        Subtype by sample; ``None`` draws one group.
    ax
        Axes to draw in; new ones by default.
    of
        What clustered the samples again and again, for the label.
    """
    matrix = table_of(matrix, "consensus")
    subtypes = groups_of(subtypes)
    if ax is None:
        from matplotlib.figure import Figure

        # As constrained, for axes of a fixed aspect.
        ax = Figure(figsize=(4.8, 4.2), layout="compressed").subplots()
    values = matrix.to_numpy(dtype=float)
    group = np.full(len(matrix), "") if subtypes is None else subtypes.loc[matrix.index].astype(str)
    names = sorted(set(group), key=natural_order)
    blocks = [_tree_order(values, np.flatnonzero(np.asarray(group) == name)) for name in names]
    order = np.concatenate(blocks)
    image = ax.imshow(
        values[np.ix_(order, order)], cmap=SEQUENTIAL, vmin=0, vmax=1, interpolation="nearest"
    )
    edges = np.cumsum([0, *map(len, blocks)]) - 0.5
    for edge in edges[1:-1]:
        ax.axhline(edge, color="black", linewidth=0.8)
        ax.axvline(edge, color="black", linewidth=0.8)
    if names != [""]:
        middles = [(start + end) / 2 for start, end in pairwise(edges)]
        texts = [label(name, 12) for name in names]
        ax.set_xticks(middles, labels=texts)
        ax.set_yticks(middles, labels=texts)
        ax.tick_params(length=0)
    else:
        ax.set_xticks([])
        ax.set_yticks([])
    ax.set_xlabel(f"{len(matrix)} samples" + ("" if names == [""] else " by subtype"))
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
    bar.set_label(f"Share of {of} that put both in one cluster")
    return ax


def _tree_order(
    values: npt.NDArray[np.float64], rows: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """Order the samples at ``rows`` as the leaves of an average-linkage tree."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(rows) < 3:
        return rows
    distance = squareform(1.0 - values[np.ix_(rows, rows)], checks=False)
    leaves = leaves_list(linkage(distance, method="average"))
    return np.asarray(rows[leaves], dtype=np.intp)
