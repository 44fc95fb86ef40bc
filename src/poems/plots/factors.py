"""The factors: what each explains of each omic, and which clinical columns it goes with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.clustering.names import natural_order
from poems.plots.given import table_of
from poems.plots.matrix import (
    SMALL,
    colour_bar,
    draw_matrix,
    factor_numbers,
    matrix_axes,
    nothing,
)
from poems.plots.style import DIVERGING, SEQUENTIAL, labels
from poems.settings.rates import FDR_OBS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.factors.associations import Associations
    from poems.analysis.factors.variance import VarianceExplained

_ALL: Final = "all"
# Columns of the obs table that are drawn, at most: those that go with a factor most.
_MOST_COLUMNS: Final = 25


def plot_variance(found: VarianceExplained | pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how much of each omic's variance each factor explains, and all of them together.

    A row per factor, a column per omic, per cent in the cells; the last row is of all factors
    and has no colour, for it would outshine the others. Grey: the omic was not measured.

    Parameters
    ----------
    found
        Of :func:`poems.analysis.factors.variance.variance_explained`, or its table.
    ax
        Axes to draw in; new ones by default.

    Examples
    --------
    >>> table = pd.DataFrame({"factor": ["factor_1", "all"], "view": "rna", "r2": [0.1, 0.3]})
    >>> [text.get_text() for text in plot_variance(table).texts]
    ['10', '30']
    """
    table = table_of(found, "table")
    wide = table.pivot(index="factor", columns="view", values="r2")
    wide = wide.reindex(index=table["factor"].unique(), columns=table["view"].unique())
    rows, columns = factor_numbers(wide.index), labels(wide.columns, 18)
    ax = matrix_axes(rows, columns, width=0.42) if ax is None else ax
    if wide.empty:
        return nothing(ax, "no factor is left")
    shares = wide.to_numpy(dtype=float)
    of_all = np.array([name == _ALL for name in wide.index])
    single = shares[~of_all]
    top = max(float(np.nanmax(single, initial=0.0)), 1e-3)
    shown = np.where(of_all[:, None] & ~np.isnan(shares), 0.0, shares)
    image = draw_matrix(ax, 100 * shown, rows, columns, cmap=SEQUENTIAL, vmin=0, vmax=100 * top)
    for (row, column), share in np.ndenumerate(shares):
        if not np.isnan(share):
            dark = not of_all[row] and share > 0.6 * top
            ax.text(
                *(column, row, f"{100 * share:.0f}".replace("-0", "0")),
                ha="center",
                va="center",
                fontsize=SMALL,
                fontweight="bold" if of_all[row] else "normal",
                color="white" if dark else "black",
            )
    if of_all.any():
        ax.axhline(float(np.flatnonzero(of_all)[0]) - 0.5, color="black", linewidth=0.8)
    ax.set_ylabel("Factor", fontsize=SMALL + 1)
    colour_bar(ax, image, "Explained (%)")
    return ax


def plot_associations(
    found: Associations | pd.DataFrame, ax: Axes | None = None, *, fdr: float = FDR_OBS
) -> Axes:
    """Draw how closely factors go with columns of the obs table, such as clinical ones.

    A row per column, a column per factor. Colour is the size of the association: Spearman's rho
    of numbers, red where both rise together; of groups, which have no direction, the
    rank-biserial correlation or epsilon squared. A dot marks those at the false discovery rate.

    Parameters
    ----------
    found
        Of :func:`poems.analysis.factors.associations.associate`, or its table.
    ax
        Axes to draw in; new ones by default.
    fdr
        False discovery rate at which an association is marked.

    Examples
    --------
    >>> table = pd.DataFrame({"factor": "factor_1", "column": ["age", "sex"]})
    >>> table[["effect", "p", "q"]] = [[-0.8, 1e-6, 1e-5], [0.1, 0.5, 0.6]]
    >>> [text.get_text() for text in plot_associations(table).get_yticklabels()]
    ['age', 'sex']
    """
    table = table_of(found, "table")
    known = table.dropna(subset=["p"])
    order = known.groupby("column", sort=False)["p"].min().sort_values(kind="stable").index
    drawn = order[:_MOST_COLUMNS]
    factors = sorted(dict.fromkeys(table["factor"]), key=natural_order)
    rows, columns = labels(drawn, 20), factor_numbers(factors)
    ax = matrix_axes(rows, columns, width=0.18) if ax is None else ax
    if not len(drawn):
        return nothing(ax, "no column could be tested")
    cells = known.set_index(["column", "factor"])
    wide = cells["effect"].unstack().reindex(index=drawn, columns=factors)
    q = cells["q"].unstack().reindex(index=drawn, columns=factors).to_numpy(dtype=float)
    image = draw_matrix(
        ax, wide.to_numpy(dtype=float), rows, columns, cmap=DIVERGING, vmin=-1, vmax=1
    )
    marked = np.argwhere(q <= fdr)
    ax.scatter(marked[:, 1], marked[:, 0], s=7, color="black", linewidths=0)
    more = len(order) - len(drawn)
    ax.set_xlabel(
        "Factor" + (f"; {more} columns less close are not shown" if more else ""),
        fontsize=SMALL + 1,
    )
    colour_bar(ax, image, "Size of the association", below=True)
    return ax
