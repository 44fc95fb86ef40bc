"""What the pictures of cross-omic pairs share: which pairs, in what order and colours, the key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.plots.style import PALETTE, labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The signs of scores, as the ends of the diverging colours.
UP: Final = "#b2182b"
DOWN: Final = "#2166ac"
# Inches for a line of text, and for a character of it, at the size of the labels.
LINE: Final = 0.125
CHARACTER: Final = 0.058
SIZE: Final = 6.5


def spread_pairs(pairs: pd.DataFrame, top: int) -> pd.DataFrame:
    """Choose pairs to draw: the best of each combination of factors in turn.

    Parameters
    ----------
    pairs
        The table of :func:`poems.analysis.cross_omic`.
    top
        How many, at most.

    Examples
    --------
    >>> pairs = pd.DataFrame({"factors": ["factor_1", "factor_1", "factor_2"], "score": [3, 2, 1]})
    >>> spread_pairs(pairs, 2)["score"].tolist()
    [3, 1]
    """
    size = pairs["score"].abs()
    ordered = pairs.iloc[np.argsort(-size.to_numpy(), kind="stable")]
    turn = ordered.groupby("factors", sort=False).cumcount().to_numpy()
    chosen = ordered.iloc[np.argsort(turn, kind="stable")[:top]]
    return chosen.iloc[np.argsort(-chosen["score"].abs().to_numpy(), kind="stable")]


def view_colours(views: Sequence[str]) -> dict[str, str]:
    """Return a colour for each view, in their order."""
    return {view: PALETTE[at % len(PALETTE)] for at, view in enumerate(views)}


def pair_views(pairs: pd.DataFrame) -> list[str]:
    """Return the views of pairs, in the order of their first pair."""
    return [str(view) for view in dict.fromkeys([*pairs["view_a"], *pairs["view_b"]])]


def pair_features(pairs: pd.DataFrame, views: Sequence[str]) -> pd.DataFrame:
    """List the features of pairs by view, then by the factors of their best pair, then strength."""
    sides = [
        pairs[[f"view_{side}", f"feature_{side}", "factors", "score"]].set_axis(
            ["view", "feature", "factors", "score"], axis=1
        )
        for side in "ab"
    ]
    both = pd.concat(sides)
    both["strength"] = both["score"].abs()
    both = both.sort_values("strength", ascending=False, kind="stable")
    by = both.groupby(["view", "feature"], sort=False)
    nodes = by.agg(factors=("factors", "first"), strength=("strength", "sum")).reset_index()
    factor = {name: at for at, name in enumerate(dict.fromkeys(pairs["factors"]))}
    keys = (
        -nodes["strength"].to_numpy(),
        nodes["factors"].map(factor).to_numpy(),
        nodes["view"].map({view: at for at, view in enumerate(views)}).to_numpy(),
    )
    return nodes.iloc[np.lexsort(keys)].reset_index(drop=True)


def pair_key(ax: Axes, colour: list[str], views: list[str], n_shown: int, n: int) -> None:
    """Name the views and the signs, and say how many pairs are drawn."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    named = labels(views, 20)
    handles: list[Patch | Line2D] = [
        Patch(color=each, label=name) for each, name in zip(colour, named, strict=True)
    ]
    handles += [
        Line2D([], [], color=UP, label="together"),
        Line2D([], [], color=DOWN, label="opposed"),
    ]
    title = f"{n_shown} of {n} pairs, the best of each factor" if n_shown < n else None
    ax.legend(
        handles=handles,
        title=title,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=min(len(handles), 5),
        frameon=False,
        fontsize=7,
        title_fontsize=7,
    )
