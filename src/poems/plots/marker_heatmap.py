"""Values of markers sample by sample, grouped by subtype, under bars of annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.names import natural_order
from poems.plots.given import groups_of
from poems.plots.matrix import CHARACTER, ROW, SMALL, colour_bar, nothing
from poems.plots.style import DIVERGING, PALETTE, colours, label, labels, new_axes
from poems.wording import general

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.subtypes.finding import Subtypes

# Standard deviations at which the colours end.
_FULL: Final = 2.5
_UNKNOWN: Final = (0.9, 0.9, 0.9)
# Groups of an annotation that have a colour of their own, at most.
_MOST_GROUPS: Final = 6
_MOST_BARS: Final = 4


def plot_marker_heatmap(
    values: pd.DataFrame,
    subtypes: pd.Series | Subtypes,
    obs: pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw values of features (rows) in samples (columns), which are grouped by subtype.

    The first bar above them is of the subtypes; up to 4 more are of columns of the obs table:
    groups by colour, numbers from white to black, grey where unknown. Within a subtype samples
    go by the mean of its own rows, so that its markers stand out as a step.

    Parameters
    ----------
    values
        A row per feature, in standard deviations, a column per sample; NaN where not measured.
        Rows are named by (view, feature), or by the feature alone.
    subtypes
        Subtype by sample; samples without one are left out.
    obs
        Columns to show as bars, a row per sample.
    ax
        Axes to draw in; new ones by default.

    Examples
    --------
    >>> values = pd.DataFrame([[1.0, -1.0, 0.0]], index=["ESR1"], columns=["a", "b", "c"])
    >>> ax = plot_marker_heatmap(values, pd.Series(["S1", "S2", "S2"], index=["a", "b", "c"]))
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['Subtype', 'ESR1']
    """
    group = groups_of(subtypes)
    assert group is not None
    found = group.reindex(values.columns).dropna().astype(str)
    names = sorted(found.unique(), key=natural_order)
    bars = [] if obs is None else [obs.iloc[:, at] for at in range(min(obs.shape[1], _MOST_BARS))]
    rows = labels(_features(values.index), 20)
    titles = [*labels([str(each.name) for each in bars], 20), "Subtype"]
    if ax is None:
        widest = max(len(text) for text in [*rows, *titles])
        height = 1.2 + 0.8 * ROW * (len(rows) + len(titles)) + 0.17 * _legend_rows(bars)
        ax = new_axes(max(3.1, 1.2 + 0.28 * len(names)) + CHARACTER * widest, height)
    if not names or not len(rows):
        return nothing(ax, "no feature marks a subtype")
    order = _order(values, found, names)
    drawn = values[order].to_numpy(dtype=float)
    ax.set_facecolor(_UNKNOWN)
    image = ax.imshow(
        np.ma.masked_invalid(drawn), aspect="auto", interpolation="nearest", cmap=DIVERGING,
        vmin=-_FULL, vmax=_FULL, extent=(-0.5, len(order) - 0.5, len(rows) - 0.5, -0.5),
    )  # fmt: skip
    palette = colours(names)
    strips = [*[_colours(each.reindex(order)) for each in bars], found[order].map(palette)]
    for at, strip in enumerate(strips):
        _draw_bar(ax, strip, at - len(strips))
    _name_rows(ax, titles, rows)
    _name_groups(ax, found[order], names, -len(strips) - 0.6)
    ax.set_xlim(-0.5, len(order) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -len(strips) - 0.6)
    ax.set_xticks([])
    ax.set_xlabel(f"{len(order)} samples by subtype", fontsize=SMALL + 1)
    ax.spines[:].set_visible(False)
    colour_bar(ax, image, "Standard deviations from the mean")
    _legend(ax, bars)
    return ax


def _features(index: pd.Index) -> list[object]:
    return [name[-1] if isinstance(name, tuple) else name for name in index]


def _order(values: pd.DataFrame, found: pd.Series, names: Sequence[str]) -> pd.Index:
    """Samples by subtype, then by the mean of the rows that are highest in their subtype."""
    means = values.T.groupby(found, sort=False).mean().T
    # Rows that are known nowhere mark no subtype.
    highest = means.dropna(how="all").fillna(-np.inf).idxmax(axis=1)
    parts = []
    for name in names:
        own = found.index[found == name]
        rows = highest.index[highest == name]
        score = values.loc[rows, own].mean() if len(rows) else pd.Series(0.0, own)
        parts.append(score.fillna(0.0).sort_values(ascending=False, kind="stable").index)
    return parts[0].append(parts[1:])


def _colours(column: pd.Series) -> pd.Series:
    """Return the colour of each sample by a column: of its group, or a grey by its number."""
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > _MOST_GROUPS:
        low, high = column.min(), column.max()
        return column.map(
            lambda x: None if pd.isna(x) else str(1 - (x - low) / ((high - low) or 1.0)),
            na_action=None,
        )
    palette = _palette(column)
    return column.map(lambda x: None if pd.isna(x) else palette.get(_text(x), "0.55"))


def _palette(column: pd.Series) -> dict[str, str]:
    """Colours of the commonest groups; from the end of the palette, not to look like subtypes."""
    common = column.dropna().map(_text).value_counts().index[:_MOST_GROUPS]
    return {name: PALETTE[-1 - at] for at, name in enumerate(sorted(common, key=natural_order))}


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _draw_bar(ax: Axes, colours_of: pd.Series, row: int) -> None:
    from matplotlib.colors import to_rgb

    cells: npt.NDArray[Any] = np.array(
        [_UNKNOWN if pd.isna(colour) else to_rgb(colour) for colour in colours_of]
    )
    extent = (-0.5, len(cells) - 0.5, row + 0.4, row - 0.4)
    ax.imshow(cells[None], aspect="auto", interpolation="nearest", extent=extent)


def _name_rows(ax: Axes, titles: Sequence[str], rows: Sequence[str]) -> None:
    at = [*range(-len(titles), 0), *range(len(rows))]
    ax.set_yticks(at, labels=[*titles, *rows])
    ax.tick_params(axis="y", length=0, labelsize=SMALL - 0.5)


def _name_groups(ax: Axes, found: pd.Series, names: Sequence[str], top: float) -> None:
    """Name the subtypes above their samples; of many thin ones every so many on a line of two."""
    sizes = found.value_counts().reindex(list(names)).to_numpy()
    edges = np.concatenate([[0], np.cumsum(sizes)])
    for edge in edges[1:-1]:
        ax.axvline(edge - 0.5, color="black", linewidth=0.7)
    last = -np.inf
    for name, start, end in zip(names, edges[:-1], edges[1:], strict=True):
        text = label(name, 8)
        middle = (start + end - 1) / 2
        half = 0.014 * len(found) * (len(text) + 1)
        if middle - half < last:
            continue
        last = middle + half
        ax.text(middle, top, text, ha="center", va="bottom", fontsize=SMALL - 0.5)


def _legend_rows(bars: Sequence[pd.Series]) -> int:
    return sum(_entries(each) for each in bars)


def _entries(column: pd.Series) -> int:
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > _MOST_GROUPS:
        return 1
    return len(_palette(column)) + 1


def _legend(ax: Axes, bars: Sequence[pd.Series]) -> None:
    """Explain the bars below the map, a line each entry: names may be long."""
    from matplotlib.lines import Line2D

    entries: list[tuple[Any, str]] = []
    blank = Line2D([], [], linestyle="none")
    for column in bars:
        name = label(str(column.name), 24)
        if pd.api.types.is_numeric_dtype(column) and column.nunique() > _MOST_GROUPS:
            low, high = column.min(), column.max()
            entries.append((blank, f"{name}: {general(low)} (white) to {general(high)} (black)"))
            continue
        entries.append((blank, f"{name}:"))
        for group, colour in _palette(column).items():
            square = Line2D([], [], marker="s", linestyle="none", color=colour, markersize=5)
            entries.append((square, label(group, 24)))
    if entries:
        ax.legend(
            *zip(*entries, strict=True), loc="upper center", bbox_to_anchor=(0.5, -0.03),
            frameon=False, fontsize=SMALL - 0.5, labelspacing=0.25, handletextpad=0.2,
            alignment="left",
        )  # fmt: skip
