"""Where the gate's weights disagree with what happens when a view is withheld."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from poems.findings import Finding, count

# Ratio of two means above which one is spoken of as the larger.
_CLEARLY: Final = 1.1
# Difference of the shares of samples that switch above which a view is said to decide more.
_LEAST_SWITCHED: Final = 0.05


def disagreements(by_sample: pd.DataFrame, by_view: pd.DataFrame) -> tuple[Finding, ...]:
    """Say where the gate's order of the views is not that of their effects.

    Three things are looked at: the view with the largest mean gate is not that with the
    largest mean shift, both by at least a tenth; the view without which most
    samples change their subtype has a smaller gate than another, by as much,
    without which 5 % of the samples fewer do; within samples, gate and
    shift are ranked against each other (mean of Spearman's rho over the views of a sample below 0).

    Parameters
    ----------
    by_sample, by_view
        Tables of :class:`poems.analysis.contributions.tables.ViewContributions`.
    """
    known = by_view.dropna(subset=["mean_gate"]).set_index("view")
    if len(known) < 2:
        return ()
    return (*_leading(known), *_deciding(known), *_within_samples(by_sample))


def _leading(known: pd.DataFrame) -> list[Finding]:
    """Say if the view with the most weight is not the one that moves the latent most."""
    gates, shifts = known["mean_gate"], known["mean_shift"]
    weighted, moving = str(gates.idxmax()), str(shifts.idxmax())
    if gates[weighted] <= _CLEARLY * gates[moving] or shifts[moving] <= _CLEARLY * shifts[weighted]:
        return []
    text = (
        f"the gate gives {weighted} the most weight (mean {gates[weighted]:.2f}; {moving} "
        f"{gates[moving]:.2f}), but withholding {moving} moves the latent most (mean shift "
        f"{shifts[moving]:.2f}; {weighted} {shifts[weighted]:.2f}): do not read the gate alone "
        "as how much a view counted"
    )
    return [Finding("warning", "gate-against-effect", text, items=(weighted, moving))]


def _deciding(known: pd.DataFrame) -> list[Finding]:
    """Say if the view that decides about subtypes is not the one with the most weight."""
    gates, switched = known["mean_gate"], known["switched_share"].dropna()
    if not len(switched):
        return []
    weighted, deciding = str(gates.idxmax()), str(switched.idxmax())
    if (
        gates[weighted] <= _CLEARLY * gates[deciding]
        or switched[deciding] - switched[weighted] < _LEAST_SWITCHED
    ):
        return []
    text = (
        f"subtypes depend on {deciding} most: without it {switched[deciding]:.0%} of samples would "
        f"be assigned to another one (without {weighted} {switched[weighted]:.0%}), although the "
        f"gate gives {weighted} the most weight (mean {gates[weighted]:.2f}; {deciding} "
        f"{gates[deciding]:.2f})"
    )
    return [Finding("warning", "gate-against-subtypes", text, items=(weighted, deciding))]


def _within_samples(table: pd.DataFrame) -> list[Finding]:
    """Say if, within a sample, the views with the larger gates are those with the smaller effects.

    Spearman's correlation over the views of a sample, the mean over samples.
    """
    sample = table["sample"]
    gate, shift = (
        ranks - ranks.groupby(sample, sort=False).transform("mean")
        for ranks in (
            table.groupby("sample", sort=False)[each].rank() for each in ("gate", "shift")
        )
    )
    sums = pd.DataFrame({"both": gate * shift, "gate": gate**2, "shift": shift**2})
    sums = sums.groupby(sample, sort=False).sum()
    sums = sums[(sums["gate"] > 0) & (sums["shift"] > 0)]
    size = np.sqrt(sums["gate"].to_numpy() * sums["shift"].to_numpy())
    rho = np.asarray(sums["both"].to_numpy() / size, dtype=np.float64)
    if not len(rho) or rho.mean() >= 0:
        return []
    text = (
        f"within samples, views with a larger gate move the latent less when withheld (mean rank "
        f"correlation over {count(len(rho), 'sample')} {rho.mean():.2f}; negative for "
        f"{(rho < 0).mean():.0%}): the gate does not tell how much a view counted for whom"
    )
    return [Finding("warning", "gate-against-effect-within", text)]
