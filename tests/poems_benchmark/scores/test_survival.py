from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from poems.errors import DataError
from poems_benchmark.scores.survival import cox_concordance, logrank_p

Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def planted() -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """The first of three dimensions sets the hazard."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 3))
    time = rng.exponential(np.exp(-1.5 * x[:, 0]))
    end = rng.exponential(2.0, 120)
    return x, np.minimum(time, end), (time <= end).astype(np.int64)


def test_a_planted_risk_is_found(planted: tuple[Floats, Floats, npt.NDArray[np.int64]]) -> None:
    x, time, event = planted
    found = cox_concordance(x, time, event)
    assert found.mean > 0.75
    assert (found.n_folds, found.n_failed) == (15, 0)
    assert logrank_p(time, event, np.where(x[:, 0] > 0, "high", "low")) < 1e-4


def test_noise_says_nothing(planted: tuple[Floats, Floats, npt.NDArray[np.int64]]) -> None:
    _, time, event = planted
    noise = np.random.default_rng(1).standard_normal((120, 20))
    assert 0.35 < cox_concordance(noise, time, event).mean < 0.65
    assert logrank_p(time, event, noise[:, 0] > 0) > 0.01


def test_scale_and_shift_of_the_embedding_change_nothing(
    planted: tuple[Floats, Floats, npt.NDArray[np.int64]],
) -> None:
    x, time, event = planted
    first = cox_concordance(x, time, event, n_repeats=1)
    second = cox_concordance(x * [1.0, 100.0, 1e-3] + 5, time, event, n_repeats=1)
    assert first.mean == pytest.approx(second.mean, abs=1e-6)


def test_samples_without_follow_up_are_left_out(
    planted: tuple[Floats, Floats, npt.NDArray[np.int64]],
) -> None:
    x, time, event = planted
    more_time = pd.Series(np.append(time, [np.nan, 3.0]))
    more_event = pd.Series(np.append(event.astype(float), [1.0, np.nan]))
    more_x = np.vstack([x, [[9.0] * 3, [-9.0] * 3]])
    groups = x[:, 0] > 0
    assert cox_concordance(more_x, more_time, more_event) == cox_concordance(x, time, event)
    assert logrank_p(more_time, more_event, np.append(groups, [True, False])) == logrank_p(
        time, event, groups
    )


def test_a_single_cluster_differs_from_nothing() -> None:
    assert logrank_p([1, 2, 3], [1, 0, 1], ["a", "a", "a"]) == 1.0


def test_wrong_input_is_named() -> None:
    with pytest.raises(DataError, match="there are 2 times for 3 events"):
        logrank_p([1, 2], [1, 0, 1], [0, 0, 1])
    with pytest.raises(DataError, match="must be numbers"):
        logrank_p(["soon", "late"], [1, 0], [0, 1])
    with pytest.raises(DataError, match="events must be 1"):
        logrank_p([1, 2], [2, 0], [0, 1])
    with pytest.raises(DataError, match="no event was seen"):
        logrank_p([1, 2], [0, 0], [0, 1])
    with pytest.raises(DataError, match=r"5 folds need as many events .* there are 2 and 3"):
        cox_concordance(np.zeros((5, 1)), [1, 2, 3, 4, 5], [1, 1, 0, 0, 0])
