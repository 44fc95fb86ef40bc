from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from poems.plots import (
    centre_plane,
    plot_gates,
    plot_history,
    plot_latent,
    plot_loadings,
    plot_sparsity,
    principal_plane,
    top_features,
)
from poems.plots.style import PALETTE, colours, label, labels

LONG = "cg00000029_TSS1500_chr16:53434200_N_Shore_{}"


def _gates(n: int, n_views: int, seed: int = 0) -> pd.DataFrame:
    weights = np.random.default_rng(seed).dirichlet(np.ones(n_views), size=n)
    names = [f"an_omic_with_a_long_name_{at}_of_many" for at in range(n_views)]
    return pd.DataFrame(weights, index=[f"p{at}" for at in range(n)], columns=names)


def _loadings(n_views: int, n_factors: int, n_features: int = 40) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    shape = (n_features, n_factors)
    return {
        f"omic_with_long_name_{view}": pd.DataFrame(
            rng.standard_normal(shape) * (rng.random(shape) < 0.2),
            index=[LONG.format(at) for at in range(n_features)],
            columns=[f"factor_{at + 1}" for at in range(n_factors)],
        )
        for view in range(n_views)
    }


def _drawn(figure: Figure, path: Path) -> int:
    figure.savefig(path, dpi=50)
    return path.stat().st_size


def _assert_apart(ax: Axes) -> None:
    """No two visible tick labels of an axis overlap."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.canvas.draw()
    for axis in (ax.xaxis, ax.yaxis):
        boxes = [
            tick.get_window_extent().shrunk(0.98, 0.9)
            for tick in axis.get_ticklabels()
            if tick.get_visible() and tick.get_text()
        ]
        assert not any(left.overlaps(right) for left, right in combinations(boxes, 2))


@given(st.text(), st.integers(5, 40))
def test_a_label_fits_and_holds_no_formula(name: str, width: int) -> None:
    text = label(name, width)
    assert len(text.replace(r"\$", "$")) <= width
    assert "$" not in text.replace(r"\$", "")
    assert "\n" not in text


@given(st.lists(st.text(alphabet="ab_", max_size=60), unique=True, max_size=12))
def test_labels_tell_distinct_names_apart(names: list[str]) -> None:
    assert len(set(labels(names, 8))) == len(names)


def test_colours_are_distinct_and_repeat_only_when_they_must() -> None:
    assert len(set(PALETTE)) == len(PALETTE)
    assert len(set(colours(range(16)).values())) == 16
    assert colours(range(17))[16] == PALETTE[0]


def test_drawing_stays_apart_from_pyplot() -> None:
    before = "matplotlib.pyplot" in sys.modules
    plot_gates(_gates(5, 2))
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_history_has_one_panel_a_term(tmp_path: Path) -> None:
    history = pd.DataFrame(
        {"objective": [3.0, 2.0], "nll_rna": [1.0, 0.5], "empty": [np.nan, np.nan]}
    )
    figure = plot_history(history)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["Objective", "Misfit of rna"]
    assert _drawn(figure, tmp_path / "a.png") > 1000
    with pytest.raises(ValueError, match="no finite value"):
        plot_history(history[["empty"]])


def test_history_marks_where_the_schedules_end() -> None:
    history = pd.DataFrame(
        {
            "objective": np.arange(6.0),
            "held_out": np.arange(6.0),
            "kl_weight": [0, 0.5, 1, 1, 1, 1],
            "spike_ramp": [0, 0, 0.5, 1, 1, 1],
        },
        index=range(1, 7),
    )
    panels = {ax.get_title(loc="left"): ax for ax in plot_history(history).axes}
    for title in ("Objective", "Held-out objective"):
        assert panels[title].lines[1].get_xdata()[0] == 4
    assert len(panels["KL weight"].lines) == 1
    for part in (history.iloc[:3], history.iloc[3:], history[["objective"]]):
        ax = plot_history(part).axes[0]
        assert len(ax.lines) == 1, "schedules that did not end, or that there were none of"


def test_history_of_one_epoch_is_visible() -> None:
    (ax,) = plot_history(pd.DataFrame({"objective": [3.0]})).axes
    assert ax.lines[0].get_marker() == "o"


def test_principal_plane_keeps_distances_of_planar_points() -> None:
    rng = np.random.default_rng(0)
    plane = rng.standard_normal((30, 2))
    rotation = np.linalg.qr(rng.standard_normal((5, 5)))[0][:2]
    found = principal_plane(pd.DataFrame(plane @ rotation)).to_numpy()
    expected = np.linalg.norm(plane[:, None] - plane[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found[None], axis=2), expected)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (5, 0), (1, 3)])
def test_principal_plane_of_degenerate_points_is_zero_where_nothing_is(
    shape: tuple[int, int],
) -> None:
    found = principal_plane(pd.DataFrame(np.ones(shape)))
    assert found.shape == (shape[0], 2)
    assert (found.to_numpy() == 0).all()


def test_the_centre_plane_shows_what_the_principal_plane_hides() -> None:
    rng = np.random.default_rng(0)
    subtypes = pd.Series(np.repeat(["S1", "S2", "S3"], 40))
    points = rng.standard_normal((120, 6)) * [9.0, 8.0, 7.0, 1.0, 1.0, 1.0]
    points[:, 3] += np.repeat([0.0, 6.0, 0.0], 40)
    points[:, 4] += np.repeat([0.0, 0.0, 6.0], 40)

    def overlap(plane: pd.DataFrame) -> float:
        """Spread within subtypes over that between them."""
        groups = plane.groupby(subtypes)
        return float(groups.var().mean().sum() / groups.mean().var().sum())

    frame = pd.DataFrame(points)
    centre = centre_plane(frame, subtypes)
    assert overlap(centre) < 1.0 < overlap(principal_plane(frame))
    # A projection: no two samples come further apart.
    gaps = [np.linalg.norm(x[:, None] - x[None], axis=2) for x in (centre.to_numpy(), points)]
    assert (gaps[0] <= gaps[1] + 1e-9).all()


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (5, 0), (4, 3)])
@pytest.mark.parametrize("n_subtypes", [1, 2])
def test_the_centre_plane_takes_few_dimensions_and_subtypes(
    shape: tuple[int, int], n_subtypes: int
) -> None:
    points = pd.DataFrame(np.random.default_rng(0).standard_normal(shape))
    subtypes = pd.Series([f"S{1 + at % n_subtypes}" for at in range(shape[0])])
    found = centre_plane(points, subtypes)
    assert found.shape == (shape[0], 2)
    assert np.isfinite(found.to_numpy()).all()
    assert found.columns.is_unique


def test_latent_draws_every_sample_once_with_and_without_a_subtype(tmp_path: Path) -> None:
    plane = principal_plane(pd.DataFrame(np.random.default_rng(0).standard_normal((40, 3))))
    subtypes = pd.Series([f"S{1 + at % 10}" for at in range(36)], index=range(36))
    ax = plot_latent(plane, subtypes)
    assert sum(len(drawn.get_offsets()) for drawn in ax.collections) == 40
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0] == "no subtype (4)"
    assert texts[1:3] == ["S1 (4)", "S2 (4)"]
    assert texts[-1] == "S10 (3)"
    assert _drawn(ax.figure, tmp_path / "a.png") > 1000
    assert plot_latent(plane).get_legend() is None


def test_gates_are_grouped_and_fill_the_axes() -> None:
    gates = _gates(400, 6)
    subtypes = pd.Series([f"S{1 + at % 10}" for at in range(400)], index=gates.index)
    ax = plot_gates(gates, subtypes)
    assert ax.get_xlim() == (0, 400)
    top = max(path.vertices[:, 1].max() for c in ax.collections for path in c.get_paths())
    assert top == pytest.approx(1.0)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [f"S{at + 1}" for at in range(10)]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(set(texts)) == 6
    _assert_apart(ax)


def test_gates_of_very_thin_subtypes_leave_names_out_rather_than_overlap() -> None:
    gates = _gates(500, 2)
    subtypes = pd.Series(["S1"] * 485 + [f"S{at}" for at in range(2, 17)], index=gates.index)
    _assert_apart(plot_gates(gates, subtypes))


def test_gates_draw_into_given_axes() -> None:
    ax = Figure().subplots()
    assert plot_gates(_gates(5, 1), ax=ax) is ax


def test_top_features_are_the_strongest_and_go_by_factor() -> None:
    table = pd.DataFrame(
        {"factor_1": [0.1, 0, -3, 0, 0], "factor_2": [0, 2.0, 1, -5, 0]}, index=list("abcde")
    )
    found = top_features({"rna": table, "none": table * 0}, 3)
    assert found.index.tolist() == [("rna", "c"), ("rna", "d"), ("rna", "b")]
    assert len(top_features({"rna": table}, 10)) == 4


@given(st.integers(0, 1000), st.integers(1, 12))
def test_every_factor_shows_its_best_features_before_any_shows_more(seed: int, top: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((30, 5)) * (rng.random((30, 5)) < 0.3) * [100, 10, 1, 0.1, 0]
    found = top_features({"rna": pd.DataFrame(values)}, top)
    rows = [row for _, row in found.index]
    assert len(set(rows)) == len(rows) == min(top, np.count_nonzero(values.any(axis=1)))
    # A factor's best feature is there, unless another one took it or its turn did not come.
    strongest = np.abs(values).max(axis=0).argsort()[::-1][:top]
    for factor in strongest[:4]:
        if values[:, factor].any():
            assert (values[rows, factor] != 0).any()


def test_a_large_factor_does_not_crowd_out_the_others() -> None:
    values = np.zeros((40, 3))
    values[:30, 0] = np.linspace(5, 4, 30)
    values[30:36, 1] = np.linspace(1, 0.5, 6)
    values[36:, 2] = 0.1
    found = top_features({"rna": pd.DataFrame(values)}, 7)
    assert [row for _, row in found.index] == [0, 1, 2, 30, 31, 36, 37]


@pytest.mark.parametrize(("n_views", "n_factors"), [(1, 3), (6, 16), (2, 1)])
def test_heat_maps_name_every_row_without_overlap(
    n_views: int, n_factors: int, tmp_path: Path
) -> None:
    loadings = _loadings(n_views, n_factors)
    ax = plot_loadings(loadings, top=8)
    low, high = ax.images[0].get_clim()
    assert low == -high
    _assert_apart(ax)
    ax = plot_sparsity(loadings)
    counts = [int(text.get_text()) for text in ax.texts]
    assert sum(counts) == sum(int((table != 0).to_numpy().sum()) for table in loadings.values())
    _assert_apart(ax)
    assert _drawn(ax.figure, tmp_path / "a.png") > 1000


def test_the_name_of_a_view_is_whole_however_few_rows_another_has() -> None:
    loadings = _loadings(1, 4)
    loadings["metabolome"] = next(iter(loadings.values())).iloc[:1] * 0 + 1.0
    ax = plot_loadings(loadings, top=8)
    named = {text.get_text(): text.get_rotation() for text in ax.texts}
    assert named == {"omic_wi…_name_0": 270.0, "metabolome": 0.0}
    _assert_apart(ax)


def test_nothing_to_show_is_said() -> None:
    empty = {"rna": pd.DataFrame(index=["a", "b"], dtype=float)}
    assert plot_loadings(empty).texts[0].get_text() == "every loading is zero"
    assert plot_sparsity(empty).texts[0].get_text() == "no factor is left"


def test_names_that_look_like_formulas_are_drawn_as_they_are(tmp_path: Path) -> None:
    table = pd.DataFrame({"factor_1": [1.0, -1.0]}, index=["$\\bad{$", "a_$b$_^"])
    ax = plot_loadings({"$x^$": table})
    assert _drawn(ax.figure, tmp_path / "a.png") > 1000
