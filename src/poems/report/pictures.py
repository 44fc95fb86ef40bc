"""From matplotlib to a picture in the page, without a file beside it."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any, Final, cast

from poems.report.blocks import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI: Final = 96
_STYLE: Final[dict[str, Any]] = {
    # Glyphs as paths: the picture looks alike wherever it is opened.
    "svg.fonttype": "path",
    # Ids within the file, which would otherwise be random.
    "svg.hashsalt": "poems",
}


def picture(
    picture_id: str, drawn: Axes | Figure, alt: str, caption: str, *, many_points: bool = False
) -> Picture:
    """Return a drawing as a picture of the page.

    As SVG, which stays sharp, or as PNG where so many points are drawn that
    SVG would be large. It is an image of its own: nothing in it can touch the
    page, and its ids are none of the page's.

    Parameters
    ----------
    picture_id
        Unique in the page.
    drawn
        What matplotlib drew.
    alt, caption
        What it shows, in words; the caption is printed below it.
    many_points
        Make it a PNG.
    """
    import matplotlib as mpl

    figure: Any = drawn if hasattr(drawn, "savefig") else drawn.get_figure(root=True)
    width = round(float(figure.get_size_inches()[0]) * _DPI)
    target = io.BytesIO()
    with mpl.rc_context(cast(Any, _STYLE)):
        if many_points:
            figure.savefig(target, format="png", dpi=2 * _DPI)
        else:
            # Without a date, so that the same run gives the same file.
            figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    kind = "image/png" if many_points else "image/svg+xml"
    encoded = base64.b64encode(target.getvalue()).decode("ascii")
    return Picture(picture_id, f"data:{kind};base64,{encoded}", alt, caption, width)
