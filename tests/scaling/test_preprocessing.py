from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from poems.data.container import MultiOmics, View
from poems.errors import DataError, SettingsError
from poems.scaling.preprocessing import _winsorised, fit_preprocessing
from poems.settings.groups import PreprocessingSettings

Make = Callable[..., MultiOmics]

tables = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=3, max_side=12),
    elements=st.floats(-1000, 1000, width=32) | st.just(np.nan),
)


def scaled(cohort: MultiOmics, view: str = "rna", **options: object) -> np.ndarray:
    preprocessing, _ = fit_preprocessing(cohort, PreprocessingSettings(**options))
    return preprocessing.apply(cohort)[0].values[view].numpy()


def normal(n: int = 80, d: int = 5, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(rng.normal(0, 10, d), rng.uniform(0.1, 20, d), (n, d))


def test_standardising_gives_mean_zero_and_unit_variance(make_cohort: Make) -> None:
    cohort = make_cohort(rna=normal())
    x = scaled(cohort)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, rtol=1e-5)
    scaling = fit_preprocessing(cohort, PreprocessingSettings())[0].views["rna"]
    np.testing.assert_allclose(scaling.variance, 1)
    np.testing.assert_allclose(scaling.fill, 0, atol=1e-9)


def test_minmax_reaches_from_zero_to_one(make_cohort: Make) -> None:
    x = scaled(make_cohort(rna=normal()), scale="minmax")
    np.testing.assert_allclose(x.min(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(x.max(axis=0), 1, atol=1e-6)


def test_no_scaling_leaves_values_as_they_are(make_cohort: Make) -> None:
    cohort = make_cohort(rna=normal())
    assert np.array_equal(scaled(cohort, scale="none", winsorise=None), cohort["rna"].values)


def usable_cohort(make: Make, table: np.ndarray) -> MultiOmics | None:
    """A cohort of a table in which some feature varies."""
    there = np.isfinite(table)
    varies = [len(np.unique(table[there[:, j], j])) > 1 for j in range(table.shape[1])]
    if not any(varies):
        return None
    return make(rna=table, other=np.arange(float(len(table)))[:, None])


@given(table=tables, limit=st.floats(2.0, 6.0))
def test_winsorised_values_lie_within_the_limit(
    make_cohort: Make, table: np.ndarray, limit: float
) -> None:
    cohort = usable_cohort(make_cohort, table)
    if cohort is None:
        return
    settings = PreprocessingSettings(winsorise=limit)
    preprocessing, _ = fit_preprocessing(cohort, settings)
    scaling = preprocessing.views["rna"]
    assert np.isfinite(scaling.scale).all()
    assert (scaling.scale > 0).all()
    batch, _ = preprocessing.apply(cohort)
    x = batch.values["rna"].numpy()
    assert np.isfinite(x).all()
    assert np.abs(x).max() <= limit * 1.002
    assert (x.max(axis=0) > x.min(axis=0)).all(), "no feature was clipped away"


@pytest.mark.parametrize("tail", [2.0, 1.0])
def test_heavy_tails_are_brought_within_the_limit(make_cohort: Make, tail: float) -> None:
    x = np.random.default_rng(0).standard_t(tail, size=(200, 30))
    cohort = make_cohort(rna=x)
    preprocessing, findings = fit_preprocessing(cohort, PreprocessingSettings())
    assert not findings
    batch, touched = preprocessing.apply(cohort)
    z = batch.values["rna"].numpy()
    assert np.abs(z).max() <= 5.001
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-4)
    scaling = preprocessing.views["rna"]
    x32 = x.astype(np.float32)
    n_clipped = int(((x32 < scaling.lower) | (x32 > scaling.upper)).sum())
    assert n_clipped > 30
    (finding,) = touched
    assert finding.code == "winsorised"
    assert finding.view == "rna"
    assert finding.message.startswith(f"{n_clipped} of 6000 entries ({n_clipped / 6000:.2%})")


@pytest.mark.parametrize("level", [0.0, 5.0, 1e4])
def test_a_rare_value_survives_winsorising(make_cohort: Make, level: float) -> None:
    # Three mutated samples of 92 lie beyond 5 standard deviations however often they are
    # clipped: limits that follow would close in on the common value.
    x = np.column_stack([np.full(92, level), normal(92, 1)[:, 0]])
    x[:3, 0] += 1
    cohort = make_cohort(rna=x)
    preprocessing, findings = fit_preprocessing(cohort, PreprocessingSettings())
    assert not findings
    batch, touched = preprocessing.apply(cohort)
    z = batch.values["rna"][:, 0].numpy()
    np.testing.assert_allclose(z[:3], 5.0, atol=1e-3)
    assert np.ptp(z[3:]) == 0
    assert [f.code for f in touched] == ["winsorised"]
    restored = preprocessing.views["rna"].invert(batch.values["rna"].numpy())
    np.testing.assert_allclose(restored[3:], x[3:], rtol=1e-5, atol=1e-5)
    assert (restored[:3, 0] - level > 0.8).all()


def test_the_most_variable_features_are_not_those_with_an_outlier(make_cohort: Make) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3)) * [1.0, 3.0, 2.0]
    x[0, 0] = 631.0
    cohort = make_cohort(rna=x)
    preprocessing, _ = fit_preprocessing(cohort, PreprocessingSettings(most_variable=2))
    assert list(preprocessing.views["rna"].features) == ["rna_1", "rna_2"]


def test_new_samples_are_clipped_to_the_training_limits(make_cohort: Make) -> None:
    cohort = make_cohort(rna=normal(d=1))
    preprocessing, _ = fit_preprocessing(cohort, PreprocessingSettings())
    far = make_cohort(rna=np.array([[1e9], [-1e9], [float(cohort["rna"].values.mean())]]))
    batch, findings = preprocessing.apply(far)
    np.testing.assert_allclose(batch.values["rna"][:, 0], [5, -5, 0], atol=1e-4)
    assert [f.code for f in findings] == ["winsorised"]
    assert findings[0].message.startswith("2 of 3 entries (66.67%)")


def test_switched_off_winsorising_clips_nothing(make_cohort: Make) -> None:
    x = normal()
    x[0, 0] = 1e6
    preprocessing, findings = fit_preprocessing(
        make_cohort(rna=x), PreprocessingSettings(winsorise=None)
    )
    batch, touched = preprocessing.apply(make_cohort(rna=x))
    assert (*findings, *touched) == ()
    assert batch.values["rna"].max() > 8


@given(table=tables, scale=st.sampled_from(["standard", "minmax", "none"]), log=st.booleans())
def test_inverting_restores_the_values_within_the_limits(
    make_cohort: Make, table: np.ndarray, scale: str, log: bool
) -> None:
    cohort = usable_cohort(make_cohort, np.abs(table) if log else table)
    if cohort is None:
        return
    settings = PreprocessingSettings(scale=scale, winsorise=None, log1p=("rna",) if log else ())
    preprocessing, _ = fit_preprocessing(cohort, settings)
    scaling = preprocessing.views["rna"]
    original = cohort.frame("rna")[scaling.features].to_numpy()
    z, n_clipped = scaling.apply(original, "rna")
    assert n_clipped == 0
    size = np.nanmax(np.abs(original)) + 1
    np.testing.assert_allclose(scaling.invert(z), original, atol=1e-4 * size, rtol=1e-4)


def test_log1p_is_for_counts(make_cohort: Make) -> None:
    counts = np.random.default_rng(0).poisson(20, (50, 3)).astype(float)
    cohort = make_cohort(rna=counts, other=normal(50))
    options = {"log1p": ("rna",), "scale": "none", "winsorise": None}
    np.testing.assert_allclose(scaled(cohort, **options), np.log1p(counts), rtol=1e-6)
    assert np.array_equal(scaled(cohort, "other", **options), cohort["other"].values)

    with pytest.raises(DataError) as error:
        scaled(make_cohort(rna=np.array([[1.0, -2.0], [3.0, -0.5]])), log1p=("rna",))
    assert str(error.value) == (
        "view 'rna': log1p was asked for, but 2 values are below zero (the least is -2). "
        "It is for counts; leave it out for this view."
    )
    with pytest.raises(SettingsError, match="log1p names the view rnaa; there are rna, other"):
        scaled(cohort, log1p=("rnaa",))


def test_the_most_variable_features_are_kept_in_their_order(make_cohort: Make) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, [1, 9, 0, 7, 3], (50, 5))
    cohort = make_cohort(rna=x)
    preprocessing, findings = fit_preprocessing(cohort, PreprocessingSettings(most_variable=2))
    assert list(preprocessing.views["rna"].features) == ["rna_1", "rna_3"]
    by_code = {finding.code: finding for finding in findings}
    assert set(by_code) == {"features-left-out", "most-variable"}
    assert by_code["most-variable"].message == "the 2 most variable of 4 features were kept"
    assert by_code["most-variable"].items == ("rna_1", "rna_3")
    # A selection that keeps all is none.
    _, findings = fit_preprocessing(cohort, PreprocessingSettings(most_variable=4))
    assert [f.code for f in findings] == ["features-left-out"]


def test_features_that_say_nothing_are_left_out_and_listed(make_cohort: Make) -> None:
    x = normal()
    x[:, 0] = 3.0
    x[:, 1] = np.nan
    x[1:, 2] = np.nan
    x[::2, 3] = np.nan
    preprocessing, findings = fit_preprocessing(make_cohort(rna=x), PreprocessingSettings())
    assert list(preprocessing.views["rna"].features) == ["rna_3", "rna_4"]
    (finding,) = findings
    assert (finding.severity, finding.code, finding.view) == ("warning", "features-left-out", "rna")
    assert finding.items == ("rna_0", "rna_1", "rna_2")
    assert "3 features are constant or missing throughout" in finding.message


@pytest.mark.parametrize("x", [np.ones((9, 2)), np.full((9, 2), np.nan)])
def test_a_view_without_a_usable_feature_is_refused(make_cohort: Make, x: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"view 'bad' has no usable feature.*Leave the view out"):
        fit_preprocessing(make_cohort(rna=normal(9), bad=x), PreprocessingSettings())


def test_a_view_without_a_measured_sample_is_refused(make_cohort: Make) -> None:
    cohort = make_cohort(rna=normal(9), bad=normal(9), measured={"bad": np.zeros(9, dtype=bool)})
    with pytest.raises(DataError, match="view 'bad' has no usable feature"):
        fit_preprocessing(cohort, PreprocessingSettings())


def test_missing_entries_hold_the_scaled_mean_and_are_marked(make_cohort: Make) -> None:
    x = normal()
    x[3:9, 1] = np.nan
    for scale in ("standard", "minmax", "none"):
        cohort = make_cohort(rna=x)
        preprocessing, _ = fit_preprocessing(cohort, PreprocessingSettings(scale=scale))
        batch, findings = preprocessing.apply(cohort)
        assert findings == ()
        observed = batch.observed["rna"]
        assert observed is not None
        assert np.array_equal(observed.numpy(), np.isfinite(x))
        column = batch.values["rna"][:, 1].numpy()
        rest = np.delete(column, np.s_[3:9])
        np.testing.assert_allclose(column[3:9], rest.mean(), rtol=1e-4, atol=1e-6)
    whole, _ = preprocessing.apply(cohort.take(np.arange(10, 20)))
    assert whole.observed["rna"] is None


def two_views(make: Make) -> MultiOmics:
    return make(rna=normal(), protein=normal(d=3, seed=1))


def test_features_are_matched_by_name(make_cohort: Make) -> None:
    cohort = two_views(make_cohort)
    preprocessing, _ = fit_preprocessing(cohort, PreprocessingSettings())
    reference, _ = preprocessing.apply(cohort)
    order = np.array([4, 2, 0, 3, 1])
    rna = cohort["rna"]
    shuffled = View(rna.values[:, order], rna.features[order], rna.measured)
    views = {"protein": cohort["protein"], "rna": shuffled}
    batch, findings = preprocessing.apply(replace(cohort, views=views))
    assert findings == ()
    assert list(batch.values) == ["rna", "protein"]
    for name in batch.values:
        assert np.array_equal(batch.values[name], reference.values[name])


def test_absent_features_count_as_missing_entries(make_cohort: Make) -> None:
    cohort = two_views(make_cohort)
    preprocessing, _ = fit_preprocessing(cohort, PreprocessingSettings())
    rna = cohort["rna"]
    extra = View(
        np.column_stack([rna.values[:, [3, 1]], np.ones(80, dtype=np.float32)]),
        pd.Index(["rna_3", "rna_1", "new"]),
        rna.measured,
    )
    batch, findings = preprocessing.apply(
        replace(cohort, views=dict(cohort.views) | {"rna": extra})
    )
    assert [(f.severity, f.code, f.view, f.items) for f in findings] == [
        ("warning", "features-absent", "rna", ("rna_0", "rna_2", "rna_4")),
        ("note", "features-unknown", "rna", ("new",)),
    ]
    assert "3 of the model's 5 features are absent" in findings[0].message
    observed = batch.observed["rna"]
    assert observed is not None
    assert np.array_equal(observed.all(dim=0), [False, True, False, True, False])
    reference, _ = preprocessing.apply(cohort)
    assert np.array_equal(batch.values["rna"][:, [1, 3]], reference.values["rna"][:, [1, 3]])
    np.testing.assert_allclose(batch.values["rna"][:, [0, 2, 4]], 0, atol=1e-6)


def test_absent_and_unknown_views_are_reported(make_cohort: Make) -> None:
    cohort = two_views(make_cohort)
    preprocessing, _ = fit_preprocessing(cohort, PreprocessingSettings())
    views = {"protein": cohort["protein"], "other": cohort["rna"]}
    batch, findings = preprocessing.apply(replace(cohort, views=views))
    assert {(f.severity, f.code, f.view) for f in findings} == {
        ("warning", "view-unknown", "other"),
        ("note", "view-absent", "rna"),
    }
    assert np.array_equal(batch.measured, [[False, True]] * 80)
    assert batch.values["rna"].shape == (80, 5)


def test_a_single_sample_is_scaled_as_among_many(make_cohort: Make) -> None:
    cohort = two_views(make_cohort)
    preprocessing, _ = fit_preprocessing(cohort, PreprocessingSettings())
    reference, _ = preprocessing.apply(cohort)
    single, _ = preprocessing.apply(cohort.take([7]))
    for name in reference.values:
        assert np.array_equal(single.values[name], reference.values[name][7:8])


def test_a_row_without_an_entry_counts_as_unmeasured(make_cohort: Make) -> None:
    cohort = two_views(make_cohort)
    preprocessing, _ = fit_preprocessing(cohort, PreprocessingSettings())
    cohort["rna"].values[5] = np.nan
    batch, _ = preprocessing.apply(cohort)
    assert batch.measured[5].tolist() == [False, True]
    assert batch.observed["rna"] is None


def test_cohorts_that_share_nothing_with_the_model_are_refused(make_cohort: Make) -> None:
    cohort = two_views(make_cohort)
    preprocessing, _ = fit_preprocessing(cohort, PreprocessingSettings())
    with pytest.raises(DataError) as error:
        preprocessing.apply(make_cohort(mrna=normal()))
    assert str(error.value) == (
        "none of the model's views (rna, protein) is among the cohort's (mrna). "
        "Give the views the names used in training."
    )
    turned = View(
        normal(5, 80).astype(np.float32), pd.Index([f"s{i}" for i in range(80)]), np.ones(5, bool)
    )
    samples = pd.Index([f"rna_{j}" for j in range(5)])
    with pytest.raises(DataError, match=r"shares no feature with the model.*--features-in-rows"):
        preprocessing.apply(MultiOmics({"rna": turned}, samples, pd.DataFrame(index=samples)))
    blank = cohort.take([0, 1, 2])
    for view in blank.views.values():
        view.values[1] = np.nan
    with pytest.raises(DataError, match=r"1 samples have no measured feature.*: s1\. Remove"):
        preprocessing.apply(blank)


@pytest.mark.parametrize("log1p", [(), ("rna", "protein")])
def test_what_unmeasured_rows_hold_does_not_matter(
    make_cohort: Make, spoil: Callable[[MultiOmics], MultiOmics], log1p: tuple[str, ...]
) -> None:
    measured = {"rna": np.arange(80) % 3 > 0, "protein": np.arange(80) % 5 > 0}
    measured["rna"][0] = True
    cohort = make_cohort(
        rna=np.abs(normal()),
        protein=np.abs(normal(d=3)),
        measured={**measured, "rna": measured["rna"] | ~measured["protein"]},
    )
    results = []
    for each in (cohort, spoil(cohort)):
        preprocessing, fit_findings = fit_preprocessing(each, PreprocessingSettings(log1p=log1p))
        batch, findings = preprocessing.apply(each)
        results.append((batch, [str(f) for f in (*fit_findings, *findings)]))
    (one, said), (other, said_too) = results
    assert said == said_too
    assert np.array_equal(one.measured, other.measured)
    for name in one.values:
        assert np.array_equal(one.values[name], other.values[name])
        assert one.observed[name] is None
        assert other.observed[name] is None


def test_a_row_of_unused_features_is_named(make_cohort: Make) -> None:
    cohort = make_cohort(rna=normal(20, 3), protein=normal(20, 2))
    preprocessing, _ = fit_preprocessing(cohort, PreprocessingSettings())
    values = np.column_stack([cohort["rna"].values, np.ones(20, dtype=np.float32)])
    values[4, :3] = np.nan
    features = cohort["rna"].features.append(pd.Index(["other"]))
    rna = View(values, features, cohort["rna"].measured)
    batch, findings = preprocessing.apply(replace(cohort, views={**cohort.views, "rna": rna}))
    assert batch.measured[4].tolist() == [False, True]
    (found,) = [finding for finding in findings if finding.code == "rows-unusable"]
    assert found.items == (cohort.samples[4],)
    assert "counts as unmeasured" in found.message


def test_few_clipped_values_are_not_called_none() -> None:
    assert "(less than 0.01%)" in _winsorised("rna", 3, 146_160).message
    assert "(0.42%)" in _winsorised("rna", 200, 47_484).message
