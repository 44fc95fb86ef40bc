"""The folder of one fit: tables that other programs read, the model, figures and the log.

::

    run/
      run.json             what it is: format, versions, seed, how training ended, a summary
      model.poems          the fitted model, for ``poems.load``
      settings.toml        the settings used, for ``--config``
      latent.csv  latent_variance.csv  gates.csv  subtypes.csv  silhouette.csv  r2.csv
      subtype_choice.csv   what speaks for each number of subtypes tried, and what against it
      subtype_model.json   to assign new samples to the subtypes
      obs.csv  history.csv  findings.csv  diagnosis.csv  pca.csv
      components.csv       with a mixture prior
      background.csv       with background factors
      precision_shares.csv with exact posteriors
      loadings/<view>.csv  inclusion/<view>.csv  scores/<view>.csv
      analysis/*.csv       what takes the data to tell, see poems.runs.analysis
      figures/*.png
      run.log
      checkpoint.poems     only while a run that saves its state is unfinished
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from poems.analysis.subtypes.assignment import SubtypeModel, learn_subtypes
from poems.analysis.subtypes.assignment_storage import load_subtype_model
from poems.analysis.subtypes.choice_words import numbers_from_table
from poems.analysis.subtypes.result import Subtypes
from poems.clustering.tried import NumberTried
from poems.data.assemble import align_obs
from poems.data.tables import load_obs
from poems.errors import DataError, ReadError, StorageError
from poems.files.csv_tables import read_csv
from poems.files.markers import read_marker
from poems.findings import Finding, name_some
from poems.fitting.stored import StoredFit, read_fit
from poems.notebook import Shown
from poems.runs.analysis import read_analysis
from poems.runs.writing import KIND, MODEL, SUBTYPE_MODEL, write_run

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

logger = logging.getLogger(__name__)

__all__ = ["Run", "read_run", "run_obs", "run_subtypes", "write_run"]


@dataclass(frozen=True, eq=False, repr=False)
class Run(Shown):
    """What a run folder holds.

    Parameters
    ----------
    folder
        Where it lies.
    fit
        What the model file tells.
    obs
        The clinical table, one row per sample, in the model's order.
    subtypes
        One row per sample: subtype, silhouette and perhaps probability.
    summary
        The contents of ``run.json``.
    pca
        Principal components of the cohort, the baseline to compare with;
        ``None`` if they could not be computed.
    """

    folder: Path
    fit: StoredFit
    obs: pd.DataFrame
    subtypes: pd.DataFrame
    summary: dict[str, Any]
    pca: pd.DataFrame | None = None

    @property
    def model(self) -> FittedPoems:
        """The fitted model, loaded when first asked for: its tables are in ``fit``."""
        return self.fit.model

    @cached_property
    def analysis(self) -> dict[str, pd.DataFrame]:
        """Tables of :func:`poems.runs.analysis.analyse_run` by name; none in older runs."""
        return read_analysis(self.folder)

    def subtype_model(self) -> SubtypeModel:
        """Return what assigns new samples to the subtypes; learnt here if the run has none saved.

        Raises
        ------
        StorageError
            If the saved one is damaged, or of another model.
        """
        path = self.folder / SUBTYPE_MODEL
        if not path.exists():
            found = pd.Series(self.subtypes["subtype"].to_numpy(), index=self.fit.samples)
            return learn_subtypes(self.fit.latent, found, self.fit.latent_variance)
        saved = load_subtype_model(path)
        if list(saved.factors) != self.fit.factor_names:
            raise StorageError(
                f"{path} has {len(saved.factors)} factors, the model {self.fit.n_active}: it is "
                "of another fit. Delete it, and subtypes are learnt from the run again"
            )
        return saved


def read_run(folder: str | Path) -> Run:
    """Read back the run that :func:`write_run` wrote.

    Raises
    ------
    ReadError
        If the folder does not exist, is not a run, the run did not finish, or
        another took its place meanwhile.
    StorageError
        If its model cannot be loaded, or its tables are of other samples.
    """
    path = Path(folder)
    summary = read_marker(path, KIND)
    before = _marker_file(path)
    fit = read_fit(path / MODEL)
    names = ["obs", "subtypes", *(["pca"] if (path / "pca.csv").exists() else [])]
    tables = {name: read_csv(path / f"{name}.csv") for name in names}
    for name, table in tables.items():
        if list(table.index) != [str(sample) for sample in fit.samples]:
            raise StorageError(
                f"{path / name}.csv does not list the model's {len(fit.samples)} samples in "
                "their order; was it edited? Fit again"
            )
    if _marker_file(path) != before:
        raise ReadError(f"the run in {path} was replaced while it was read; repeat the command")
    return Run(path, fit, tables["obs"], tables["subtypes"], summary, tables.get("pca"))


def _marker_file(path: Path) -> tuple[int, int]:
    """Return what tells the marker from another one: it changes before any other file does."""
    found = (path / f"{KIND}.json").stat()
    return found.st_ino, found.st_mtime_ns


def run_obs(
    run: Run, given: str | Path | pd.DataFrame | None = None
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Return the obs table of a run's samples: its own, or another one that is given.

    Findings say which samples another table lacks, and which of its rows are of none.

    Raises
    ------
    ReadError
        If the file cannot be read.
    DataError
        If no sample of the run is in the table.
    """
    if given is None:
        return run.obs, ()
    table, noticed = load_obs(given)
    if not table.index.isin(run.obs.index).any():
        raise DataError(
            f"none of the {len(run.obs)} samples of {run.folder} ({name_some(run.obs.index)}) is "
            f"in the obs table given, whose first column holds {name_some(table.index)}; give one "
            "whose first column names these samples"
        )
    aligned, unmatched = align_obs(table, run.obs.index)
    return aligned, (*noticed, *unmatched)


# A report asks for them again and again.
@lru_cache(maxsize=1)
def run_subtypes(run: Run) -> Subtypes:
    """Return the subtypes that a run reported, with what is known of how they were chosen.

    Raises
    ------
    StorageError
        If ``silhouette.csv`` or ``run.json`` lack what is needed of them.
    """
    choice = read_csv(run.folder / "silhouette.csv")
    choice.index = choice.index.astype(int).rename("n_subtypes")
    own = run.subtypes.set_axis(run.fit.samples)
    found = run.summary.get("subtypes")
    absent = {"silhouette", "smallest"} - set(choice.columns)
    if absent or not isinstance(found, dict) or not {"method", "metric"} <= set(found):
        raise StorageError(
            f"{run.folder} does not say how its subtypes were found (silhouette.csv, run.json); "
            "was it edited? Fit again"
        )
    subtypes = Subtypes(
        assignment=own["subtype"].rename("subtype"),
        silhouette=choice["silhouette"],
        smallest=choice["smallest"],
        sample_silhouette=own["silhouette"].astype(float),
        method=found["method"],
        metric=found["metric"],
        probability=own["probability"].astype(float) if "probability" in own else None,
        tried=_tried(run.folder / "subtype_choice.csv"),
        # Older runs do not say it: a number that was given was the only one tried.
        asked=bool(found.get("asked", len(choice) == 1)),
    )
    return subtypes.by_measured_omics(run.fit.gates > 0)


def _tried(path: Path) -> tuple[NumberTried, ...]:
    """Read what speaks for each number of subtypes; nothing in older runs."""
    if not path.exists():
        return ()
    try:
        return numbers_from_table(read_csv(path).reset_index())
    except (KeyError, ValueError) as error:
        raise StorageError(
            f"{path} does not hold the numbers of subtypes that were tried ({error}); was it "
            "edited? Fit again"
        ) from error
