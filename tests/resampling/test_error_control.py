"""Selection on made-up tables of scores: nothing is fitted here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.resampling.error_control import pair_scores, q_values, wrong_scores


def test_a_loading_that_comes_and_goes_or_changes_sign_scores_less() -> None:
    steady = np.array([[1.0], [1.0], [0.5]])
    other = np.array([[1.0], [-1.0], [0.0]])
    scores = pair_scores([{"a": steady}, {"a": other}])["a"].ravel()
    np.testing.assert_allclose(scores, [1.0, 0.0, 0.25])


def realised(seed: int, shift: float, n_repetitions: int = 1) -> tuple[float, float]:
    """Select at 10 % among 60 true and 940 null pairs; return the wrong share and the power."""
    rng = np.random.default_rng(seed)
    scores = np.maximum(rng.standard_normal((100, 10)), 0.0)
    true = np.zeros(scores.shape, dtype=bool)
    true.flat[:60] = True
    scores[true] += shift
    wrong = [np.maximum(rng.standard_normal(940), 0.0) for _ in range(n_repetitions)]
    selected = q_values({"a": scores[:50], "b": scores[50:]}, wrong)
    chosen = np.concatenate([selected["a"], selected["b"]]) <= 0.1
    return (chosen & ~true).sum() / max(chosen.sum(), 1), (chosen & true).sum() / 60


@pytest.mark.parametrize("n_repetitions", [1, 4])
@pytest.mark.parametrize("shift", [0.0, 2.0, 5.0])
def test_the_false_discovery_rate_is_controlled(shift: float, n_repetitions: int) -> None:
    outcomes = np.array([realised(seed, shift, n_repetitions) for seed in range(200)])
    wrong, power = outcomes.mean(axis=0)
    # Four standard errors of the mean above the nominal rate.
    assert wrong <= 0.1 + 4 * outcomes[:, 0].std() / 200**0.5
    if shift == 5.0:
        assert power > 0.95
        assert wrong > 0.03, "a control that never errs wastes power"
    if shift == 0.0:
        # Nothing is true: every selection is all wrong, so most must be empty.
        assert power < 0.05


@given(seed=st.integers(0, 1000), n_repetitions=st.integers(1, 3))
def test_q_values_fall_with_the_score_and_equal_the_formula(seed: int, n_repetitions: int) -> None:
    rng = np.random.default_rng(seed)
    # Few levels, for ties.
    scores = rng.integers(0, 6, (8, 3)).astype(float)
    wrong = [rng.integers(0, 5, 10).astype(float) for _ in range(n_repetitions)]
    q = q_values({"a": scores}, wrong)["a"]
    assert (q[scores == 0] == 1).all()
    for value, got in zip(scores.ravel(), q.ravel(), strict=True):
        if value > 0:
            rates = [
                (1 + sum((w >= t).sum() for w in wrong)) / n_repetitions / (scores >= t).sum()
                for t in np.unique(scores)
                if 0 < t <= value
            ]
            assert got == pytest.approx(min(1.0, *rates))
    order = np.argsort(scores, axis=None)
    assert (np.diff(q.ravel()[order]) <= 1e-12).all()


def test_ten_pairs_are_needed_for_ten_percent() -> None:
    nothing_wrong = [np.zeros(100)]
    for n_pairs, q in ((9, 1 / 9), (10, 0.1)):
        scores = np.zeros((30, 1))
        scores[:n_pairs] = 1.0
        assert q_values({"a": scores}, nothing_wrong)["a"][0, 0] == pytest.approx(q)


def test_pairs_are_wrong_off_the_truth_and_on_made_up_factors() -> None:
    truth = {"a": np.zeros((12, 2)), "b": np.zeros((4, 2))}
    truth["a"][:4, 0] = truth["a"][4:8, 1] = 1.0
    # The true factors in the other order, the first with a feature too many; and one made up.
    found = {"a": np.zeros((12, 3)), "b": np.zeros((4, 3))}
    found["a"][:4, 1] = found["a"][4:8, 0] = 1.0
    found["a"][9, 1] = 0.5
    found["b"][:, 2] = 1.0
    scores = {view: np.abs(w) for view, w in found.items()}
    wrong = wrong_scores(truth, found, scores)
    # All pairs but the eight true ones, zeros included.
    assert len(wrong) == 16 * 3 - 8
    assert sorted(wrong[wrong > 0]) == [0.5, 1.0, 1.0, 1.0, 1.0]
