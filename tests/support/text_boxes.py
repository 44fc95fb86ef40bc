"""Where the texts of a figure stand, and which of them cover one another or are cut off."""

from __future__ import annotations

from itertools import combinations
from typing import Any
from unittest.mock import patch

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

# Pixels by which boxes may meet: they are a little larger than the letters.
SLACK = 1.5


def text_faults(drawn: Axes | Figure) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of texts whose boxes cover one another in the figure as saved, and texts cut off."""
    (width, height), boxes = _boxes(drawn)
    pairs = [(a, b) for (a, first), (b, second) in combinations(boxes, 2) if _meet(first, second)]
    room = Bbox([[-SLACK, -SLACK], [width + SLACK, height + SLACK]])
    beyond = [
        text
        for text, box in boxes
        if not (room.contains(box.x0, box.y0) and room.contains(box.x1, box.y1))
    ]
    return pairs, beyond


def _boxes(drawn: Axes | Figure) -> tuple[tuple[int, int], list[tuple[str, Bbox]]]:
    """Size of the figure in pixels, and every text that is drawn with its box."""
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    assert isinstance(figure, Figure)
    canvas = FigureCanvasAgg(figure)
    seen: list[Text] = []
    draw = Text.draw

    def note(self: Text, *args: Any, **kwargs: Any) -> None:
        seen.append(self)
        draw(self, *args, **kwargs)

    with patch.object(Text, "draw", note):
        canvas.draw()
    renderer = canvas.get_renderer()
    texts = {id(text): text for text in seen if text.get_text().strip() and text.get_visible()}
    # Slanted texts, whose boxes hold more than the letters, are left to the eye.
    upright = [text for text in texts.values() if text.get_rotation() % 90 == 0]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in upright]
    return canvas.get_width_height(), boxes


def _meet(a: Bbox, b: Bbox) -> bool:
    wide = min(a.x1, b.x1) - max(a.x0, b.x0)
    high = min(a.y1, b.y1) - max(a.y0, b.y0)
    return wide > SLACK and high > SLACK
