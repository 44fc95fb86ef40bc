"""Pictures of factors, markers, consensus and survival: what they show, and how legibly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from text_boxes import text_faults

import poems
from poems import plots
from poems.analysis.survival.curves import survival_curves
from poems.fitting.result import FittedPoems

Drawn = Axes | Figure


@dataclass(frozen=True)
class Tables:
    """What the pictures are drawn from, of no meaning."""

    latent: pd.DataFrame
    subtypes: pd.Series
    obs: pd.DataFrame
    variance: pd.DataFrame
    associations: pd.DataFrame
    markers: pd.DataFrame
    values: pd.DataFrame
    consensus: pd.DataFrame


def make_tables(n_subtypes: int, views: list[str], ending: str, n_factors: int) -> Tables:
    rng = np.random.default_rng(0)
    n = 12 * n_subtypes
    samples = pd.Index([f"sample_{at}" for at in range(n)])
    factors = [f"factor_{at + 1}" for at in range(n_factors)]
    subtypes = pd.Series([f"S{at % n_subtypes + 1}" for at in range(n)], samples)
    obs = pd.DataFrame(
        {
            f"age{ending}": rng.normal(60, 9, n).round(1),
            f"sex{ending}": rng.choice(["female", "male"], n),
            f"grade{ending}": rng.choice([f"grade {at}{ending}" for at in range(5)], n),
        },
        index=samples,
    )
    shares = [(f, v, rng.uniform(0, 0.3), n) for f in [*factors, "all"] for v in views]
    variance = pd.DataFrame(shares, columns=["factor", "view", "r2", "n_samples"])
    tests = [(f, c, rng.uniform(-1, 1), rng.uniform(0, 0.2)) for f in factors for c in obs]
    associations = pd.DataFrame(tests, columns=["factor", "column", "effect", "p"])
    associations["q"] = associations["p"]
    features = [(v, f"feature_{at}{ending}") for v in views for at in range(12)]
    rows = [(*f, s, rng.normal()) for f in features for s in sorted(set(subtypes))]
    markers = pd.DataFrame(rows, columns=["view", "feature", "subtype", "effect"])
    markers["q"] = np.exp(-6 * markers["effect"] ** 2)
    values = pd.DataFrame(
        rng.normal(size=(len(features), n)), pd.MultiIndex.from_tuples(features), samples
    )
    close = np.where(subtypes.to_numpy()[:, None] == subtypes.to_numpy(), 0.9, 0.1)
    consensus = pd.DataFrame(close, samples, samples)
    latent = pd.DataFrame(rng.normal(size=(n, n_factors)), samples, factors)
    return Tables(latent, subtypes, obs, variance, associations, markers, values, consensus)


FEW = make_tables(3, ["rna", "protein"], "", 4)
MANY = make_tables(
    10,
    [f"{name} of the primary tumour, corrected" for name in ("rna", "methylation", "protein")],
    "|chr17:43044295-43125364|isoform",
    16,
)


def _survival(tables: Tables) -> Axes:
    rng = np.random.default_rng(1)
    time = pd.Series(rng.exponential(900.0, len(tables.subtypes)).round(), tables.subtypes.index)
    curves = survival_curves(time, time % 2 == 0, tables.subtypes)
    return plots.plot_kaplan_meier(curves.km, curves.at_risk, p=0.012)


def _factor_survival(tables: Tables) -> Axes:
    time = pd.Series(np.arange(1.0, len(tables.subtypes) + 1), tables.subtypes.index)
    return plots.plot_factor_survival(tables.latent, time, time % 2, "factor_2")


PICTURES: dict[str, Callable[[Tables], Drawn]] = {
    "variance": lambda t: plots.plot_variance(t.variance),
    "associations": lambda t: plots.plot_associations(t.associations),
    "factor by group": lambda t: plots.plot_factor_by_group(t.latent, t.subtypes, "factor_2"),
    "volcano": lambda t: plots.plot_volcano(t.markers, "S2"),
    "marker heat map": lambda t: plots.plot_marker_heatmap(t.values, t.subtypes, t.obs),
    "markers": lambda t: plots.plot_markers(t.markers, 2),
    "consensus": lambda t: plots.plot_consensus(t.consensus, t.subtypes),
    "latent": lambda t: plots.plot_latent(plots.principal_plane(t.latent), t.subtypes),
    "survival": _survival,
    "survival by factor": _factor_survival,
}


@pytest.mark.parametrize("tables", [FEW, MANY], ids=["three subtypes", "ten, long names"])
@pytest.mark.parametrize("name", PICTURES)
def test_no_text_covers_another_or_is_cut_off(name: str, tables: Tables) -> None:
    assert text_faults(PICTURES[name](tables)) == ([], [])


def test_texts_that_cover_another_are_found() -> None:
    ax = Figure().subplots()
    ax.text(0.5, 0.5, "one")
    ax.text(0.5, 0.51, "two")
    ax.text(1.0, 0.2, "a text that runs out of the figure")
    assert text_faults(ax) == ([("one", "two")], ["a text that runs out of the figure"])


@pytest.mark.parametrize("name", ["variance", "associations", "factor by group", "volcano"])
def test_narrow_pictures_fit_a_telephone(name: str) -> None:
    figure = PICTURES[name](FEW)
    assert isinstance(figure, Axes)
    parent = figure.get_figure(root=True)
    assert parent is not None
    assert parent.get_figwidth() * 96 <= 400


def test_each_draws_into_the_axes_given() -> None:
    for draw in (
        lambda ax: plots.plot_variance(FEW.variance, ax),
        lambda ax: plots.plot_associations(FEW.associations, ax),
        lambda ax: plots.plot_factor_by_group(FEW.latent, FEW.subtypes, "factor_1", ax),
        lambda ax: plots.plot_volcano(FEW.markers, "S1", ax),
        lambda ax: plots.plot_marker_heatmap(FEW.values, FEW.subtypes, ax=ax),
    ):
        ax = Figure().subplots()
        assert draw(ax) is ax


def test_a_result_is_drawn_like_its_table() -> None:
    found = SimpleNamespace(table=FEW.variance)
    texts = [text.get_text() for text in plots.plot_variance(found).texts]
    assert texts == [text.get_text() for text in plots.plot_variance(FEW.variance).texts]


def test_the_row_of_all_factors_does_not_set_the_colours() -> None:
    table = pd.DataFrame({"factor": ["factor_1", "all"], "view": "rna", "r2": [0.02, 0.9]})
    image = plots.plot_variance(table).images[0]
    assert image.get_clim() == (0, 2.0)


@pytest.mark.parametrize("separation", [[3.3, 3.5, 2.8, 3.5], [3.3, 3.5, 5.2, 5.8]])
@pytest.mark.parametrize("width", [5.2, 7.4])
def test_the_name_of_a_line_lies_on_no_line(separation: list[float], width: float) -> None:
    table = pd.DataFrame({"n_subtypes": [2, 3, 4, 5], "least_jaccard": [0.8, 0.5, 0.5, 0.3]})
    table[["needed_jaccard", "holds"]] = [0.7, False]
    table["without_groups"], table["separation"] = [4.8, 5.0, 3.9, 4.0], separation
    figure = plots.plot_subtype_choice(table, figure=Figure((width, 3.2), layout="constrained"))
    figure.draw_without_rendering()
    for ax in figure.axes:
        (name,) = ax.texts
        box = name.get_window_extent()
        for line in ax.lines:
            path = line.get_path().transformed(ax.transData)
            assert not path.intersects_bbox(box, filled=False), name.get_text()


def test_associations_at_the_false_discovery_rate_have_a_dot() -> None:
    ax = plots.plot_associations(FEW.associations, fdr=0.05)
    marked = ax.collections[0].get_offsets()
    assert len(marked) == (FEW.associations["q"] <= 0.05).sum() > 0


def test_the_box_of_a_group_is_of_all_its_samples() -> None:
    values = pd.DataFrame({"factor_1": np.arange(1001.0)}, index=map(str, range(1001)))
    ax = plots.plot_factor_by_group(values, pd.Series("S1", values.index))
    (median,) = ax.lines
    assert list(median.get_xdata()) == [500.0, 500.0]


def test_samples_of_a_subtype_stand_together_in_the_marker_heat_map() -> None:
    ax = plots.plot_marker_heatmap(FEW.values, FEW.subtypes)
    bar = ax.images[-1].get_array()[0]
    changes = (np.diff(bar, axis=0) != 0).any(axis=1).sum()
    assert changes == 2


def test_an_unknown_factor_or_subtype_is_refused() -> None:
    with pytest.raises(ValueError, match="no factor 'factor_9'; there are: factor_1, factor_2"):
        plots.plot_factor_by_group(FEW.latent, FEW.subtypes, "factor_9")
    with pytest.raises(ValueError, match="in subtype 'S7'; there are: S1, S2, S3"):
        plots.plot_volcano(FEW.markers, "S7")
    with pytest.raises(ValueError, match="names of the samples"):
        plots.plot_factor_by_group(FEW.latent, pd.Series(["S1"], ["elsewhere"]))


def test_a_model_is_drawn_by_short_names(fitted: FittedPoems) -> None:
    subtypes = pd.Series("S1", fitted.samples)
    assert poems.pl.latent(fitted, subtypes).get_xlabel().startswith("PC1 of network")
    assert len(poems.pl.gates(fitted).get_legend().get_texts()) == 2
    assert poems.pl.factor_by_group(fitted, subtypes).get_xlabel() == "Factor 1"
    for draw in (poems.pl.loadings, poems.pl.sparsity, poems.pl.history, poems.pl.top_features):
        assert draw(fitted) is not None


def test_every_picture_has_a_short_name() -> None:
    short = {name.removeprefix("plot_") for name in plots.__all__ if name.startswith("plot_")}
    assert set(poems.pl.__all__) == short
    for name in short:
        assert getattr(poems.pl, name) is getattr(plots, f"plot_{name}")


@pytest.mark.parametrize("draw", [poems.pl.latent, poems.pl.gates, poems.pl.loadings])
def test_what_cannot_be_drawn_is_named(draw: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match=r"expected .*, not a list"):
        draw([1.0])
