"""FittedPoems as MuData, with the slots that users of muon's MOFA expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from poems.data import MultiOmics
from poems.data.mudata_io import to_mudata as cohort_to_mudata
from poems.errors import DataError
from poems.fitting.result import FittedPoems

if TYPE_CHECKING:
    from mudata import MuData


def to_mudata(fitted: FittedPoems, cohort: MultiOmics) -> MuData:
    """Put the model's tables beside the training cohort (see :meth:`FittedPoems.to_mudata`)."""
    rows = cohort.samples.get_indexer(fitted.samples)
    if (rows < 0).any() or len(rows) != cohort.n_samples:
        raise DataError(
            f"the cohort's {cohort.n_samples} samples are not the {len(fitted.samples)} training "
            "samples. Pass the cohort that was fitted; use transform() for new samples."
        )
    mudata = cohort_to_mudata(cohort.select(list(fitted.view_names)).take(rows))
    mudata.obsm["X_poems"] = fitted.latent.loc[mudata.obs_names].to_numpy()
    mudata.obsm["poems_latent_variance"] = fitted.latent_variance.loc[mudata.obs_names].to_numpy()
    mudata.obsm["poems_gates"] = fitted.gates.loc[mudata.obs_names].to_numpy()
    by_slot = {"loadings": fitted.loadings, "inclusion": fitted.inclusion}
    if len(fitted.background.columns):
        background = fitted.background.loc[mudata.obs_names]
        mudata.obsm["X_poems_background"] = background.to_numpy()
        by_slot["background_loadings"] = fitted.background_loadings
    if fitted.feature_estimates.score:
        by_slot["scores"] = fitted.loading_scores
    for slot, tables in by_slot.items():
        by_view = [
            tables[name].reindex(cohort[name].features).to_numpy() for name in fitted.view_names
        ]
        mudata.varm[f"poems_{slot}"] = np.concatenate(by_view)
    mudata.uns["poems"] = {
        "views": list(fitted.view_names),
        "factors": fitted.factor_names,
        "seed": fitted.seed,
        "status": fitted.status,
        "settings": fitted.settings.model_dump_json(),
        "versions": dict(fitted.versions),
    }
    return mudata
