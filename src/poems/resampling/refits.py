"""One refit: fitted on some of the samples, applied to all, and boiled down to a few arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics, View
from poems.fitting.fit import fit
from poems.fitting.result import FittedPoems
from poems.resampling.draws import Draw, take_rows
from poems.resampling.held_out import held_out_r2
from poems.scaling.sizes import from_counts, size_columns
from poems.settings.schema import Settings


@dataclass(frozen=True, eq=False)
class RefitData:
    """What all refits of a cohort share; plain dictionaries, so that it can be sent to processes.

    ``obs``: the samples, with the columns that sizes are taken from;
    ``candidates``: numbers of clusters to form in each refit, none where the
    clusters are not needed.
    """

    views: dict[str, View]
    obs: pd.DataFrame
    settings: Settings
    candidates: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, cohort: MultiOmics, settings: Settings, candidates: tuple[int, ...] = ()
    ) -> RefitData:
        """Take what refits need from a cohort."""
        rules = map(settings.preprocessing.sizes_of, cohort.views)
        obs = size_columns(rules, cohort.obs)
        return cls(dict(cohort.views), obs, settings, candidates)


@dataclass(frozen=True, eq=False)
class Refit:
    """What is kept of a refit.

    Parameters
    ----------
    loadings
        View to loadings of shape (n_features, n_factors), rows of zeros for
        features that the refit left out.
    latent
        Latents of all samples, of shape (n_samples, n_factors).
    r2, r2_pca
        View to held-out R squared of the model and of PCA; empty where no
        sample was left out.
    clusters
        Number of clusters to the cluster of each sample, of shape (n_samples,).
    """

    loadings: Mapping[str, npt.NDArray[np.float32]]
    latent: npt.NDArray[np.float32]
    r2: Mapping[str, float]
    r2_pca: Mapping[str, float]
    clusters: Mapping[int, npt.NDArray[np.int32]]

    @property
    def n_factors(self) -> int:
        """Number of factors that the refit kept."""
        return int(self.latent.shape[1])


def refit(data: RefitData, draw: Draw) -> Refit:
    """Fit the drawn samples and apply the model to all of them.

    Raises
    ------
    KeyboardInterrupt
        If training was interrupted: a refit that ended early is none.
    """
    part = take_rows(data.views, data.obs, draw.rows)
    model = fit(part, seed=draw.seed, settings=data.settings, progress=False)
    if model.status.startswith("Interrupted"):
        raise KeyboardInterrupt
    everyone = _sizeable(take_rows(data.views, data.obs, np.arange(len(data.obs))), model)
    latent = model.transform(everyone).latent.to_numpy(dtype=np.float32)
    left_out = draw.left_out(len(data.obs))
    r2: dict[str, float] = {}
    r2_pca: dict[str, float] = {}
    if len(left_out):
        training, _ = model.preprocessing.apply(part)
        held_out, _ = model.preprocessing.apply(everyone.take(left_out))
        r2, r2_pca = held_out_r2(model, training, held_out)
    return Refit(
        loadings=all_features(model, data.views),
        latent=latent,
        r2=r2,
        r2_pca=r2_pca,
        clusters={k: _cluster(latent, k, draw.seed) for k in data.candidates},
    )


def _sizeable(cohort: MultiOmics, model: FittedPoems) -> MultiOmics:
    """Return samples of which a view is unmeasured where the model cannot tell their size by it.

    Those whose only counts are of rare features, which varied on none of the samples drawn.
    """
    views = dict(cohort.views)
    for name, scaling in model.preprocessing.views.items():
        if scaling.own is not None and from_counts(scaling.own.sizes):
            view = views[name]
            used = view.values[:, view.features.get_indexer(scaling.features)]
            measured = view.measured & (used > 0).any(axis=1)
            values = np.where(measured[:, None], view.values, np.float32(np.nan))
            views[name] = View(values, view.features, measured)
    return MultiOmics(views, cohort.samples, cohort.obs)


def all_features(
    model: FittedPoems, views: Mapping[str, View]
) -> dict[str, npt.NDArray[np.float32]]:
    """Return a model's loadings with a row for every feature, zeros where it was left out."""
    return {
        name: model.loadings[name].reindex(view.features, fill_value=0.0).to_numpy(np.float32)
        for name, view in views.items()
    }


def _cluster(points: npt.NDArray[np.float32], k: int, seed: int) -> npt.NDArray[np.int32]:
    """Cluster by k-means; all samples in one cluster where they lie at fewer than k points."""
    from sklearn.cluster import KMeans

    distinct = len(np.unique(points, axis=0)) if points.shape[1] else 1
    if distinct < k:
        return np.zeros(len(points), dtype=np.int32)
    # Restarts of k-means in each refit; the many refits make up for few of them.
    labels = KMeans(k, n_init=10, random_state=seed).fit_predict(points)
    return np.asarray(labels, dtype=np.int32)
