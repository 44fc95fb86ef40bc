from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.errors import DataError
from poems.evaluation.matching import match_factors, support_auprc, support_scores


def planted(seed: int, n_factors: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    loadings = {}
    for view, size in {"rna": 60, "protein": 30}.items():
        w = rng.uniform(0.5, 1.5, (size, n_factors)) * rng.choice([-1, 1], (size, n_factors))
        w *= rng.random((size, n_factors)) < 0.2
        w[:n_factors] = np.eye(n_factors)
        loadings[view] = w
    return loadings


@given(seed=st.integers(0, 10_000), by=st.sampled_from(["size", "signed"]))
def test_a_permutation_with_flipped_signs_is_undone(seed: int, by: str) -> None:
    rng = np.random.default_rng(seed)
    order, sign = rng.permutation(5), rng.choice([-1, 1], 5)
    true = planted(seed)
    shuffled = {view: (w * sign)[:, order] for view, w in true.items()}
    match = match_factors(true, shuffled, by=by)  # type: ignore[arg-type]
    np.testing.assert_array_equal(order[match.estimated], np.arange(5))
    np.testing.assert_array_equal(match.sign, sign)
    np.testing.assert_allclose(match.similarity, 1.0)
    scores = support_scores(true, shuffled)
    assert (scores.precision, scores.recall, scores.f1) == (1.0, 1.0, 1.0)
    assert support_auprc(true, shuffled) == pytest.approx(1.0)


def test_matching_by_size_ignores_the_sign_of_single_loadings() -> None:
    true = planted(0)
    rng = np.random.default_rng(1)
    flipped = {view: w[:, ::-1] * rng.choice([-1, 1], w.shape) for view, w in true.items()}
    match = match_factors(true, flipped)
    np.testing.assert_array_equal(match.estimated, [4, 3, 2, 1, 0])
    np.testing.assert_allclose(match.similarity, 1.0)


def test_surplus_factors_cost_precision_alone() -> None:
    true = planted(0)
    n_true = sum(int((w != 0).sum()) for w in true.values())
    extra = {view: np.column_stack([np.zeros(len(w)), w]) for view, w in true.items()}
    extra["rna"][:10, 0] = 0.1
    match = match_factors(true, extra)
    np.testing.assert_array_equal(match.estimated, [1, 2, 3, 4, 5])
    scores = support_scores(true, extra)
    assert scores.recall == 1.0
    assert scores.n_common == n_true
    assert scores.precision == pytest.approx(n_true / (n_true + 10))
    assert scores.f1 == pytest.approx(2 * n_true / (2 * n_true + 10))
    assert support_scores(true, extra, threshold=0.2).precision == 1.0
    # The surplus entries are smaller than all planted ones, so the ranking is still perfect.
    assert support_auprc(true, extra) == pytest.approx(1.0)
    extra["rna"][:10, 0] = 9.0
    assert support_auprc(true, extra) < 0.95


def test_missing_factors_cost_recall_alone() -> None:
    true = planted(0)
    fewer = {view: w[:, [3, 0]] for view, w in true.items()}
    match = match_factors(true, fewer)
    np.testing.assert_array_equal(match.estimated, [1, -1, -1, 0, -1])
    np.testing.assert_array_equal(match.sign, [1, 0, 0, 1, 0])
    scores = support_scores(true, fewer)
    assert scores.precision == 1.0
    assert scores.recall == pytest.approx(scores.n_estimated / scores.n_true)
    assert support_auprc(true, fewer) < 1.0


def test_scores_equal_the_counts() -> None:
    true = {"rna": np.array([[1.0], [1.0], [1.0], [0.0], [0.0]])}
    found = {"rna": np.array([[0.0], [0.0], [-2.0], [1.0], [0.0]])}
    scores = support_scores(true, found)
    assert (scores.n_true, scores.n_estimated, scores.n_common) == (3, 2, 1)
    assert scores.precision == 0.5
    assert scores.recall == pytest.approx(1 / 3)
    assert scores.f1 == pytest.approx(0.4)


def test_ratios_without_a_denominator_are_nan() -> None:
    true = {"rna": np.array([[1.0], [0.0]])}
    nothing = {"rna": np.zeros((2, 1))}
    scores = support_scores(true, nothing)
    assert np.isnan(scores.precision)
    assert (scores.recall, scores.f1) == (0.0, 0.0)
    assert np.isnan(support_scores(nothing, nothing).f1)
    with pytest.raises(DataError, match="the true loadings are all zero"):
        support_auprc(nothing, true)


def test_tables_are_aligned_by_feature_and_views_by_name() -> None:
    arrays = planted(0)
    true = {
        view: pd.DataFrame(w, index=[f"{view}_{number}" for number in range(len(w))])
        for view, w in arrays.items()
    }
    shuffled = {view: true[view].iloc[::-1] for view in reversed(list(true))}
    np.testing.assert_allclose(match_factors(true, shuffled).similarity, 1.0)
    assert support_scores(true, shuffled).f1 == 1.0


def test_wrong_input_is_named() -> None:
    true = planted(0)
    table = pd.DataFrame(true["rna"], index=[f"g{number}" for number in range(60)])
    with pytest.raises(DataError, match="true loadings have rna, protein, the estimated ones rna"):
        match_factors(true, {"rna": true["rna"]})
    with pytest.raises(DataError, match=r"view 'rna': 2 features are in one table .* g58, g59"):
        match_factors({"rna": table}, {"rna": table.iloc[:58]})
    with pytest.raises(DataError, match=r"view 'rna': .* shapes are \(60, 5\) and \(59, 5\)"):
        match_factors({"rna": true["rna"]}, {"rna": true["rna"][1:]})
    with pytest.raises(DataError, match="the estimated loadings differ in their number of factors"):
        match_factors(true, {"rna": true["rna"], "protein": true["protein"][:, 1:]})
    with pytest.raises(DataError, match="view 'rna': a loading is not finite"):
        match_factors({"rna": true["rna"]}, {"rna": np.full((60, 5), np.nan)})
