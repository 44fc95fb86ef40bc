"""What the pictures of cross-omic pairs share: which pairs, in what order and colours, the key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.analysis.pairs.alike import GROUP_COLUMNS, said_once, strongest_first
from poems.plots.style import PALETTE, label, labels

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
        The table of :func:`poems.analysis.pairs.cross_omic`.
    top
        How many, at most.

    Examples
    --------
    >>> pairs = pd.DataFrame({"factors": ["factor_1", "factor_1", "factor_2"], "score": [3, 2, 1]})
    >>> spread_pairs(pairs, 2)["score"].tolist()
    [3, 1]
    """
    ordered = strongest_first(pairs)
    turn = ordered.groupby("factors", sort=False).cumcount().to_numpy()
    chosen = ordered.iloc[np.argsort(turn, kind="stable")[:top]]
    return strongest_first(chosen)


def pairs_said_once(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return one pair for all that say the same, of the features that stand for the others.

    Parameters
    ----------
    pairs
        The table of :func:`poems.analysis.pairs.cross_omic`; without the columns ``group_a`` and
        ``group_b`` each pair stands for itself.
    """
    once = said_once(strongest_first(pairs))
    named = {
        f"feature_{side}": once[group]
        for side, group in zip("ab", GROUP_COLUMNS, strict=True)
        if group in once
    }
    return once.assign(**named)


def node_names(pairs: pd.DataFrame, nodes: pd.DataFrame, width: int = 28) -> list[str]:
    """Return labels of features, with the number of those that each stands for, as in "SOX2 +7".

    Parameters
    ----------
    pairs
        All pairs, with or without groups.
    nodes
        Features with ``view`` and ``feature``.
    width
        Characters of a name at most.
    """
    members: dict[tuple[str, str], set[str]] = {}
    for side, group in zip("ab", GROUP_COLUMNS, strict=True):
        if group in pairs:
            keys = zip(pairs[f"view_{side}"], pairs[group], pairs[f"feature_{side}"], strict=True)
            for view, leader, feature in keys:
                members.setdefault((view, leader), set()).add(feature)
    names = []
    for view, feature in zip(nodes["view"], nodes["feature"], strict=True):
        more = len(members.get((view, feature), set()) - {feature})
        names.append(label(feature, width) + (f" +{more}" if more else ""))
    return names


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


def pair_axes(width: float, height: float, views: Sequence[str]) -> Axes:
    """Return new axes of exactly ``width`` x ``height`` inches, with room for the key below.

    Nothing moves or shrinks them afterwards, so what was laid out in inches stays apart.
    """
    from matplotlib.figure import Figure

    width = max(width, _entry_width(views) + 0.1)
    foot = 0.5 + 0.17 * -(-(len(views) + 2) // _columns(width, views))
    figure = Figure(figsize=(width, height + foot))
    whole = height + foot
    axes: Axes = figure.add_axes((0.0, foot / whole, 1.0, height / whole))
    return axes


def axes_inches(ax: Axes) -> tuple[float, float]:
    """Return the width and the height of axes in inches."""
    figure = ax.get_figure(root=True)
    size = (6.0, 6.0) if figure is None else figure.get_size_inches()
    box = ax.get_position()
    return float(size[0] * box.width), float(size[1] * box.height)


def _entry_width(views: Sequence[str]) -> float:
    longest = max((len(name) for name in labels(views, 20)), default=0)
    return 0.5 + 0.06 * max(longest, len("together"))


def _columns(width: float, views: Sequence[str]) -> int:
    """Count the entries of the key that stand side by side."""
    return max(1, min(len(views) + 2, int(width / _entry_width(views))))


def pair_key(ax: Axes, colour: list[str], views: list[str], n_shown: int, n: int) -> None:
    """Name the views and the signs below, and say how many pairs are drawn."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Patch | Line2D] = [
        Patch(color=each, label=name) for each, name in zip(colour, labels(views, 20), strict=True)
    ]
    handles += [
        Line2D([], [], color=UP, label="together"),
        Line2D([], [], color=DOWN, label="opposed"),
    ]
    title = f"{n_shown} of {n} pairs, the best of each factor" if n_shown < n else None
    figure = ax.get_figure(root=True)
    width = 6.0 if figure is None else float(figure.get_size_inches()[0])
    ax.legend(
        handles=handles,
        title=title,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=_columns(width, views),
        frameon=False,
        fontsize=7,
        title_fontsize=7,
    )
