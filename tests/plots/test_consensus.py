from __future__ import annotations

import numpy as np
import pandas as pd

from poems.plots import plot_consensus


def matrix_of(subtypes: pd.Series) -> pd.DataFrame:
    same = subtypes.to_numpy()[:, None] == subtypes.to_numpy()[None, :]
    return pd.DataFrame(np.where(same, 1.0, 0.25), index=subtypes.index, columns=subtypes.index)


def test_samples_are_grouped_by_subtype_in_natural_order() -> None:
    rng = np.random.default_rng(0)
    subtypes = pd.Series(rng.permutation(["S10"] * 4 + ["S1"] * 8 + ["S2"] * 6))
    subtypes.index = pd.Index([f"p{at}" for at in range(18)])
    ax = plot_consensus(matrix_of(subtypes), subtypes.sample(frac=1, random_state=0))
    drawn = np.asarray(ax.images[0].get_array())
    sizes = np.repeat([0, 1, 2], [8, 6, 4])
    np.testing.assert_array_equal(drawn, np.where(sizes[:, None] == sizes[None], 1.0, 0.25))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["S1", "S2", "S10"]
    assert ax.get_xlabel() == "18 samples by subtype"


def test_within_a_group_those_that_go_together_are_neighbours() -> None:
    hidden = pd.Series(["a", "b"] * 5, index=[f"p{at}" for at in range(10)])
    ax = plot_consensus(matrix_of(hidden))
    drawn = np.asarray(ax.images[0].get_array())
    assert (np.diff(drawn[0]) != 0).sum() == 1
    assert ax.get_xlabel() == "10 samples"
