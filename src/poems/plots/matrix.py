"""Heat maps whose every row and column is named, narrow enough for a telephone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from poems.plots.style import label, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

# Inches for a row, a column, and a character of a label in small print.
ROW: Final = 0.2
COLUMN: Final = 0.22
CHARACTER: Final = 0.075
SMALL: Final = 7.5
_BAR: Final = 2.2
# A cell without a value.
UNKNOWN: Final = "0.88"


def matrix_axes(rows: Sequence[str], columns: Sequence[str], *, width: float = COLUMN) -> Axes:
    """Return new axes that have room for a matrix with these labels and a bar of colours."""
    left = CHARACTER * max((len(text) for text in rows), default=0)
    below = CHARACTER * max((len(text) for text in columns), default=0)
    return new_axes(
        max(left + width * len(columns) + 1.1, 3.2), max(ROW * len(rows) + below + 0.9, 1.8)
    )


def draw_matrix(
    ax: Axes,
    values: npt.NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    **style: Any,
) -> AxesImage:
    """Draw values (n_rows, n_columns) as colours and name rows and columns; NaN is grey."""
    ax.set_facecolor(UNKNOWN)
    image = ax.imshow(np.ma.masked_invalid(values), aspect="auto", interpolation="nearest", **style)
    ax.set_yticks(range(len(rows)), labels=rows)
    upright = max((len(text) for text in columns), default=0) > 2
    ax.set_xticks(range(len(columns)), labels=columns, rotation=90 if upright else 0)
    ax.tick_params(length=0, labelsize=SMALL)
    ax.spines[:].set_visible(False)
    return image


def colour_bar(ax: Axes, image: Any, text: str, *, below: bool = False) -> None:
    """Explain the colours of a matrix in a bar beside it, or below it where that is wide."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    place: Any = {"location": "bottom", "pad": 0.06} if below else {"pad": 0.03}
    # No longer than it takes to read it, however high the map is.
    length = min(0.8, _BAR / (figure.get_figwidth() if below else figure.get_figheight()))
    bar = figure.colorbar(image, ax=ax, shrink=length, aspect=16, **place)
    bar.set_label(text, fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL - 0.5)
    bar.outline.set_visible(False)


def factor_numbers(names: Iterable[object]) -> list[str]:
    """Return the numbers of factors, which stand where the axis says that they are factors.

    >>> factor_numbers(["factor_1", "all"])
    ['1', 'all']
    """
    return [label(str(name).removeprefix("factor_"), 10) for name in names]


def nothing(ax: Axes, text: str) -> Axes:
    """Say in an empty picture why it is empty."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, wrap=True)
    return ax
