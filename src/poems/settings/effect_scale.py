"""In which units effects of a factor are told, and in which words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class EffectScale:
    """What an effect of 1 is: what a factor does to a feature as it moves by one of its own sd.

    Parameters
    ----------
    unit
        In a column of a table, such as ``"log odds"``.
    short
        The same on an axis.
    moves
        What moves, in a sentence: "by how much ... when the factor moves by one of its own".
    more, less
        How a feature is with which there is more, and less, of it.
    multiplies
        What exp(effect) multiplies, where links are logarithms; ``None`` for others.

    Examples
    --------
    >>> round(LOG_ODDS.ratio(0.693), 2), STANDARD_DEVIATIONS.ratio(-1.25)
    (2.0, nan)
    """

    unit: str
    short: str
    moves: str
    more: str = "higher"
    less: str = "lower"
    multiplies: str | None = None

    def ratio(self, effect: float) -> float:
        """By what an effect multiplies what it multiplies; ``NaN`` where it adds."""
        # Beyond it exp() overflows; no number that is printed differs.
        return math.exp(min(effect, 700.0)) if self.multiplies is not None else float("nan")


STANDARD_DEVIATIONS: Final = EffectScale(
    "standard deviations", "sd", "how many standard deviations the feature moves, on average,"
)
LOG_ODDS: Final = EffectScale(
    "log odds",
    "log odds",
    "how much the log odds of a 1 move, on average,",
    "more often",
    "less often",
    "odds",
)
LOG_ODDS_OF_MEAN: Final = EffectScale(
    "log odds of the mean",
    "log odds",
    "how much the log odds of the mean fraction move, on average,",
    multiplies="odds",
)
LOG_ODDS_OF_LEVEL: Final = EffectScale(
    "log odds of a higher level",
    "log odds",
    "how much the log odds of any higher level move, on average,",
    multiplies="odds of a higher level",
)
LOG_FOLD: Final = EffectScale(
    "log fold change",
    "log fold",
    "how much the natural logarithm of the expected count moves, on average,",
    multiplies="count",
)
# Those of POEMS' own likelihoods, by their names in the settings: told without loading torch.
OF_LIKELIHOODS: Final[Mapping[str, EffectScale]] = {
    "gaussian": STANDARD_DEVIATIONS,
    "student_t": STANDARD_DEVIATIONS,
    "bernoulli": LOG_ODDS,
    "beta": LOG_ODDS_OF_MEAN,
    "ordinal": LOG_ODDS_OF_LEVEL,
    "poisson": LOG_FOLD,
    "negative_binomial": LOG_FOLD,
    "zinb": LOG_FOLD,
}
