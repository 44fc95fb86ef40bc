"""Which factors are to be built on: those that say something, and that refits find again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from poems.wording import percent

if TYPE_CHECKING:
    from poems.report.source import Source

# Of refits, as `poems stability` has it: a factor that fewer contain is not to be built on.
LEAST_FOUND: Final = 0.5
# Of every omic's variance, lost without the factor: less is nothing.
LEAST_SIGNAL: Final = 0.001
NO_VARIANCE: Final = "explains nothing by itself"
NO_INFORMATION: Final = "says nothing of a sample"
_AT_PRIOR: Final = "posterior-collapsed"
_ALL: Final = "all"


def weak_factors(source: Source) -> dict[str, str]:
    """Return the factors that are not to be built on, with the reason.

    A factor has no signal if its posterior is the prior (the diagnosis says so), or if
    nothing of any omic is lost without it. It is not stable if fewer than half of the
    refits of ``poems stability`` contain it, where these are known.

    Parameters
    ----------
    source
        What the report is made from.
    """
    weak: dict[str, str] = {}
    found = source.get("stability_factors")
    if found is not None:
        own = found.set_index(found["factor"].astype(str))["found"].astype(float)
        for factor, share in own[own < LEAST_FOUND].items():
            weak[str(factor)] = f"in {percent(share)} of refits"
    variance = source.get("factor_variance")
    if variance is not None:
        largest = variance[variance["factor"] != _ALL].groupby("factor")["r2"].max()
        for factor in largest[largest < LEAST_SIGNAL].index:
            weak[str(factor)] = NO_VARIANCE
    for check in source.model.diagnose().checks:
        if check.signature == _AT_PRIOR and check.verdict != "ok" and check.factor:
            weak[check.factor] = NO_INFORMATION
    return {name: weak[name] for name in source.model.factor_names if name in weak}


def sound_factors(source: Source) -> list[str]:
    """Return the factors to build on, in their order."""
    weak = weak_factors(source)
    return [name for name in source.model.factor_names if name not in weak]


def of_sound_factors(source: Source, table: pd.DataFrame, column: str = "factor") -> pd.DataFrame:
    """Return the rows of a table that are of a factor to build on, or of several with one such.

    Parameters
    ----------
    source
        What the report is made from.
    table
        With a column of factors, several joined by ``"+"``.
    column
        Its name.
    """
    weak = set(weak_factors(source))
    if not weak:
        return table
    kept = [bool(set(str(names).split("+")) - weak) for names in table[column]]
    return table[kept]
