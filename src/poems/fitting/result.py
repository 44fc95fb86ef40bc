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
from poems.findings import count
from poems.fitting.fit_tables import FitArrays, FitTables
from poems.fitting.projection import Projection, embedding, project, reconstruct
from poems.fitting.record import ModelSummary, ViewSummary
from poems.fitting.redraws import judged_numbers
from poems.fitting.tables import arrays_of, factor_frame, standardised_frames
from poems.nn.estimates import FeatureEstimates, SampleEstimates
from poems.nn.model import POEMS
from poems.notebook import card
from poems.scaling.preprocessing import Preprocessing
from poems.settings.effect_scale import EffectScale
from poems.settings.schema import Metric

if TYPE_CHECKING:
    from mudata import MuData


@dataclass(frozen=True, eq=False)
class FittedPoems(FitTables):
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
        # Of views on their own scale R² is another number than the share that is in the table.
        own = {name: view.own for name, view in self.preprocessing.views.items()}
        weights = self.gates.where(self.gates > 0).mean()
        rows = [
            (
                name,
                len(self.loadings[name]),
                int((self.loadings[name] != 0).any(axis=1).sum()),
                f"{self.r2[name]:.2f}{'' if own[name] is None else ' of deviance'}",
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

    @cached_property
    def arrays(self) -> FitArrays:
        """What the tables are made from: the model's tensors as they are, not copied."""
        return arrays_of(self)

    @cached_property
    def orientation(self) -> Tensor:
        """Sign by which each latent dimension is shown, of shape (n_latent,)."""
        return torch.from_numpy(self.signs)

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
    def effect_scales(self) -> dict[str, EffectScale]:
        """In which units :attr:`loadings` of each view are, and in which words they are said."""
        names = enumerate(self.view_names)
        return {name: self.module.likelihood(i).effects for i, name in names}

    @cached_property
    def cluster_numbers(self) -> tuple[NumberTried, ...] | None:
        """Numbers of clusters of the samples' network, from 2 to 10, and what speaks for each.

        Computed when first asked for, which takes seconds, and saved with the model. ``None``
        without a network, and in files of before this was computed.
        """
        if self.numbers_stored is not None or self.redraws is None or self.network is None:
            return self.numbers_stored
        return judged_numbers(self.redraws, self.network, self.seed)

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
