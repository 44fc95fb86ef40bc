"""What the plots share: colours that colour-blind readers can tell apart, and label texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Levels of a lineage, as "g__Blautia".
_BETWEEN_LEVELS: Final = re.compile(r" ?[;|] ?")
_LEVEL: Final = re.compile(r"[a-z]{1,2}__")

# Okabe & Ito (2008) without black, then Paul Tol's "muted" scheme; yellow last, for it is weak
# on white paper.
PALETTE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#332288",
    "#999933",
    "#882255",
    "#44AA99",
    "#CC6677",
    "#117733",
    "#AA4499",
    "#DDCC77",
    "#88CCEE",
    "#F0E442",
)

# Blue to red through white; its ends differ in lightness from its middle, not from each other.
DIVERGING = "RdBu_r"
SEQUENTIAL = "Blues"


def colours(names: Iterable[object]) -> dict[object, str]:
    """Return a colour for each distinct name, in order of appearance; they repeat after 16.

    Examples
    --------
    >>> colours(["a", "b", "a"])
    {'a': '#0072B2', 'b': '#E69F00'}
    """
    return {name: PALETTE[at % len(PALETTE)] for at, name in enumerate(dict.fromkeys(names))}


def label(name: object, width: int = 24) -> str:
    """Return ``name`` as a label of at most ``width`` characters, its middle left out if longer.

    The middle goes because names of features differ at either end; of a lineage, which tells by
    its end, the last levels stay, and as many before them as there is room for. Dollar
    signs are escaped: matplotlib would read a formula between them. Control
    characters, which no font has, are shown as such.

    Examples
    --------
    >>> label("cg00000029_TSS1500_chr16:53434200_N_Shore")
    'cg00000029_T…200_N_Shore'
    >>> label("d__Bacteria;p__Firmicutes_A;f__Lachnospiraceae;g__Roseburia")
    '…g__Roseburia'
    >>> print(label("$x"))
    \\$x
    """
    text = " ".join(str(name).split())
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    end = _last_levels(text, width) if len(text) > width else ""
    if end:
        text = f"…{end}"
    if len(text) > width:
        head = width // 2
        text = text[:head] + "…" + text[len(text) - (width - head - 1) :]
    return text.replace("$", r"\$")


def _last_levels(text: str, width: int) -> str:
    """Return the last levels of a lineage such as "p__Firmicutes;g__Blautia"; empty if it is none.

    >>> _last_levels("d__B;o__Clostridiales;f__Lachnospiraceae;g__", 24)
    'f__Lachnospiraceae;g__'
    """
    levels = _BETWEEN_LEVELS.split(text)
    if len(levels) < 3 or not all(map(_LEVEL.match, levels)):
        return ""
    # A level without a name says nothing by itself.
    last = next((at for at in range(len(levels) - 1, 0, -1) if len(levels[at]) > 3), 0)
    kept = levels[last:]
    for level in reversed(levels[:last]):
        if len(";".join([level, *kept])) >= width:
            break
        kept = [level, *kept]
    return ";".join(kept)


def labels(names: Iterable[object], width: int = 24) -> list[str]:
    """Return the labels of ``names``, told apart even where cutting makes them alike.

    They may be twice as wide if that is enough to tell them apart; otherwise
    those that collide are numbered.

    Examples
    --------
    >>> labels(["protein_1_normalised", "protein_2_normalised"], 10)
    ['protein_1_normalised', 'protein_2_normalised']
    >>> labels(["a" * 40 + "1" + "b" * 40, "a" * 40 + "2" + "b" * 40], 6)
    ['aaa…bb (1)', 'aaa…bb (2)']
    """
    texts = [str(name) for name in names]
    for room in (width, 2 * width):
        cut = [label(text, room) for text in texts]
        if len(set(cut)) == len(set(texts)):
            return cut
    cut = [label(text, width) for text in texts]
    return [
        f"{text} ({cut[: at + 1].count(text)})" if cut.count(text) > 1 else text
        for at, text in enumerate(cut)
    ]


def new_axes(width: float, height: float) -> Axes:
    """Return the axes of a new figure of ``width`` x ``height`` inches, apart from pyplot."""
    from matplotlib.figure import Figure

    axes: Axes = Figure(figsize=(width, height), layout="constrained").subplots()
    return axes


def panels(
    n_panels: int, width: float, height: float, *, figure: Figure | None = None, columns: int = 3
) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``n_panels`` axes, at most ``columns`` in a row, all of one size.

    Parameters
    ----------
    n_panels
        Axes wanted.
    width, height
        Inches for one of them.
    figure
        Figure to draw in; a new one, apart from pyplot, by default.
    columns
        Axes in a row, at most.

    Examples
    --------
    >>> figure, axes = panels(4, 3.0, 2.0)
    >>> len(axes), figure.get_size_inches().tolist()
    (4, [9.0, 4.0])
    """
    n_columns = max(min(n_panels, columns), 1)
    n_rows = max(-(-n_panels // n_columns), 1)
    if figure is None:
        from matplotlib.figure import Figure as NewFigure

        figure = NewFigure(figsize=(width * n_columns, height * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for ax in grid.flat[n_panels:]:
        ax.remove()
    return figure, list(grid.flat[:n_panels])
