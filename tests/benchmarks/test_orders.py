"""Fits in another order are of the same data, and how far they agree is said by name."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import poems
from poems.clustering.tried import NumberTried


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("orders")


@pytest.mark.parametrize("what", ["samples", "features", "views"])
def test_another_order_is_the_same_cohort(orders: ModuleType, what: str) -> None:
    cohort = poems.simulate(20, 6, 3, n_views=2, missing_views=0.3, seed=0).cohort
    other = orders.permuted(cohort, np.random.default_rng(0), [what])
    same = {
        "samples": list(other.samples) == list(cohort.samples),
        "views": list(other.views) == list(cohort.views),
        "features": all(
            list(view.features) == list(cohort[name].features) for name, view in other.views.items()
        ),
    }
    assert [name for name, kept in same.items() if not kept] == [what]
    for name, view in cohort.views.items():
        found = pd.DataFrame(other[name].values, other.samples, other[name].features)
        expected = pd.DataFrame(view.values, cohort.samples, view.features)
        pd.testing.assert_frame_equal(found.loc[expected.index, expected.columns], expected)


def _judged(orders: ModuleType, chance: float, labels: list[int], names: str) -> object:
    tried = (
        NumberTried(1, (6,), (1.0,), None, None),
        NumberTried(2, (3, 3), (1.0, 1.0), 9.0 if chance < 0.05 else 2.0, 4.0, chance),
    )
    return orders.Judged(tried, pd.DataFrame({"2": labels}, index=list(names)))


def test_partitions_are_compared_by_the_names_of_samples(orders: ModuleType) -> None:
    seeds = [orders.Variant("seed", at) for at in range(3)]
    first = _judged(orders, 0.001, [0, 0, 0, 1, 1, 1], "abcdef")
    turned = _judged(orders, 0.001, [0, 0, 0, 1, 1, 1], "fedcba")
    none = _judged(orders, 0.9, [0, 1, 0, 1, 0, 1], "abcdef")
    row = orders.row_of(dict(zip(seeds, (first, turned, none), strict=True)))
    assert row["seeds"] == "2 (2), 1 (1)"
    assert row["same number"] == "2 of 3"
    assert row["ARI, same number"] == "1.00, 1.00"
    assert row["ARI, number given"].endswith("-0.11")
    assert orders.said_where([{seeds[0]: first}]).endswith("of 1 of the others")
