"""From matplotlib to a picture in the page, without a file beside it."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from poems.report.blocks import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI: Final = 96
_MISSING: Final = r"Glyph .* missing from font"


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

    As SVG, which stays sharp, or as PNG where so many points are drawn that
    SVG would be large. It is an image of its own: nothing in it can touch the
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
        content = _saved(figure, many_points, "path")
        if any(re.match(_MISSING, str(each.message)) for each in caught) and not many_points:
            content = _saved(figure, many_points, "none")
    for each in caught:
        if not re.match(_MISSING, str(each.message)):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    width = round(float(figure.get_size_inches()[0]) * _DPI)
    kind = "image/png" if many_points else "image/svg+xml"
    encoded = base64.b64encode(content).decode("ascii")
    return Picture(picture_id, f"data:{kind};base64,{encoded}", alt, caption, width, where)


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
_EMPTY: Final = re.compile(rb"\s*\n\s*|<!--.*?-->", re.DOTALL)


def _shorter(svg: bytes) -> bytes:
    """Round coordinates to hundredths of a point, and leave out line breaks and remarks.

    >>> _shorter(b'<path d="M 1.234567 2.000000\\nL 3.5 4"/>')
    b'<path d="M 1.23 2 L 3.5 4"/>'
    """

    def rounded(found: re.Match[bytes]) -> bytes:
        text = f"{float(found[0]):.2f}".rstrip("0").rstrip(".")
        return (text if text != "-0" else "0").encode()

    parts = _KEPT.split(_GLYPH.sub(rb"\1g", _EMPTY.sub(b" ", svg)))
    # Every other part is one that is kept as it is.
    parts[::2] = [_LONG_NUMBER.sub(rounded, part) for part in parts[::2]]
    return b"".join(parts)
