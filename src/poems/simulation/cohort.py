"""Simulated multi-omic cohorts whose factors, loadings, subtypes and noise are known.

Strength of signal is set rather than left free: effects are given in units of
the noise, or as the share of a feature's variance that the factors explain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics, View
from poems.notebook import Shown
from poems.simulation.arguments import (
    active_factors,
    by_view,
    check_numbers,
    check_range,
    subtype_sizes,
    view_sizes,
)
from poems.simulation.effects import Truth, compute_signal, draw_effects, rescale_to_r2
from poems.simulation.kinds import STRENGTHS, draw_values, kinds_by_view

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]
_PerView = float | Mapping[str, float]


@dataclass(frozen=True, eq=False, repr=False)
class Simulation(Shown):
    """A simulated cohort and everything that it was made from.

    Parameters
    ----------
    cohort
        The tables, as a fit sees them; ``cohort.obs`` holds the column
        ``"subtype"``.
    latent
        The factors, a DataFrame of shape (n_samples, n_factors).
    loadings
        By view, a DataFrame of shape (n_features, n_factors) with exact zeros.
        Entries are signed effects in units of the noise standard deviation; a
        factor that only gates the effect of another has that effect's.
    shapes
        By view, a DataFrame of shape (n_features, n_factors) that names the
        shape of each planted effect and is empty text elsewhere. In an
        interaction it also names the gate, as in ``"gated by factor_2"``; a
        factor that does nothing but gate is called ``"gate"``.
    subtypes
        The subtype of each sample, ``"S1"``, ``"S2"``, ….
    signal
        By view, the noise-free values, a DataFrame of shape (n_samples,
        n_features), in the units of the data.
    noise
        By view, the standard deviation of the noise.
    r2
        By view, the share of each feature's variance that is signal: the
        signal's variance over these samples against the variance of the noise.
    """

    cohort: MultiOmics
    latent: pd.DataFrame
    loadings: Mapping[str, pd.DataFrame]
    shapes: Mapping[str, pd.DataFrame]
    subtypes: pd.Series[str]
    signal: Mapping[str, pd.DataFrame]
    noise: Mapping[str, float]
    r2: Mapping[str, pd.Series[float]]


def simulate(
    n_samples: int = 300,
    n_features: int | Mapping[str, int] = 500,
    n_factors: int = 8,
    *,
    n_views: int = 3,
    density: float = 0.05,
    effect: float | tuple[float, float] = (0.6, 1.4),
    r2: float | tuple[float, float] | None = None,
    truth: Truth = "linear",
    n_subtypes: int = 4,
    separation: float = 5.0,
    proportions: Sequence[float] | None = None,
    shared: float = 1.0,
    activity: npt.ArrayLike | None = None,
    noise: _PerView = 1.0,
    missing_views: _PerView = 0.0,
    missing_entries: _PerView = 0.0,
    kinds: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Simulation:
    r"""Simulate a cohort with planted subtypes, factors and sparse effects.

    Feature j of view v on sample n is

    .. math::
        x_{nvj} = s_v \Big( \sum_k w_{vjk} f_{vjk}(z_{nk}) + \epsilon_{nvj} \Big),
        \qquad \epsilon \sim N(0, 1),

    with s the noise and every shape f of mean 0 and variance 1 under N(0, 1).
    Given their subtype, factors are independent Gaussians; the first
    ``n_subtypes - 1`` factors differ in mean between subtypes. Each factor is
    scaled to mean 0 and variance 1 over the population.

    Latents, loadings, noise and missingness are drawn from separate streams of
    ``seed``: changing one leaves the others as they were.

    Parameters
    ----------
    n_samples
        Number of samples, at least 2.
    n_features
        Features of every view, or of each view by its name.
    n_factors
        Number of latent factors.
    n_views
        Number of views, called ``"view1"``, ``"view2"``, …, when
        ``n_features`` does not name them.
    density
        Share of a view's features that each factor drives: exactly
        ``round(density * n_features)`` of them, and at least one unless the
        density is 0.
    effect
        Absolute size of the effects in units of the noise standard deviation,
        or a range in which it is uniform; signs are random.
    r2
        Share of the variance of every informative feature that is signal, or
        a range in which it is uniform. Overrides ``effect``, by rescaling the
        loadings of each feature.
    truth
        Shape of all effects, or ``"mixed"`` to draw one for each. With
        ``"interaction"`` every effect is gated by a second factor, drawn for
        each among the active ones: w z_k g(z_l), g a steep logistic curve. Both
        factors belong to the feature's support, so that a factor has more
        features than ``density`` says: those that it drives and those that it
        gates.
    n_subtypes
        Number of subtypes; with 1 the factors are N(0, I).
    separation
        Distance between the centres of any two subtypes, in units of the
        standard deviation within them (the Mahalanobis distance, which the
        scaling of the factors leaves alone). Two subtypes overlap by
        Φ(-separation / 2).
    proportions
        Relative sizes of the subtypes; equal by default.
    shared
        Share of the factors that are active in all views; each of the others,
        the last ones, is active in one view, taking the views in turn.
    activity
        Boolean array of shape (n_views, n_factors) that says instead which
        factor is active in which view.
    noise
        Standard deviation of the noise, for all views or by view. As effects
        are in its units, it sets the scale of a view and not its signal.
    missing_views
        Probability that a view was not measured on a sample, for all views or
        by view. A sample that would lose every view keeps one.
    missing_entries
        Probability that a single entry of a measured view is missing. A row
        that would lose every entry keeps one.
    kinds
        What the values of views are, by view, where that is not ``"gaussian"``:
        ``"student_t"``, ``"bernoulli"`` (0 and 1), ``"ordinal"`` (-2 to 2),
        ``"beta"`` (fractions), ``"poisson"``, ``"negative_binomial"`` or ``"zinb"``
        (counts of samples of different size). The signal is then on the scale of
        the link (log odds, logarithms), an effect of 1 being 1 there, 0.5 for
        counts and fractions; ``noise`` multiplies it, and features have
        intercepts of their own. The other views are as without.
    seed
        Seed of all draws.

    Returns
    -------
    Simulation
        The cohort and the truth behind it.

    Raises
    ------
    SettingsError
        If an argument is out of range or contradicts another.

    Examples
    --------
    >>> truth = simulate(n_samples=40, n_features={"rna": 100, "protein": 20}, seed=0)
    >>> truth.cohort
    MultiOmics: 40 samples
      rna: 100 features, measured on 40 samples
      protein: 20 features, measured on 40 samples
    >>> int((truth.loadings["rna"] != 0).sum().sum())
    40
    """
    sizes = view_sizes(n_features, n_views)
    check_numbers(
        n_samples, sum(sizes.values()), n_factors, n_subtypes, density, separation, truth, seed
    )
    low, high = check_range("effect", effect, upper=np.inf)
    explained = None if r2 is None else check_range("r2", r2, upper=1.0)
    scales = by_view("noise", noise, sizes)
    unmeasured = by_view("missing_views", missing_views, sizes, probability=True)
    blank = by_view("missing_entries", missing_entries, sizes, probability=True)
    drawn_as = kinds_by_view(kinds, sizes)
    active = active_factors(activity, shared, tuple(sizes), n_factors)
    group_sizes = subtype_sizes(n_samples, n_subtypes, proportions)

    latent_rng, loading_rng, noise_rng, missing_rng, kind_rng = np.random.default_rng(seed).spawn(5)
    samples = pd.Index(_numbered("sample", n_samples, least_width=3))
    factors = pd.Index(_numbered("factor", n_factors, least_width=1))
    z, subtype = _draw_latent(latent_rng, group_sizes, n_factors, separation)
    subtypes = pd.Series(
        [f"S{number + 1}" for number in subtype], index=samples, name="subtype", dtype=object
    )
    measured = _draw_measured(missing_rng, n_samples, np.array(list(unmeasured.values())))

    views, loadings, shapes, signal, r2_by_view = {}, {}, {}, {}, {}
    for number, (name, size) in enumerate(sizes.items()):
        features = pd.Index(_numbered(name, size, least_width=4))
        effects = draw_effects(loading_rng, size, active[number], density, (low, high), truth)
        eta = compute_signal(z, effects)
        if explained is not None:
            shares = loading_rng.uniform(*explained, size=size)
            effects, eta = rescale_to_r2(effects, eta, shares)
        values = scales[name] * (eta + noise_rng.standard_normal(eta.shape))
        scale = scales[name] * STRENGTHS[drawn_as[name]]
        if drawn_as[name] != "gaussian":
            values = draw_values(kind_rng, drawn_as[name], scale * eta)
        values[_draw_blank(missing_rng, measured[:, number], size, blank[name])] = np.nan
        variance = eta.var(axis=0)

        views[name] = View(values.astype(np.float32), features, measured[:, number])
        loadings[name] = pd.DataFrame(effects.loadings(), index=features, columns=factors)
        shapes[name] = pd.DataFrame(
            effects.named_shapes(list(factors)), index=features, columns=factors
        )
        signal[name] = pd.DataFrame(scale * eta, index=samples, columns=features)
        r2_by_view[name] = pd.Series(variance / (variance + 1), index=features, name="r2")
    return Simulation(
        cohort=MultiOmics(views, samples, subtypes.to_frame()),
        latent=pd.DataFrame(z, index=samples, columns=factors),
        loadings=loadings,
        shapes=shapes,
        subtypes=subtypes,
        signal=signal,
        noise=scales,
        r2=r2_by_view,
    )


def _draw_latent(
    rng: np.random.Generator, sizes: list[int], n_factors: int, separation: float
) -> tuple[_Floats, npt.NDArray[np.intp]]:
    """Draw factors of shape (n_samples, n_factors) and the subtype of each sample."""
    n_subtypes = len(sizes)
    subtype = rng.permutation(np.repeat(np.arange(n_subtypes), sizes))
    centres = np.zeros((n_subtypes, n_factors))
    if n_subtypes > 1:
        # The unit vectors are sqrt(2) apart. Centred, they span n_subtypes - 1 dimensions, in
        # which a random orthogonal frame (QR of a Gaussian matrix) gives their coordinates.
        simplex = np.eye(n_subtypes) - 1 / n_subtypes
        frame, _ = np.linalg.qr(simplex @ rng.standard_normal((n_subtypes, n_subtypes - 1)))
        centres[:, : n_subtypes - 1] = simplex @ frame * separation / np.sqrt(2)
    share = np.array(sizes) / sum(sizes)
    mean = share @ centres
    sd = np.sqrt(1 + share @ (centres - mean) ** 2)
    z = centres[subtype] + rng.standard_normal((sum(sizes), n_factors))
    return (z - mean) / sd, subtype


def _draw_measured(rng: np.random.Generator, n_samples: int, unmeasured: _Floats) -> _Bools:
    """Draw which view was measured on which sample, of shape (n_samples, n_views)."""
    measured = rng.random((n_samples, len(unmeasured))) >= unmeasured
    kept = rng.integers(len(unmeasured), size=n_samples)
    without = np.flatnonzero(~measured.any(axis=1))
    measured[without, kept[without]] = True
    return measured


def _draw_blank(
    rng: np.random.Generator, measured: _Bools, n_features: int, share: float
) -> _Bools:
    """Draw the entries that are missing, of shape (n_samples, n_features)."""
    blank = rng.random((len(measured), n_features)) < share
    kept = rng.integers(n_features, size=len(measured))
    # A measured row without any entry could not be told from an unmeasured one.
    emptied = np.flatnonzero(blank.all(axis=1))
    blank[emptied, kept[emptied]] = False
    blank[~measured] = True
    return blank


def _numbered(stem: str, count: int, *, least_width: int) -> list[str]:
    """Number a stem from 1, padded so that names sort in order."""
    width = max(least_width, len(str(count)))
    return [f"{stem}_{number:0{width}d}" for number in range(1, count + 1)]
