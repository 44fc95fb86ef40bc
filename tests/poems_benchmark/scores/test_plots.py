from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from poems.errors import DataError
from poems_benchmark.scores.plots import benchmark_figure, plot_ranks, plot_scores

METRICS = {"nmi": "NMI", "accuracy": "cluster accuracy", "knn": "KNN accuracy"}


def scores(n_tasks: int, n_methods: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    tasks = [f"a cohort with a long name: label {at}" for at in range(n_tasks)]
    methods = [f"m{at}" for at in range(n_methods)]
    mean = pd.DataFrame(rng.random((n_tasks, n_methods)), index=tasks, columns=methods)
    mean.iloc[0, 0] = np.nan
    return mean, mean * 0.1


def names(n_methods: int) -> dict[str, str]:
    return {f"m{at}": f"Some method {at}" for at in range(n_methods)}


def test_every_score_is_drawn_where_it_is() -> None:
    mean, sd = scores(3, 4)
    ax = plot_scores(mean, sd, names=names(4))
    lines = [container.lines[0] for container in ax.containers]
    assert len(lines) == 4
    for line, method in zip(lines, mean.columns, strict=True):
        np.testing.assert_array_equal(line.get_xdata().astype(float), mean[method])
        np.testing.assert_array_equal(np.round(line.get_ydata().astype(float)), [0, 1, 2])
    heights = np.concatenate([line.get_ydata() for line in lines])
    assert len(np.unique(np.round(heights, 6))) == mean.size


def test_ranks_are_written_out() -> None:
    ranks = pd.DataFrame({"nmi": [1.0, 2.0], "knn": [1.5, np.nan]}, index=["m0", "m1"])
    ax = plot_ranks(ranks, names=names(2), metrics=METRICS)
    assert [text.get_text() for text in ax.texts] == ["1.00", "1.50", "2.00", "–"]


@pytest.mark.parametrize(("n_tasks", "n_methods"), [(1, 1), (11, 7)])
def test_no_text_of_the_figure_overlaps_another(
    tmp_path: Path, n_tasks: int, n_methods: int
) -> None:
    each = scores(n_tasks, n_methods)
    ranks = pd.DataFrame(1.0, index=each[0].columns, columns=list(METRICS))
    axes = benchmark_figure(
        dict.fromkeys(METRICS, each), ranks, names=names(n_methods), metrics=METRICS
    )
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.savefig(tmp_path / "summary.png")
    boxes = []
    for panel in figure.axes:
        texts = [*panel.get_yticklabels(), panel.xaxis.label, panel.title]
        boxes += [t.get_window_extent() for t in texts if t.get_text() and t.get_visible()]
    assert len(boxes) > n_tasks
    for first, second in combinations([box for box in boxes if box.width > 1], 2):
        assert not first.overlaps(second) or np.allclose(first.bounds, second.bounds)


def test_nothing_to_draw_is_an_error() -> None:
    empty = pd.DataFrame()
    with pytest.raises(DataError, match="no scores to draw"):
        plot_scores(empty, empty, names={})
    with pytest.raises(DataError, match="no ranks to draw"):
        plot_ranks(empty, names={}, metrics={})
    with pytest.raises(DataError, match="no scores to draw"):
        benchmark_figure({"nmi": (empty, empty)}, empty, names={}, metrics=METRICS)
