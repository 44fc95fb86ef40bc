from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from poems.data.container import MultiOmics
from poems.errors import DataError, SettingsError
from poems.resampling.draws import Draw, draw_samples, take_rows

EVERYWHERE = np.ones((40, 2), dtype=bool)


def test_draws_are_of_the_kind_asked_for() -> None:
    for draw in draw_samples(EVERYWHERE, 5, resample="subsample", seed=1):
        assert len(draw.rows) == len(np.unique(draw.rows)) == 32
        assert len(draw.left_out(40)) == 8
    for draw in draw_samples(EVERYWHERE, 5, resample="bootstrap", seed=1):
        assert len(draw.rows) == 40
        assert len(np.unique(draw.rows)) < 40
        assert set(draw.rows) | set(draw.left_out(40)) == set(range(40))
    for draw in draw_samples(EVERYWHERE, 5, resample="none", seed=1):
        np.testing.assert_array_equal(draw.rows, np.arange(40))
        assert not len(draw.left_out(40))


@pytest.mark.parametrize("resample", ["subsample", "bootstrap", "none"])
def test_draws_differ_and_do_not_depend_on_their_number(resample: str) -> None:
    many = draw_samples(EVERYWHERE, 6, resample=resample, seed=3)  # type: ignore[arg-type]
    few = draw_samples(EVERYWHERE, 2, resample=resample, seed=3)  # type: ignore[arg-type]
    assert len({draw.seed for draw in many}) == 6
    for one, other in zip(few, many, strict=False):
        assert one.seed == other.seed
        np.testing.assert_array_equal(one.rows, other.rows)
    if resample != "none":
        assert len({tuple(draw.rows) for draw in many}) == 6
    other_seed = draw_samples(EVERYWHERE, 2, resample=resample, seed=4)  # type: ignore[arg-type]
    assert other_seed[0].seed != few[0].seed


def test_every_draw_holds_samples_of_a_rare_view() -> None:
    measured = EVERYWHERE.copy()
    measured[4:, 1] = False
    for draw in draw_samples(measured, 50, resample="bootstrap", seed=0):
        assert measured[np.unique(draw.rows), 1].sum() >= 3
    measured[2:, 1] = False
    with pytest.raises(DataError, match="measured on 2 samples only"):
        draw_samples(measured, 1, resample="bootstrap")


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(SettingsError, match="subsample, bootstrap, none, not 'jackknife'"):
        draw_samples(EVERYWHERE, 1, resample="jackknife")  # type: ignore[arg-type]


def test_a_sample_may_be_taken_twice(make_cohort: Callable[..., MultiOmics]) -> None:
    cohort = make_cohort(a=np.arange(6.0).reshape(3, 2))
    rows = Draw(np.array([0, 2, 2]), 0).rows
    taken = take_rows(cohort.views, cohort.obs, rows)
    np.testing.assert_array_equal(taken["a"].values, cohort["a"].values[rows])
    assert taken.samples.tolist() == ["s0#0", "s2#0", "s2#1"]
