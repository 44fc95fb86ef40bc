"""Hazard ratios with their confidence limits, as a forest plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.plots.given import table_of
from poems.plots.style import PALETTE, labels, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.survival.result import Survival

_ROW: Final = 0.24
"""Inches of a row."""
# Limits beyond these are cut, and end in an arrow.
_WIDEST: Final = (1 / 64, 64.0)
_GREY: Final = "#777777"


def hazard_rows(cox: pd.DataFrame) -> pd.DataFrame:
    """Choose the rows of a forest plot: the subtypes' model, then each factor's own ratio.

    Of models with and without covariates those with are taken.

    Parameters
    ----------
    cox
        The table ``survival_cox`` of :func:`poems.analysis.survival.survival_analysis`.

    Returns
    -------
    Columns ``name``, ``hazard_ratio``, ``lower``, ``upper``, ``p`` and ``is_covariate``, a row a
    term.
    """
    known = cox[cox["hazard_ratio"].notna()]
    adjusted = known["adjusted_for"].notna() & (known["adjusted_for"] != "")
    if adjusted.any():
        known = known[adjusted]
    of_subtypes = known["model"] == "subtype"
    of_factors = known["model"].str.startswith("factor_") & (known["role"] == "term")
    shown = known[of_subtypes | of_factors]
    level, reference = shown["level"].fillna("").astype(str), shown["reference"].fillna("")
    compared = level + " vs " + reference.astype(str)
    of = (" (" + shown["term"].astype(str) + ")").where(shown["term"] != "subtype", "")
    names = shown["term"].astype(str).where(level == "", compared + of)
    table = shown[["hazard_ratio", "lower", "upper", "p"]].copy()
    table.insert(0, "name", names.to_numpy())
    table["is_covariate"] = (shown["role"] == "covariate").to_numpy()
    return table.reset_index(drop=True)


def plot_hazard_ratios(cox: Survival | pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw hazard ratios of subtypes, covariates and factors with their 95 % limits.

    Right of the line at 1 events come sooner. Subtypes are compared with the
    largest, factors are per standard deviation; covariates are grey.

    Parameters
    ----------
    cox
        The table ``survival_cox`` of :func:`poems.analysis.survival.survival_analysis`.
    ax
        Axes to draw in; new ones by default, tall enough for all rows.

    Examples
    --------
    >>> cox = pd.DataFrame(
    ...     {"model": "subtype", "adjusted_for": "", "term": "subtype", "level": ["S2", "S3"],
    ...      "reference": "S1", "role": "term", "hazard_ratio": [2.0, 0.5], "lower": [1.0, 0.2],
    ...      "upper": [4.0, 1.2], "p": [0.05, 0.1]}
    ... )
    >>> ax = plot_hazard_ratios(cox)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['S2 vs S1', 'S3 vs S1']
    """
    cox = table_of(cox, "cox")
    rows = hazard_rows(cox)
    if ax is None:
        ax = new_axes(6.0, max(1.4, 0.9 + _ROW * len(rows)))
    if not len(rows):
        ax.text(0.5, 0.5, "no hazard ratio", ha="center", va="center", transform=ax.transAxes)
        ax.set_axis_off()
        return ax
    at = np.arange(len(rows))
    least, most = _WIDEST
    limits = rows[["lower", "upper"]].to_numpy(dtype=np.float64)
    # What is cut ends in an arrow, below.
    ends = np.clip(limits, least, most)
    ratios = rows["hazard_ratio"].to_numpy(dtype=np.float64)
    for place in at:
        colour = _GREY if rows["is_covariate"].iloc[place] else PALETTE[0]
        ax.plot(ends[place], [place, place], color=colour, lw=1.4, solid_capstyle="butt", zorder=2)
        for side, marker in enumerate("<>"):
            if ends[place, side] != limits[place, side]:
                ax.plot(ends[place, side], place, marker=marker, color=colour, ms=4, zorder=3)
        if least <= ratios[place] <= most:
            ax.plot(ratios[place], place, "s", color=colour, ms=5, zorder=3)
    ax.axvline(1.0, color="#000000", lw=0.8, zorder=1)
    ax.set_xscale("log", base=2)
    low, high = min(0.5, float(np.nanmin(ends))), max(2.0, float(np.nanmax(ends)))
    ax.set_xlim(low / 1.15, high * 1.15)
    powers = np.arange(np.ceil(np.log2(low)), np.floor(np.log2(high)) + 1)
    step = int(np.ceil(len(powers) / 8))
    ticks = 2.0 ** powers[powers % step == 0]
    ax.set_xticks(ticks, [f"{tick:g}" if tick >= 1 else f"1/{1 / tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_yticks(at, labels(rows["name"], 40))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel("Hazard ratio (95% limits)")
    ax.grid(axis="x", color="#E5E5E5", lw=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax
