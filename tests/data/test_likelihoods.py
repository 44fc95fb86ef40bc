"""Which likelihood a view's values call for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import sparse

from poems.data import check, read
from poems.data.container import View
from poems.data.disk.matrix import CsrArrays, DenseArray
from poems.data.disk.view import BackedView
from poems.data.likelihoods import LEFT_GAUSSIAN, depth_findings, propose_likelihood
from poems.settings.parts import LIKELIHOODS

Draw = Callable[[np.random.Generator], npt.NDArray[np.float64]]
SHAPE = (120, 40)


def counts(rng: np.random.Generator, dispersion: float) -> npt.NDArray[np.float64]:
    mean = np.exp(rng.normal(1.0, 1.5, SHAPE[1]))
    rate = mean * rng.gamma(1 / dispersion, dispersion, SHAPE) if dispersion else mean
    return rng.poisson(np.broadcast_to(rate, SHAPE)).astype(float)


DRAWS: dict[str, tuple[Draw, str | None]] = {
    "calls": (lambda rng: (rng.random(SHAPE) < 0.1).astype(float), "bernoulli"),
    "states": (lambda rng: np.clip(np.round(rng.normal(0, 1, SHAPE)), -2, 2), "ordinal"),
    "few counts": (lambda rng: rng.poisson(np.linspace(0.02, 1, 40), SHAPE) * 1.0, "poisson"),
    "poisson": (lambda rng: counts(rng, 0.0), "poisson"),
    "counts": (lambda rng: counts(rng, 0.6), "negative_binomial"),
    "methylation": (lambda rng: rng.beta(0.4, 0.5, SHAPE), "beta"),
    "outliers": (lambda rng: rng.standard_t(2.5, SHAPE), "student_t"),
    "gaussian": (lambda rng: rng.normal(5, 2, SHAPE), None),
    "unlogged": (lambda rng: np.exp(rng.normal(3, 1.5, SHAPE)), None),
    "fractions in the middle": (lambda rng: rng.beta(8, 8, SHAPE), None),
    "logged counts": (lambda rng: np.log1p(counts(rng, 0.6)), None),
}


@pytest.mark.parametrize("what", DRAWS)
@pytest.mark.parametrize("gaps", [False, True])
def test_values_of_a_kind_get_the_likelihood_of_their_kind(what: str, gaps: bool) -> None:
    draw, expected = DRAWS[what]
    for seed in range(5):
        rng = np.random.default_rng(seed)
        values = draw(rng).astype(np.float32)
        if gaps:
            values[rng.random(SHAPE) < 0.1] = np.nan
        rows = np.ones(SHAPE[0], dtype=bool)
        found = propose_likelihood(View(values, pd.RangeIndex(SHAPE[1]).astype(str), rows))
        assert (None if found is None else found.likelihood) == expected


def view_of(values: npt.ArrayLike) -> View:
    x = np.asarray(values, dtype=np.float32)
    return View(x, pd.RangeIndex(x.shape[1]).astype(str), np.ones(len(x), dtype=bool))


def against(values: npt.ArrayLike) -> str | None:
    found = propose_likelihood(view_of(values))
    assert found is not None
    return found.against


def table_of(values: npt.ArrayLike) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(values)).add_prefix("gene").rename("s{}".format)


def codes(view: npt.ArrayLike) -> dict[str, str]:
    """What a check says of a view, by code."""
    return {each.code: each.message for each in check({"calls": table_of(view)}).findings}


def test_check_says_what_a_fit_chooses_and_how_to_choose_otherwise() -> None:
    calls = codes(np.random.default_rng(0).random((60, 12)) < 0.3)
    assert "0 or 1" in calls["likelihood-chosen"]
    assert "--likelihood calls=gaussian" in calls["likelihood-chosen"]
    # What would be wrong with it as Gaussian is not said of what is not.
    assert "discrete-values" not in calls
    levels = codes(np.clip(np.round(np.random.default_rng(0).normal(0, 1, (60, 12))), -2, 2))
    assert "--likelihood calls=ordinal" in levels["likelihood-proposed"]
    assert LEFT_GAUSSIAN["ordinal"] in levels["likelihood-proposed"]
    # That they are taken as Gaussian is said with it, once.
    assert "discrete-values" not in levels


def test_every_reason_to_leave_a_family_out_is_of_one_that_there_is() -> None:
    assert set(LEFT_GAUSSIAN) <= set(LIKELIHOODS)


def test_what_tells_no_probability_stays_gaussian() -> None:
    rng = np.random.default_rng(0)
    calls = (rng.random((80, 30)) < 0.3).astype(float)
    assert against(calls) is None
    singletons = np.eye(80)[:, :30]
    assert "fewer than 3" in str(against(singletons))
    seldom = np.where(rng.random(calls.shape) < 0.1, calls, np.nan)
    assert "was measured on" in str(against(seldom))


def test_counts_without_a_total_to_compare_at_stay_gaussian() -> None:
    rng = np.random.default_rng(0)
    x = counts(rng, 0.6)
    assert against(x) is None
    x[3] = 0.0
    assert "all 0" in str(against(x))
    few = rng.poisson([3.0, 30.0, 300.0, 900.0], (90, 4))
    assert "total of 4 features" in str(against(few))


def test_one_value_of_another_kind_anywhere_counts() -> None:
    """Also where so many features are looked at that most are passed over."""
    x = np.random.default_rng(0).integers(0, 2, (20, 6001)).astype(float)
    x[7, 4001] = 0.5
    found = propose_likelihood(view_of(x))
    assert found is None or found.likelihood != "bernoulli"


def test_values_scaled_by_their_range_are_no_fractions() -> None:
    x = np.random.default_rng(0).exponential(size=SHAPE)
    scaled = (x - x.min(axis=0)) / np.ptp(x, axis=0)
    assert propose_likelihood(view_of(scaled)) is None


def test_very_unequal_depth_is_named_with_its_samples() -> None:
    rng = np.random.default_rng(0)
    depth = np.exp(rng.normal(0, 0.2, 60))
    depth[[4, 9]] = 0.02, 9.0
    x = rng.poisson(depth[:, None] * np.linspace(1, 60, 40))
    said = codes(x)["unequal-depth"]
    assert "(s4)" in said
    assert "(s9)" in said
    assert "(--size-factors)" in said
    assert "unequal-depth" not in codes(np.delete(x, [4, 9], axis=0))


def test_unequal_depth_is_a_warning_only_where_the_likelihood_does_not_count() -> None:
    rng = np.random.default_rng(0)
    x = rng.poisson(np.exp(rng.normal(0, 1.5, 60))[:, None] * np.linspace(1, 60, 40))
    cohort = read({"calls": pd.DataFrame(x).rename("s{}".format)})
    (note,), (warning,) = depth_findings(cohort, ["calls"]), depth_findings(cohort)
    assert (note.severity, warning.severity) == ("note", "warning")
    assert "--likelihood calls=" in warning.message
    assert "--likelihood" not in note.message


@pytest.mark.parametrize("what", DRAWS)
@pytest.mark.parametrize("gaps", [False, True])
def test_on_disk_they_get_the_same(what: str, gaps: bool) -> None:
    """Dense and sparse alike; heavy tails are looked for in memory alone."""
    draw, expected = DRAWS[what]
    values = draw(np.random.default_rng(0)).astype(np.float32)
    if gaps:
        values[np.random.default_rng(1).random(SHAPE) < 0.1] = np.nan
    x = sparse.csr_array(values)
    matrices = (
        DenseArray(values, "an array"),
        CsrArrays(x.indptr, x.indices, x.data, SHAPE, "a matrix"),
    )
    for matrix in matrices:
        view = BackedView(matrix, pd.RangeIndex(SHAPE[1]).astype(str), np.arange(SHAPE[0]))
        found = propose_likelihood(view)
        assert (found and found.likelihood) == (None if what == "outliers" else expected)
        if found is not None and what != "methylation":
            memory = propose_likelihood(view.load())
            assert memory == found
