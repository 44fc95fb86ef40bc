from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from poems.plots.subtypes import _dots


def test_a_feature_without_an_effect_has_no_dot() -> None:
    own = pd.DataFrame(
        {"subtype": ["S1", "S2"], "feature": "a", "effect": [1.0, None], "q": [0.01, 0.5]}
    )
    _, ax = plt.subplots()
    _dots(ax, own, ["a"], ["S1", "S2"], 0.1)
    assert sum(len(dots.get_offsets()) for dots in ax.collections) == 1
    plt.close(ax.figure)
