"""Assignment of new samples to the subtypes of a cohort, by a model learnt in the latent space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.errors import DataError
from poems.findings import Finding, Severity, name_some
from poems.notebook import Shown

# What a sample is called that lies farther from every subtype than nearly all training samples do.
NONE_OF_THESE: Final = "none of these"
# Share of the training samples, each held out, that lie within the limit.
WITHIN_LIMIT: Final = 0.99
# A sample is uncertain if the likeliest subtype has less than this probability.
LEAST_PROBABILITY: Final = 0.8
# Share of training samples assigned to their own subtype below which a note says how many are not,
# and below which it is a warning.
LEAST_AGREEMENT: Final = 0.9
POOR_AGREEMENT: Final = 0.75

_FOLDS = 10
# Added to the covariance of standardised factors, so that one without any spread has an inverse.
_RIDGE = 1e-6
# Samples whose covariances are inverted at once.
_CHUNK = 2048

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class SubtypeModel(Shown):
    r"""Subtypes as Gaussians in the latent space, with one covariance for all.

    With centre m_c of each subtype and the pooled covariance S within subtypes,
    sample n with posterior mean z_n and variance v_n is at the distance

    .. math::
        d_{nc} = \sqrt{(z_n - m_c)^T (S + \mathrm{diag}(v_n - \bar v)_+)^{-1} (z_n - m_c)}

    and has the probability exp(-d_nc^2 / 2) of subtype c, divided by the sum
    over subtypes. v-bar is the mean variance of the training samples, which S
    reflects already: a sample about which less is known than about these is
    nearer to every subtype and less certainly in one. Every subtype has the
    same prior probability: other cohorts have other proportions.

    The subtypes were most often found in the network of the training samples,
    in which new samples have no place. So this is an approximation, and
    ``agreement`` says how good.

    Learn one with :func:`learn_subtypes`.

    Parameters
    ----------
    factors
        Names of the factors, ``n_factors`` of them.
    sizes
        Number of training samples by subtype, in the order of ``centres``.
    centres
        Of shape (n_subtypes, n_factors).
    covariance
        Within subtypes, of shape (n_factors, n_factors).
    variance
        Mean posterior variance of the training samples, of shape (n_factors,);
        zeros if it was not given.
    limit
        Distance to the nearest subtype above which a sample is in none;
        infinite where there was too little to learn it from.
    agreement
        Share of the training samples that are assigned to their own subtype
        when they are held out (10-fold cross-validation), by subtype; ``NaN``
        where it cannot be known.
    """

    factors: tuple[str, ...]
    sizes: Mapping[str, int]
    centres: _Floats
    covariance: _Floats
    variance: _Floats
    limit: float
    agreement: Mapping[str, float]

    @property
    def subtypes(self) -> tuple[str, ...]:
        """Names of the subtypes, in the order of the centres."""
        return tuple(self.sizes)

    @property
    def overall_agreement(self) -> float:
        """Share of all training samples assigned to their own subtype when held out."""
        counts = np.array(list(self.sizes.values()), dtype=float)
        return float(np.average([self.agreement[name] for name in self.sizes], weights=counts))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be said where new samples may not get the subtype that they belong to."""
        overall = self.overall_agreement
        if not overall < LEAST_AGREEMENT:
            return ()
        worst = sorted(self.sizes, key=lambda name: self.agreement[name])
        named = [f"{name} {self.agreement[name]:.0%}" for name in worst if self.agreement[name] < 1]
        text = (
            f"{overall:.0%} of the training samples would be assigned to their own subtype from "
            f"their latents alone (held out, by subtype: {name_some(named, 5)}): the "
            "subtypes of new samples are an approximation, mind their probabilities"
        )
        severity: Severity = "note" if overall >= POOR_AGREEMENT else "warning"
        return (Finding(severity, "assignment-approximate", text),)

    def distances(self, latent: pd.DataFrame, variance: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the distance of each sample to each subtype, (n_samples, n_subtypes).

        Parameters
        ----------
        latent
            Posterior means, with a column for each of ``factors``.
        variance
            Posterior variances of the same shape.

        Raises
        ------
        DataError
            If a factor is absent, a value is not finite, or the two tables are
            not of the same samples.
        """
        values = _columns(latent, self.factors, "latents")
        excess = None
        if variance is not None:
            if not variance.index.equals(latent.index):
                raise DataError(
                    f"the variances are of {len(variance)} samples ({name_some(variance.index)}), "
                    f"the latents of {len(latent)} ({name_some(latent.index)}): give both of the "
                    "same samples in the same order"
                )
            of_samples = _columns(variance, self.factors, "variances")
            # Only a sample that is less certain than the average widens the covariance.
            excess = np.maximum(of_samples - self.variance, 0.0)
        found = _distances(values, self.centres, self.covariance, excess)
        return pd.DataFrame(found, index=latent.index, columns=list(self.sizes))

    def probabilities(
        self, latent: pd.DataFrame, variance: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """Return the probability of each subtype, (n_samples, n_subtypes); see :meth:`distances`.

        A sample far from all of them has its probabilities too: those that hold
        if it were in one.
        """
        found = self.distances(latent, variance)
        return pd.DataFrame(_softmax(found.to_numpy()), index=found.index, columns=found.columns)

    def assign(self, latent: pd.DataFrame, variance: pd.DataFrame | None = None) -> pd.DataFrame:
        """Assign each sample to the nearest subtype, or to none.

        Parameters and errors are those of :meth:`distances`.

        Returns
        -------
        DataFrame
            One row per sample. ``subtype``: the nearest one, or ``"none of
            these"`` if that is farther than ``limit``; ``nearest``: the nearest
            one in any case, which is also the likeliest; ``probability`` and
            ``distance`` of that one; ``uncertain``: is its probability below 0.8?

        Examples
        --------
        >>> latent = pd.DataFrame({"factor_1": [0.0, 0.2, 0.4, 5.0, 5.2, 5.4]})
        >>> model = learn_subtypes(latent, pd.Series(["S1", "S1", "S1", "S2", "S2", "S2"]))
        >>> new = pd.DataFrame({"factor_1": [0.1, 5.3, 40.0]}, index=["x", "y", "z"])
        >>> model.assign(new)["subtype"].to_dict()
        {'x': 'S1', 'y': 'S2', 'z': 'none of these'}
        """
        found = self.distances(latent, variance).to_numpy()
        at = found.argmin(axis=1)[:, None]
        distance = np.take_along_axis(found, at, axis=1)[:, 0]
        probability = np.take_along_axis(_softmax(found), at, axis=1)[:, 0]
        nearest = np.array(self.subtypes, dtype=object)[at[:, 0]]
        return pd.DataFrame(
            {
                "subtype": np.where(distance > self.limit, NONE_OF_THESE, nearest),
                "nearest": nearest,
                "probability": probability,
                "distance": distance,
                "uncertain": probability < LEAST_PROBABILITY,
            },
            index=latent.index,
        )


def learn_subtypes(
    latent: pd.DataFrame, assignment: pd.Series, latent_variance: pd.DataFrame | None = None
) -> SubtypeModel:
    """Learn to assign samples to subtypes from their latents.

    The covariance within subtypes is pooled, and shrunk on the scale of
    standardised factors (Ledoit & Wolf 2004), so that it holds for few samples
    and subtypes of one. If no subtype has two samples, it is that of all. The
    limit is the 99th percentile, over training samples that were held out, of
    the distance to the nearest subtype.

    Parameters
    ----------
    latent
        Posterior means of the training samples, (n_samples, n_factors).
    assignment
        Subtype of each of these samples, by name.
    latent_variance
        Their posterior variances, if those of new samples are to be considered.

    Raises
    ------
    DataError
        If a sample has no subtype, there is no sample, or a value is not finite.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    absent = latent.index.difference(assignment.dropna().index, sort=False)
    if len(absent):
        raise DataError(f"no subtype is given for {name_some(absent)}; give one for each sample")
    if not len(latent):
        raise DataError("there is no sample to learn subtypes from")
    factors = tuple(map(str, latent.columns))
    values = _columns(latent, factors, "latents")
    variances = (
        np.zeros_like(values)
        if latent_variance is None
        else _columns(latent_variance.loc[latent.index], factors, "variances")
    )
    found = assignment.loc[latent.index].astype(str)
    counts = found.value_counts()
    names = sorted(counts.index, key=lambda name: (-counts[name], len(name), name))
    labels = found.map({name: at for at, name in enumerate(names)}).to_numpy(dtype=np.intp)
    # Problems of this size only get slower with more threads.
    with threadpool_limits(limits=1):
        centres, covariance = _gaussians(values, labels, len(names))
        right, nearest = _held_out(values, labels, len(names), variances)
    known = nearest[np.isfinite(nearest)]
    return SubtypeModel(
        factors=factors,
        sizes={name: int(counts[name]) for name in names},
        centres=centres,
        covariance=covariance,
        variance=variances.mean(axis=0),
        limit=float(np.quantile(known, WITHIN_LIMIT, method="higher")) if len(known) else np.inf,
        agreement={
            name: float(right[labels == at].mean()) if len(known) else np.nan
            for at, name in enumerate(names)
        },
    )


def assignment_sizes(model: SubtypeModel, assigned: pd.DataFrame) -> pd.DataFrame:
    """Count new samples by subtype, and how many of them are uncertain.

    Parameters
    ----------
    model
        What they were assigned by.
    assigned
        What :meth:`SubtypeModel.assign` returned.

    Returns
    -------
    DataFrame
        One row per subtype, and one for ``"none of these"`` if any sample is in
        none; columns ``samples`` and ``uncertain``.
    """
    grouped = assigned["uncertain"].groupby(assigned["subtype"]).agg(["size", "sum"])
    names = list(model.subtypes)
    names += [NONE_OF_THESE] if NONE_OF_THESE in grouped.index else []
    table = grouped.reindex(names, fill_value=0).astype(int)
    return table.set_axis(["samples", "uncertain"], axis=1)


def _columns(table: pd.DataFrame, factors: tuple[str, ...], what: str) -> _Floats:
    """Return the columns of the factors, checked."""
    absent = [name for name in factors if name not in table.columns]
    if absent:
        raise DataError(
            f"the {what} have no column {name_some(absent)}, but {name_some(table.columns)}: "
            "subtypes were learnt from another model; learn them from this one"
        )
    values = table[list(factors)].to_numpy(dtype=np.float64)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise DataError(
            f"the {what} of {bad.sum()} samples are not finite: {name_some(table.index[bad])}"
        )
    return values


def _gaussians(
    values: _Floats, labels: npt.NDArray[np.intp], n_subtypes: int
) -> tuple[_Floats, _Floats]:
    """Compute centres, NaN of a subtype without samples, and the shrunk covariance within."""
    from sklearn.covariance import ledoit_wolf

    n_samples, n_factors = values.shape
    centres = np.full((n_subtypes, n_factors), np.nan)
    for at in np.unique(labels):
        centres[at] = values[labels == at].mean(axis=0)
    if not n_factors:
        return centres, np.zeros((0, 0))
    scale = values.std(axis=0)
    scale[scale == 0] = 1.0
    left = n_samples - len(np.unique(labels))
    # Without two samples in any subtype nothing is known of the spread within; that of all stands.
    deviations = values - centres[labels] if left else values - values.mean(axis=0)
    freedom = left or max(n_samples - 1, 1)
    correlation = np.eye(n_factors)
    if n_samples > 1:
        shrunk, _ = ledoit_wolf(deviations / scale, assume_centered=True)
        correlation = shrunk * (n_samples / freedom)
    correlation = correlation + _RIDGE * np.eye(n_factors)
    return centres, correlation * np.outer(scale, scale)


def _held_out(
    values: _Floats, labels: npt.NDArray[np.intp], n_subtypes: int, variances: _Floats
) -> tuple[npt.NDArray[np.bool_], _Floats]:
    """Assign each training sample by what the others teach: was it right, and how far away?"""
    n_samples = len(values)
    right, nearest = np.zeros(n_samples, dtype=bool), np.full(n_samples, np.nan)
    if n_samples < 2:
        return right, nearest
    # Shuffled and put in the order of their subtypes, which spreads each over all folds.
    shuffled = np.random.default_rng(0).permutation(n_samples)
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold = np.empty(n_samples, dtype=np.intp)
    fold[order] = np.arange(n_samples) % min(_FOLDS, n_samples)
    for number in range(fold.max() + 1):
        out = fold == number
        centres, covariance = _gaussians(values[~out], labels[~out], n_subtypes)
        there = np.flatnonzero(np.bincount(labels[~out], minlength=n_subtypes))
        # As in `distances`: only uncertainty above the average widens the covariance.
        excess = np.maximum(variances[out] - variances[~out].mean(axis=0), 0.0)
        found = _distances(values[out], centres[there], covariance, excess)
        right[out] = there[found.argmin(axis=1)] == labels[out]
        nearest[out] = found.min(axis=1)
    return right, nearest


def _distances(
    values: _Floats, centres: _Floats, covariance: _Floats, excess: _Floats | None
) -> _Floats:
    """Compute Mahalanobis distances, (n_samples, n_subtypes), a bounded number at a time."""
    n_factors = values.shape[1]
    squares = np.zeros((len(values), len(centres)))
    diagonal = np.arange(n_factors)
    for start in range(0, len(values), _CHUNK):
        some = slice(start, start + _CHUNK)
        differences = values[some, None, :] - centres
        of_samples = covariance[None]
        if excess is not None:
            of_samples = np.repeat(of_samples, len(differences), axis=0)
            of_samples[:, diagonal, diagonal] += excess[some]
        solved = np.linalg.solve(of_samples, differences.transpose(0, 2, 1)).transpose(0, 2, 1)
        squares[some] = (differences * solved).sum(axis=2)
    return np.sqrt(squares)


def _softmax(distances: _Floats) -> _Floats:
    """Compute probabilities from distances, of shape (n_samples, n_subtypes)."""
    from scipy.special import softmax

    return np.asarray(softmax(-0.5 * distances**2, axis=1), dtype=np.float64)
