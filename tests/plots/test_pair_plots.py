"""Pictures of cross-omic pairs: what is drawn, and that no label overlaps another."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Wedge
from matplotlib.transforms import Bbox

from poems.plots import plot_pair_circle, plot_pair_network
from poems.plots.pairs.parts import spread_pairs

PLOTS = [plot_pair_circle, plot_pair_network]


def pairs(n: int, *, long: bool = False, n_views: int = 3, seed: int = 0) -> pd.DataFrame:
    """Pairs of a few features each, in clusters and apart, with hostile names among them."""
    rng = np.random.default_rng(seed)
    views = [f"view {at} <b>" for at in range(n_views)]
    rows = []
    for at in range(n):
        a, b = sorted(rng.choice(n_views, 2, replace=False))
        names = [f"$g_{rng.integers(max(2, n // 2))}" for _ in range(2)]
        if long:
            names = [f"cg{name}_TSS1500_chr16:53434200_N_Shore" for name in names]
        rows.append((views[a], names[0], views[b], names[1], f"factor_{at % 4}"))
    columns = ["view_a", "feature_a", "view_b", "feature_b", "factors"]
    table = pd.DataFrame(rows, columns=columns).drop_duplicates(columns[:4], ignore_index=True)
    return table.assign(score=rng.uniform(-0.9, 0.9, len(table)))


def extents(ax: Axes) -> list[Bbox]:
    figure = ax.get_figure(root=True)
    assert figure is not None
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    return [text.get_window_extent(renderer) for text in ax.texts]


def overlapping(boxes: list[Bbox]) -> int:
    shrunk = [box.padded(-0.5) for box in boxes]
    return sum(one.overlaps(other) for one, other in combinations(shrunk, 2))


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("n", [1, 12, 40])
def test_boxes_of_the_network_do_not_overlap(n: int, long: bool) -> None:
    for seed in range(3):
        ax = plot_pair_network(pairs(n, long=long, seed=seed))
        boxes = extents(ax)
        assert overlapping(boxes) == 0
        figure = ax.get_figure(root=True)
        assert isinstance(figure, Figure)
        whole = figure.bbox.padded(1)
        assert all(whole.contains(box.x0, box.y0) for box in boxes)
        assert all(whole.contains(box.x1, box.y1) for box in boxes)


@pytest.mark.parametrize("n", [1, 12, 40])
def test_names_around_the_circle_are_a_line_apart(n: int) -> None:
    ax = plot_pair_circle(pairs(n, long=True))
    shown = pairs(n, long=True)
    features = {*zip(shown["view_a"], shown["feature_a"], strict=True)}
    features |= {*zip(shown["view_b"], shown["feature_b"], strict=True)}
    assert len(ax.texts) == len(features), "new axes are large enough for every name"
    boxes = extents(ax)
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    whole = figure.bbox.padded(1)
    assert all(whole.contains(box.x0, box.y0) for box in boxes)
    assert all(whole.contains(box.x1, box.y1) for box in boxes)
    # Names are turned, so their boxes say nothing: lines must be a line's height apart.
    to_pixels = ax.transData.transform
    where = np.array([to_pixels(text.get_position()) for text in ax.texts])
    high = ax.texts[0].get_fontsize() * figure.dpi / 72
    for one, other in combinations(where, 2):
        assert np.hypot(*(one - other)) > 0.98 * high


def test_small_axes_name_the_strongest_features_only() -> None:
    figure = Figure(figsize=(2.5, 2.5))
    table = pairs(40)
    ax = plot_pair_circle(table, ax=figure.subplots())
    assert 3 < len(ax.texts) < 40
    strongest = table.loc[table["score"].abs().idxmax()]
    assert any(str(strongest["feature_a"])[1:] in text.get_text() for text in ax.texts)
    small = plot_pair_network(table, ax=Figure(figsize=(4, 4)).subplots())
    assert overlapping(extents(small)) == 0


def test_the_circle_has_an_arc_a_view_and_a_chord_a_pair() -> None:
    table = pairs(20)
    ax = plot_pair_circle(table, top=9)
    wedges = [each for each in ax.patches if isinstance(each, Wedge)]
    chords = [each for each in ax.patches if isinstance(each, PathPatch)]
    assert len(wedges) == 3
    assert len(chords) == 9
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_title().get_text().startswith("9 of ")
    assert [text.get_text() for text in legend.get_texts()][-2:] == ["together", "opposed"]


def test_best_of_each_factor_in_turn() -> None:
    table = pairs(40)
    chosen = spread_pairs(table, 8)
    assert chosen["factors"].value_counts().tolist() == [2, 2, 2, 2]
    best = table.loc[table["score"].abs().groupby(table["factors"]).idxmax()]
    assert set(best.index) <= set(chosen.index)
    assert chosen["score"].abs().is_monotonic_decreasing


@pytest.mark.parametrize("plot", PLOTS)
def test_no_pairs_are_said_and_nonsense_is_refused(plot: Callable[..., Axes]) -> None:
    ax = plot(pairs(3).head(0))
    assert [text.get_text() for text in ax.texts] == ["no cross-omic pairs"]
    with pytest.raises(ValueError, match="top must be at least 1"):
        plot(pairs(3), top=0)


@pytest.mark.parametrize("plot", PLOTS)
def test_views_keep_their_colours_also_where_one_has_no_pair(plot: Callable[..., Axes]) -> None:
    table = pairs(12)
    views = ["absent", *dict.fromkeys([*table["view_a"], *table["view_b"]])]
    legend = plot(table, views=views).get_legend()
    assert legend is not None
    assert "absent" not in [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize("plot", PLOTS)
def test_pairs_that_say_the_same_are_drawn_once(plot: Callable[..., Axes]) -> None:
    table = pairs(12, n_views=2).assign(view_a="cnv", view_b="rna", feature_b="MYC")
    table["feature_a"] = [f"g{at}" for at in range(len(table))]
    best = table.loc[table["score"].abs().idxmax(), "feature_a"]
    alone = table["feature_a"].isin(table["feature_a"].head(2)) & (table["feature_a"] != best)
    table["group_a"] = table["feature_a"].where(alone, best)
    table["group_b"] = table["feature_b"]
    texts = {text.get_text() for text in plot(table).texts}
    more = len(table) - alone.sum() - 1
    assert texts == {"MYC", f"{best} +{more}", *table.loc[alone, "feature_a"]}
