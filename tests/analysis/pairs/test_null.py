"""The permutation null: its counts, and that it is exact however features depend on one another."""

from __future__ import annotations

import numpy as np
import pytest

from poems.analysis.pairs.null import (
    RESOLUTION,
    PairNull,
    SharedSamples,
    permutation_null,
    share_samples,
)
from poems.analysis.pairs.universe import Part, all_pairs, fitting_cap, most_coherent


def views(rng: np.random.Generator, n: int, d: int, factor: np.ndarray | None) -> np.ndarray:
    """One strong factor in a view: its own, or a given one."""
    z = rng.normal(size=n) if factor is None else factor
    return (np.outer(z, rng.normal(size=d)) + rng.normal(size=(n, d))).astype(np.float32)


def shared(*tables: np.ndarray) -> dict[tuple[str, str], SharedSamples]:
    there = [~np.isnan(x) for x in tables]
    names = "abc"
    return {
        (names[i], names[j]): share_samples(tables[i], tables[j], (there[i], there[j]))
        for i in range(len(tables))
        for j in range(i + 1, len(tables))
    }


def test_counts_are_those_of_the_correlations() -> None:
    rng = np.random.default_rng(0)
    x, y = views(rng, 30, 7, None), views(rng, 30, 5, None)
    x[:, 2] = 4.0
    parts = all_pairs({"a": np.arange(7), "b": np.arange(5)})
    null = permutation_null(parts, shared(x, y), 30, n_permutations=3, seed=0)
    r = np.abs(np.corrcoef(np.delete(x, 2, axis=1).T, y.T)[:6, 6:].ravel())
    levels = np.floor(np.concatenate([r, np.zeros(5)]) * np.sqrt(29) * RESOLUTION)
    expected = [(levels >= level).sum() for level in range(null.tails.shape[1])]
    assert np.abs(null.tails[0] - expected).max() <= 1  # rounding at the edge of a level
    assert (null.tails[:, 0] == 35).all()
    assert null.n_pairs == 35
    assert null.n_permutations == 3
    single = Part("a", "b", np.repeat(np.arange(7), 5), np.tile(np.arange(5), 7), paired=True)
    again = permutation_null([single], shared(x, y), 30, n_permutations=3, seed=0)
    assert np.abs(again.tails - null.tails).max() <= 1


def test_p_and_q_follow_from_the_counts() -> None:
    tails = np.array([[100, 20, 10, 1], [100, 12, 2, 0], [100, 8, 0, 0], [100, 8, 0, 0]])
    null = PairNull(tails)
    # Means 100, 12, 3, 1/4 over 100, 20, 10, 1.
    best = [0.25, 1.0, 1.0, 1.0]
    assert null.overall_p() == np.mean([each <= best[0] for each in best])
    np.testing.assert_allclose(null.q_values(), [1.0, 0.6, 0.3, 0.25])
    np.testing.assert_allclose(null.p_values(), [1.0, 29 / 301, 3 / 301, 1 / 301])
    assert null.first_level(0.3) == 2
    assert null.first_level(0.2) is None


def test_what_is_reported_by_chance_is_bounded_by_the_rate() -> None:
    rng = np.random.default_rng(1)
    parts = all_pairs({name: np.arange(20) for name in "abc"})
    p, any_found = [], []
    for at in range(250):
        tables = [views(rng, 25, 20, None) for _ in range(3)]
        null = permutation_null(parts, shared(*tables), 25, n_permutations=19, seed=at)
        p.append(null.overall_p())
        any_found.append(null.first_level(0.1) is not None)
    # Exact: 10 % and 50 %, with a standard error of 2 and 3 percentage points.
    assert 0.04 <= np.mean(np.array(p) <= 0.1) <= 0.16
    assert 0.4 <= np.mean(np.array(p) <= 0.5) <= 0.6
    assert np.mean(any_found) <= 0.16


def test_a_factor_that_views_share_is_found_with_gaps_too() -> None:
    rng = np.random.default_rng(2)
    z = rng.normal(size=60)
    tables = [views(rng, 60, 20, z) for _ in range(3)]
    tables[0][:10] = np.nan
    tables[1][50:] = np.nan
    tables[2][rng.random(tables[2].shape) < 0.2] = np.nan
    parts = all_pairs({name: np.arange(20) for name in "abc"})
    data = shared(*tables)
    assert [len(each.rows) for each in data.values()] == [40, 50, 50]
    null = permutation_null(parts, data, 60, n_permutations=19, seed=0)
    assert null.overall_p() == pytest.approx(0.05)
    level = null.first_level(0.1)
    assert level is not None
    assert null.tails[0, level] > 300


def test_the_choice_of_features_knows_nothing_of_the_order_of_samples() -> None:
    rng = np.random.default_rng(3)
    x = views(rng, 40, 30, None)
    x[:, 20:] = rng.normal(size=(40, 10))
    own = shared(x, x)["a", "b"].a
    chosen = most_coherent(own, 15, 2, seed=0)
    again = most_coherent(own[rng.permutation(40)], 15, 2, seed=0)
    assert chosen.tolist() == again.tolist()
    assert (chosen < 20).mean() > 0.8
    assert most_coherent(own, 99, 2, seed=0).tolist() == list(range(30))


def test_the_cap_keeps_the_work_within_its_limit() -> None:
    sizes = {"a": 300, "b": 50, "c": 2000}
    costs = {("a", "b"): 500, ("a", "c"): 450, ("b", "c"): 420}

    def work(cap: int) -> int:
        return sum(min(sizes[i], cap) * min(sizes[j], cap) * c for (i, j), c in costs.items())

    cap = fitting_cap(sizes, costs, 20_000_000)
    assert work(cap) <= 20_000_000 < work(cap + 1)
    assert fitting_cap(sizes, costs, 10**12) == 2000
