from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg

from poems.plots import plot_gene_sets


def enriched(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "factor": [f"factor_{at % 12 + 1}" for at in range(n)],
            "view": rng.choice(["mrna", "a view with a very long name"], n),
            "gene_set": [f"GOBP_{'LONG_NAME_' * 6}{at % 30}_$x$" for at in range(n)],
            "direction": rng.choice(["up", "down"], n),
            "q": 10 ** -rng.uniform(0, 30, n),
        }
    )


def test_labels_do_not_overlap_and_rows_are_limited() -> None:
    ax = plot_gene_sets(enriched(200), n_sets=15)
    figure = ax.get_figure()
    assert figure is not None
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = ax.get_yticklabels()
    assert len({text.get_text() for text in texts}) == len(texts) == 15
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in texts]
    for at, box in enumerate(boxes):
        assert box.x0 >= figure.bbox.x0
        assert not any(box.overlaps(other) for other in boxes[at + 1 :])


def test_points_are_where_the_table_says() -> None:
    table = pd.DataFrame(
        {
            "factor": ["factor_10", "factor_2", "factor_2", "factor_2"],
            "view": "rna",
            "gene_set": ["A", "B", "B", "C"],
            "direction": ["up", "down", "up", "up"],
            "q": [1e-3, 1e-8, 1e-2, 0.5],
        }
    )
    ax = plot_gene_sets(table)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["2", "10"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["B", "A"]
    up, down = ax.collections
    assert np.asarray(up.get_offsets()).tolist() == [[1, 1]]
    assert np.asarray(down.get_offsets()).tolist() == [[0, 0]]


def test_nothing_significant_is_said() -> None:
    (text,) = plot_gene_sets(enriched(5).assign(q=1.0)).texts
    assert text.get_text() == "No gene set at a false discovery rate of 10%"
