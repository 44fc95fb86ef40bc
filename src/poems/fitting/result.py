"""FittedPoems: the immutable result of a fit, saved and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from poems.clustering.redraws import NetworkRedraws
from poems.clustering.tried import NumberTried
from poems.data import MultiOmics, read
from poems.data.disk.view import require_in_memory
from poems.data.naming.near_features import FeatureMatch
from poems.diagnosis.check import Diagnosis
from poems.errors import DataError
from poems.findings import Finding, count, name_some
from poems.fitting.projection import Projection, embedding, project, reconstruct
from poems.fitting.record import ModelSummary, ViewSummary
from poems.fitting.redraws import judged_numbers
from poems.fitting.tables import (
    background_frame,
    background_loading_frames,
    component_frame,
    factor_frame,
    loading_frames,
    shares_frame,
    standardised_frames,
)
from poems.nn.estimates import FeatureEstimates, SampleEstimates
from poems.nn.likelihoods.effect_scale import EffectScale
from poems.nn.model import POEMS
from poems.notebook import card
from poems.scaling.preprocessing import Preprocessing
from poems.settings.schema import Metric, Settings

if TYPE_CHECKING:
    from mudata import MuData


@dataclass(frozen=True, eq=False)
class FittedPoems:
    """A fitted POEMS model and its tables. Made by :func:`poems.fit` or :func:`poems.load`.

    Factors without a single non-zero loading are pruned from every table; the
    others are called ``factor_1``, ``factor_2``, … by decreasing effect.

    Attributes
    ----------
    settings, seed
        What the model was fitted with.
    samples
        Names of the training samples.
    history
        Terms of the objective, a row per epoch.
    findings
        What was noticed about the data and the fit.
    status
        A sentence: how training ended.
    versions
        Versions of the software that fitted it.
    network
        Coordinates of the training samples in the fused similarity network,
        of shape (n_samples, n_coordinates); ``None`` for cohorts of more than
        5,000 samples.
    diagnosis
        Failure signatures, measured at the end of the fit; ``None`` in a
        checkpoint and in a model of an older version, for which
        :meth:`diagnose` finds what the tables alone tell.
    principal_axes
        View name to principal axes of the training data, (n_features, rank),
        the baseline of :meth:`diagnose`; ``None`` where ``diagnosis`` is.
    redraws
        What makes the network anew for some of the samples; ``None`` in a model that was
        loaded, which keeps nothing of the data.
    numbers_stored
        :attr:`cluster_numbers` of a model that was loaded.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(n_samples=60, n_features=40, seed=0).cohort
    >>> model = poems.fit(cohort, seed=0, epochs=30, progress=False)
    >>> model.gates.sum(axis=1).round(5).eq(1).all()
    np.True_
    >>> model.transform(cohort.take([0])).latent.shape[0]
    1
    """

    settings: Settings
    seed: int
    samples: pd.Index
    history: pd.DataFrame
    findings: tuple[Finding, ...]
    status: str
    versions: Mapping[str, str]
    preprocessing: Preprocessing
    module: POEMS
    sample_estimates: SampleEstimates
    feature_estimates: FeatureEstimates
    network: Tensor | None = None
    diagnosis: Diagnosis | None = None
    principal_axes: Mapping[str, Tensor] | None = None
    redraws: NetworkRedraws | None = None
    numbers_stored: tuple[NumberTried, ...] | None = None

    def __repr__(self) -> str:
        weights = self.gates.where(self.gates > 0).mean()
        views = tuple(
            ViewSummary(
                name,
                len(self.loadings[name]),
                int(np.count_nonzero(self.loadings[name])),
                float(self.r2[name]),
                float(weights[name]),
                self.feature_estimates.total.get(name),
                self.preprocessing.views[name].own is not None,
                self.feature_estimates.values.get(name),
            )
            for name in self.view_names
        )
        n_latent = self.settings.model.n_latent
        return str(ModelSummary(len(self.samples), self.n_active, n_latent, self.status, views))

    def _repr_html_(self) -> str:
        """Show the model in a notebook: its omics, what is explained, what went wrong."""
        weights = self.gates.where(self.gates > 0).mean()
        rows = [
            (
                name,
                len(self.loadings[name]),
                int((self.loadings[name] != 0).any(axis=1).sum()),
                f"{self.r2[name]:.2f}",
                f"{self.total_r2[name]:.2f}",
                f"{weights[name]:.2f}",
            )
            for name in self.view_names
        ]
        heads = ("omic", "features", "driven", "R² of factors", "with background", "mean weight")
        factors = f"{self.n_active} active factors of {self.settings.model.n_latent}"
        about = f"{factors}. {self.status} Diagnosis: {self.diagnose()}."
        title = f"Fitted model: {count(len(self.samples), 'sample')}"
        return card(title, [about], heads, rows, self.diagnose().findings)

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the views, in the order of the gates' columns."""
        return tuple(self.preprocessing.views)

    def features(self, view: str) -> pd.Index:
        """Return the features of a view that the model uses.

        Raises
        ------
        DataError
            If the model has no such view.
        """
        if view not in self.preprocessing.views:
            raise DataError(f"no view '{view}'; there are {name_some(self.view_names, 20)}")
        return self.preprocessing.views[view].features

    @cached_property
    def active(self) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Latent dimensions with a non-zero loading, by decreasing effect."""
        used: np.ndarray[Any, np.dtype[np.bool_]] = self.feature_estimates.driven().numpy()
        strength = (self.feature_estimates.gram.diagonal() * self._spread.square()).numpy()
        by_strength = np.argsort(-strength, kind="stable")
        kept: np.ndarray[Any, np.dtype[np.intp]] = by_strength[used[by_strength]]
        return kept

    @cached_property
    def _spread(self) -> Tensor:
        """Standard deviation of each latent's posterior means over the training samples."""
        return self.sample_estimates.loc.std(dim=0, unbiased=False)

    @cached_property
    def orientation(self) -> Tensor:
        """Sign by which each latent dimension is shown, of shape (n_latent,).

        The model does not care which end of a factor is up. It is shown with
        its strong loadings mostly positive (those of all views, by their squares).
        """
        weight = torch.zeros(self.settings.model.n_latent)
        for slope in self.feature_estimates.slope.values():
            weight += (slope * slope.abs()).sum(dim=0) / len(slope)
        return torch.where(weight < 0, -1.0, 1.0)

    @property
    def n_active(self) -> int:
        """Number of factors that were not pruned."""
        return len(self.active)

    @property
    def factor_names(self) -> list[str]:
        """Names of the active factors."""
        return [f"factor_{i + 1}" for i in range(self.n_active)]

    @cached_property
    def latent(self) -> pd.DataFrame:
        """Posterior means of the active factors, (n_samples, n_active)."""
        return factor_frame(self, self.sample_estimates.loc * self.orientation, self.samples)

    @cached_property
    def latent_variance(self) -> pd.DataFrame:
        """Posterior variances of the active factors, (n_samples, n_active)."""
        return factor_frame(self, self.sample_estimates.variance, self.samples)

    @cached_property
    def gates(self) -> pd.DataFrame:
        """Weight of each view on each sample; rows sum to 1, 0 where unmeasured."""
        return pd.DataFrame(
            self.sample_estimates.gates.numpy().copy(),
            index=self.samples,
            columns=list(self.view_names),
        )

    @cached_property
    def loadings(self) -> dict[str, pd.DataFrame]:
        """Signed effects, view to (n_features, n_active), exactly zero where W is.

        The size is sd(z_k) E |d eta_j / d z_k| over the training samples: by
        how much the feature moves, on the preprocessed scale (standard
        deviations, by default), when the factor moves by one standard
        deviation. So loadings compare across features, factors and views; of a view
        that is not Gaussian they are in the units of :attr:`effect_scales`, log odds say, and
        :attr:`standardised_loadings` compare. The
        sign is that of the mean derivative. The raw weights W are in :attr:`weights`.
        """
        return loading_frames(self, self._spread)

    @cached_property
    def standardised_loadings(self) -> dict[str, pd.DataFrame]:
        """Loadings in what features vary by, view to (n_features, n_active), for ranking.

        Those of Gaussian views as they are. Of others divided by how far a standard deviation of
        the residuals without factors is in the units of :attr:`loadings`.
        """
        return standardised_frames(self)

    @cached_property
    def weights(self) -> dict[str, pd.DataFrame]:
        """Raw loadings W of sparse decoders, view to (n_features, n_active); signs mean nothing."""
        return {
            name: factor_frame(self, decoder.loadings.detach(), self.features(name))
            for name, decoder in self.module.sparse_decoders()
        }

    @cached_property
    def feature_weights(self) -> dict[str, pd.Series]:
        """How much each feature counts, view to (n_features,).

        One over the number of features of its view that say the same, itself among them; their
        sum is what the view counts for. 1 throughout for ``redundancy="none"``.
        """
        return {
            name: pd.Series(weights.numpy().copy(), index=self.features(name), name="weight")
            for name, weights in self.module.weights_of_views().items()
        }

    @cached_property
    def inclusion(self) -> dict[str, pd.DataFrame]:
        """Probability that each loading is in, view to (n_features, n_active)."""
        return {
            name: factor_frame(self, self.module.decoder(i).inclusion(), self.features(name))
            for i, name in enumerate(self.view_names)
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
        if not self.feature_estimates.score:
            raise DataError(
                "this model has no scores of its loadings: it is a checkpoint or of an older "
                "version. Fit it again to have them"
            )
        return {
            name: factor_frame(self, score * self.orientation + 0.0, self.features(name))
            for name, score in self.feature_estimates.score.items()
        }

    @cached_property
    def noise(self) -> dict[str, pd.Series]:
        """Standard deviation of each feature about what is predicted, by view.

        On the preprocessed scale; where it depends on what is predicted, at a sample whose
        factors are all 0.
        """
        deviations = self.module.standard_deviations()
        return {
            name: pd.Series(deviation.numpy().copy(), index=self.features(name), name="noise")
            for name, deviation in zip(self.view_names, deviations, strict=True)
        }

    @property
    def r2(self) -> pd.Series:
        """Share of each view's variance that the decoder explains on the training samples.

        Of a view on its own scale, whose likelihood is not Gaussian, the share of its deviance.
        """
        return pd.Series(dict(self.feature_estimates.r2), name="r2", dtype=float)

    @property
    def effect_scales(self) -> dict[str, EffectScale]:
        """In which units :attr:`loadings` of each view are, and in which words they are said."""
        names = enumerate(self.view_names)
        return {name: self.module.likelihood(i).effects for i, name in names}

    @property
    def value_r2(self) -> pd.Series:
        """Share of the variance of each view's values that the factors explain.

        :attr:`r2` but for views on their own scale, where that is the share of deviance: there
        it is of values and their predicted means, each feature standardised. ``NaN`` for such a
        view in a model of an older version.
        """
        shares = {name: float(self.r2[name]) for name in self.view_names}
        for name, each in self.preprocessing.views.items():
            if each.own is not None:
                shares[name] = self.feature_estimates.values.get(name, float("nan"))
        return pd.Series(shares, name="value_r2", dtype=float)

    @property
    def share_of(self) -> pd.Series:
        """What :attr:`r2` of each view is a share of: its ``"variance"`` or its ``"deviance"``."""
        views = self.preprocessing.views.items()
        named = {v: "variance" if each.own is None else "deviance" for v, each in views}
        return pd.Series(named, name="share_of", dtype=object)

    @property
    def total_r2(self) -> pd.Series:
        """Share of each view's variance that factors and background explain together."""
        total = {**self.feature_estimates.r2, **self.feature_estimates.total}
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
        found = background_frame(self.sample_estimates, self.samples)
        return pd.DataFrame(index=self.samples) if found is None else found

    @cached_property
    def background_loadings(self) -> dict[str, pd.DataFrame]:
        """Linear effects of the background factors, view to (n_features, n_background).

        On the preprocessed scale, of a move by one standard deviation of the factor's prior.
        """
        return background_loading_frames(self)

    @cached_property
    def precision_shares(self) -> pd.DataFrame | None:
        """Share of each view in what is known of a sample's latents; rows sum to 1.

        Of the trace of the posterior precision, without the prior's; ``None`` for
        ``inference="amortised"``.
        """
        return shares_frame(self, self.sample_estimates, self.samples)

    @cached_property
    def component_probabilities(self) -> pd.DataFrame | None:
        """Soft assignment to the mixture prior's components; ``None`` for other priors."""
        return component_frame(self.sample_estimates, self.samples)

    @cached_property
    def cluster_numbers(self) -> tuple[NumberTried, ...] | None:
        """Numbers of clusters of the samples' network, from 2 to 10, and what speaks for each.

        Computed when first asked for, which takes seconds, and saved with the model. ``None``
        without a network, and in files of before this was computed.
        """
        if self.numbers_stored is not None or self.redraws is None or self.network is None:
            return self.numbers_stored
        return judged_numbers(self.redraws, self.network, self.seed)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The embeddings that this model has, the default first."""
        always: tuple[Metric, ...] = ("latent", "gram", "decoded")
        return always if self.network is None else ("network", *always)

    @property
    def default_metric(self) -> Metric:
        """The embedding to cluster in: ``"network"``, or ``"latent"`` for very large cohorts."""
        return self.metrics[0]

    def embedding(self, metric: Metric | None = None) -> pd.DataFrame:
        """Return the training samples in the space to cluster or plot them in.

        ``"network"`` (the default, for up to 5,000 samples): coordinates in
        the fused similarity network of the latents and the views, see
        :func:`poems.clustering.networks.network_coordinates`. ``"latent"``: posterior
        means of the active factors.
        ``"gram"``: z G^(1/2) with G = sum_v E[J_v^T J_v] / n_features_v, where
        distances are those between predictions, to first order.
        ``"decoded"``: principal components of the block-scaled predictions.

        Raises
        ------
        SettingsError
            If the metric is unknown, or the cohort was too large for a network.
        """
        return embedding(self, self.default_metric if metric is None else metric)

    def transform(
        self,
        cohort: MultiOmics | Mapping[str, Any],
        *,
        match_features: FeatureMatch = "exact",
        rename_features: Mapping[str, str] | None = None,
    ) -> Projection:
        """Project new samples, with any subset of the model's views.

        Parameters
        ----------
        cohort
            A cohort, in memory or on disk, or a mapping as for
            :func:`poems.read`. Views and features are matched by name; what is
            absent or unknown is in the findings.
        match_features
            How names match that are not the same: ``"exact"``, not at all;
            ``"version"`` without the version of an accession, ``"case"``,
            ``"separators"``, ``"prefix"``, ``"suffix"``, or ``"any"`` of these.
            Two names that would become one are left alone.
        rename_features
            Name of a feature in the cohort to its name in the model, before all else.

        Raises
        ------
        DataError
            If no view or no feature is known, or a sample has nothing measured.
        SettingsError
            If there is no such way to match.
        """
        return project(self, _as_cohort(cohort), match_features, rename_features)

    def reconstruct(
        self, cohort: MultiOmics | Mapping[str, Any] | None = None
    ) -> dict[str, pd.DataFrame]:
        """Predict every view of every sample from its latents, in the units of the input.

        Parameters
        ----------
        cohort
            New samples, as for :meth:`transform`; the training samples by
            default.

        Returns
        -------
        View name to DataFrame of shape (n_samples, n_features), also for views
        that were not measured on a sample. Predictions follow no limits: that
        of a log1p-transformed count may be a little below zero.
        """
        return reconstruct(self, None if cohort is None else _as_cohort(cohort))

    def diagnose(self, held_out: MultiOmics | Mapping[str, Any] | None = None) -> Diagnosis:
        """Return the failure signatures: what is known to go wrong with a fit, measured.

        A collapsed gate, dense loadings, a posterior at the prior or far too
        sure of itself, badly reconstructed views, unused factors, training that
        had not converged. Each finding says what it means and what to try.

        Parameters
        ----------
        held_out
            Samples that the model has not seen, as for :meth:`transform`, to
            judge the gate and the reconstruction on. By default these are
            judged on the samples that the fit held out, if it did
            (``stopping="held_out"``), and otherwise on the training samples.

        Raises
        ------
        DataError
            If no view or no feature is known, or a sample has nothing measured.

        Examples
        --------
        >>> import poems
        >>> cohort = poems.simulate(n_samples=80, n_features=40, seed=0).cohort
        >>> model = poems.fit(cohort.take(range(60)), seed=0, epochs=5, progress=False)
        >>> "sparsity-incomplete" in model.diagnose().signatures
        True
        >>> table = model.diagnose(held_out=cohort.take(range(60, 80))).table
        >>> sorted(table["samples"].unique())
        ['held out', 'training']
        """
        from poems.fitting.diagnosing import diagnose_held_out, diagnose_tables

        if held_out is not None:
            return diagnose_held_out(self, _as_cohort(held_out))
        return diagnose_tables(self) if self.diagnosis is None else self.diagnosis

    def save(self, path: str | Path) -> None:
        """Write the model to one file: safetensors with checked JSON, nothing pickled."""
        from poems.fitting.storage import save

        save(self, path)

    def to_mudata(
        self, cohort: MultiOmics | Mapping[str, Any], subtypes: pd.Series | None = None
    ) -> MuData:
        """Return the training cohort as MuData with the model's tables in its slots.

        ``obsm["X_poems"]``, and ``obsm["X_poems_network"]`` where there is a network, of the
        whole and of each omic with the samples that it was measured on, so that
        ``sc.pp.neighbors(mdata["mrna"], use_rep="X_poems")`` works; ``obsm["poems_gates"]``,
        ``varm["poems_loadings"]``, ``varm["poems_inclusion"]``, ``varm["poems_scores"]`` where
        the model has scores of its loadings, ``uns["poems"]``, and ``uns["poems_model"]``, the
        model file, which :func:`poems.load` reads from a written .h5mu file; with a background
        ``obsm["X_poems_background"]`` and ``varm["poems_background_loadings"]``. Features that
        the model left out have ``NaN`` in ``varm``.

        Parameters
        ----------
        cohort
            The cohort that the model was fitted on, or what it was read from:
            a model does not keep the data. Samples are matched by name.
        subtypes
            Subtype by sample, such as ``find_subtypes(model).assignment``, for
            ``obs["poems_subtype"]`` of the whole and of each omic.

        Raises
        ------
        DataError
            If the cohort's samples are not the training samples.
        """
        from poems.fitting.mudata import to_mudata

        given = _as_cohort(cohort)
        require_in_memory(given, "to_mudata()")
        return to_mudata(self, given, subtypes)


def load(path: str | Path) -> FittedPoems:
    """Read a model that :meth:`FittedPoems.save` wrote, or that an .h5mu file of POEMS holds.

    Raises
    ------
    StorageError
        If the file is missing, damaged, not a POEMS model, or of another version.
    """
    from poems.fitting.mudata import load_from_h5mu
    from poems.fitting.storage import load_fitted

    if Path(path).suffix == ".h5mu":
        return load_from_h5mu(Path(path))
    return load_fitted(path)


def _as_cohort(cohort: MultiOmics | Mapping[str, Any]) -> MultiOmics:
    """Read what is not a cohort yet."""
    return cohort if isinstance(cohort, MultiOmics) else read(cohort)
