"""Views whose likelihood is given values as they were measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import poems
from poems.data.container import MultiOmics
from poems.errors import DataError, SettingsError
from poems.scaling.own_scale import Kind
from poems.scaling.preprocessing import Preprocessing, fit_preprocessing
from poems.settings.groups import PreprocessingSettings

Make = Callable[..., MultiOmics]
DRAWS: dict[Kind, Callable[[np.random.Generator], npt.NDArray[np.float64]]] = {
    "binary": lambda rng: (rng.random((40, 6)) < 0.4).astype(float),
    "counts": lambda rng: rng.poisson(np.exp(rng.normal(1, 1, (40, 6)))).astype(float),
    "fractions": lambda rng: np.round(rng.beta(0.5, 0.5, (40, 6)), 2),
    "levels": lambda rng: rng.choice([-2.0, 0.0, 1.0, 5.0], (40, 6)),
    "heavy": lambda rng: 100 * rng.standard_t(2, (40, 6)),
}


def fitted(cohort: MultiOmics, kind: Kind, **options: object) -> Preprocessing:
    settings = PreprocessingSettings.model_validate(options)
    return fit_preprocessing(cohort, settings, {"rna": kind})[0]


@pytest.mark.parametrize("kind", DRAWS)
def test_encoders_see_standardised_residuals_and_the_likelihood_what_was_measured(
    kind: Kind, make_cohort: Make
) -> None:
    x = DRAWS[kind](np.random.default_rng(0))
    x[0, 1] = np.nan
    preprocessing = fitted(make_cohort(rna=x), kind, winsorise=None)
    batch, _ = preprocessing.apply(make_cohort(rna=x))
    seen, there = batch.values["rna"].numpy(), ~np.isnan(x)
    np.testing.assert_allclose(seen.mean(axis=0, where=there), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(axis=0, where=there), 1, atol=1e-4)
    given = preprocessing.views["rna"].invert(batch.targets["rna"].numpy())
    inside = there if kind != "fractions" else there & (x > 0) & (x < 1)
    np.testing.assert_allclose(given[inside], x[inside], rtol=1e-5, atol=1e-4)
    if kind == "fractions":
        assert ((batch.targets["rna"] > 0) & (batch.targets["rna"] < 1))[there].all()


@pytest.mark.parametrize(
    ("kind", "value", "takes", "remedy"),
    [
        ("binary", 0.5, "0 and 1 alone", "Recode the view as 0 and 1"),
        ("binary", 2.0, "0 and 1 alone", "Recode the view as 0 and 1"),
        ("counts", -1.0, "whole numbers from 0 on", "neither logged nor normalised"),
        ("counts", 1.5, "whole numbers from 0 on", "neither logged nor normalised"),
        ("fractions", 1.01, "numbers from 0 to 1", "divided by 100"),
        ("levels", 0.5, "whole numbers", "in their order"),
    ],
)
@pytest.mark.parametrize("new", [False, True])
def test_a_value_that_the_likelihood_cannot_take_is_refused_by_name(
    kind: Kind, value: float, takes: str, remedy: str, new: bool, make_cohort: Make
) -> None:
    x = DRAWS[kind](np.random.default_rng(0))
    wrong = x.copy()
    wrong[3, 2] = value
    good, bad = make_cohort(rna=x), make_cohort(rna=wrong)
    refuse = fitted(good, kind).apply if new else partial(fitted, kind=kind)
    with pytest.raises(DataError) as raised:
        refuse(bad)
    said = str(raised.value)
    named = (f"{value:g}", takes, remedy, str(bad.samples[3]), str(bad["rna"].features[2]), "rna")
    assert all(part in said for part in named)


@pytest.mark.parametrize(("nearest", "end"), [(0.004, 0.002), (0.3, 0.01), (None, 0.001)])
def test_fractions_at_the_ends_stand_half_as_far_from_them_as_the_nearest_other(
    nearest: float | None, end: float, make_cohort: Make
) -> None:
    x = np.random.default_rng(0).integers(0, 2, (12, 4)).astype(float)
    if nearest is not None:
        x[2, 1], x[5, 3] = 1 - nearest, 0.5
    own = fitted(make_cohort(rna=x), "fractions").views["rna"].own
    assert own is not None
    np.testing.assert_allclose(own.ends, end, rtol=1e-4)


def test_a_level_that_the_model_does_not_know_is_refused(make_cohort: Make) -> None:
    x = DRAWS["levels"](np.random.default_rng(0))
    wrong = np.where(x == 5, 3, x)
    with pytest.raises(DataError, match=r"the levels -2, 0, 1, 5, which the model knows"):
        fitted(make_cohort(rna=x), "levels").apply(make_cohort(rna=wrong))


@given(
    counts=hnp.arrays(np.int64, (8, 5), elements=st.integers(0, 1000)),
    gaps=hnp.arrays(np.bool_, (8, 5)),
)
def test_sizes_have_a_geometric_mean_of_one(
    counts: npt.NDArray[np.int64], gaps: npt.NDArray[np.bool_]
) -> None:
    x = np.where(gaps, np.nan, counts.astype(float))
    assume((np.nansum(x, axis=1) > 0).all())
    assume(any(len(np.unique(column[~np.isnan(column)])) > 1 for column in x.T))
    used = x[:, [len(np.unique(column[~np.isnan(column)])) > 1 for column in x.T]]
    assume((np.nansum(used, axis=1) > 0).all())
    names = [f"s{i}" for i in range(8)]
    frame = pd.DataFrame(x, index=names).add_prefix("g")
    cohort = poems.read({"rna": frame})
    batch, _ = fitted(cohort, "counts").apply(cohort)
    sizes = batch.log_sizes["rna"]
    assert sizes.mean().abs() < 1e-4
    assert batch.values["rna"].isfinite().all()


def test_a_sample_counted_twice_as_deep_is_twice_the_size_and_nothing_else(
    make_cohort: Make,
) -> None:
    x = DRAWS["counts"](np.random.default_rng(0)) + 1
    preprocessing = fitted(make_cohort(rna=x), "counts")
    once, _ = preprocessing.apply(make_cohort(rna=x))
    twice, _ = preprocessing.apply(make_cohort(rna=2 * x))
    grown = twice.log_sizes["rna"] - once.log_sizes["rna"]
    np.testing.assert_allclose(grown.numpy(), np.log(2), atol=1e-5)
    assert (twice.targets["rna"] == 2 * once.targets["rna"]).all()
    # Without sizes all samples are of the same one.
    alike, _ = fitted(make_cohort(rna=x), "counts", size_factors="none").apply(make_cohort(rna=x))
    assert (alike.log_sizes["rna"] == 0).all()


def test_a_sample_without_a_count_is_refused_with_both_remedies(make_cohort: Make) -> None:
    x = DRAWS["counts"](np.random.default_rng(0))
    x[5] = 0
    cohort = make_cohort(rna=x)
    with pytest.raises(DataError, match=rf"sample {cohort.samples[5]} are 0.*size_factors='none'"):
        fitted(cohort, "counts")
    assert len(fitted(cohort, "counts", size_factors="none").apply(cohort)[0]) == 40


def test_log1p_of_values_that_are_taken_as_measured_is_refused(make_cohort: Make) -> None:
    x = DRAWS["counts"](np.random.default_rng(0))
    with pytest.raises(SettingsError, match="leave it out of log1p"):
        fitted(make_cohort(rna=x), "counts", log1p=("rna",))


def test_the_most_variable_features_are_those_of_residuals(make_cohort: Make) -> None:
    rng = np.random.default_rng(0)
    # A high mean with no more than a Poisson's variance, and a low one with much more.
    plain = rng.poisson(500, (80, 4))
    wild = rng.poisson(3 * rng.gamma(0.3, 1 / 0.3, (80, 4)))
    x = np.hstack([plain, wild]).astype(float)
    found = fitted(make_cohort(rna=x), "counts", most_variable=4, size_factors="none")
    assert list(found.views["rna"].features) == list(make_cohort(rna=x)["rna"].features[4:])


def test_batches_take_targets_and_sizes_along(make_cohort: Make) -> None:
    x = DRAWS["counts"](np.random.default_rng(0))
    batch, _ = fitted(make_cohort(rna=x), "counts").apply(make_cohort(rna=x))
    (first, *_) = batch.chunks(7)
    assert len(first.targets["rna"]) == len(first.log_sizes["rna"]) == 7
    eta = batch.values["rna"] * 0
    assert (batch.shifted(eta) == batch.log_sizes["rna"][:, None]).all()
    assert (batch.joined_targets() == batch.targets["rna"]).all()
    assert replace(batch, log_sizes={}).shifted(eta) is eta
