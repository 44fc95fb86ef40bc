"""Which columns of a clinical table tell the outcome again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.analysis.survival.copies import outcome_columns


@pytest.fixture
def obs() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days, dead = rng.exponential(900, 60), rng.random(60) < 0.4
    progression = days * rng.uniform(0.5, 1.0, 60)
    return pd.DataFrame({"days": days, "dead": dead.astype(int), "progression_days": progression})


def test_copies_are_found_in_other_units_and_words_and_with_gaps(obs: pd.DataFrame) -> None:
    months = (obs["days"] / 30.4).round()
    months[::7] = np.nan
    obs["months"], obs["censored"] = months, 1 - obs["dead"]
    obs["status"] = np.where(obs["dead"] == 1, "1:DECEASED", "0:LIVING")
    found = outcome_columns(obs, "days", "dead")
    assert found == ["days", "dead", "months", "censored", "status"]


def test_other_columns_are_none(obs: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    obs["age"], obs["grade"] = rng.normal(60, 9, 60), rng.integers(1, 4, 60)
    # The same but for one of them.
    obs["relapse"] = np.where(np.arange(60) == 59, 1 - obs["dead"], obs["dead"])
    obs["site"], obs["nothing"] = "A", np.nan
    obs["few"] = obs["days"].where(np.arange(60) < 4)
    assert outcome_columns(obs, "days", "dead") == ["days", "dead"]
    assert outcome_columns(obs, None, None) == []
    assert outcome_columns(obs, "absent", "absent") == []
