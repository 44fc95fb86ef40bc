"""A run and its cohort as one MuData file, for muon and scverse tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from poems.data import MultiOmics
from poems.data.mudata_io import storable
from poems.data.stored.anndata_quiet import quiet
from poems.errors import DataError
from poems.files.atomic import atomic_path
from poems.findings import name_some
from poems.fitting.mudata import SUBTYPE
from poems.runs.export.tables import new_file
from poems.runs.folder import Run

# Columns of obs, beside those of the clinical table.
_SILHOUETTE = "poems_silhouette"


def export_h5mu(run: Run, cohort: MultiOmics, out: str | Path, *, overwrite: bool = False) -> Path:
    """Write the cohort with the model's tables into an .h5mu file.

    Slots are those of :meth:`poems.FittedPoems.to_mudata`; ``obs`` has the run's clinical table
    if the cohort has none, and ``poems_subtype`` and ``poems_silhouette``.

    Parameters
    ----------
    run
        The run.
    cohort
        The cohort it was fitted to; samples that the run does not have are left out.
    out
        The file.
    overwrite
        Replace a file that is there.

    Raises
    ------
    DataError
        If a sample or a view of the run is not in the cohort.
    SettingsError
        If the name does not end in .h5mu, or the file is there and ``overwrite`` is not asked for.
    """
    path = new_file(out, ".h5mu", overwrite=overwrite)
    model = run.model
    absent = [view for view in model.view_names if view not in cohort.views]
    if absent:
        raise DataError(
            f"the run has the views {name_some(model.view_names, 20)}, but no table was given for "
            f"{name_some(absent, 20)}; name the tables as in the fit (--view NAME=FILE)"
        )
    rows = cohort.samples.get_indexer(model.samples)
    if (rows < 0).any():
        raise DataError(
            f"{(rows < 0).sum()} of the run's {len(rows)} samples are not in the tables: "
            f"{name_some(model.samples[rows < 0])}; give the tables of the fit"
        )
    subtypes = run.subtypes.set_axis(model.samples)
    named = subtypes["subtype"].astype(str)
    data = model.to_mudata(cohort.take(np.sort(rows)), named)
    own = subtypes.loc[data.obs_names]
    if not len(cohort.obs.columns):
        data.obs = storable(run.obs.set_axis(model.samples).loc[data.obs_names])
    data.obs[SUBTYPE] = own["subtype"].astype(str).to_numpy(dtype=object)
    data.obs[_SILHOUETTE] = own["silhouette"].to_numpy(dtype=np.float64)
    with atomic_path(path) as temporary, quiet():
        data.write_h5mu(temporary)
    return path
