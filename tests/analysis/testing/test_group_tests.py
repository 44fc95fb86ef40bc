"""Tests of groups agree with those of scipy, ties and all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from poems.analysis.factors.associations import false_discovery_rates
from poems.analysis.testing.group_tests import chi_squared, kruskal_wallis


@pytest.mark.parametrize("n_groups", [2, 3, 6])
@pytest.mark.parametrize("digits", [0, 1, 9], ids=["many ties", "ties", "no ties"])
def test_ranks_of_groups_are_compared_as_by_scipy(n_groups: int, digits: int) -> None:
    rng = np.random.default_rng(n_groups + digits)
    groups = [
        rng.normal(0.3 * at, size=rng.integers(2, 30)).round(digits) for at in range(n_groups)
    ]
    groups[0][0] = 77.0
    expected = stats.kruskal(*groups)
    assert kruskal_wallis(groups) == pytest.approx(tuple(expected), rel=1e-12)


@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (1, 4)])
def test_tables_of_counts_are_tested_as_by_scipy(shape: tuple[int, int]) -> None:
    counts = np.random.default_rng(1).integers(1, 40, size=shape)
    expected = stats.chi2_contingency(counts, correction=False)
    p, least = chi_squared(counts)
    assert p == pytest.approx(expected.pvalue, rel=1e-12)
    assert least == pytest.approx(expected.expected_freq.min())


@pytest.mark.parametrize("n", [0, 1, 2, 200])
def test_false_discovery_rates_are_those_of_scipy_and_know_of_gaps(n: int) -> None:
    rng = np.random.default_rng(n)
    p = rng.random(n).round(2)
    gaps = rng.random(n) < 0.2
    q = false_discovery_rates(np.where(gaps, np.nan, p))
    assert np.isnan(q[gaps]).all()
    if (~gaps).any():
        expected = stats.false_discovery_control(p[~gaps])
        np.testing.assert_allclose(q[~gaps], expected, rtol=1e-14)
    assert not (q > 1).any()
