from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation

from poems.analysis.survival.curves import survival_curves
from poems.plots import plot_hazard_ratios, plot_kaplan_meier
from poems.plots.hazard_ratios import hazard_rows


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


def ratios(**columns: object) -> pd.DataFrame:
    given = {"model": "subtype", "adjusted_for": "", "term": "subtype", "level": "S2"}
    given |= {"reference": "S1", "role": "term", "hazard_ratio": 2.0, "lower": 1.0, "upper": 4.0}
    return pd.DataFrame({**given, "p": 0.1, **columns}, index=[0])


def test_hazard_ratios_are_those_beside_the_covariates() -> None:
    plain = ratios(hazard_ratio=9.0)
    adjusted = ratios(adjusted_for="age")
    age = ratios(adjusted_for="age", term="age", level="", reference="", role="covariate")
    factor = ratios(model="factor_1", adjusted_for="age", term="factor_1", level="", reference="")
    again = age.assign(model="factor_1")
    rows = hazard_rows(pd.concat([plain, adjusted, age, factor, again]))
    assert rows["name"].tolist() == ["S2 vs S1", "age", "factor_1"]
    assert rows["hazard_ratio"].tolist() == [2.0, 2.0, 2.0]
    assert rows["is_covariate"].tolist() == [False, True, False]
    assert hazard_rows(plain)["hazard_ratio"].tolist() == [9.0]


def test_names_of_ratios_stay_apart_and_wide_limits_are_cut() -> None:
    table = pd.concat(
        [ratios(level=f"a group with quite a long name ${at}$") for at in range(12)]
        + [ratios(level="rare", lower=1e-9, upper=1e9)]
    )
    ax = plot_hazard_ratios(table)
    figure = ax.get_figure()
    assert figure is not None
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [each.get_window_extent(canvas.get_renderer()) for each in ax.get_yticklabels()]
    assert len(boxes) == 13
    assert not any(a.overlaps(b) for a, b in pairwise(boxes))
    assert all(box.x0 >= 0 for box in boxes)
    low, high = ax.get_xlim()
    assert 0.01 < low < high < 100
    assert {line.get_marker() for line in ax.lines} >= {"<", ">", "s"}


def test_no_ratio_is_said() -> None:
    assert plot_hazard_ratios(ratios().iloc[:0]).texts[0].get_text() == "no hazard ratio"
