from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation

from poems.analysis.survival.curves import survival_curves
from poems.plots import plot_kaplan_meier


@pytest.mark.parametrize("n_groups", [1, 2, 8])
def test_labels_and_numbers_at_risk_do_not_overlap(n_groups: int) -> None:
    rng = np.random.default_rng(0)
    time = pd.Series(rng.exponential(1000, 160))
    groups = pd.Series([f"Subtype with a long name ${at % n_groups}$" for at in range(160)])
    curves = survival_curves(time, pd.Series(rng.random(160) < 0.6), groups)
    ax = plot_kaplan_meier(curves.km, curves.at_risk, p=0.01, unit="days")
    figure = ax.get_figure()
    assert figure is not None
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = [each for each in ax.get_children() if isinstance(each, Annotation)]
    assert len(texts) == 1 + n_groups * (1 + curves.at_risk["time"].nunique())
    boxes = [each.get_window_extent(renderer) for each in [*texts, ax.xaxis.label]]
    for at, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[at + 1 :])
        assert figure.bbox.x0 <= box.x0
        assert box.y0 >= figure.bbox.y0
    legend = ax.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == n_groups


def test_the_last_value_of_a_curve_is_its_survival() -> None:
    time, event = pd.Series([1.0, 2.0, 3.0, 4.0]), pd.Series([True, True, False, False])
    curves = survival_curves(time, event, pd.Series(["S1"] * 4))
    ax = plot_kaplan_meier(curves.km, curves.at_risk)
    steps = ax.lines[0]
    assert steps.get_ydata()[-1] == 0.5
    assert steps.get_drawstyle() == "steps-post"
    assert ax.lines[1].get_xdata().tolist() == [3.0, 4.0]
