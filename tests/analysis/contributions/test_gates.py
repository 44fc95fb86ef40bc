from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from poems.analysis.contributions.gates import mean_weights, pattern_association

VIEWS = ["rna", "cnv", "protein"]


def _gates(measured: np.ndarray) -> pd.DataFrame:
    weights = measured / measured.sum(axis=1, keepdims=True)
    return pd.DataFrame(weights, index=[f"p{at}" for at in range(len(weights))], columns=VIEWS)


def _cohort(sizes: dict[str, tuple[int, list[int]]]) -> tuple[pd.Series, pd.DataFrame]:
    """Samples by subtype and by which views are measured: ``{"S1a": (n, [1, 1, 0])}``."""
    rows = [row for n, row in sizes.values() for _ in range(n)]
    gates = _gates(np.array(rows))
    names = [name[:2] for name, (n, _) in sizes.items() for _ in range(n)]
    return pd.Series(names, index=gates.index), gates


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3).filter(any), min_size=1))
def test_weights_are_averaged_over_the_measured_samples(rows: list[list[bool]]) -> None:
    gates = _gates(np.array(rows, dtype=float))
    found = mean_weights(gates)
    for view in VIEWS:
        measured = gates.loc[gates[view] > 0, view]
        np.testing.assert_allclose(found[view], measured.mean())


def test_subtypes_that_are_patterns_are_pointed_out() -> None:
    assignment, gates = _cohort({"S1": (40, [1, 1, 1]), "S2": (30, [1, 0, 0])})
    found = pattern_association(assignment, gates)
    assert found is not None
    assert found.p_value < 1e-10
    finding = found.finding()
    assert finding is not None
    assert finding.severity == "warning"
    assert "of the 30 samples without cnv and protein, 30 are in S2 (13 expected)" in str(finding)
    assert "of the 40 samples with every view, 40 are in S1 (23 expected)" in str(finding)
    assert "samples='intersection'" in finding.message


def test_subtypes_across_patterns_are_not() -> None:
    assignment, gates = _cohort(
        {
            "S1a": (20, [1, 1, 1]),
            "S1b": (15, [1, 0, 1]),
            "S2a": (20, [1, 1, 1]),
            "S2b": (15, [1, 0, 1]),
        }
    )
    found = pattern_association(assignment, gates)
    assert found is not None
    assert found.counts.loc["S1"].to_dict() == {"with every view": 20, "without cnv": 15}
    assert found.p_value > 0.99
    assert found.finding() is None


def test_the_order_of_samples_does_not_matter() -> None:
    assignment, gates = _cohort(
        {"S1": (20, [1, 1, 1]), "S2": (9, [1, 0, 1]), "S2b": (8, [1, 1, 1])}
    )
    shuffled = pattern_association(assignment.sample(frac=1, random_state=0), gates)
    found = pattern_association(assignment, gates)
    assert found is not None
    assert shuffled is not None
    assert shuffled.p_value == found.p_value


def test_rare_patterns_and_subtypes_are_pooled_and_too_few_left_out() -> None:
    common = {"S1": (20, [1, 1, 1]), "S2": (20, [1, 1, 1])}
    rare = {"S2b": (3, [0, 1, 1]), "S1b": (2, [1, 0, 1])}
    pooled = pattern_association(*_cohort(common | rare))
    assert pooled is not None
    assert pooled.counts.sum().to_dict() == {
        "with every view": 40,
        "with rare combinations of views": 5,
    }
    assert pattern_association(*_cohort(common | {"S2b": (4, [0, 1, 1])})) is None
    lone = _cohort({"S1": (20, [1, 1, 1]), "S1b": (20, [1, 0, 1]), "S2": (1, [1, 0, 1])})
    assert pattern_association(*lone) is None


def test_nothing_is_compared_without_patterns_or_subtypes() -> None:
    assert pattern_association(*_cohort({"S1": (9, [1, 1, 1]), "S2": (9, [1, 1, 1])})) is None
    assert pattern_association(*_cohort({"S1a": (9, [1, 1, 1]), "S1b": (9, [1, 0, 1])})) is None
