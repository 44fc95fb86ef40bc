from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from poems.plots import plot_consensus, plot_markers, plot_subtype_numbers


def numbers(k: int = 5) -> pd.DataFrame:
    table = pd.DataFrame({"n_subtypes": range(1, k + 1), "silhouette": np.linspace(0, 1, k)})
    table["silhouette_se"] = 0.01
    table["gap"] = table["silhouette"] * 2
    table["gap_se"] = 0.1
    table["pac"] = np.nan
    table["chosen"] = table["n_subtypes"] == 3
    return table


def markers(features: list[str], subtypes: list[str], q: float = 0.01) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({"view": view, "feature": features, "subtype": name, "q": q})
        for view in ("rna", "cnv")
        for name in subtypes
    ]
    return pd.concat(parts, ignore_index=True).assign(
        effect=lambda table: rng.normal(size=len(table))
    )


def test_a_panel_for_each_criterion_with_values() -> None:
    figure = plot_subtype_numbers(numbers(), {"silhouette": 3, "gap": 2})
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["Mean silhouette", "Gap statistic"]
    with pytest.raises(ValueError, match="no criterion has a value"):
        plot_subtype_numbers(numbers().drop(columns=["silhouette", "gap", "pac"]))


def test_the_largest_effects_of_every_subtype_are_drawn() -> None:
    table = markers([f"gene{at}" for at in range(30)], ["S1", "S2", "S10"])
    figure = plot_markers(table, top=4)
    rna = figure.axes[0]
    shown = [text.get_text() for text in rna.get_yticklabels()]
    own = table[(table["view"] == "rna")]
    for name in ("S1", "S2", "S10"):
        order = own[own["subtype"] == name].set_index("feature")["effect"].abs()
        assert set(order.sort_values().index[-4:]) <= set(shown)
    assert [text.get_text() for text in rna.get_xticklabels()] == ["S1", "S2", "S10"]


def test_views_without_markers_are_named() -> None:
    table = markers(["a", "b"], ["S1", "S2"])
    table.loc[table["view"] == "cnv", "q"] = 0.9
    figure = plot_markers(table)
    assert figure.get_supxlabel() == "No marker in cnv"
    figure = plot_markers(table.assign(q=0.9))
    assert figure.get_supxlabel() == "No marker in rna, cnv"
    with pytest.raises(ValueError, match="nothing to draw"):
        plot_markers(table.iloc[:0])


@pytest.mark.parametrize("n_subtypes", [2, 12])
def test_hostile_and_long_names_do_not_overlap(n_subtypes: int) -> None:
    names = [f"$x$ <script> =cmd() {'very' * 20} {at}" for at in range(12)]
    figure = plot_markers(markers(names, [f"S{at + 1}" for at in range(n_subtypes)]), top=2)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
    boxes = sorted(boxes, key=lambda box: box.y0)
    assert all(one.y1 <= other.y0 + 1 for one, other in pairwise(boxes))
    left = figure.axes[1].get_yticklabels()[0].get_window_extent()
    if figure.axes[1].get_position().x0 > figure.axes[0].get_position().x0 + 0.1:
        assert left.x0 >= figure.axes[0].get_window_extent().x1 - 1


def test_the_consensus_says_of_what() -> None:
    matrix = pd.DataFrame(np.eye(4), index=list("abcd"), columns=list("abcd"))
    ax = plot_consensus(matrix, of="subsamples")
    assert "Share of subsamples" in ax.figure.axes[1].get_ylabel()
