from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from poems.errors import SettingsError
from poems.simulation.arguments import subtype_sizes
from poems.simulation.cohort import Simulation, simulate
from poems.simulation.effects import Shape, Truth, apply_interaction, apply_shape

SMALL: dict[str, Any] = {"n_samples": 50, "n_features": 40, "n_factors": 4}


def values(simulation: Simulation, view: str) -> np.ndarray:
    return simulation.cohort[view].values


def test_the_same_seed_gives_the_same_cohort_and_another_seed_another() -> None:
    first, again, other = (simulate(**SMALL, seed=seed) for seed in (3, 3, 4))
    for view in first.cohort:
        np.testing.assert_array_equal(values(first, view), values(again, view))
        assert not np.allclose(values(first, view), values(other, view))
    pd.testing.assert_frame_equal(first.latent, again.latent)
    pd.testing.assert_series_equal(first.subtypes, again.subtypes)


@pytest.mark.parametrize(
    ("truth", "sum_of_values"),
    [
        ("linear", [0.2986, 4.5888, 11.45]),
        ("saturating", [2.7449, 3.7428, 12.2475]),
        ("threshold", [7.2042, 3.3387, 10.854]),
        ("u_shaped", [14.3828, 3.964, 5.9711]),
        ("mixed", [20.7288, -2.348, -1.6737]),
        ("interaction", [0.6039, 3.8846, 12.8252]),
    ],
)
def test_a_seed_keeps_its_cohort_from_one_version_to_the_next(
    truth: Truth, sum_of_values: list[float]
) -> None:
    simulation = simulate(20, 10, 3, truth=truth, density=0.3, seed=7)
    sums = [values(simulation, view).astype(float).sum() for view in simulation.cohort]
    np.testing.assert_allclose(sums, sum_of_values, atol=1e-3)


def test_no_global_random_state_is_used() -> None:
    np.random.seed(0)
    before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    simulate(**SMALL)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # type: ignore[index]


def test_names_types_and_alignment() -> None:
    simulation = simulate(60, {"rna": 30, "protein": 7}, 3)
    cohort = simulation.cohort
    assert list(cohort) == ["rna", "protein"]
    assert cohort.samples[0] == "sample_001"
    assert cohort["rna"].features[0] == "rna_0001"
    assert values(simulation, "rna").dtype == np.float32
    assert list(simulation.latent.columns) == ["factor_1", "factor_2", "factor_3"]
    assert simulation.latent.index.equals(cohort.samples)
    assert simulation.loadings["protein"].index.equals(cohort["protein"].features)
    assert simulation.signal["protein"].shape == (60, 7)
    assert (cohort.obs["subtype"] == simulation.subtypes).all()
    assert set(simulation.subtypes) == {"S1", "S2", "S3", "S4"}


def test_views_are_numbered_when_not_named() -> None:
    assert list(simulate(**SMALL, n_views=2).cohort) == ["view1", "view2"]


@pytest.mark.parametrize(("density", "expected"), [(0.05, 25), (0.3, 150), (1.0, 500), (1e-9, 1)])
def test_every_factor_drives_exactly_the_share_asked_for(density: float, expected: int) -> None:
    simulation = simulate(n_samples=10, density=density)
    for loadings in simulation.loadings.values():
        assert ((loadings != 0).sum() == expected).all()


def test_density_zero_leaves_only_noise() -> None:
    simulation = simulate(**SMALL, density=0.0)
    for view in simulation.cohort:
        assert not simulation.loadings[view].to_numpy().any()
        assert not simulation.signal[view].to_numpy().any()
        assert not simulation.r2[view].to_numpy().any()


def test_effects_lie_in_their_range_with_both_signs() -> None:
    simulation = simulate(n_samples=10, effect=(0.6, 1.4))
    effects = np.concatenate(
        [w.to_numpy()[w.to_numpy() != 0] for w in simulation.loadings.values()]
    )
    assert np.abs(effects).min() >= 0.6
    assert np.abs(effects).max() <= 1.4
    assert np.abs(effects).mean() == pytest.approx(1.0, abs=0.05)
    assert 0.4 < (effects > 0).mean() < 0.6


def test_a_linear_truth_is_the_product_of_latent_and_loadings_in_units_of_noise() -> None:
    simulation = simulate(**SMALL, noise={"view1": 0.5, "view2": 1.0, "view3": 3.0})
    for view, sd in simulation.noise.items():
        expected = sd * simulation.latent.to_numpy() @ simulation.loadings[view].to_numpy().T
        np.testing.assert_allclose(simulation.signal[view].to_numpy(), expected)


def test_noise_has_the_standard_deviation_asked_for() -> None:
    simulation = simulate(400, 100, noise={"view1": 0.5, "view2": 1.0, "view3": 3.0})
    for view, sd in simulation.noise.items():
        residual = values(simulation, view) - simulation.signal[view].to_numpy()
        assert residual.std() == pytest.approx(sd, rel=0.02)


def test_noise_only_scales_a_view() -> None:
    one, three = simulate(**SMALL, noise=1.0), simulate(**SMALL, noise=3.0)
    np.testing.assert_allclose(
        3 * values(one, "view1").astype(float), values(three, "view1"), rtol=1e-5, atol=1e-6
    )
    pd.testing.assert_series_equal(one.r2["view1"], three.r2["view1"])


@pytest.mark.parametrize("truth", get_args(Truth))
def test_r2_sets_the_share_of_signal_exactly_for_informative_features(truth: Truth) -> None:
    simulation = simulate(n_samples=100, r2=0.4, truth=truth, noise=2.0)
    for view in simulation.cohort:
        informative = simulation.loadings[view].any(axis=1)
        signal = simulation.signal[view].to_numpy().var(axis=0)
        np.testing.assert_allclose((signal / (signal + 4.0))[informative], 0.4)
        np.testing.assert_allclose(simulation.r2[view][informative], 0.4)
        assert (simulation.r2[view][~informative] == 0).all()


def test_r2_given_as_a_range_varies_within_it() -> None:
    r2 = simulate(n_samples=100, r2=(0.2, 0.6)).r2["view1"]
    informative = r2[r2 > 0]
    assert informative.min() >= 0.2
    assert informative.max() <= 0.6
    assert informative.std() > 0.05


def test_one_subtype_gives_standard_normal_factors() -> None:
    simulation = simulate(20_000, 1, 3, n_views=1, n_subtypes=1)
    assert set(simulation.subtypes) == {"S1"}
    np.testing.assert_allclose(simulation.latent.mean(), 0, atol=0.03)
    np.testing.assert_allclose(simulation.latent.cov(), np.eye(3), atol=0.04)
    np.testing.assert_allclose(simulation.latent.kurt(), 0, atol=0.15)


@pytest.mark.parametrize("proportions", [None, (6.0, 2.0, 1.0, 1.0)])
def test_subtypes_are_separated_as_asked_and_factors_keep_mean_0_and_variance_1(
    proportions: tuple[float, ...] | None,
) -> None:
    simulation = simulate(
        20_000, 1, 5, n_views=1, n_subtypes=4, separation=3.0, proportions=proportions
    )
    np.testing.assert_allclose(simulation.latent.mean(), 0, atol=0.05)
    np.testing.assert_allclose(simulation.latent.var(), 1, atol=0.05)
    groups = simulation.latent.groupby(simulation.subtypes)
    centres, within = groups.mean().to_numpy(), np.sqrt(groups.var().mean().to_numpy())
    scaled = centres / within
    distances = np.linalg.norm(scaled[:, None] - scaled[None], axis=-1)
    np.testing.assert_allclose(distances[np.triu_indices(4, 1)], 3.0, atol=0.12)
    # Only the first three factors tell four subtypes apart.
    np.testing.assert_allclose(centres[:, 3:], 0, atol=0.08)


def test_proportions_set_the_sizes_of_the_subtypes() -> None:
    simulation = simulate(100, 10, n_subtypes=3, proportions=[5, 3, 2])
    assert simulation.subtypes.value_counts().to_dict() == {"S1": 50, "S2": 30, "S3": 20}


@given(
    n_samples=st.integers(1, 300),
    shares=st.lists(st.floats(0.5, 2.0), min_size=1, max_size=6),
)
def test_subtype_sizes_add_up_and_are_within_one_of_their_share(
    n_samples: int, shares: list[float]
) -> None:
    ideal = np.array(shares) / sum(shares) * n_samples
    assume(ideal.min() >= 1)
    sizes = np.array(subtype_sizes(n_samples, len(shares), shares))
    assert sizes.sum() == n_samples
    assert (np.abs(sizes - ideal) < 1 + 1e-9).all()


@pytest.mark.parametrize("shape", get_args(Shape))
def test_shapes_have_mean_0_and_variance_1_under_the_standard_normal(shape: Shape) -> None:
    z = np.random.default_rng(0).standard_normal(400_000)
    f = apply_shape(shape, z)
    assert f.mean() == pytest.approx(0, abs=0.01)
    assert f.var() == pytest.approx(1, abs=0.02)


def test_shapes_are_what_they_are_called() -> None:
    z = np.linspace(-3, 3, 13)
    np.testing.assert_allclose(apply_shape("linear", z), z, atol=1e-9)
    np.testing.assert_allclose(apply_shape("u_shaped", z), (z**2 - 1) / np.sqrt(2), atol=1e-9)
    saturating, threshold = apply_shape("saturating", z), apply_shape("threshold", z)
    assert (np.diff(saturating) > 0).all()
    assert (np.diff(threshold) > 0).all()
    assert np.diff(saturating)[-1] < 0.01 * np.diff(saturating)[6]
    assert np.diff(threshold).max() > 0.3 * np.ptp(threshold)


def test_a_mixed_truth_uses_every_shape_and_says_which() -> None:
    simulation = simulate(n_samples=60, truth="mixed", density=0.1)
    z = simulation.latent.to_numpy()
    for view, shapes in simulation.shapes.items():
        w = simulation.loadings[view].to_numpy()
        assert set(np.unique(shapes.to_numpy().astype(str))) == {"", *get_args(Shape)}
        assert ((shapes != "").to_numpy() == (w != 0)).all()
        feature = int(np.argmax((w != 0).sum(axis=1)))
        expected = sum(
            w[feature, k] * apply_shape(shapes.iloc[feature, k], z[:, k])
            for k in np.flatnonzero(w[feature])
        )
        np.testing.assert_allclose(simulation.signal[view].iloc[:, feature], expected)


def test_an_interaction_has_mean_0_and_variance_1_and_is_linear_in_one_factor_only() -> None:
    z, gate = np.random.default_rng(0).standard_normal((2, 400_000))
    f = apply_interaction(z, gate)
    assert f.mean() == pytest.approx(0, abs=0.01)
    assert f.var() == pytest.approx(1, abs=0.02)
    assert np.corrcoef(f, z)[0, 1] ** 2 == pytest.approx(0.62, abs=0.02)
    assert np.corrcoef(f, gate)[0, 1] == pytest.approx(0, abs=0.01)
    np.testing.assert_allclose(apply_interaction(z[:9], np.full(9, -9.0)), 0, atol=1e-9)


def test_interactions_are_the_sum_of_gated_effects_and_both_factors_are_support() -> None:
    simulation = simulate(n_samples=30, n_factors=5, truth="interaction", density=0.1)
    z = simulation.latent
    for view, shapes in simulation.shapes.items():
        loadings = simulation.loadings[view]
        assert ((shapes != "") == (loadings != 0)).all().all()
        for feature in loadings.index:
            expected, gates = np.zeros(len(z)), set()
            for factor, shape in shapes.loc[feature].items():
                if shape.startswith("gated by "):
                    gate = shape.removeprefix("gated by ")
                    assert gate != factor
                    gates.add(gate)
                    f = apply_interaction(z[factor].to_numpy(), z[gate].to_numpy())
                    expected += loadings.loc[feature, factor] * f
            np.testing.assert_allclose(simulation.signal[view][feature], expected, atol=1e-12)
            support = set(loadings.columns[loadings.loc[feature] != 0])
            drivers = {k for k, shape in shapes.loc[feature].items() if shape.startswith("gated")}
            assert support == drivers | gates
            # A factor that only gates has the size of an effect that it gates.
            sizes = set(loadings.loc[feature, sorted(drivers)])
            assert set(loadings.loc[feature, sorted(gates - drivers)]) <= sizes


def test_interactions_gate_the_effects_of_the_linear_truth() -> None:
    linear, gated = simulate(**SMALL), simulate(**SMALL, truth="interaction")
    pd.testing.assert_frame_equal(linear.latent, gated.latent)
    driven = gated.shapes["view1"].map(lambda shape: shape.startswith("gated by"))
    assert (driven.sum() == 2).all()
    pd.testing.assert_frame_equal(
        linear.loadings["view1"].where(driven), gated.loadings["view1"].where(driven)
    )


def test_gates_are_active_and_the_active_ones_do_not_change_with_the_others() -> None:
    activity = np.array([[True, True, True, False]] * 3)
    some, everywhere = (
        simulate(**SMALL, truth="interaction", density=0.3, activity=a) for a in (activity, None)
    )
    for view in some.cohort:
        assert not some.loadings[view]["factor_4"].any()
        kept = everywhere.shapes[view].map(
            lambda shape: shape.startswith("gated by") and shape != "gated by factor_4"
        )
        kept["factor_4"] = False
        pd.testing.assert_frame_equal(
            some.shapes[view].where(kept), everywhere.shapes[view].where(kept)
        )


def test_factors_can_be_private_to_one_view() -> None:
    simulation = simulate(**SMALL, n_views=3, shared=0.25)
    active = np.array([w.any().to_numpy() for w in simulation.loadings.values()])
    np.testing.assert_array_equal(
        active, [[True, True, False, False], [True, False, True, False], [True, False, False, True]]
    )


def test_activity_says_which_factor_is_active_where_and_changes_no_other() -> None:
    activity = np.array([[True, False, True, False]] * 2 + [[True] * 4])
    some, everywhere = simulate(**SMALL, activity=activity), simulate(**SMALL)
    for row, view in zip(activity, some.cohort, strict=True):
        np.testing.assert_array_equal(some.loadings[view].any(), row)
        np.testing.assert_array_equal(
            some.loadings[view].to_numpy()[:, row], everywhere.loadings[view].to_numpy()[:, row]
        )


def test_missingness_hides_values_and_changes_none() -> None:
    full = simulate(**SMALL)
    holes = simulate(**SMALL, missing_views=0.3, missing_entries=0.2)
    pd.testing.assert_frame_equal(full.latent, holes.latent)
    for view in full.cohort:
        present = np.isfinite(values(holes, view))
        np.testing.assert_array_equal(values(full, view)[present], values(holes, view)[present])
        np.testing.assert_array_equal(present.any(axis=1), holes.cohort[view].measured)


def test_missingness_has_the_rates_asked_for() -> None:
    simulation = simulate(
        1000, 50, missing_views={"view1": 0.0, "view2": 0.2, "view3": 0.6}, missing_entries=0.3
    )
    measured = simulation.cohort.measured
    np.testing.assert_allclose(measured.mean(axis=0), [1.0, 0.8, 0.4], atol=0.05)
    blank = np.isnan(values(simulation, "view2")[measured[:, 1]]).mean()
    assert blank == pytest.approx(0.3, abs=0.02)


@settings(max_examples=20, deadline=None)
@given(
    views=st.integers(1, 4), gone=st.floats(0, 0.99), blank=st.floats(0, 0.99), seed=st.integers(0)
)
def test_every_sample_keeps_a_view_and_every_measured_row_an_entry(
    views: int, gone: float, blank: float, seed: int
) -> None:
    simulation = simulate(
        40, 3, 3, n_views=views, missing_views=gone, missing_entries=blank, seed=seed
    )
    assert simulation.cohort.measured.any(axis=1).all()
    for view in simulation.cohort:
        present = np.isfinite(values(simulation, view)).any(axis=1)
        np.testing.assert_array_equal(present, simulation.cohort[view].measured)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 1}, "n_samples must be at least 2, not 1"),
        ({"n_samples": 10**12}, r"more than 1e\+10 values, which no memory holds"),
        ({"n_features": 10**9}, r"more than 1e\+10 values, which no memory holds"),
        ({"n_views": 10**9}, "n_views must be at most 1000, not 1000000000"),
        ({"n_factors": 10**9}, "n_factors must be at most 1000, not 1000000000"),
        ({"n_factors": 0}, "n_factors must be at least 1, not 0"),
        ({"n_features": {"rna": 0}}, "n_features of view 'rna' must be at least 1, not 0"),
        ({"n_features": {}}, "at least one view; name one in n_features"),
        ({"n_views": 0}, "at least one view; .* raise n_views"),
        ({"density": 1.5}, "density must be between 0 and 1, not 1.5"),
        ({"effect": (1.4, 0.6)}, r"effect must be above 0, finite and in order .* \(1.4, 0.6\)"),
        ({"effect": (1.0, 2.0, 3.0)}, r"effect must be a pair \(lowest, highest\)"),
        ({"r2": 1.0}, "r2 must be above 0, below 1 and in order"),
        ({"truth": "wavy"}, "no truth 'wavy'; there are linear, saturating"),
        (
            {"truth": "interaction", "n_factors": 1, "n_subtypes": 1},
            "two active factors in a view, .* a view has 1. Raise n_factors",
        ),
        ({"n_subtypes": 0}, "n_subtypes must be at least 1"),
        (
            {"n_factors": 2, "n_subtypes": 4},
            "2 factors can hold at most 3 .* lower n_subtypes or raise n_factors to 3",
        ),
        ({"n_samples": 3, "n_subtypes": 4}, "3 samples cannot hold 4 subtypes"),
        ({"separation": -1.0}, "separation must be 0 or more, and finite, not -1.0"),
        ({"proportions": [1, 1]}, "proportions must be 4 numbers above 0, one a subtype"),
        ({"n_samples": 10, "proportions": [97, 1, 1, 1]}, "leave a subtype without any of the 10"),
        ({"shared": 2.0}, "shared must be between 0 and 1, not 2.0"),
        ({"shared": 0.5, "activity": np.ones((3, 8), bool)}, "shared and activity contradict"),
        (
            {"activity": np.ones((2, 8), bool)},
            r"boolean array of shape \(3, 8\) .* not bool of shape",
        ),
        ({"activity": np.ones((3, 8))}, r"boolean array of shape \(3, 8\) .* not float64"),
        ({"noise": 0.0}, "noise of view 'view1' must be above 0 and finite, not 0.0"),
        (
            {"noise": {"view1": 1.0}},
            "noise must name each of the views view1, view2, view3, and no",
        ),
        ({"missing_views": 1.0}, "missing_views of view 'view1' must be at least 0 and below 1"),
        ({"missing_entries": -0.1}, "missing_entries of view 'view1' must be at least 0 and below"),
        ({"seed": -1}, "seed must be 0 or more, not -1"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        simulate(**arguments)


def test_views_of_other_kinds_have_values_of_their_kind_and_leave_the_others_alone() -> None:
    options: dict[str, Any] = {
        "n_samples": 60,
        "n_features": {"rna": 20, "other": 30, "last": 10},
        "n_factors": 3,
    }
    plain = simulate(**options, seed=4)
    ranges = {
        "bernoulli": lambda x: np.isin(x, (0, 1)).all(),
        "ordinal": lambda x: np.isin(x, (-2, -1, 0, 1, 2)).all(),
        "beta": lambda x: ((x >= 0) & (x <= 1)).all(),
        "poisson": lambda x: ((x >= 0) & (x == np.round(x))).all(),
        "negative_binomial": lambda x: ((x >= 0) & (x == np.round(x))).all(),
        "zinb": lambda x: ((x >= 0) & (x == np.round(x))).all(),
        "student_t": lambda x: np.isfinite(x).all(),
    }
    for kind, allowed in ranges.items():
        found = simulate(**options, kinds={"other": kind}, seed=4)
        assert allowed(found.cohort["other"].values)
        for name in ("rna", "last"):
            np.testing.assert_array_equal(found.cohort[name].values, plain.cohort[name].values)
        pd.testing.assert_frame_equal(found.loadings["other"], plain.loadings["other"])


def test_kinds_and_views_that_do_not_exist_are_refused() -> None:
    with pytest.raises(SettingsError, match="no kind 'gamma'"):
        simulate(20, 10, kinds={"view1": "gamma"})
    with pytest.raises(SettingsError, match="kinds names the view x"):
        simulate(20, 10, kinds={"x": "beta"})
