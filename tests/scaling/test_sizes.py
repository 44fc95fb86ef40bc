"""Sizes of samples: by totals, by pooled ratios, by a column of obs, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.data.container import MultiOmics
from poems.errors import DataError, SettingsError
from poems.scaling.preprocessing import Preprocessing, fit_preprocessing
from poems.scaling.sizes import POOLED, pooled, totals
from poems.settings.groups import PreprocessingSettings
from poems.settings.schema import Settings

Make = Callable[..., MultiOmics]
Floats = npt.NDArray[np.float64]


def drawn(
    mean: float, spread: float, n_features: int, seed: int = 0, changed: float = 0.1
) -> tuple[Floats, Floats]:
    """Counts of 60 samples of unlike depth, some large features eightfold in a half of them."""
    rng = np.random.default_rng(seed)
    depth = np.exp(rng.normal(0, 0.8, 60))
    rates = mean * np.exp(rng.normal(0, spread, n_features))
    fold = np.ones((60, n_features))
    fold[:30, np.argsort(-rates)[: round(changed * n_features)]] = 8.0
    return rng.poisson(depth[:, None] * rates * fold).astype(np.float64), depth


def sized(cohort: MultiOmics, sizes: Any, kind: Any = "counts") -> Preprocessing:
    settings = PreprocessingSettings(size_factors=sizes)
    return fit_preprocessing(cohort, settings, {"rna": kind})[0]


def log_sizes(cohort: MultiOmics, sizes: Any) -> Floats:
    batch, _ = sized(cohort, sizes).apply(cohort)
    return batch.log_sizes["rna"].numpy().astype(np.float64)


def with_obs(cohort: MultiOmics, **columns: Any) -> MultiOmics:
    obs = pd.DataFrame(columns, index=cohort.samples)
    return MultiOmics(cohort.views, cohort.samples, obs)


def error(found: Floats, depth: Floats) -> float:
    return float(np.std(found - np.log(depth)))


@pytest.mark.parametrize(
    ("mean", "changed", "most"), [(30.0, 0.1, 0.1), (0.5, 0.02, 0.25)], ids=["frequent", "sparse"]
)
def test_pooled_ratios_see_depth_and_not_what_a_few_large_features_do(
    mean: float, changed: float, most: float, make_cohort: Make
) -> None:
    x, depth = drawn(mean, 1.5, 400, changed=changed)
    cohort = make_cohort(rna=x[:, x.sum(axis=0) > 0])
    by_totals, by_pools = (log_sizes(cohort, rule) for rule in ("totals", "pooled"))
    assert error(by_pools, depth) < 0.6 * error(by_totals, depth)
    assert error(by_pools, depth) < most


def test_where_nothing_changes_rare_features_are_sized_as_by_their_totals(
    make_cohort: Make,
) -> None:
    rng = np.random.default_rng(0)
    depth = np.exp(rng.normal(0, 0.8, 60))
    x = rng.poisson(depth[:, None] * np.full(500, 0.3)).astype(float)
    found = log_sizes(make_cohort(rna=x), "pooled")
    assert error(found, depth) < 0.15


@given(
    st.integers(0, 1000), st.floats(0.05, 300), st.floats(0, 2.5), st.sampled_from([0.0, 0.2, 0.6])
)
def test_pooled_sizes_are_positive_and_equivariant(
    seed: int, mean: float, spread: float, gaps: float
) -> None:
    rng = np.random.default_rng(seed)
    rates = mean * np.exp(rng.normal(0, spread, 30))
    x = rng.poisson(np.exp(rng.normal(0, 1, 12))[:, None] * rates).astype(float)
    x[rng.random(x.shape) < gaps] = np.nan
    found = pooled(x, rates)
    assert (found[np.nansum(x, axis=1) > 0] > 0).all()
    # Nothing counted, and nothing measured.
    none = (np.nansum(x, axis=1) == 0) & ~np.isnan(x).all(axis=1)
    assert (found[none] == 0).all()
    assert (found[np.isnan(x).all(axis=1)] == 1).all()
    # Beside samples of twice the size, all are half as large; each is sized by itself.
    np.testing.assert_allclose(pooled(x, 2 * rates), found / 2, rtol=1e-9)
    np.testing.assert_allclose(pooled(x[3:5], rates), found[3:5])


def test_a_sample_of_few_counts_is_sized_by_its_total() -> None:
    rates = np.full(40, 5.0)
    x = np.zeros((1, 40))
    x[0, :3] = 2 * POOLED / 3 - 1
    np.testing.assert_allclose(pooled(x, rates), totals(x, rates))


def test_frequent_features_are_pools_of_their_own() -> None:
    rates = np.array([100.0, 50.0, 400.0, 30.0, 20.0])
    x = rates * np.array([1.0, 1.1, 9.0, 0.9, 1.05])
    np.testing.assert_allclose(pooled(x[None], rates), [1.05])


@pytest.mark.parametrize("rule", ["totals", "pooled", "obs:depth"])
def test_new_samples_are_sized_beside_the_training_samples(rule: str, make_cohort: Make) -> None:
    x, depth = drawn(30, 1.0, 80)
    cohort = with_obs(make_cohort(rna=x), depth=1e6 * depth)
    preprocessing = sized(cohort, rule)
    known, _ = preprocessing.apply(cohort)
    assert abs(float(known.log_sizes["rna"].mean())) < 1e-5
    few = cohort.take([7, 3])
    new, _ = preprocessing.apply(few)
    np.testing.assert_allclose(new.log_sizes["rna"], known.log_sizes["rna"][[7, 3]], rtol=1e-5)


def test_a_column_of_obs_is_the_size_of_samples_relative_to_its_geometric_mean(
    make_cohort: Make,
) -> None:
    x, depth = drawn(30, 1.0, 40)
    found = log_sizes(with_obs(make_cohort(rna=x), reads=1e6 * depth), {"rna": "obs:reads"})
    np.testing.assert_allclose(found, np.log(depth) - np.log(depth).mean(), atol=1e-5)


@pytest.mark.parametrize("wrong", [0.0, -3.0, np.inf, np.nan, "none"])
def test_a_size_that_is_none_is_refused_by_sample_and_column(wrong: Any, make_cohort: Make) -> None:
    x, depth = drawn(30, 1.0, 40)
    reads = depth.astype(object)
    reads[4] = wrong
    cohort = with_obs(make_cohort(rna=x), reads=reads)
    with pytest.raises(DataError) as raised:
        sized(cohort, "obs:reads")
    said = str(raised.value)
    assert all(part in said for part in ("'reads'", str(cohort.samples[4]), "'rna'", "above 0"))
    # A sample without the view needs none.
    x[4] = np.nan
    measured = with_obs(make_cohort(rna=x, other=depth[:, None] * [1, 2]), reads=reads)
    assert np.isfinite(log_sizes(measured, {"rna": "obs:reads"})).all()


def test_a_column_that_is_not_there_is_asked_for_when_fitting_and_of_new_samples(
    make_cohort: Make,
) -> None:
    x, depth = drawn(30, 1.0, 40)
    bare, full = make_cohort(rna=x), with_obs(make_cohort(rna=x), reads=depth)
    said = r"column 'reads' of obs \(size_factors='obs:reads'\).*obs=, --obs"
    with pytest.raises(DataError, match=said):
        sized(bare, "obs:reads")
    with pytest.raises(DataError, match=said):
        sized(full, "obs:reads").apply(bare)


def test_sizes_of_views_that_have_none_are_refused(make_cohort: Make) -> None:
    x, _ = drawn(30, 1.0, 40)
    with pytest.raises(SettingsError, match="size_factors names the view atac; there are rna"):
        sized(make_cohort(rna=x), {"atac": "pooled"})
    with pytest.raises(SettingsError, match="view rna, whose likelihood is not one of counts"):
        sized(make_cohort(rna=x), {"rna": "pooled"}, kind="continuous")


def test_the_setting_takes_rules_columns_and_what_totals_were_called() -> None:
    taken = Settings().updated(size_factors="total").preprocessing
    assert taken == Settings().preprocessing
    assert taken.sizes_of("rna") == "totals"
    by_view = Settings().updated(size_factors={"rna": "obs:a=b, c"}).preprocessing
    assert (by_view.sizes_of("rna"), by_view.sizes_of("atac")) == ("obs:a=b, c", "totals")
    for wrong in ("obs:", "column", {"rna": "depth"}):
        with pytest.raises(
            SettingsError, match=r"no size factor '.*'; there are totals, pooled, none, obs:COLUMN"
        ):
            Settings().updated(size_factors=wrong)
