"""From matplotlib to a picture in the page, without a file beside it."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from poems.report.blocks import Picture

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI: Final = 96
# Letters of fewer pixels are not read, and a telephone gives a picture that much room.
_LEAST_LETTER: Final = 8.0
_PHONE: Final = 337
# Inches of a picture whose letters of 8 points are read there: what has panels side by side, or
# stands on the first screen, is no wider, for no part of it may be out of sight.
PHONE_WIDTH: Final = 4.6
_MISSING: Final = r"Glyph .* missing from font"
# Points of a figure beyond which they are pixels of its SVG, and points of a part that stay lines.
_MOST_POINTS: Final = 400
_FEW_POINTS: Final = 8


def picture(
    picture_id: str,
    draw: Callable[[], Axes | Figure],
    alt: str,
    caption: str,
    *,
    many_points: bool = False,
    where: str = "",
) -> Picture:
    """Return a drawing as a picture of the page.

    As SVG, which stays sharp but for what is of very many points, or as PNG where
    that would be large all the same. It is an image of its own: nothing in it can touch the
    page, and its ids are none of the page's. Where matplotlib's font lacks a
    character of a name, the texts of an SVG are left to the reader's fonts.

    Parameters
    ----------
    picture_id
        Unique in the page.
    draw
        Draws by matplotlib.
    alt, caption
        What it shows, in words; the caption is printed below it.
    many_points
        Make it a PNG.
    where
        The file that holds its numbers.
    """
    from poems.plots.saving import figure_of, with_empty_titles_settled

    # Recorded, to draw anew where a glyph is missing; all others are given on below.
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", message=_MISSING)
        figure = with_empty_titles_settled(figure_of(draw()))
        _dots_as_pixels(figure)
        content = _saved(figure, many_points, "path")
        if any(re.match(_MISSING, str(each.message)) for each in caught) and not many_points:
            content = _saved(figure, many_points, "none")
    for each in caught:
        if not re.match(_MISSING, str(each.message)):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    width = round(float(figure.get_size_inches()[0]) * _DPI)
    kind = "image/png" if many_points else "image/svg+xml"
    encoded = base64.b64encode(content).decode("ascii")
    uri = f"data:{kind};base64,{encoded}"
    return Picture(picture_id, uri, alt, caption, width, where, _is_wide(figure, width))


def _is_wide(figure: Figure, width: int) -> bool:
    """Whether letters would be too small to read where the picture is as narrow as a telephone."""
    from matplotlib.text import Text

    texts = [each for each in figure.findobj(Text) if isinstance(each, Text)]
    sizes = [float(each.get_fontsize()) for each in texts if each.get_visible() and each.get_text()]
    least = min(sizes, default=np.inf) * _DPI / 72
    return bool(least * min(1.0, _PHONE / width) < _LEAST_LETTER)


def _dots_as_pixels(figure: Figure) -> None:
    """Have what is of very many points within an SVG be a picture of dots; letters stay sharp."""
    drawn = [each for ax in figure.axes for each in (*ax.collections, *ax.lines)]
    if sum(map(_n_points, drawn)) > _MOST_POINTS:
        for each in drawn:
            # What is of few points costs nothing, and is sharp.
            if _n_points(each) > _FEW_POINTS:
                each.set_rasterized(True)


def _n_points(artist: Artist) -> int:
    """Count the points that an SVG would hold of an artist."""
    from matplotlib.collections import Collection
    from matplotlib.lines import Line2D

    if isinstance(artist, Line2D):
        return int(np.size(artist.get_xdata(orig=False)))
    if not isinstance(artist, Collection):
        return 0
    # Each path once for every place where it stands.
    n_places = len(np.atleast_2d(artist.get_offsets()))
    vertices = sum(len(np.atleast_2d(path.vertices)) for path in artist.get_paths())
    return n_places if n_places > 1 else vertices


def _saved(figure: Figure, many_points: bool, fonttype: str) -> bytes:
    import matplotlib as mpl

    from poems.plots.saving import write_figure

    target = io.BytesIO()
    # Glyphs as paths look alike everywhere.
    with mpl.rc_context({"svg.fonttype": fonttype}):
        write_figure(figure, target, "png" if many_points else "svg", dpi=2 * _DPI)
    content = target.getvalue()
    return content if many_points else _shorter(content)


# A number with more digits than a screen can show, and what holds small ones that are multiplied.
_LONG_NUMBER: Final = re.compile(rb"-?\d+\.\d{3,}")
_KEPT: Final = re.compile(
    rb'(scale\([^)]*\)|matrix\([^)]*\)|href="[^"]*"|<style.*?</style>)', re.DOTALL
)
_GLYPH: Final = re.compile(rb'(id="|href="#)DejaVuSans-')
# A letter at its place: the unit is a hundredth of its size, of which no fraction is seen.
_LETTER: Final = re.compile(rb' transform="translate\((-?[\d.]+) (-?[\d.]+)\)"/>')
# What matplotlib says of itself, and names of groups that nothing refers to.
_UNUSED: Final = re.compile(
    rb'<!DOCTYPE[^>]*>|<metadata>.*?</metadata>|<g id="[^"]*"/>|(?<=<g) id="(?!text_)[^"]*"',
    re.DOTALL,
)
_DOTS: Final = re.compile(rb'(?<=data:image/png;base64,)[^"]*')
# Colours of a picture of dots: its edges are soft, and no eye tells more of them apart.
_COLOURS: Final = 64
_EMPTY: Final = re.compile(rb"\s*\n\s*|<!--.*?-->", re.DOTALL)


def _fewer_colours(found: re.Match[bytes]) -> bytes:
    """Return a PNG, in base 64, with a palette."""
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(found[0])))
    target = io.BytesIO()
    # The one method that keeps what is transparent so.
    reduced = picture.convert("RGBA").quantize(_COLOURS, method=Image.Quantize.FASTOCTREE)
    reduced.save(target, "PNG")
    return base64.b64encode(target.getvalue())


def _shorter(svg: bytes) -> bytes:
    """Round coordinates to hundredths of a point, and leave out line breaks and remarks.

    >>> _shorter(b'<path d="M 1.234567 2.000000\\nL 3.5 4"/>')
    b'<path d="M 1.23 2 L 3.5 4"/>'
    >>> _shorter(b'<g id="line_1"><use xlink:href="#g4" transform="translate(61.9 0)"/></g>')
    b'<g><use xlink:href="#g4" x="62"/></g>'
    """

    def rounded(found: re.Match[bytes]) -> bytes:
        text = f"{float(found[0]):.2f}".rstrip("0").rstrip(".")
        return (text if text != "-0" else "0").encode()

    def placed(found: re.Match[bytes]) -> bytes:
        x, y = (round(float(each)) for each in found.groups())
        lifted = f' y="{y}"' if y else ""
        return f' x="{x}"{lifted}/>'.encode()

    plain = _LETTER.sub(placed, _UNUSED.sub(b"", _EMPTY.sub(b" ", svg)))
    parts = _KEPT.split(_GLYPH.sub(rb"\1g", plain))
    # Every other part is one that is kept as it is.
    parts[::2] = [_LONG_NUMBER.sub(rounded, part) for part in parts[::2]]
    return b"".join(_DOTS.sub(_fewer_colours, part) for part in parts)
