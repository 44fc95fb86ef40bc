"""What spares the other tests the rendering does not spare them what may go wrong in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from pictures import rendered_once, unrendered

from poems.plots.saving import save_figure


def drawn(*values: float) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    axes.plot(values)
    axes.set_title("values" if len(values) else "")
    return figure


def test_of_one_make_one_figure_is_rendered_and_another_make_again(tmp_path: Path) -> None:
    made = {"first": (1.0, 2.0), "alike": (3.0, 9.0), "constant": (3.0, 3.0), "empty": ()}
    with rendered_once():
        files = {name: save_figure(drawn(*x), tmp_path / name)[0] for name, x in made.items()}
    pictures = {name: file.read_bytes() for name, file in files.items()}
    assert pictures["first"] == pictures["alike"]
    assert len(set(pictures.values())) == 3
    assert pictures["first"] == save_figure(drawn(1.0, 2.0), tmp_path / "again")[0].read_bytes()


def test_what_fails_in_rendering_fails(tmp_path: Path) -> None:
    figure = drawn(1.0, 2.0)
    figure.axes[0].set_title("$\\nonsense$")
    with rendered_once(), pytest.raises(ValueError, match="nonsense"):
        save_figure(figure, tmp_path / "a")


def test_a_picture_that_is_not_rendered_is_a_picture(tmp_path: Path) -> None:
    with unrendered():
        files = save_figure(drawn(1.0, 2.0), tmp_path / "a", ("png", "svg", "pdf"))
    assert imread(files[0]).shape[:2] == (1, 1)
    assert np.all([path.stat().st_size for path in files])
