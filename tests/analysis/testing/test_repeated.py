"""Samples of one person are not as many persons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.analysis.factors.associations import associate
from poems.analysis.testing.repeated import repeated_samples

EIGHT = np.repeat([f"P{at}" for at in range(8)], 5)


@pytest.mark.parametrize("name", ["subject", "Patient ID", "studyid", "donor_no", "family"])
def test_samples_of_few_persons_are_told(name: str) -> None:
    (found,) = repeated_samples(pd.DataFrame({name: EIGHT}))
    assert found.items == (name,)
    assert f"'{name}' has 8 values over 40 samples, some 5 each" in found.message


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("subject", [f"P{at}" for at in range(40)]),
        ("subject", np.repeat(["case", "control"], 20)),
        ("patient_age", EIGHT),
        ("family_history", EIGHT),
        ("stage", EIGHT),
    ],
)
def test_other_columns_are_not(name: str, values: list[str]) -> None:
    assert repeated_samples(pd.DataFrame({name: values})) == ()


def test_it_is_said_where_p_values_are_given() -> None:
    factors = pd.DataFrame({"factor_1": np.arange(40.0)})
    obs = pd.DataFrame({"subject": EIGHT, "age": np.arange(40.0)})
    codes = [each.code for each in associate(factors, obs).findings]
    assert "samples-repeated" in codes
    assert "samples-repeated" not in [
        each.code for each in associate(factors, obs[["age"]]).findings
    ]
