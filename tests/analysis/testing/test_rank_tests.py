from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact, mannwhitneyu

from poems.analysis.testing.rank_tests import one_vs_rest, rank_features

RNG = np.random.default_rng(0)


def everywhere(x: np.ndarray) -> np.ndarray:
    return np.ones(x.shape, dtype=bool)


@pytest.mark.parametrize("decimals", [8, 0])
def test_agrees_with_the_library_feature_by_feature(decimals: int) -> None:
    x = RNG.normal(size=(60, 5)).round(decimals)
    there = RNG.random(x.shape) < 0.8
    codes = RNG.integers(-1, 3, size=60)
    found = one_vs_rest(rank_features(x, there), codes, 3)
    for j in range(5):
        for group in range(3):
            own = there[:, j]
            inside, outside = x[own & (codes == group), j], x[own & (codes != group), j]
            tested = mannwhitneyu(inside, outside, method="asymptotic")
            assert found.p[j, group] == pytest.approx(tested.pvalue)
            auc = tested.statistic / (len(inside) * len(outside))
            assert found.auc[j, group] == pytest.approx(auc)


def test_rare_values_are_counted_exactly() -> None:
    x = np.zeros((80, 1))
    x[:5] = 1.0
    codes = np.repeat([0, 1], [8, 72])
    found = one_vs_rest(rank_features(x, everywhere(x)), codes, 2)
    table = [[5, 3], [0, 72]]
    one_sided = fisher_exact(table, alternative="greater").pvalue
    assert found.p[0].tolist() == pytest.approx([2 * one_sided, 2 * one_sided])
    # The normal approximation would take it for far surer than it is.
    assert one_sided > 10 * mannwhitneyu(x[:8, 0], x[8:, 0], method="asymptotic").pvalue


def test_values_on_both_sides_of_the_usual_one_count_twice() -> None:
    x = np.zeros((80, 2))
    x[:5] = 1.0
    x[60, 1] = -1.0
    found = one_vs_rest(rank_features(x, everywhere(x)), np.repeat([0, 1], [8, 72]), 2)
    assert found.p[1, 0] == pytest.approx(2 * found.p[0, 0])


@pytest.mark.parametrize("kind", ["normal", "rare", "counts", "three values"])
def test_p_values_hold_where_there_is_nothing(kind: str) -> None:
    n, m = 90, 4000
    x = {
        "normal": RNG.normal(size=(n, m)),
        "rare": (RNG.random((n, m)) < 0.04).astype(float),
        "counts": RNG.poisson(RNG.gamma(0.3, 2.0, size=(n, m))).astype(float),
        "three values": RNG.choice([-1.0, 0.0, 1.0], size=(n, m), p=[0.1, 0.7, 0.2]),
    }[kind]
    codes = np.repeat([0, 1, 2], [4, 26, 60])
    p = one_vs_rest(rank_features(x, everywhere(x)), codes, 3).p
    for level in (0.05, 0.01, 0.001):
        share = np.nanmean(p <= level, axis=0)
        assert (share <= level + 4 * np.sqrt(level / m)).all(), (level, share)


def test_what_cannot_be_tested_has_no_p() -> None:
    x = RNG.normal(size=(20, 3))
    x[:, 1] = 7.0
    there = everywhere(x)
    there[:10, 2] = False
    found = one_vs_rest(rank_features(x, there), np.repeat([0, 1], 10), 3)
    assert np.isnan(found.p[1]).all()
    assert np.isnan(found.p[2, 0])  # no value inside
    assert np.isnan(found.p[2, 1])  # none outside
    assert np.isnan(found.p[0, 2])  # a group without samples
    assert not np.isnan(found.p[0, :2]).any()


def test_the_scale_does_not_matter() -> None:
    x = RNG.normal(size=(40, 3))
    codes = RNG.integers(0, 2, size=40)
    plain = one_vs_rest(rank_features(x, everywhere(x)), codes, 2)
    other = one_vs_rest(rank_features(np.exp(x) * 100, everywhere(x)), codes, 2)
    np.testing.assert_array_equal(plain.p, other.p)
    mirrored = one_vs_rest(rank_features(-x, everywhere(x)), codes, 2)
    np.testing.assert_allclose(plain.auc, 1.0 - mirrored.auc)
