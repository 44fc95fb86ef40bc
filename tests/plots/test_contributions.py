from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.plots import plot_contributions
from poems.plots.style import colours


def _tables(n_views: int, n_groups: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    views = [f"omic with $a {at}, rather long name" for at in range(n_views)]
    by_view = pd.DataFrame(
        {"view": views, "mean_gate": rng.random(n_views), "mean_shift": rng.random(n_views)}
    )
    records = [
        {"column": column, "group": f"S{at}", "view": view, "mean_gate": 0.1 * at, "mean_shift": 1}
        for column in ("subtype", "sex")
        for at in range(n_groups, 0, -1)
        for view in views
    ]
    return by_view, pd.DataFrame(records)


def test_each_view_and_each_subtype_in_it_has_a_point() -> None:
    by_view, by_group = _tables(3, 12)
    ax = plot_contributions(by_view, by_group)
    points = [each.get_offsets() for each in ax.collections]
    drawn = np.concatenate([each for each in points if len(each)])
    assert len(drawn) == 3 + 3 * 12
    for row in by_view.itertuples():
        assert (np.abs(drawn - [row.mean_gate, row.mean_shift]).max(axis=1) < 1e-9).sum() == 1
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[3:] == [f"S{at}" for at in range(1, 13)]
    shapes = {each.get_paths()[0].vertices.tobytes() for each in ax.collections[-12:]}
    assert len(shapes) == 12
    ax.get_figure().canvas.draw()


def test_views_have_the_colours_of_the_other_plots() -> None:
    by_view, _ = _tables(2, 1)
    ax = plot_contributions(by_view)
    from matplotlib.colors import to_hex

    found = [to_hex(each.get_facecolor()[0]).upper() for each in ax.collections]
    assert found == list(colours(by_view["view"]).values())


@pytest.mark.parametrize("n_views", [0, 1])
def test_where_nothing_can_be_withheld_the_plot_says_so(n_views: int) -> None:
    by_view, by_group = _tables(n_views, 1)
    by_view[["mean_gate", "mean_shift"]] = np.nan
    ax = plot_contributions(by_view, by_group.iloc[:0])
    assert "nothing can be withheld" in ax.texts[0].get_text()
    assert ax.get_legend() is None
