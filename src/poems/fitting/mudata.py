"""FittedPoems as MuData, with the slots that users of muon's MOFA expect."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data import MultiOmics
from poems.data.disk.stores import open_store
from poems.data.mudata_io import to_mudata as cohort_to_mudata
from poems.errors import DataError, StorageError
from poems.fitting.result import FittedPoems, load

if TYPE_CHECKING:
    from mudata import MuData


MODEL_KEY: Final = "poems_model"
SUBTYPE: Final = "poems_subtype"


def to_mudata(fitted: FittedPoems, cohort: MultiOmics, subtypes: pd.Series | None = None) -> MuData:
    """Put the model's tables beside the training cohort (see :meth:`FittedPoems.to_mudata`)."""
    rows = cohort.samples.get_indexer(fitted.samples)
    if (rows < 0).any() or len(rows) != cohort.n_samples:
        raise DataError(
            f"the cohort's {cohort.n_samples} samples are not the {len(fitted.samples)} training "
            "samples. Pass the cohort that was fitted; use transform() for new samples."
        )
    mudata = cohort_to_mudata(cohort.select(list(fitted.view_names)).take(rows))
    points = {"X_poems": fitted.latent}
    if fitted.network is not None:
        points["X_poems_network"] = fitted.embedding("network")
    for each in (mudata, *mudata.mod.values()):
        for slot, table in points.items():
            each.obsm[slot] = table.loc[each.obs_names].to_numpy()
        if subtypes is not None:
            names = subtypes.reindex(each.obs_names)
            each.obs[SUBTYPE] = names.map(str, na_action="ignore").to_numpy(dtype=object)
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
    mudata.uns[MODEL_KEY] = _as_bytes(fitted)
    return mudata


def _as_bytes(fitted: FittedPoems) -> npt.NDArray[np.uint8]:
    """Return the model file as numbers, which HDF5 holds, unlike bytes with zeros in them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.poems"
        fitted.save(path)
        return np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()


def load_from_h5mu(path: Path) -> FittedPoems:
    """Read the model that is in an .h5mu file beside its cohort.

    Raises
    ------
    StorageError
        If the file holds no model, or one that is damaged.
    ReadError
        If the file is no HDF5, or takes values from other files.
    """
    group, handle = open_store(path, whole=True)
    with handle:
        stored = group.get(f"uns/{MODEL_KEY}")
        if stored is None:
            raise StorageError(
                f"{path} holds no POEMS model (uns['{MODEL_KEY}']): write it with "
                "model.to_mudata(cohort).write(…), or load the model file (model.poems)"
            )
        content = np.asarray(stored[...], dtype=np.uint8).tobytes()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "model.poems"
        copy.write_bytes(content)
        return load(copy)
