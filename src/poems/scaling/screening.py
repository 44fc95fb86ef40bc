"""How many features so few samples can tell a loading of: the others are set aside before the fit.

A loading is kept where it exceeds c sqrt(2 log(D K) / n) standard deviations of its feature's
noise, the universal threshold for D features, K factors and n samples. As a correlation of the
feature with its factor that is r* = sqrt(L / (1 + L)) with L = 2 c^2 log(D K) / n: at 25 samples
and 10,000 features 0.83, so that two thirds of a feature's variance would have to be its factor's,
and components of so many features are mostly noise, too. So few samples are a case for fewer
features: as many as make r* no more than 0.75, and no fewer than 2,000,

    D = max(2000, exp(n L / (2 c^2)) / K),   L = r^2 / (1 - r^2) at r = 0.75.

Those that vary most before they are scaled are kept. Which these are knows nothing of what
features share, of groups or of outcomes, so no test that follows is biased by it (independent
filtering: Bourgon, Gentleman & Huber 2010).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from poems.findings import Finding

# A loading that has to be stronger than this is out of reach of most features.
_REACHED = 0.75
# No view is cut below this, whatever the samples.
_FEWEST_FEATURES = 2000


@dataclass(frozen=True)
class Screening:
    """The rule, for a fit with ``n_latent`` factors and a threshold of ``scale`` universal ones."""

    n_latent: int
    scale: float

    def most(self, n_samples: int, n_features: int) -> int:
        """How many features of a view to keep: all of them, mostly.

        >>> [Screening(16, 1.5).most(n, 10_000) for n in (25, 35, 40, 45)]
        [2000, 2000, 5744, 10000]
        """
        reached = _REACHED**2 / (1.0 - _REACHED**2)
        # In logs: a thousand samples would be more features than there are numbers.
        most = n_samples * reached / (2.0 * self.scale**2) - math.log(self.n_latent)
        if most >= math.log(max(n_features, 1)):
            return n_features
        return min(n_features, max(_FEWEST_FEATURES, int(math.exp(most))))

    def least_correlation(self, n_samples: int, n_features: int) -> float:
        """Correlation with its factor from which on a feature's loading is kept.

        >>> round(Screening(16, 1.5).least_correlation(25, 10_000), 2)
        0.83
        """
        candidates = math.log(max(2, n_features * self.n_latent))
        ratio = 2.0 * self.scale**2 * candidates / max(n_samples, 1)
        return math.sqrt(ratio / (1.0 + ratio))


def tells(variance: npt.NDArray[np.float64], n_samples: int) -> bool:
    """Whether features differ in variance at all, by more than half of what chance would do.

    They do not where they were scaled to unit variance before; which vary most would then mean
    nothing. The logarithm of a variance over n samples of one normal distribution has
    a standard deviation of about sqrt(2 / (n - 1)).

    >>> tells(np.ones(5000), 25), tells(np.random.default_rng(0).chisquare(24, 5000), 25)
    (False, True)
    """
    positive = variance[variance > 0]
    by_chance = math.sqrt(2.0 / max(n_samples - 1, 1))
    return len(positive) > 1 and float(np.log(positive).std()) > 0.5 * by_chance


def screened_finding(
    screening: Screening, name: str, n_samples: int, n_features: int, kept: int
) -> Finding:
    """Say how many features were set aside, why, and how to keep them."""
    least = screening.least_correlation(n_samples, n_features)
    text = (
        f"the {kept} most variable of {n_features} features were kept, the others set aside: with "
        f"{n_samples} samples and that many features a loading is told from chance only where a "
        f"feature correlates by {least:.2f} or more with its factor. Set screening to none "
        "(--screening none) to keep all, or choose how many with most_variable (--most-variable)"
    )
    return Finding("warning", "features-screened", text, name)


def unscreened_finding(screening: Screening, name: str, n_samples: int, n_features: int) -> Finding:
    """Say why nothing was set aside although samples are too few for so many features."""
    least = screening.least_correlation(n_samples, n_features)
    text = (
        f"with {n_samples} samples and {n_features} features a loading is told from chance only "
        f"where a feature correlates by {least:.2f} or more with its factor, so little may be "
        "found. Which features to set aside cannot be told, for their variances are all alike: "
        "give them as they are before they are scaled to unit variance, or fewer of them"
    )
    return Finding("warning", "features-unscreened", text, name)
