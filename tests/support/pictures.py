"""Figures that are not rendered twice, or not at all: half of what a run's folder costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

import poems.plots.saving

# One white dot.
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415478da63"
    "f8ffff3f0005fe02fe331295140000000049454e44ae426082"
)
_EMPTY = {"png": _PNG, "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>", "pdf": b"%PDF-1.4"}


@contextmanager
def unrendered() -> Iterator[None]:
    """Make the figures, but write an empty picture of each: for tests of something else."""
    with _written_by(lambda figure, kind, dpi, write: _EMPTY[kind]):
        yield


@contextmanager
def rendered_once() -> Iterator[None]:
    """Render one figure of every make; others of it are written as the first was.

    For tests of what cannot be drawn: that is a matter of what is missing from a figure, or
    alone in it, and not of its numbers.
    """
    known: dict[tuple[str, str], bytes] = {}

    def content(figure: Figure, kind: str, dpi: float, write: Callable[..., None]) -> bytes:
        key = (make_of(figure), kind)
        if key not in known:
            target = BytesIO()
            write(figure, target, kind, dpi=dpi)
            known[key] = target.getvalue()
        return known[key]

    with _written_by(content):
        yield


def make_of(figure: Figure) -> str:
    """Say of which parts a figure is made, and which of them are empty, single or constant."""
    parts = []
    for axes in figure.axes:
        scales = f"{axes.get_xscale()} {axes.get_yscale()} {bool(axes.get_legend())}"
        own = {_part(each) for each in axes.get_children() if not isinstance(each, Axis)}
        parts.append(" ".join([scales, *sorted(own)]))
    return "\n".join(dict.fromkeys(parts))


def _part(artist: Artist) -> str:
    content: Any = ""
    if isinstance(artist, Text):
        text = artist.get_text()
        content = (bool(text), "$" in text, text.isascii())
    elif isinstance(artist, Line2D):
        content = _sort(artist.get_xydata())
    elif isinstance(artist, Collection):
        content = (_sort(artist.get_offsets()), min(len(artist.get_paths()), 2))
    elif isinstance(artist, AxesImage):
        content = _sort(artist.get_array())
    elif isinstance(artist, Patch):
        content = _sort(artist.get_path().vertices)
    return f"{type(artist).__name__} {content}"


def _sort(values: object) -> tuple[bool, ...]:
    """Say whether there are any numbers, in more than one row, some column alike, all finite."""
    found = np.atleast_2d(np.asarray(values, dtype=float))
    alike = bool((found == found[:1]).all(axis=0).any())
    return found.size > 0, len(found) > 1, alike, bool(np.isfinite(found).all())


@contextmanager
def _written_by(content: Callable[..., bytes]) -> Iterator[None]:
    write = poems.plots.saving.write_figure

    def written(figure: Figure, target: Path | BytesIO, kind: str, *, dpi: float) -> None:
        found = content(figure, kind, dpi, write)
        if isinstance(target, BytesIO):
            target.write(found)
        else:
            target.write_bytes(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(poems.plots.saving, "write_figure", written)
        yield
