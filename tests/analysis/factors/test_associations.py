from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from poems.analysis import associate, describe_factors, factor_correlations
from poems.analysis.factors.associations import false_discovery_rates
from poems.data.container import MultiOmics
from poems.errors import DataError
from poems.fitting.result import FittedPoems
from poems.simulation.cohort import Simulation

P_VALUES = st.lists(st.one_of(st.floats(0, 1), st.just(np.nan)), max_size=20)


@given(P_VALUES)
def test_false_discovery_rates_are_those_of_the_definition(values: list[float]) -> None:
    p = np.array(values, dtype=float)
    q = false_discovery_rates(p)
    known = np.flatnonzero(~np.isnan(p))
    assert np.isnan(q[np.isnan(p)]).all()
    for at in known:
        larger = [value for value in p[known] if value >= p[at]]
        rates = [len(known) * value / (p[known] <= value).sum() for value in larger]
        assert q[at] == pytest.approx(min(1.0, *rates))
    assert (q[known] >= p[known] - 1e-12).all()


def test_each_test_is_that_of_the_column() -> None:
    rng = np.random.default_rng(0)
    n = 60
    x = rng.normal(size=n)
    age, sex = x + rng.normal(size=n), np.where(x + rng.normal(size=n) > 0, "m", "f")
    grade = pd.cut(x + rng.normal(size=n), [-9, -0.5, 0.5, 9], labels=["low", "mid", "high"])
    obs = pd.DataFrame({"age": age, "sex": sex, "grade": grade})
    obs.loc[:4, "age"] = np.nan
    table = associate(pd.DataFrame({"factor_1": x}), obs).table.set_index("column")
    rho = stats.spearmanr(x[5:], age[5:])
    assert table.loc["age", ["test", "n_samples", "n_missing"]].tolist() == ["Spearman", 55, 5]
    assert table.loc["age", ["effect", "p"]].tolist() == pytest.approx([rho.statistic, rho.pvalue])
    u = stats.mannwhitneyu(x[sex == "m"], x[sex == "f"], method="asymptotic")
    assert table.loc["sex", "test"] == "Mann-Whitney"
    assert table.loc["sex", "p"] == pytest.approx(u.pvalue)
    pairs = x[sex == "m"][:, None] > x[sex == "f"]
    assert table.loc["sex", "effect"] == pytest.approx(2 * pairs.mean() - 1)
    assert table.loc["sex", ["lowest", "highest"]].tolist() == ["f", "m"]
    h = stats.kruskal(*(x[grade == name] for name in ("low", "mid", "high")))
    assert table.loc["grade", "test"] == "Kruskal-Wallis"
    assert table.loc["grade", "p"] == pytest.approx(h.pvalue)
    ranks = pd.Series(stats.rankdata(x))
    between = ranks.groupby(np.asarray(grade)).transform("mean").var() / ranks.var()
    assert table.loc["grade", "effect"] == pytest.approx(between), "of the ranks' variance"
    assert table.loc["grade", ["lowest", "highest"]].tolist() == ["low", "high"]


def test_samples_are_matched_by_name_in_any_order() -> None:
    rng = np.random.default_rng(0)
    names = [f"s{i}" for i in range(50)]
    factors = pd.DataFrame(rng.normal(size=(50, 2)), index=names, columns=["factor_1", "factor_2"])
    obs = pd.DataFrame({"y": factors["factor_1"] + rng.normal(size=50)}, index=names)
    expected = associate(factors, obs).table
    pd.testing.assert_frame_equal(
        associate(factors, obs.sample(frac=1, random_state=1)).table, expected
    )
    fewer = associate(factors, obs.iloc[10:]).table
    assert (fewer["n_missing"] == 10).all()
    assert expected["factor"].tolist() == ["factor_1", "factor_2"]


def test_permuted_columns_are_found_no_more_often_than_they_should() -> None:
    rng = np.random.default_rng(3)
    n, rounds = 60, 150
    z = rng.normal(size=(n, 5))
    z[:, 1] += z[:, 0]
    factors = pd.DataFrame(z, columns=[f"factor_{i + 1}" for i in range(5)])
    obs = pd.DataFrame(
        {
            "age": z[:, 0] + rng.normal(size=n),
            "stage": np.clip(np.round(z[:, 2]), -1, 1) + 2,
            "sex": np.where(z[:, 1] > 0.4, "m", "f"),
            "site": np.array(list("abcd"))[rng.integers(4, size=n)],
        }
    )
    assert (associate(factors, obs).table["q"] < 0.05).sum() >= 4
    p, any_found = [], []
    for _ in range(rounds):
        table = associate(factors, obs.sample(frac=1, random_state=rng).set_axis(obs.index)).table
        p.append(table.set_index("test")["p"])
        any_found.append((table["q"] <= 0.05).any())
    by_test = (pd.concat(p) <= 0.05).groupby(level=0).mean()
    assert set(by_test.index) == {"Spearman", "Mann-Whitney", "Kruskal-Wallis"}
    # Three standard errors of a share of 0.05 among 150 rounds, whose tests are not independent.
    allowed = 0.05 + 3 * np.sqrt(0.05 * 0.95 / rounds)
    assert (by_test <= allowed).all(), by_test
    assert np.mean(any_found) <= allowed


def test_planted_subtypes_are_found(fitted: FittedPoems, simulation: Simulation) -> None:
    found = describe_factors(fitted, simulation.cohort)
    assert found.associations is not None
    table = found.associations.table
    assert table["q"].min() < 1e-6
    shuffled = simulation.cohort.obs.sample(frac=1, random_state=0)
    shuffled.index = simulation.cohort.samples
    found = describe_factors(fitted, simulation.cohort, obs=shuffled)
    assert found.associations is not None
    assert found.associations.table["q"].min() > 0.05


def test_a_constant_factor_is_not_tested() -> None:
    factors = pd.DataFrame({"factor_1": np.zeros(30), "factor_2": np.linspace(0, 1, 30) ** 2})
    obs = pd.DataFrame({"x": np.linspace(0, 1, 30), "y": ["a", "b", "c"] * 10})
    table = associate(factors, obs).table
    assert table.loc[table["factor"] == "factor_1", ["p", "q", "effect"]].isna().all(axis=None)
    assert table.loc[table["factor"] == "factor_2", "q"].notna().all()
    assert table["q"].min() == pytest.approx(2 * table["p"].min())


def test_an_obs_table_of_other_samples_is_refused() -> None:
    factors = pd.DataFrame({"factor_1": [1.0, 2.0]}, index=["s1", "s2"])
    with pytest.raises(DataError, match="no sample has a row in the obs table: it has t1, the"):
        associate(factors, pd.DataFrame({"x": [1]}, index=["t1"]))
    with pytest.raises(DataError, match="several rows for s1; keep one"):
        associate(factors, pd.DataFrame({"x": [1, 2]}, index=["s1", "s1"]))
    nothing = associate(factors, pd.DataFrame(index=["s1", "s2"]))
    assert len(nothing.table) == 0
    assert nothing.findings == ()


def test_factors_are_correlated_in_pairs(fitted: FittedPoems) -> None:
    latent = fitted.latent
    table = factor_correlations(latent)
    assert len(table) == fitted.n_active * (fitted.n_active - 1) // 2
    assert table["spearman"].abs().is_monotonic_decreasing
    for row in table.itertuples():
        pair = latent[row.factor], latent[row.other]
        assert row.pearson == pytest.approx(stats.pearsonr(*pair).statistic, abs=1e-5)
        assert row.spearman == pytest.approx(stats.spearmanr(*pair).statistic)


def test_columns_that_follow_what_was_measured_are_pointed_out(
    fitted_incomplete: FittedPoems, incomplete: MultiOmics
) -> None:
    both = incomplete.measured.all(axis=1)
    obs = pd.DataFrame(
        {"batch": np.where(both, "a", "b"), "load": both + np.linspace(0, 0.5, len(both))},
        index=incomplete.samples,
    )
    obs["other"] = np.tile(["u", "v"], len(both) // 2)
    found = describe_factors(fitted_incomplete, incomplete, obs=obs)
    assert [f.items for f in found.findings if f.code == "obs-follows-missingness"] == [
        ("batch", "load")
    ]
    # Without a cohort: the training samples, nothing explained.
    bare = describe_factors(fitted_incomplete, obs=obs)
    assert bare.variance is None
    assert bare.associations is not None
    assert found.associations is not None
    np.testing.assert_allclose(
        bare.associations.table["p"], found.associations.table["p"], rtol=0.01
    )
    assert describe_factors(fitted_incomplete).associations is None
