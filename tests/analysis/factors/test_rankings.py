from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from poems.analysis import rank_features
from poems.errors import DataError, SettingsError
from poems.fitting.result import FittedPoems


def test_the_ranking_holds_every_feature_once_a_factor_by_its_score(fitted: FittedPoems) -> None:
    table = rank_features(fitted)
    assert len(table) == sum(loadings.size for loadings in fitted.loadings.values())
    for (factor, view), own in table.groupby(["factor", "view"]):
        own = own.set_index("feature")
        assert own["rank"].tolist() == list(range(1, len(own) + 1))
        assert own["score"].abs().is_monotonic_decreasing
        for column, tables in (("score", fitted.loading_scores), ("loading", fitted.loadings)):
            expected = tables[view][factor]
            np.testing.assert_array_equal(own[column].loc[expected.index], expected)


def test_a_shorter_ranking_is_the_head_of_the_whole(fitted: FittedPoems) -> None:
    whole = rank_features(fitted)
    head = whole[whole["rank"] <= 4].reset_index(drop=True)
    pd.testing.assert_frame_equal(rank_features(fitted, 4), head)


def test_a_ranking_needs_a_length_and_scores(fitted: FittedPoems) -> None:
    with pytest.raises(SettingsError, match="at least 1, not 0"):
        rank_features(fitted, 0)
    old = replace(fitted, feature_estimates=replace(fitted.feature_estimates, score={}))
    with pytest.raises(DataError, match="Fit it again"):
        rank_features(old)
