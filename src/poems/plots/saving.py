"""Figures as files, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from poems.files.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["png", "svg", "pdf"]

# What matplotlib writes of its own accord, so that the same picture is the same file.
_UNDATED: Final[dict[Format, dict[str, Any]]] = {
    "png": {},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None},
}


def save_figure(
    drawn: Axes | Figure, stem: Path, formats: Iterable[Format] = ("png",)
) -> list[Path]:
    """Write a figure once for each format; return the files.

    Parameters
    ----------
    drawn
        A figure, or axes of it.
    stem
        The file without the ending of its name.
    formats
        ``"png"``, or ``"svg"`` and ``"pdf"``, which can be scaled and edited.

    Examples
    --------
    >>> import tempfile
    >>> from matplotlib.figure import Figure
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = save_figure(Figure(), Path(folder) / "a.b", ["png", "svg"])
    ...     [file.name for file in files]
    ['a.b.png', 'a.b.svg']
    """
    figure = figure_of(drawn)
    files = []
    for kind in formats:
        path = stem.with_name(f"{stem.name}.{kind}")
        with atomic_path(path) as temporary:
            write_figure(figure, temporary, kind, dpi=150)
        files.append(path)
    return files


def figure_of(drawn: Axes | Figure) -> Figure:
    """Return the figure of axes, or the figure itself."""
    return cast("Figure", drawn if hasattr(drawn, "savefig") else drawn.get_figure(root=True))


def with_empty_titles_settled(figure: Figure) -> Figure:
    """Give empty titles and labels of axes a fixed place, of a figure that is only to be written.

    For each that has none matplotlib measures all ticks once more, to find a place for nothing:
    a tenth of the time that a figure takes. The picture is the same.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> figure = Figure()
    >>> _ = figure.subplots().set_ylabel("share")
    >>> with_empty_titles_settled(figure).axes[0].get_ylabel()
    'share'
    """
    for ax in figure.axes:
        if not any(ax.get_title(where) for where in ("left", "center", "right")):
            ax.set_title("", y=1.0)
        for axis in (ax.xaxis, ax.yaxis):
            if not axis.get_label_text():
                axis.set_label_coords(0.5, 0.5)
    return figure


def write_figure(figure: Figure, target: Path | BytesIO, kind: Format, *, dpi: float) -> None:
    """Write a figure in one pass, where ``savefig`` makes two: one for the layout, one to draw.

    Parameters
    ----------
    figure
        The figure; left as it was.
    target
        A file, or bytes in memory.
    kind
        Format of the file.
    dpi
        Dots per inch of a PNG, and of what is a picture of dots within an SVG.
    """
    import matplotlib

    if kind == "pdf":
        figure.savefig(target, format=kind, metadata=_UNDATED[kind])
        return
    canvas: Any = figure.canvas
    before = figure.dpi
    try:
        figure.dpi = dpi
        if kind == "svg":
            from matplotlib.backends.backend_svg import FigureCanvasSVG

            drawing: Any = FigureCanvasSVG(figure)
            # Names within an SVG are drawn at random otherwise.
            with matplotlib.rc_context({"svg.hashsalt": "poems"}):
                drawing.print_svg(target, metadata=_UNDATED[kind])
        else:
            from matplotlib.backends.backend_agg import FigureCanvasAgg

            drawing = FigureCanvasAgg(figure)
            drawing.print_png(target, metadata=_UNDATED[kind])
    finally:
        figure.dpi = before
        figure.set_canvas(canvas)
