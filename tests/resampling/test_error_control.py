"""Selection on made-up tables of scores: nothing is fitted here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.resampling.error_control import JudgedScores, judged_scores, pair_scores, q_values


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
    again = [np.maximum(rng.standard_normal(1000), 0.0) for _ in range(n_repetitions)]
    selected = q_values(
        {"a": scores[:50], "b": scores[50:]},
        [JudgedScores(right=each[:60] + shift, wrong=each[60:]) for each in again],
    )
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


def test_rates_hold_where_wrong_pairs_come_with_true_ones_that_the_reference_missed() -> None:
    """Of each 4 pairs of a factor one is another's; the repetition has half of the factors."""

    def scores(rng: np.random.Generator, n: int) -> JudgedScores:
        return JudgedScores(right=rng.uniform(0, 3, 3 * n), wrong=rng.uniform(0, 1, n))

    outcomes = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        here, again = scores(rng, 40), scores(rng, 20)
        pairs = {"a": np.concatenate([here.right, here.wrong])[None]}
        chosen = q_values(pairs, [again], by_share=True)["a"][0] <= 0.1
        outcomes.append((chosen[120:].sum() / max(chosen.sum(), 1), chosen[:120].mean()))
    outcomes = np.array(outcomes)
    assert outcomes[:, 0].mean() <= 0.1 + 4 * outcomes[:, 0].std() / 200**0.5
    assert outcomes[:, 1].mean() > 0.6


@given(seed=st.integers(0, 1000), n_repetitions=st.integers(1, 3), by_share=st.booleans())
def test_q_values_fall_with_the_score_and_equal_the_formula(
    seed: int, n_repetitions: int, by_share: bool
) -> None:
    rng = np.random.default_rng(seed)
    # Few levels, for ties.
    scores = rng.integers(0, 6, (8, 3)).astype(float)
    again = [
        JudgedScores(*(rng.integers(0, 6 - i, 10 + i).astype(float) for i in range(2)))
        for _ in range(n_repetitions)
    ]
    q = q_values({"a": scores}, again, by_share=by_share)["a"]
    assert (q[scores == 0] == 1).all()
    for value, got in zip(scores.ravel(), q.ravel(), strict=True):
        if value > 0:
            rates = [1.0]
            for t in np.unique(scores[(scores > 0) & (scores <= value)]):
                n_wrong = sum((each.wrong >= t).sum() for each in again)
                n_again = n_wrong + sum((each.right >= t).sum() for each in again)
                n_here = n_repetitions * (scores >= t).sum()
                n = min(n_here, n_again) if by_share else n_here
                rates += [(1 + n_wrong) / n] if n else []
            assert got == pytest.approx(min(rates))
    order = np.argsort(scores, axis=None)
    assert (np.diff(q.ravel()[order]) <= 1e-12).all()


def test_ten_pairs_are_needed_for_ten_percent() -> None:
    nothing_wrong = [JudgedScores(right=np.ones(20), wrong=np.zeros(100))]
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
    judged = judged_scores(truth, found, scores)
    # All pairs but the eight true ones, zeros included.
    assert len(judged.wrong) == 16 * 3 - 8
    assert sorted(judged.wrong[judged.wrong > 0]) == [0.5, 1.0, 1.0, 1.0, 1.0]
    assert judged.right.tolist() == [1.0] * 8
