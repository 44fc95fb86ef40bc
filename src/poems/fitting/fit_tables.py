"""What a fit says of samples and features, as tables: from its arrays, without torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.diagnosis.check import Diagnosis
from poems.errors import DataError, SettingsError
from poems.findings import Finding, name_some
from poems.fitting.record import Record, require_distinct
from poems.settings.effect_scale import EffectScale
from poems.settings.schema import Metric, Settings

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FitArrays:
    """The arrays of a fit that its tables are made from; those by view in the views' order.

    Parameters
    ----------
    features
        View name to the features that the model uses.
    loc, variance, gates, components, background, shares
        Of the samples, as of :class:`poems.nn.estimates.SampleEstimates`.
    network
        Coordinates of the samples, (n_samples, n_coordinates), or ``None``.
    slope, size, score, gram, r2, total, values
        Of the features, as of :class:`poems.nn.estimates.FeatureEstimates`.
    background_loadings
        View name to (n_features, n_background).
    own_scale
        Views whose likelihood is given values as they were measured.
    """

    features: Mapping[str, pd.Index]
    loc: Singles
    variance: Singles
    gates: Singles
    components: Singles | None
    background: Singles | None
    shares: Singles | None
    network: Singles | None
    slope: Mapping[str, Singles]
    size: Mapping[str, Singles]
    gram: Singles
    r2: Mapping[str, float]
    background_loadings: Mapping[str, Singles]
    total: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    score: Mapping[str, Singles] = field(default_factory=dict)
    own_scale: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class FitTables(ABC):
    """What a fit says, as tables of samples, features, factors and views.

    Factors without a single non-zero loading are left out of every table.

    Parameters
    ----------
    settings, seed, samples, history, findings, status, versions
        As of :class:`poems.fitting.result.FittedPoems`.
    """

    settings: Settings
    seed: int
    samples: pd.Index
    history: pd.DataFrame
    findings: tuple[Finding, ...]
    status: str
    versions: Mapping[str, str]

    @property
    @abstractmethod
    def arrays(self) -> FitArrays:
        """What the tables are made from."""

    @property
    @abstractmethod
    def effect_scales(self) -> dict[str, EffectScale]:
        """In which units :attr:`loadings` of each view are, and in which words they are said."""

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the views, in the order of the gates' columns."""
        return tuple(self.arrays.features)

    def features(self, view: str) -> pd.Index:
        """Return the features of a view that the model uses.

        Raises
        ------
        DataError
            If the model has no such view.
        """
        known = self.arrays.features
        if view not in known:
            raise DataError(f"no view '{view}'; there are {name_some(self.view_names, 20)}")
        return known[view]

    @cached_property
    def active(self) -> npt.NDArray[np.intp]:
        """Latent dimensions with a non-zero loading, by decreasing effect."""
        sizes = self.arrays.size.values()
        used = np.logical_or.reduce([(size != 0).any(axis=0) for size in sizes])
        strength = self.arrays.gram.diagonal() * np.square(self.spread)
        by_strength = np.argsort(-strength, kind="stable")
        kept: npt.NDArray[np.intp] = by_strength[used[by_strength]]
        return kept

    @cached_property
    def spread(self) -> Singles:
        """Standard deviation of each latent's posterior means over the samples, (n_latent,)."""
        spread: Singles = self.arrays.loc.std(axis=0, dtype=np.float64).astype(np.float32)
        return spread

    @cached_property
    def signs(self) -> Singles:
        """Sign by which each latent dimension is shown, of shape (n_latent,).

        The model does not care which end of a factor is up. It is shown with
        its strong loadings mostly positive (those of all views, by their squares).
        """
        slopes = self.arrays.slope.values()
        weight = np.sum([(slope * np.abs(slope)).sum(axis=0) / len(slope) for slope in slopes], 0)
        return np.where(weight < 0, np.float32(-1), np.float32(1))

    @property
    def n_active(self) -> int:
        """Number of factors that were not pruned."""
        return len(self.active)

    @property
    def factor_names(self) -> list[str]:
        """Names of the active factors."""
        return [f"factor_{i + 1}" for i in range(self.n_active)]

    def of_factors(self, values: npt.NDArray[Any], index: pd.Index) -> pd.DataFrame:
        """Label the active columns of values, (n, n_latent)."""
        return pd.DataFrame(values[:, self.active], index=index, columns=self.factor_names)

    @cached_property
    def latent(self) -> pd.DataFrame:
        """Posterior means of the active factors, (n_samples, n_active)."""
        return self.of_factors(self.arrays.loc * self.signs, self.samples)

    @cached_property
    def latent_variance(self) -> pd.DataFrame:
        """Posterior variances of the active factors, (n_samples, n_active)."""
        return self.of_factors(self.arrays.variance, self.samples)

    @cached_property
    def gates(self) -> pd.DataFrame:
        """Weight of each view on each sample; rows sum to 1, 0 where unmeasured."""
        gates = self.arrays.gates.copy()
        return pd.DataFrame(gates, index=self.samples, columns=list(self.view_names))

    @cached_property
    def loadings(self) -> dict[str, pd.DataFrame]:
        """Signed effects, view to (n_features, n_active), exactly zero where W is.

        The size is sd(z_k) E |d eta_j / d z_k| over the training samples: by
        how much the feature moves, on the preprocessed scale (standard
        deviations, by default), when the factor moves by one standard
        deviation. So loadings compare across features, factors and views; of a view
        that is not Gaussian they are in the units of :attr:`effect_scales`, log odds say, and
        ``standardised_loadings`` compare. The sign is that of the mean derivative. The raw
        weights W are in ``weights``.
        """
        arrays, unit = self.arrays, self.signs * self.spread
        # Adding zero turns a negative zero into zero.
        return {
            view: self.of_factors(
                np.copysign(arrays.size[view], arrays.slope[view]) * unit + np.float32(0), names
            )
            for view, names in arrays.features.items()
        }

    @cached_property
    def loading_scores(self) -> dict[str, pd.DataFrame]:
        """What speaks for each loading, zero or not, view to (n_features, n_active).

        The loading's estimate without penalty over its standard error, given the pattern of
        the others; where the loading is zero, the score statistic for letting it in (see
        :func:`poems.nn.loading_scores.score_loadings`). Its sign is that of the loading it
        suggests. It ranks features where loadings end at zero. It is no test of a loading:
        latents and pattern were found from the same data.

        Raises
        ------
        DataError
            If the model is a checkpoint, or of a version that did not score loadings.
        """
        if not self.arrays.score:
            raise DataError(
                "this model has no scores of its loadings: it is a checkpoint or of an older "
                "version. Fit it again to have them"
            )
        return {
            view: self.of_factors(score * self.signs + np.float32(0), self.features(view))
            for view, score in self.arrays.score.items()
        }

    @property
    def r2(self) -> pd.Series:
        """Share of each view's variance that the decoder explains on the training samples.

        Of a view on its own scale, whose likelihood is not Gaussian, the share of its deviance.
        """
        return pd.Series(dict(self.arrays.r2), name="r2", dtype=float)

    @property
    def value_r2(self) -> pd.Series:
        """Share of the variance of each view's values that the factors explain.

        :attr:`r2` but for views on their own scale, where that is the share of deviance: there
        it is of values and their predicted means, each feature standardised. ``NaN`` for such a
        view in a model of an older version.
        """
        shares = {name: float(self.r2[name]) for name in self.view_names}
        for name in self.view_names:
            if name in self.arrays.own_scale:
                shares[name] = self.arrays.values.get(name, float("nan"))
        return pd.Series(shares, name="value_r2", dtype=float)

    @property
    def share_of(self) -> pd.Series:
        """What :attr:`r2` of each view is a share of: its ``"variance"`` or its ``"deviance"``."""
        own = self.arrays.own_scale
        named = {view: "deviance" if view in own else "variance" for view in self.view_names}
        return pd.Series(named, name="share_of", dtype=object)

    @property
    def total_r2(self) -> pd.Series:
        """Share of each view's variance that factors and background explain together."""
        total = {**self.arrays.r2, **self.arrays.total}
        return pd.Series(total, name="total_r2", dtype=float)

    @property
    def explained(self) -> pd.DataFrame:
        """How each view's variance on the training samples divides, a row a view.

        ``r2``: explained by the factors; ``background``: by the background factors beyond that;
        ``unexplained``: by neither. A row sums to 1.
        """
        total = self.total_r2
        return pd.DataFrame(
            {"r2": self.r2, "background": total - self.r2, "unexplained": 1.0 - total}
        )

    @cached_property
    def background(self) -> pd.DataFrame:
        """Scores of the dense background factors, (n_samples, n_background).

        They stand for what many features share and sparse factors do not say: depth, purity,
        batches, or structure that is not sparse. They are no biomarkers.
        """
        scores = self.arrays.background
        if scores is None:
            return pd.DataFrame(index=self.samples)
        return numbered(scores, self.samples, "background")

    @cached_property
    def background_loadings(self) -> dict[str, pd.DataFrame]:
        """Linear effects of the background factors, view to (n_features, n_background).

        On the preprocessed scale (of views that are not Gaussian, that of their link), of a move by
        one standard deviation of the factor's prior.
        """
        return {
            view: numbered(loadings, self.features(view), "background")
            for view, loadings in self.arrays.background_loadings.items()
        }

    @cached_property
    def precision_shares(self) -> pd.DataFrame | None:
        """Share of each view in what is known of a sample's latents; rows sum to 1.

        Of the trace of the posterior precision, without the prior's; ``None`` for
        ``inference="amortised"``.
        """
        shares = self.arrays.shares
        if shares is None:
            return None
        return pd.DataFrame(shares.copy(), index=self.samples, columns=list(self.view_names))

    @cached_property
    def component_probabilities(self) -> pd.DataFrame | None:
        """Soft assignment to the mixture prior's components; ``None`` for other priors."""
        shares = self.arrays.components
        return None if shares is None else numbered(shares, self.samples, "component")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The embeddings that this model has, the default first."""
        always: tuple[Metric, ...] = ("latent", "gram", "decoded")
        return always if self.arrays.network is None else ("network", *always)

    @property
    def default_metric(self) -> Metric:
        """The embedding to cluster in: ``"network"``, or ``"latent"`` for very large cohorts."""
        return self.metrics[0]

    def stored_embedding(self, metric: Metric) -> pd.DataFrame | None:
        """Return the samples in a space that is kept; ``None`` for one that the decoder tells.

        Raises
        ------
        SettingsError
            If the cohort was too large for a network.
        """
        if metric == "latent":
            return self.latent
        if metric != "network":
            return None
        points = self.arrays.network
        if points is None:
            raise SettingsError(
                f"this model of {len(self.samples)} samples has no network of its samples; "
                "choose the metric latent, gram or decoded"
            )
        return numbered(points, self.samples, metric)


def told_by(record: Record) -> dict[str, Any]:
    """Return the fields of :class:`FitTables`, and ``diagnosis``, as a model file tells them.

    Raises
    ------
    ValueError
        If there is no view, sample or feature of a view, or one is named twice.
    """
    require_distinct("views", [view.name for view in record.views])
    require_distinct("samples", record.samples)
    for view in record.views:
        require_distinct(f"features of view '{view.name}'", view.features)
    history = pd.DataFrame(record.history)
    history.index = pd.RangeIndex(1, len(history) + 1, name="epoch")
    return {
        "settings": record.settings,
        "seed": record.seed,
        "samples": pd.Index(record.samples),
        "history": history,
        "findings": tuple(record.findings),
        "status": record.status,
        "versions": record.versions,
        "diagnosis": None if record.diagnosis is None else Diagnosis(tuple(record.diagnosis)),
    }


def numbered(values: npt.NDArray[Any], index: pd.Index, name: str) -> pd.DataFrame:
    """Label columns by a name and their numbers.

    >>> numbered(np.ones((1, 2)), pd.Index(["a"]), "component").columns.tolist()
    ['component_1', 'component_2']
    """
    columns = [f"{name}_{i + 1}" for i in range(values.shape[1])]
    return pd.DataFrame(values.copy(), index=index, columns=columns)
