"""Cox models beside an exact likelihood of one covariate, maximised by other means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.special import logsumexp
from scipy.stats import chi2

from poems.analysis import survival_analysis
from poems.analysis.survival import checked_fit as module
from poems.analysis.survival.checked_fit import NoMaximumError, checked_fit
from poems.analysis.survival.concordance import fold_concordance
from poems.analysis.survival.covariates import Term
from poems.analysis.survival.cox import UNTOLD, CoxFit, fit_cox
from poems.analysis.survival.likelihood import PartialLikelihood
from poems.analysis.survival.logrank import logrank

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def exact(beta: float, z: Floats, time: Floats, event: Bools) -> tuple[float, float]:
    """The log partial likelihood and its slope at ``beta``, a death at a time, as Efron writes."""
    value = slope = 0.0
    for at in np.unique(time[event]):
        dies = event & (time == at)
        risk = time >= at
        value += beta * z[dies].sum()
        slope += z[dies].sum()
        for rank in range(dies.sum()):
            share = np.where(dies[risk], 1 - rank / dies.sum(), 1.0)
            total = logsumexp(beta * z[risk], b=share)
            value -= total
            slope -= (share * np.exp(beta * z[risk] - total)) @ z[risk]
    return value, slope


def exact_maximum(z: Floats, time: Floats, event: Bools) -> tuple[float, float] | None:
    """The coefficient and the likelihood-ratio statistic; ``None`` where it rises for ever."""

    def slope(beta: float) -> float:
        return exact(beta, z, time, event)[1]

    end = 1.0 if slope(0.0) > 0 else -1.0
    while slope(end) * end > 1e-12:
        end *= 2
        if abs(end) > 2**14:
            return None
    if abs(slope(end)) < 1e-12:
        return None
    beta = float(brentq(slope, min(0, end), max(0, end), xtol=1e-10))
    return beta, 2 * (exact(beta, z, time, event)[0] - exact(0.0, z, time, event)[0])


def cohort(seed: int) -> tuple[Floats, Floats, Bools]:
    """A covariate of any shape and scale, times with or without ties, few or many events."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(25, 90))
    x = [
        rng.standard_normal(n),
        rng.standard_t(1, n),
        np.exp(rng.normal(0, rng.uniform(1, 5), n)),
        (rng.random(n) < 0.1).astype(float),
        np.append(rng.standard_normal(n - 1), rng.choice([-1, 1]) * 10 ** rng.uniform(1, 5)),
    ][seed % 5]
    if np.ptp(x) == 0:
        x[0] += 1
    effect = rng.choice([0.0, 0.5, -1.0, 8.0]) * (x - x.mean()) / x.std()
    time = rng.exponential(size=n) * np.exp(-effect)
    end = rng.exponential(size=n) * np.median(time) * rng.choice([0.3, 1.0, 5.0])
    event, time = time <= end, np.minimum(time, end) / np.median(time)
    if rng.random() < 0.4:
        time = np.ceil(5 * time)
    return x * 10.0 ** rng.choice([0, 0, -6, 6]), time, event


def fit_one(x: Floats, time: Floats, event: Bools) -> CoxFit:
    return fit_cox("f", [Term("f", "", "", x)], [], time, event)


def standardise(x: Floats) -> Floats:
    return (x - x.mean()) / x.std()


def test_a_model_is_the_exact_maximum_or_penalised_never_wrong() -> None:
    fitted = penalised = 0
    for seed in range(100):
        x, time, event = cohort(seed)
        if event.sum() < 10:
            continue
        found = fit_one(x, time, event)
        best = exact_maximum(standardise(x), time, event)
        assert np.isfinite(found.p), seed
        if found.penalty:
            assert best is None, seed
            assert found.why == "no maximum"
            penalised += 1
            continue
        assert best is not None, seed
        fitted += 1
        row = found.rows[1]
        # The statistic to rounding where a p-value can be told from 0.
        assert found.p == pytest.approx(chi2.sf(best[1], 1), rel=3e-4, abs=1e-250), seed
        if UNTOLD not in row["test"]:
            ratio = np.log(row["hazard_ratio"]) * x.std()
            assert ratio == pytest.approx(best[0], rel=3e-3, abs=2e-3), seed
    assert fitted > 50
    assert penalised < fitted / 4


def skewed(seed: int) -> tuple[Floats, Floats, Bools]:
    rng = np.random.default_rng(seed)
    x = np.exp(rng.normal(0, 2, 120))
    time = rng.exponential(np.exp(-standardise(x)))
    end = rng.exponential(1.5, 120)
    # Ties: who is far off in the covariate dies at the same time as others.
    return x, np.ceil(5 * np.minimum(time, end)), time <= end


def test_what_full_steps_miss_is_found_by_smaller_ones_and_said() -> None:
    """Of these cohorts lifelines alone gives some a ratio of the wrong sign, and p 1."""
    whys = []
    for seed in range(25):
        x, time, event = skewed(seed)
        found = fit_one(x, time, event)
        best = exact_maximum(standardise(x), time, event)
        assert best is not None
        assert found.penalty == 0
        assert np.sign(np.log(found.rows[1]["hazard_ratio"])) == np.sign(best[0])
        assert found.p == pytest.approx(chi2.sf(best[1], 1), rel=3e-4)
        whys.append(found.why)
    assert "smaller steps" in whys
    assert "fitted" in whys


def test_our_likelihood_is_efrons_in_value_and_slopes() -> None:
    rng = np.random.default_rng(0)
    x, time, event = (
        rng.standard_normal((40, 3)),
        rng.integers(1, 9, 40) * 1.0,
        rng.random(40) < 0.6,
    )
    for penalty in (0.0, 0.1):
        ours = PartialLikelihood(x, time, event, penalty)
        for beta in (np.zeros(3), rng.normal(size=3), 20 * rng.normal(size=3)):
            direct = exact(1.0, x @ beta, time, event)[0] - 20 * penalty * beta @ beta
            assert ours.value(beta) == pytest.approx(direct, rel=1e-12)
            slope = ours.slope(beta)
            assert slope.value == pytest.approx(direct, rel=1e-12)
            for at, unit in enumerate(np.eye(3)):
                step = 1e-5 * unit
                rise = (ours.value(beta + step) - ours.value(beta - step)) / 2e-5
                assert slope.gradient[at] == pytest.approx(rise, rel=1e-5, abs=1e-5)
                bend = ours.slope(beta - step).gradient - ours.slope(beta + step).gradient
                np.testing.assert_allclose(slope.information[at], bend / 2e-5, rtol=1e-4, atol=1e-5)


def test_hazards_that_overflow_do_not() -> None:
    x = np.array([[800.0], [-800.0], [3.0]])
    slope = PartialLikelihood(x, np.array([1.0, 2.0, 3.0]), np.ones(3, bool)).slope(np.array([5.0]))
    assert np.isfinite([slope.value, *slope.gradient, *slope.information.ravel()]).all()


@pytest.mark.parametrize("scale", [1e-290, 1e-9, 1.0, 1e9, 1e290])
def test_the_test_does_not_depend_on_the_unit(scale: float) -> None:
    x, time, event = skewed(3)
    alone, scaled = fit_one(x, time, event), fit_one(scale * (x - 1), time, event)
    assert scaled.p == pytest.approx(alone.p, rel=1e-3)
    assert scaled.rows[1]["p"] == pytest.approx(alone.rows[1]["p"], rel=1e-3)
    if scale < 1e-6:
        assert np.isnan(scaled.rows[1]["hazard_ratio"])
        assert UNTOLD in scaled.rows[1]["test"]


def test_terms_that_follow_from_one_another_are_penalised_and_said() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal(100)
    time = rng.exponential(np.exp(-x))
    terms = [Term("a", "", "", x), Term("b", "", "", 2 * x + 1)]
    found = fit_cox("both", terms, [], time, np.ones(100, bool))
    assert (found.penalty, found.why) == (0.1, "no maximum")
    with pytest.raises(NoMaximumError, match="no maximum"):
        checked_fit(pd.DataFrame({"x0": x, "x1": 2 * x, "time": time, "event": True}), 0.0)


def far_sample() -> tuple[Floats, Floats, Bools]:
    """One sample very far away dies first; among all others the covariate says next to nothing."""
    event = np.ones(200, bool)
    for seed in range(50):
        rng = np.random.default_rng(seed)
        x, time = rng.standard_normal(199), 1 + rng.exponential(size=199)
        rest = fit_one(x, time, event[1:])
        if rest.p > 0.6:
            side = 1e6 if rest.rows[1]["hazard_ratio"] > 1 else -1e6
            return np.append(x, side), np.append(time, 0.5), event
    raise AssertionError("chance alone makes four of ten such")


def test_tests_that_contradict_each_other_are_looked_into_and_said() -> None:
    x, time, event = far_sample()
    names = pd.Index([f"s{at}" for at in range(len(x))])
    groups = pd.Series("S1", names)
    latent = pd.DataFrame({"factor_1": x}, names)
    said = survival_analysis(
        latent, groups, pd.Series(time, names), pd.Series(event, names), n_repeats=0
    ).findings
    text = " ".join(each.message for each in said if each.code == "survival-tests-contradict")
    assert "the Cox model of factor_1 contradict each other: likelihood ratio p" in text
    assert re.search(
        r"lies 14 standard deviations off, and without it the likelihood ratio has p = "
        r"(0\.\d+|1\.0)\.",
        text,
    )


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lifelines answer with a wrong sign, silently, and smaller steps find nothing."""
    import lifelines

    def wrong(self: Any, *args: Any, **kwargs: Any) -> Any:
        beta, value, hessian = original(self, *args, **kwargs)
        return -beta, value, hessian

    original = lifelines.fitters.coxph_fitter.SemiParametricPHFitter._newton_raphson_for_efron_model
    monkeypatch.setattr(
        lifelines.fitters.coxph_fitter.SemiParametricPHFitter,
        "_newton_raphson_for_efron_model",
        wrong,
    )
    monkeypatch.setattr(module, "climb", lambda likelihood, n: None)


def test_what_cannot_be_fitted_is_said_in_every_table_and_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from poems.cli.commands.survival import _print_survival
    from poems.cli.printing import output
    from poems.plots import plot_hazard_ratios

    broken(monkeypatch)
    rng = np.random.default_rng(0)
    names = pd.Index([f"s{at}" for at in range(100)])
    latent = pd.DataFrame({"factor_1": rng.standard_normal(100)}, names)
    time = pd.Series(rng.exponential(np.exp(-latent["factor_1"])), names)
    groups = pd.Series(np.where(latent["factor_1"] > 0, "S1", "S2"), names)
    found = survival_analysis(latent, groups, time, pd.Series(1, names), n_repeats=1)
    assert set(found.cox["test"]) == {"not fitted"}
    assert found.cox["hazard_ratio"].isna().all()
    tests = found.tests[found.tests["test"] == "Cox"]
    assert set(tests["how"]) == {"not fitted"}
    assert not tests["reported"].any()
    assert set(found.proportional["note"]) == {"not fitted"}
    assert found.concordance["concordance"].isna().all()
    assert (found.concordance["n_failed"] == 5).all()
    text = {each.code: each.message for each in found.findings}
    assert "2 Cox models (subtype, factor_1) not fitted" in text["survival-not-fitted"]
    assert "subtypes not fitted" in text["survival-concordance"]
    _print_survival(output(), found, "")
    printed = capsys.readouterr().out
    assert printed.count("not fitted") >= 4
    assert [each.get_text() for each in plot_hazard_ratios(found.cox).texts] == ["no hazard ratio"]


def test_a_fold_that_lifelines_gets_wrong_is_not_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 1))
    time, event, rows = rng.exponential(np.exp(-2 * x[:, 0])), np.ones(60, bool), np.arange(60)
    assert (fold_concordance(x, time, event, rows[:40], rows[40:]) or 0) > 0.7
    broken(monkeypatch)
    assert fold_concordance(x, time, event, rows[:40], rows[40:]) is None


def test_rows_are_those_of_lifelines_to_the_last_bit_where_it_is_right() -> None:
    from lifelines import CoxPHFitter

    rng = np.random.default_rng(2)
    x, event = rng.standard_normal(150), rng.random(150) < 0.8
    time = rng.exponential(np.exp(-0.7 * x))
    found = fit_one(x, time, event)
    table = pd.DataFrame({"x0": x, "time": time, "event": event})
    expected = CoxPHFitter().fit(table, "time", "event")
    row = expected.summary.loc["x0"]
    assert found.why == "fitted"
    assert found.p == expected.log_likelihood_ratio_test().p_value
    names = ["exp(coef)", "exp(coef) lower 95%", "exp(coef) upper 95%", "p"]
    ours = [found.rows[1][key] for key in ("hazard_ratio", "lower", "upper", "p")]
    assert ours == row[names].tolist()


def test_a_group_that_is_gone_before_the_first_event_is_no_degree_of_freedom() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b", "c"], 20)
    time = 1 + rng.exponential(size=60)
    event = np.ones(60, bool)
    time[40:], event[40:] = 0.5, False
    with_c, without = logrank(time, event, groups), logrank(time[:40], event[:40], groups[:40])
    assert (with_c.df, with_c.p) == (1, pytest.approx(without.p, rel=1e-12))
    assert logrank(time, np.zeros(60, bool), groups).p == 1.0
