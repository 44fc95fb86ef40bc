"""Figures as files, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

from poems.files.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["png", "svg", "pdf"]

# What matplotlib writes of its own accord, so that the same picture is the same file.
_UNDATED: Final[dict[Format, dict[str, None]]] = {
    "png": {},
    "svg": {"Date": None},
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
    import matplotlib

    figure = cast("Figure", drawn if hasattr(drawn, "savefig") else drawn.get_figure(root=True))
    files = []
    for kind in formats:
        path = stem.with_name(f"{stem.name}.{kind}")
        # Names within an SVG are drawn at random otherwise.
        salted = matplotlib.rc_context({"svg.hashsalt": "poems"})
        with salted, atomic_path(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=150, metadata=_UNDATED[kind])
        files.append(path)
    return files
