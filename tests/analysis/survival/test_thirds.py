from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.analysis.survival.thirds import NAMES, curves_by_thirds, thirds_of
from poems.errors import DataError


def test_thirds_hold_as_many_samples_and_follow_the_values() -> None:
    values = pd.Series(np.random.default_rng(0).permutation(30).astype(float))
    third = thirds_of(values)
    assert third.value_counts().to_dict() == dict.fromkeys(NAMES, 10)
    means = values.groupby(third).mean()
    assert means[NAMES[0]] < means[NAMES[1]] < means[NAMES[2]]


def test_equal_values_stay_together() -> None:
    third = thirds_of(pd.Series([0.0] * 8 + [1.0, 2.0]))
    assert third.iloc[:8].nunique() == 1


def test_too_few_different_values_are_refused() -> None:
    with pytest.raises(DataError, match="'factor_1' has 2 different values"):
        thirds_of(pd.Series([0.0, 1.0, 1.0], name="factor_1"))


def test_samples_without_follow_up_are_left_out() -> None:
    values = pd.Series(np.arange(12.0))
    time = pd.Series(np.arange(1.0, 10.0))
    curves = curves_by_thirds(values, time, pd.Series(True, time.index))
    assert curves.summary["n_samples"].sum() == 9


def test_a_value_on_a_border_belongs_to_the_third_below() -> None:
    third = thirds_of(pd.Series(np.arange(7.0)))  # the borders are 2 and 4
    assert third.tolist() == [*[NAMES[0]] * 3, *[NAMES[1]] * 2, *[NAMES[2]] * 2]
