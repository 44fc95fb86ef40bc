from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.analysis import survival_analysis
from poems.analysis.survival import concordance
from poems.analysis.survival.concordance import Refit, fold_concordance
from poems.analysis.survival.covariates import covariate_terms, group_terms
from poems.analysis.survival.curves import survival_curves
from poems.analysis.survival.logrank import logrank, stratified_logrank
from poems.errors import DataError, SettingsError

N = 120
NAMES = pd.Index([f"s{at}" for at in range(N)])


def planted(
    effect: float, seed: int = 0, censoring: float = 2.0
) -> tuple[pd.DataFrame, pd.Series, pd.Series, pd.Series]:
    """Three groups in two factors; the first factor, which sets S1 apart, carries the hazard."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(["S1", "S2", "S3"], [50, 40, 30])
    latent = pd.DataFrame(rng.normal(size=(N, 3)), NAMES, ["factor_1", "factor_2", "factor_3"])
    latent["factor_1"] += 4.0 * (groups == "S1")
    latent["factor_2"] += 4.0 * (groups == "S2")
    time = rng.exponential(np.exp(-effect * latent["factor_1"] / 4))
    end = rng.exponential(censoring, N)
    observed = pd.Series(np.minimum(time, end), NAMES, name="time")
    event = pd.Series(time <= end, NAMES, name="event")
    return latent, pd.Series(groups, NAMES, name="subtype"), observed, event


def test_a_planted_effect_is_found() -> None:
    latent, subtypes, time, event = planted(2.0)
    found = survival_analysis(latent, subtypes, time, event, n_repeats=2)
    assert found.reported["what"].tolist()[:3] == ["subtype", "subtype", "factor_1"]
    tests = found.tests.set_index("what")["p"]
    assert tests.idxmin() == "factor_1"
    assert tests["factor_1"] < 1e-10
    cox = found.cox[found.cox["role"] == "term"].set_index(["model", "level"]).sort_index()
    assert cox.loc[("factor_1", ""), "hazard_ratio"].item() > 1.5
    # The largest subtype is the reference, and has the highest hazard.
    assert set(cox.loc["subtype", "reference"]) == {"S1"}
    assert (cox.loc["subtype", "upper"] < 1).all()
    score = found.concordance.set_index("features")["concordance"]
    assert (score > 0.6).all()
    assert list(score.index) == ["subtypes", "factors"]
    text = " ".join(map(str, found.findings))
    assert "survival differs between subtypes" in text
    assert "pairs that differ are S1 vs S2, S1 vs S3" in text


def test_nothing_is_found_where_nothing_is() -> None:
    latent, subtypes, time, event = planted(0.0, seed=3)
    found = survival_analysis(latent, subtypes, time, event, n_repeats=2)
    assert not len(found.reported)
    assert "survival-nothing" in [finding.code for finding in found.findings]
    assert found.concordance["concordance"].between(0.35, 0.62).all()


def test_results_do_not_depend_on_order_or_unit() -> None:
    latent, subtypes, time, event = planted(1.0)
    first = survival_analysis(latent, subtypes, time, event, n_repeats=0)
    order = np.random.default_rng(1).permutation(N)
    moved = survival_analysis(
        latent.iloc[order] * 7 + 3, subtypes.iloc[order[::-1]], 365 * time, event, n_repeats=0
    )
    for left, right in ((first.tests, moved.tests), (first.cox, moved.cox)):
        pd.testing.assert_frame_equal(left, right, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(
        moved.curves.summary["restricted_mean"], 365 * first.curves.summary["restricted_mean"]
    )


def test_the_same_seed_gives_the_same_tables() -> None:
    given = planted(1.0)
    first, second = (survival_analysis(*given, n_repeats=1, seed=4) for _ in range(2))
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, second.tables[name])


def test_covariates_are_coded_adjusted_for_and_complete_cases_said() -> None:
    latent, subtypes, time, event = planted(0.0, seed=5)
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"a,b": rng.normal(60, 9, N), "=stage": rng.choice(["i", "ii"], N)}, NAMES)
    # The covariate alone carries the hazard, and a factor copies it.
    time = pd.Series(rng.exponential(np.exp(-0.12 * (obs["a,b"] - 60))), NAMES, name="time")
    latent["factor_3"] = obs["a,b"] + rng.normal(0, 4, N)
    obs.loc[NAMES[:3], "a,b"] = np.nan
    event[:] = True
    alone = survival_analysis(latent, subtypes, time, event, n_repeats=0)
    beside = survival_analysis(
        latent, subtypes, time, event, ["a,b", "=stage"], obs=obs, n_repeats=1
    )
    p = [each.tests.set_index("what")["p"]["factor_3"] for each in (alone, beside)]
    assert p[0] < 1e-6
    assert p[1] > 1e-3
    assert set(beside.tests["adjusted_for"]) == {"", "a,b, =stage"}
    cox = beside.cox[(beside.cox["model"] == "subtype") & (beside.cox["adjusted_for"] != "")]
    terms = cox[cox["role"] == "covariate"].set_index("term")
    assert terms.loc["a,b", "hazard_ratio"] == pytest.approx(np.exp(0.12), rel=0.1)
    assert terms.loc["=stage", "level"] in ("i", "ii")
    assert set(cox["n_samples"]) == {N - 3}
    (said,) = [each for each in beside.findings if each.code == "survival-complete-cases"]
    assert said.items == ("s0", "s1", "s2")
    assert "(a,b of 3)" in said.message
    score = beside.concordance.set_index("features")["concordance"]
    assert list(score.index) == [
        "covariates", "subtypes", "subtypes + covariates", "factors", "factors + covariates",
    ]  # fmt: skip
    assert score["covariates"] > 0.7 > score["subtypes"]


def test_covariates_that_cannot_be_used_are_refused() -> None:
    obs = pd.DataFrame({"site": "x", "age": np.arange(N) ** 0.5}, NAMES)
    with pytest.raises(DataError, match=r"no column 'sex' to adjust for; there are site, age"):
        covariate_terms(obs, ["sex", "age"], NAMES)
    with pytest.raises(DataError, match=r"site \(constant\)"):
        covariate_terms(obs, ["site"], NAMES)
    with pytest.raises(DataError, match="there are no columns"):
        covariate_terms(None, ["age"], NAMES)


def test_groups_of_any_name_are_coded_beside_the_largest() -> None:
    terms = group_terms("x", pd.Series(["b", "a", None, "c", "c"]))
    assert [(term.level, term.reference) for term in terms] == [("a", "c"), ("b", "c")]
    np.testing.assert_array_equal(terms[0].values, [0, 1, np.nan, 0, 0])
    assert group_terms("x", pd.Series([None, None], dtype=object)) == []


def test_few_events_are_penalised_and_said() -> None:
    latent, subtypes, time, event = planted(1.0, censoring=0.15)
    assert 10 <= event.sum() < 30
    found = survival_analysis(latent, subtypes, time, event)
    penalties = found.cox.groupby("model")["penalty"].max()
    assert penalties["all factors"] == penalties["subtype"] == 0.1
    assert "survival-penalised" in [finding.code for finding in found.findings]
    assert np.isfinite(found.cox.loc[found.cox["role"] != "test", "hazard_ratio"]).all()


def test_a_subtype_without_events_has_a_finite_ratio() -> None:
    latent, subtypes, time, event = planted(0.5)
    event[subtypes == "S3"] = False
    found = survival_analysis(latent, subtypes, time, event, n_repeats=0)
    row = found.cox[(found.cox["model"] == "subtype") & (found.cox["level"] == "S3")].iloc[0]
    assert 0 < row["lower"] < row["hazard_ratio"] < 1
    assert row["penalty"] > 0


def test_too_few_events_for_folds_leave_the_concordance_out() -> None:
    latent, subtypes, time, event = planted(0.0)
    event[:] = False
    event.iloc[::8] = True
    found = survival_analysis(latent, subtypes, time, event)
    assert not len(found.concordance)
    (said,) = [each for each in found.findings if each.code == "survival-no-concordance"]
    assert "15 events among the complete cases, and 20 are needed for 5 folds" in said.message


def test_hazards_that_cross_are_warned_of() -> None:
    rng = np.random.default_rng(0)
    # S1 die early, the others late: the hazard ratio changes sign.
    early, late = rng.exponential(0.3, 60), 0.7 + rng.exponential(0.15, 60)
    some = rng.permutation(60)[:15]
    early[some] = 3 + rng.exponential(1, 15)
    subtypes = pd.Series(np.repeat(["S1", "S2"], 60), NAMES)
    latent = pd.DataFrame({"factor_1": rng.normal(size=N)}, NAMES)
    time = pd.Series(np.concatenate([early, late]), NAMES, name="time")
    event = pd.Series(1, NAMES, name="event")
    found = survival_analysis(latent, subtypes, time, event, n_repeats=0)
    assert found.proportional.set_index("term").loc["subtype", "violated"]
    warned = [each for each in found.findings if each.code == "survival-not-proportional"]
    assert "subtype S2 (q" in warned[0].message


@pytest.mark.parametrize("n_factors", [0, 2])
def test_one_subtype_and_no_factors(n_factors: int) -> None:
    latent, _, time, event = planted(0.5)
    one = pd.Series("S1", NAMES)
    found = survival_analysis(latent.iloc[:, :n_factors], one, time, event, n_repeats=1)
    assert not len(found.logrank)
    assert found.curves.summary["subtype"].tolist() == ["S1"]
    assert found.tests["what"].tolist() == [f"factor_{at + 1}" for at in range(n_factors)]
    assert "survival-one-subtype" in [finding.code for finding in found.findings]
    assert "neither the subtypes" not in " ".join(map(str, found.findings))
    assert set(found.tables) >= {"survival_km", "survival_concordance"}


def test_small_subtypes_and_missing_ones_are_drawn_or_said_not_tested() -> None:
    latent, subtypes, time, event = planted(0.5)
    subtypes[:4], subtypes[4:6] = "S9", None
    latent["factor_2"] = 1.0
    found = survival_analysis(latent, subtypes, time, event, n_repeats=0)
    assert "S9" in set(found.curves.km["subtype"])
    assert "S9" not in set(found.logrank["group_a"]) | set(found.logrank["group_b"])
    assert "S9" not in set(found.cox["level"])
    codes = [finding.code for finding in found.findings]
    assert "survival-small-subtypes" in codes
    assert "survival-no-subtype" in codes
    assert "survival-not-fitted" in codes, "factor_2 is constant"
    assert np.isnan(found.tests.set_index("what").loc["factor_2", "p"])


def test_settings_out_of_range() -> None:
    given = planted(0.5)
    with pytest.raises(SettingsError, match="fdr must be between 0 and 1, not 1"):
        survival_analysis(*given, fdr=1)
    with pytest.raises(SettingsError, match="at least 2 folds"):
        survival_analysis(*given, n_folds=1)


def test_curves_of_a_known_sample() -> None:
    """Klein and Moeschberger (2003), example 4.1: the 6-MP patients."""
    time = pd.Series(
        [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35.0]
    )
    seen = pd.Series([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]).astype(bool)
    curves = survival_curves(time, seen, pd.Series("6-MP", time.index))
    at = curves.km.set_index("time")
    assert at.loc[6.0, "survival"] == pytest.approx(0.857, abs=5e-4)
    assert at.loc[23.0, "survival"] == pytest.approx(0.448, abs=5e-4)
    assert at.loc[10.0, ["at_risk", "events", "censored"]].tolist() == [15, 1, 1]
    summary = curves.summary.iloc[0]
    # Their example 4.2: mean 23.3 with standard error 2.83, up to 35.
    assert summary["restricted_mean"] == pytest.approx(23.29, abs=0.01)
    assert summary["restricted_mean_se"] == pytest.approx(2.83, abs=0.01)
    assert summary["median"] == 23.0
    assert curves.at_risk["time"].tolist() == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0]
    assert curves.at_risk["at_risk"].tolist() == [21, 21, 15, 11, 8, 5, 4, 1]


def test_the_clustering_in_a_fold_sees_the_training_samples_alone() -> None:
    latent, _, _, _ = planted(0.0)
    z = latent.to_numpy()
    learn = np.arange(0, N, 2)
    first = Refit(z, z, 3, seed=0)(learn)
    other = z.copy()
    other[1::2] += 100.0
    again = Refit(other, z, 3, seed=0)(learn)
    np.testing.assert_array_equal(first, again)
    # Test samples join the group that they were drawn from.
    groups = np.repeat([0, 1, 2], [50, 40, 30])
    codes = first @ [1, 2]
    table = pd.crosstab(groups[1::2], codes[1::2])
    assert table.to_numpy().max(axis=1).sum() >= 55


@pytest.mark.parametrize("what", ["all die", "one moment", "at once", "covariates alike"])
def test_degenerate_follow_up(what: str) -> None:
    latent, subtypes, time, event = planted(0.0, seed=7)
    obs = pd.DataFrame({"x": latent["factor_3"]})
    if what == "all die":
        event[:] = True
    elif what == "one moment":
        time[:], event[:] = 5.0, True
    elif what == "at once":
        time[:], event[:] = 0.0, True
    else:
        obs["y"] = 2 * obs["x"]
    found = survival_analysis(
        latent, subtypes, time, event, list(obs.columns), obs=obs, n_repeats=1
    )
    assert found.tests.dropna(subset=["p"])["p"].between(0, 1).all()
    assert len(found.concordance) == 5
    if what in ("one moment", "at once"):
        assert not len(found.reported)
        assert (found.concordance["concordance"].dropna() == 0.5).all()


def test_a_subtype_of_missing_omics_is_drawn_and_not_tested() -> None:
    # The hazard goes with the omic that S3 lacks, as with a hospital that did not measure it.
    rng = np.random.default_rng(4)
    latent, subtypes, _, _ = planted(0.0)
    lacks = subtypes == "S3"
    measured = pd.DataFrame({"rna": True, "mirna": ~lacks})
    time = pd.Series(rng.exponential(np.where(lacks, 0.2, 1.0)), NAMES)
    event = pd.Series(time < 1.5, NAMES)
    whatever = survival_analysis(latent, subtypes, time, event, n_repeats=0)
    assert whatever.logrank["p"].iloc[0] < 1e-4
    found = survival_analysis(latent, subtypes, time, event, measured=measured, n_repeats=0)
    assert set(found.curves.summary["subtype"]) == {"S1", "S2", "S3"}
    assert "S3" not in set(found.logrank["group_a"]) | set(found.logrank["group_b"])
    assert "S3" not in set(found.cox["level"])
    assert found.logrank["p"].iloc[0] > 0.01
    again = found.logrank[found.logrank["comparison"].str.contains("measured alike")]
    assert again["p"].item() > 0.01
    assert again["n_samples"].item() == len(time)
    (said,) = [each for each in found.findings if each.code == "survival-missing-omics"]
    assert "S3 left out of the tests, the curves show it" in said.message
    two = subtypes.where(lacks, "S1")
    found = survival_analysis(latent, two, time, event, measured=measured, n_repeats=0)
    assert "survival-one-subtype" in {each.code for each in found.findings}
    everything = pd.DataFrame({"rna": True}, index=NAMES)
    same = survival_analysis(latent, subtypes, time, event, measured=everything, n_repeats=0)
    pd.testing.assert_frame_equal(same.logrank, whatever.logrank)


def test_strata_are_compared_within() -> None:
    rng = np.random.default_rng(0)
    strata = np.repeat([0, 1], 100)
    groups = (rng.random(200) < np.where(strata == 0, 0.2, 0.8)).astype(int)
    time = rng.exponential(np.where(strata == 0, 1.0, 0.2)).round(2) + 0.01
    event = rng.random(200) < 0.8
    assert logrank(time, event, groups).p < 1e-3
    assert stratified_logrank(time, event, groups, strata).p > 0.01
    # In one stratum, with ties: the ordinary test.
    one = stratified_logrank(time, event, groups, np.zeros(200))
    assert one.p == pytest.approx(logrank(time, event, groups).p)
    assert stratified_logrank(time, ~event & event, groups, strata).p == 1.0


def test_subtypes_that_survive_alike_are_said_to_and_times_have_their_unit() -> None:
    rng = np.random.default_rng(5)
    names = pd.Index([f"s{at}" for at in range(90)])
    latent = pd.DataFrame({"factor_1": rng.standard_normal(90)}, names)
    groups = pd.Series(["S1", "S2", "S3"] * 30, names)
    for rate, code in ((1.0, "survival-subtypes-alike"), (9.0, "survival-subtypes")):
        slow = np.where(groups == "S1", rate, 1.0)
        time = pd.Series(rng.exponential(slow), names)
        found = survival_analysis(
            latent, groups, time, pd.Series(1, names), n_repeats=0, time_unit="years"
        )
        said = {each.code: each.message for each in found.findings}
        assert code in said
        assert ("does not differ" in said[code]) is (rate == 1.0)
        assert ("90 events" in said[code]) is (rate == 1.0)
        assert (" years it lasts " in said[code]) is (rate != 1.0)


def test_folds_learn_scales_and_coefficients_of_the_training_samples_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    x, event = rng.normal(2.0, 3.0, size=(60, 2)), np.arange(60) % 2 == 0
    time = np.exp(-x[:, 0] / 3) + rng.exponential(0.2, size=60)
    learn, test = np.arange(40), np.arange(40, 60)
    tables: list[pd.DataFrame] = []
    real = concordance.checked_fit

    def keep(table: pd.DataFrame, ridge: float) -> object:
        tables.append(table)
        return real(table, ridge)

    monkeypatch.setattr(concordance, "checked_fit", keep)
    before = fold_concordance(x, time, event, learn, test)
    x[50] += 40.0  # of the test samples
    fold_concordance(x, time, event, learn, test)
    pd.testing.assert_frame_equal(*tables)
    standard = tables[0][["x0", "x1"]].to_numpy()
    np.testing.assert_allclose(standard.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(standard.std(axis=0), 1.0)
    assert before is not None
    assert before > 0.7


def test_at_any_time_a_sample_is_at_risk_had_its_event_or_was_censored() -> None:
    time = pd.Series([float(at) for at in range(13)])  # round times among them
    event = pd.Series([at % 3 == 0 for at in range(13)])
    table = survival_curves(time, event, pd.Series(["S1"] * 13)).at_risk
    assert (table[["at_risk", "events", "censored"]].sum(axis=1) == 13).all()
    assert table["time"].isin(time).any()
