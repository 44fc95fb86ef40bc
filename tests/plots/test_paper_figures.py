from __future__ import annotations

import builtins
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from poems.errors import DataError, SettingsError
from poems.plots import (
    feature_strength,
    plot_loading_histogram,
    plot_projection,
    plot_sparsity_mask,
    plot_subtype_correlations,
    plot_top_features,
    plot_top_per_factor,
    subtype_correlations,
    top_per_factor,
    tsne_plane,
    umap_plane,
)

LONG = "cg00000029_TSS1500_chr16:53434200_N_Shore_{}"


def loadings(n_views: int = 3, n_factors: int = 32, n_features: int = 60) -> dict:
    rng = np.random.default_rng(0)
    shape = (n_features, n_factors)
    return {
        f"an_omic_with_a_long_name_{view}": pd.DataFrame(
            rng.standard_normal(shape) * (rng.random(shape) < 0.2),
            index=[LONG.format(at) for at in range(n_features)],
            columns=[f"factor_{at + 1}" for at in range(n_factors)],
        )
        for view in range(n_views)
    }


def groups(n: int = 60, distance: float = 8.0) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(0)
    index = [f"p{at}" for at in range(n)]
    labels = pd.Series([f"S{1 + at % 3}" for at in range(n)], index=index)
    points = rng.standard_normal((n, 5))
    points[:, :3] += distance * (np.arange(n)[:, None] % 3 == np.arange(3))
    return pd.DataFrame(points, index=index), labels


def assert_legible(figure: Figure) -> None:
    """No tick labels of an axis overlap; they and the titles lie in the figure."""
    figure.draw_without_rendering()
    whole = figure.bbox.padded(1.0)
    for ax in figure.axes:
        rows = [[ax._left_title]]
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            # Ticks beyond the limits have labels too, which are not drawn.
            rows.append([t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high])
        for texts in rows:
            boxes = [t.get_window_extent() for t in texts if t.get_visible() and t.get_text()]
            assert all(whole.x0 <= b.x0 and b.x1 <= whole.x1 for b in boxes)
            assert all(whole.y0 <= b.y0 and b.y1 <= whole.y1 for b in boxes)
            shrunk = [box.shrunk(0.98, 0.9) for box in boxes]
            assert not any(a.overlaps(b) for a, b in combinations(shrunk, 2))


def assert_vector(figure: Figure, folder: Path) -> None:
    for ending in ("svg", "pdf"):
        figure.savefig(folder / f"a.{ending}")
        assert (folder / f"a.{ending}").stat().st_size > 1000


def test_strength_is_the_sum_of_sizes_and_bars_show_the_strongest(tmp_path: Path) -> None:
    tables = loadings()
    view, table = next(iter(tables.items()))
    strength = feature_strength(tables)[view]
    assert strength.is_monotonic_decreasing
    expected = np.abs(table.to_numpy()).sum(axis=1)
    np.testing.assert_allclose(strength.loc[table.index], expected)
    figure = plot_top_features(tables, top=7)
    assert len(figure.axes) == 3
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(widths, np.sort(expected)[::-1][:7])
    assert_legible(figure)
    assert_vector(figure, tmp_path)


def test_a_view_without_loadings_says_so() -> None:
    table = pd.DataFrame({"factor_1": [0.0, 0.0]}, index=["a", "b"])
    figure = plot_top_features({"rna": table, "protein": table + 1.0})
    assert [text.get_text() for text in figure.axes[0].texts] == ["every loading is zero"]
    assert len(figure.axes[1].patches) == 2
    assert plot_top_per_factor({"rna": table}).texts[0].get_text() == "every loading is zero"
    with pytest.raises(ValueError, match="nothing to draw"):
        plot_top_features({})


def test_the_top_feature_of_each_factor_is_the_largest_in_size(tmp_path: Path) -> None:
    tables = loadings(n_views=2, n_factors=8)
    tables["sparse"] = next(iter(tables.values())) * 0
    tables["sparse"].iloc[3, 2] = -4.0
    best = top_per_factor(tables)
    assert len(best) == 2 * 8 + 1
    for row in best.itertuples():
        column = tables[row.view][row.factor]
        assert abs(row.loading) == column.abs().max()
        assert column[row.feature] == row.loading
    ax = plot_top_per_factor(tables)
    assert len(ax.texts) == len(best)
    assert np.isnan(ax.images[0].get_array().filled(np.nan)[:, 2]).sum() == 7
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    assert_legible(figure)
    figure.draw_without_rendering()
    cells = [text.get_window_extent() for text in ax.texts]
    assert not any(a.shrunk(0.98, 0.9).overlaps(b) for a, b in combinations(cells, 2))
    assert_vector(figure, tmp_path)


def test_correlations_of_means_are_numpy_s() -> None:
    points, labels = groups()
    table = subtype_correlations(points, labels)
    means = np.array([points[labels == name].mean() for name in ("S1", "S2", "S3")])
    np.testing.assert_allclose(table, np.corrcoef(means))
    centred = subtype_correlations(points, labels, centre=True)
    np.testing.assert_allclose(centred, np.corrcoef(means - means.mean(axis=0)))
    # Levels of the features, common to all, hide what differs, until they are taken off.
    shifted = points + 100 * np.arange(5)
    assert subtype_correlations(shifted, labels).to_numpy().min() > 0.99
    np.testing.assert_allclose(subtype_correlations(shifted, labels, centre=True), centred)


def test_samples_without_a_subtype_or_a_value_do_not_count() -> None:
    points, labels = groups()
    more = pd.concat([points, pd.DataFrame(np.full((2, 5), 99.0), index=["x", "y"])])
    pd.testing.assert_frame_equal(
        subtype_correlations(more, labels), subtype_correlations(points, labels)
    )
    holed = points.copy()
    holed.loc[labels == "S2", 4] = np.nan
    pd.testing.assert_frame_equal(
        subtype_correlations(holed, labels), subtype_correlations(points.iloc[:, :4], labels)
    )
    assert np.isnan(subtype_correlations(points * 0 + 3.0, labels)).all(axis=None)
    with pytest.raises(DataError, match="no sample has a subtype"):
        subtype_correlations(points, labels.rename("other").set_axis(range(60)))
    with pytest.raises(DataError, match="no dimension was measured in every subtype"):
        subtype_correlations(holed.iloc[:, 4:], labels)


@pytest.mark.parametrize("n_subtypes", [2, 5, 14])
def test_matrices_stand_side_by_side_on_one_scale(n_subtypes: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [
        f"A rather long subtype {at}" if n_subtypes > 2 else f"S{at}" for at in range(n_subtypes)
    ]
    table = pd.DataFrame(np.corrcoef(rng.standard_normal((n_subtypes, 9))), names, names)
    spaces = dict.fromkeys(["mrna", "methylation", "mirna", "protein", "latent"], table)
    figure = plot_subtype_correlations(spaces)
    drawn = [ax for ax in figure.axes if ax.images]
    assert len(drawn) == 5
    assert all(ax.images[0].get_clim() == (-1, 1) for ax in drawn)
    assert len(drawn[0].texts) == (n_subtypes**2 if n_subtypes <= 8 else 0)
    assert_legible(figure)
    assert_vector(figure, tmp_path)


def test_the_mask_marks_what_is_above_the_threshold(tmp_path: Path) -> None:
    tables = loadings(n_features=40)
    for threshold in (0.0, 0.5):
        figure = plot_sparsity_mask(tables, threshold)
        for ax, table in zip(figure.axes, tables.values(), strict=True):
            drawn = ax.images[0].get_array()
            assert drawn.shape == (32, 40)
            expected = (table.abs() > threshold).sum()
            np.testing.assert_array_equal(drawn.sum(axis=1), expected)
    share = 100 * (next(iter(tables.values())).abs() > 0.5).to_numpy().mean()
    assert figure.axes[0].get_xlabel() == f"40 features, {share:.3g}% above 0.5"
    assert_legible(figure)
    assert_vector(figure, tmp_path)


def test_the_mask_of_pure_factors_is_a_staircase() -> None:
    values = np.zeros((30, 3))
    values[np.arange(30), np.arange(30) % 3] = 1.0
    values[::7] = 0.0
    drawn = plot_sparsity_mask({"rna": pd.DataFrame(values)}).axes[0].images[0].get_array()
    strongest = [int(column.argmax()) if column.any() else 3 for column in drawn.T]
    assert strongest == sorted(strongest)


@pytest.mark.parametrize("scale", [1e-3, 0.25, 1.0, 300.0])
def test_the_histogram_counts_every_loading_once(scale: float, tmp_path: Path) -> None:
    tables = {view: table * scale for view, table in loadings().items()}
    figure = plot_loading_histogram(tables, 0.1 * scale)
    for ax, table in zip(figure.axes, tables.values(), strict=True):
        counts = [bar.get_height() for bar in ax.patches]
        assert sum(counts) == table.size
        # The bin about zero holds the exact zeros.
        assert counts[len(counts) // 2] >= (table == 0).to_numpy().sum()
        assert len(ax.lines) == 2
    assert len({ax.get_xlim() for ax in figure.axes}) == 1
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    assert_legible(figure)
    assert_vector(figure, tmp_path)


def test_views_without_features_or_factors_are_drawn_empty() -> None:
    empty = {"rna": pd.DataFrame(index=["a", "b"], dtype=float)}
    assert not plot_sparsity_mask(empty).axes[0].images
    assert plot_loading_histogram(empty).axes[0].get_xlabel() == "Loading, 0% non-zero"


def overlap(plane: pd.DataFrame, labels: pd.Series) -> float:
    """Spread within groups over that between them."""
    grouped = plane.groupby(labels)
    return float(grouped.var().mean().sum() / grouped.mean().var().sum())


def test_tsne_sets_groups_apart_and_depends_on_the_seed_alone() -> None:
    points, labels = groups()
    plane = tsne_plane(points, seed=3)
    pd.testing.assert_frame_equal(plane, tsne_plane(points, seed=3))
    assert plane.index.equals(points.index)
    assert overlap(plane, labels) < 0.2
    assert np.isfinite(tsne_plane(points.iloc[:4])).all(axis=None)
    assert np.isfinite(tsne_plane(points.iloc[:10] * 0)).all(axis=None)
    with pytest.raises(DataError, match="at least 4 samples, not 3"):
        tsne_plane(points.iloc[:3])
    with pytest.raises(DataError, match="60 of 60 points are not finite"):
        tsne_plane(points * np.nan)


@pytest.mark.slow
def test_umap_sets_groups_apart_and_depends_on_the_seed_alone() -> None:
    pytest.importorskip("umap")
    points, labels = groups()
    plane = umap_plane(points, seed=3)
    pd.testing.assert_frame_equal(plane, umap_plane(points, seed=3))
    assert overlap(plane, labels) < 0.2
    assert np.isfinite(umap_plane(points.iloc[:5])).all(axis=None)


def test_without_umap_learn_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: object, **kwargs: object) -> object:
        if name == "umap":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(SettingsError, match=r"pip install 'poems-omics\[umap\]'"):
        umap_plane(groups()[0])


def test_a_projection_draws_every_sample_in_its_own_axes() -> None:
    points, labels = groups(30)
    ax = Figure().subplots()
    assert isinstance(ax, Axes)
    assert plot_projection(points, labels, "tsne", ax=ax) is ax
    assert sum(len(drawn.get_offsets()) for drawn in ax.collections) == 30
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("t-SNE 1", "t-SNE 2")
    with pytest.raises(SettingsError, match="no map 'isomap'; there are tsne, umap, pca"):
        plot_projection(points, labels, "isomap")  # type: ignore[arg-type]
