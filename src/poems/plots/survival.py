"""Kaplan-Meier curves over the numbers at risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from poems.clustering.names import natural_order
from poems.plots.given import table_of
from poems.plots.style import colours, labels, new_axes
from poems.wording import p_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from poems.analysis.survival.result import Survival
    from poems.fitting.result import FittedPoems

# Bands of more groups than this would cover one another.
_MOST_BANDS = 3
# Lines tell groups apart where colours repeat or are printed grey.
_LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1, 1, 1)))
_ROW = 0.17
"""Inches of a row of the table."""
_TABLE = -40
"""Points from the axes down to the table: room for the ticks and the label."""


def plot_kaplan_meier(
    km: Survival | pd.DataFrame,
    at_risk: pd.DataFrame | None = None,
    ax: Axes | None = None,
    *,
    p: float | None = None,
    unit: str = "",
) -> Axes:
    """Draw survival curves of groups, and beneath them how many are at risk.

    Parameters
    ----------
    km
        Columns ``subtype``, ``time``, ``survival``, ``lower``, ``upper``, ``censored`` and
        ``events``, see :class:`poems.analysis.survival.curves.Curves`. The 95 % limits are drawn
        as bands for up to 3 groups; samples whose follow-up ended are marked on the curve.
        Or a survival analysis, which has its own ``at_risk`` and ``p``.
    at_risk
        Columns ``subtype``, ``time`` and ``at_risk``; its times are the ticks.
    ax
        Axes to draw in; new ones by default, tall enough for the table.
    p
        P-value to name in the picture, such as that of the log-rank test.
    unit
        Unit of the times, for the label of the axis.

    Examples
    --------
    >>> km = pd.DataFrame(
    ...     {"subtype": "S1", "time": [0.0, 1.0], "survival": [1.0, 0.5], "lower": [1.0, 0.1],
    ...      "upper": [1.0, 0.9], "censored": 0, "events": [0, 1]}
    ... )
    >>> at_risk = pd.DataFrame({"subtype": "S1", "time": [0.0, 1.0], "at_risk": [2, 2]})
    >>> plot_kaplan_meier(km, at_risk).get_ylabel()
    'Survival'
    """
    if not isinstance(km, pd.DataFrame):
        overall = km.logrank.loc[km.logrank["comparison"] == "overall", "p"]
        p = float(overall.iloc[0]) if p is None and len(overall) else p
        km, at_risk = km.curves.km, km.curves.at_risk
    if at_risk is None:
        raise TypeError("a table of curves needs that of the numbers at risk; give at_risk, too")
    names = sorted(km["subtype"].unique(), key=natural_order)
    texts = dict(zip(names, labels(names, 18), strict=True))
    if ax is None:
        width = 4.6 + 0.13 * max(map(len, texts.values()))
        ax = new_axes(width, 4.2 + _ROW * (len(names) + 1))
    palette = colours(names)
    for at, name in enumerate(names):
        _draw_curve(ax, km[km["subtype"] == name], palette[name], at, texts[name], len(names))
    ax.set_ylim(0, 1.02)
    longest = float(km["time"].max()) or 1.0
    ax.set_xlim(0, longest * 1.02)
    ax.set_xticks(sorted(at_risk["time"].unique()))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_ylabel("Survival")
    ax.spines[["top", "right"]].set_visible(False)
    if p is not None:
        ax.set_title(f"Log-rank {p_text(p)}", fontsize="medium", loc="left")
    ax.legend(
        loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize="small",
        handlelength=2.6, title="Events", title_fontsize="small", alignment="left",
    )  # fmt: skip
    _draw_table(ax, at_risk, names, palette, texts, f"Time ({unit})" if unit else "Time")
    return ax


def _draw_curve(
    ax: Axes, curve: pd.DataFrame, colour: str, at: int, text: str, n_groups: int
) -> None:
    time, survival = curve["time"].to_numpy(), curve["survival"].to_numpy()
    n_samples = int((curve["events"] + curve["censored"]).sum())
    line = _LINES[at % len(_LINES)] if n_groups > _MOST_BANDS else "-"
    ax.step(
        time, survival, where="post", color=colour, linewidth=1.6, linestyle=line,
        label=f"{text} ({int(curve['events'].sum())} of {n_samples})",
    )  # fmt: skip
    if n_groups <= _MOST_BANDS:
        ax.fill_between(
            time, curve["lower"], curve["upper"], step="post", color=colour, alpha=0.15, linewidth=0
        )  # fmt: skip
    ended = curve[curve["censored"] > 0]
    ax.plot(
        ended["time"], ended["survival"], "|", color=colour, markersize=5, markeredgewidth=0.8
    )  # fmt: skip


def _draw_table(
    ax: Axes,
    at_risk: pd.DataFrame,
    names: list[str],
    palette: dict[object, str],
    texts: dict[str, str],
    time: str,
) -> None:
    """Write the numbers at risk under the axes, aligned with its ticks."""
    # Offsets in points keep the rows apart whatever the size of the axes.
    ax.set_xlabel(time)
    step, below = 72 * _ROW, ("axes points", "axes points")
    ax.annotate(
        "At risk", (-14, _TABLE), xycoords=below, ha="right", va="top", fontsize="small",
        annotation_clip=False,
    )  # fmt: skip
    for row, name in enumerate(names):
        y = _TABLE - step * (row + 1.1)
        ax.annotate(
            texts[name], (-14, y), xycoords=below, ha="right", va="top", fontsize="small",
            color=palette[name], fontweight="bold", annotation_clip=False,
        )  # fmt: skip
        own = at_risk[at_risk["subtype"] == name]
        for when, number in zip(own["time"], own["at_risk"], strict=True):
            ax.annotate(
                f"{number}", (float(when), y), xycoords=("data", "axes points"), ha="center",
                va="top", fontsize="small", annotation_clip=False,
            )  # fmt: skip


def plot_factor_survival(
    values: FittedPoems | pd.DataFrame,
    time: pd.Series,
    event: pd.Series,
    factor: str = "factor_1",
    ax: Axes | None = None,
    *,
    event_value: object | None = None,
    unit: str = "",
) -> Axes:
    """Draw survival of the samples in each third of a factor's values, with 95 % limits.

    A picture of an association that is tested on the values as they are.

    Parameters
    ----------
    values
        A model, for the posterior means of its factors, or a table (n_samples, n_factors).
    time, event
        By sample, as for :func:`poems.analysis.survival.survival_analysis`.
    factor
        Name of a factor.
    ax
        Axes to draw in; new ones by default, tall enough for the table.
    event_value
        The value of ``event`` that means an event, where the values alone do not show it.
    unit
        Unit of the times, for the label of the axis.

    Raises
    ------
    DataError
        If times or events cannot be understood.
    ValueError
        If there is no such factor.

    Examples
    --------
    >>> values = pd.DataFrame({"factor_1": range(30)}, index=[f"s{at}" for at in range(30)])
    >>> time = pd.Series(range(1, 31), values.index, dtype=float)
    >>> plot_factor_survival(values, time, pd.Series(1, values.index)).get_title(loc="left")
    'Factor 1'
    """
    from poems.analysis.survival.outcome import read_outcome
    from poems.analysis.survival.thirds import curves_by_thirds

    table = table_of(values, "latent")
    if factor not in table.columns:
        there = ", ".join(map(str, table.columns[:12])) or "none"
        raise ValueError(f"no factor '{factor}'; there are: {there}")
    outcome = read_outcome(time, event, table.index, event_value=event_value)
    curves = curves_by_thirds(table[factor], outcome.time, outcome.event)
    ax = plot_kaplan_meier(curves.km, curves.at_risk, ax, unit=unit)
    ax.set_title(factor.replace("factor_", "Factor "), fontsize="medium", loc="left")
    return ax
