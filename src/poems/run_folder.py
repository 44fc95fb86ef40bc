"""The folder of one fit: tables that other programs read, the model, figures and the log.

::

    run/
      run.json             what it is: format, versions, seed, how training ended, a summary
      model.poems          the fitted model, for ``poems.load``
      settings.toml        the settings used, for ``--config``
      latent.csv  latent_variance.csv  gates.csv  subtypes.csv  silhouette.csv  r2.csv
      subtype_model.json   to assign new samples to the subtypes
      obs.csv  history.csv  findings.csv  diagnosis.csv  pca.csv
      components.csv       with a mixture prior
      loadings/<view>.csv  inclusion/<view>.csv
      analysis/*.csv       what takes the data to tell, see poems.run_analysis
      figures/*.png
      run.log
      checkpoint.poems     only while a run that saves its state is unfinished
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from poems._files import write_text
from poems._version import __version__
from poems.analysis.assignment import SubtypeModel, learn_subtypes
from poems.analysis.assignment_storage import load_subtype_model, save_subtype_model
from poems.analysis.contributions import mean_weights, pattern_findings
from poems.analysis.subtypes import Subtypes, component_table
from poems.csv_tables import read_csv, write_csv, write_findings
from poems.data.assemble import align_obs
from poems.data.backed.view import BackedCohort
from poems.data.tables import load_obs
from poems.errors import DataError, PoemsError, StorageError
from poems.findings import Finding, name_some
from poems.output_folder import CHECKPOINT, claim_folder, read_marker, write_marker
from poems.run_analysis import RunAnalysis, read_analysis, write_analysis
from poems.settings_file import settings_to_toml

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from poems.data import MultiOmics
    from poems.fitted import FittedPoems

logger = logging.getLogger(__name__)

_KIND: Final = "run"
_MODEL = "model.poems"
_SUBTYPE_MODEL = "subtype_model.json"
# Samples that figures show at most; of more, a random subset, which the figure says.
_MOST_DRAWN = 20_000
# What an overwritten run leaves behind where the new one has other views or figures.
_STALE = (
    "loadings/*.csv",
    "inclusion/*.csv",
    "figures/*.png",
    "components.csv",
    "pca.csv",
    "network.csv",
    "report.html",
    "report_tables/*.csv",
)


@dataclass(frozen=True, eq=False)
class Run:
    """What a run folder holds.

    Parameters
    ----------
    folder
        Where it lies.
    model
        The fitted model.
    obs
        The clinical table, one row a sample, in the model's order.
    subtypes
        One row a sample: subtype, silhouette and perhaps probability.
    summary
        The contents of ``run.json``.
    pca
        Principal components of the cohort, the baseline to compare with;
        ``None`` if they could not be computed.
    """

    folder: Path
    model: FittedPoems
    obs: pd.DataFrame
    subtypes: pd.DataFrame
    summary: dict[str, Any]
    pca: pd.DataFrame | None = None

    @cached_property
    def analysis(self) -> dict[str, pd.DataFrame]:
        """Tables of :func:`poems.run_analysis.analyse_run` by name; none in older runs."""
        return read_analysis(self.folder)

    def subtype_model(self) -> SubtypeModel:
        """Return what assigns new samples to the subtypes; learnt here if the run has none saved.

        Raises
        ------
        StorageError
            If the saved one is damaged, or of another model.
        """
        path = self.folder / _SUBTYPE_MODEL
        if not path.exists():
            found = pd.Series(self.subtypes["subtype"].to_numpy(), index=self.model.samples)
            return learn_subtypes(self.model.latent, found, self.model.latent_variance)
        saved = load_subtype_model(path)
        if list(saved.factors) != self.model.factor_names:
            raise StorageError(
                f"{path} has {len(saved.factors)} factors, the model {self.model.n_active}: it is "
                "of another fit. Delete it, and subtypes are learnt from the run again"
            )
        return saved


def write_run(
    folder: str | Path,
    model: FittedPoems,
    cohort: MultiOmics,
    subtypes: Subtypes,
    *,
    analysis: RunAnalysis | None = None,
    figures: bool = True,
) -> Path:
    """Write a fit and its subtypes into ``folder``, each file whole or not at all.

    ``run.json`` comes last: a folder in which it says ``"complete": true``
    holds everything. Tables hold names as they are in the data, also those
    that a spreadsheet would take for a formula. A checkpoint in the folder is
    removed at the end: the model has taken its place.

    Parameters
    ----------
    folder
        The run folder, claimed before the fit, or a new one.
    model
        The fitted model.
    cohort
        The cohort it was fitted to.
    subtypes
        Subtypes of its samples.
    analysis
        What was computed of the cohort; nothing by default.
    figures
        Draw ``figures/*.png`` as well.

    Raises
    ------
    SettingsError
        If the folder holds something other than a run.
    """
    path = claim_folder(folder, _KIND, overwrite=True)
    # A run killed from here on is known to be half old, half new.
    write_marker(path, _KIND, {}, complete=False)
    for pattern in _STALE:
        for stale in path.glob(pattern):
            stale.unlink()
    for name, table in _tables(model, cohort, subtypes).items():
        write_csv(path / f"{name}.csv", table)
    analysis = RunAnalysis({}) if analysis is None else analysis
    write_analysis(path, analysis)
    findings = (*model.findings, *run_findings(model, cohort, subtypes), *analysis.findings)
    write_findings(path / "findings.csv", findings)
    write_csv(path / "diagnosis.csv", model.diagnose().table, index=False)
    write_text(path / "settings.toml", settings_to_toml(model.settings))
    model.save(path / _MODEL)
    save_subtype_model(subtypes.assigner(model), path / _SUBTYPE_MODEL)
    if figures:
        from poems.plots.saving import save_figure

        for name, figure in _figures(model, subtypes).items():
            save_figure(figure, path / "figures" / name)
    write_marker(path, _KIND, _summary(model, subtypes))
    (path / CHECKPOINT).unlink(missing_ok=True)
    logger.info("wrote the run to %s", path)
    return path


def run_findings(model: FittedPoems, cohort: MultiOmics, subtypes: Subtypes) -> tuple[Finding, ...]:
    """Return what there is to say of a run beside the model's own findings."""
    following = (
        *subtypes.findings,
        *pattern_findings(subtypes.assignment, model.gates),
        *subtypes.assigner(model).findings,
    )
    if not isinstance(cohort, BackedCohort):
        return following
    text = (
        "pca.csv, the baseline that poems evaluate shows, was left out: it takes all values in "
        "memory"
    )
    return (*following, Finding("note", "pca-left-out", text))


def read_run(folder: str | Path) -> Run:
    """Read back the run that :func:`write_run` wrote.

    Raises
    ------
    ReadError
        If the folder does not exist, is not a run, or the run did not finish.
    StorageError
        If its model cannot be loaded, or its tables are of other samples.
    """
    from poems.fitted import load

    path = Path(folder)
    summary = read_marker(path, _KIND)
    model = load(path / _MODEL)
    names = ["obs", "subtypes", *(["pca"] if (path / "pca.csv").exists() else [])]
    tables = {name: read_csv(path / f"{name}.csv") for name in names}
    for name, table in tables.items():
        if list(table.index) != [str(sample) for sample in model.samples]:
            raise StorageError(
                f"{path / name}.csv does not list the model's {len(model.samples)} samples in "
                "their order; was it edited? Fit again"
            )
    return Run(path, model, tables["obs"], tables["subtypes"], summary, tables.get("pca"))


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


def run_subtypes(run: Run) -> Subtypes:
    """Return the subtypes that a run reported, with what is known of how they were chosen.

    Raises
    ------
    StorageError
        If ``silhouette.csv`` or ``run.json`` lack what is needed of them.
    """
    choice = read_csv(run.folder / "silhouette.csv")
    choice.index = choice.index.astype(int).rename("n_subtypes")
    own = run.subtypes.set_axis(run.model.samples)
    found = run.summary.get("subtypes")
    absent = {"silhouette", "smallest"} - set(choice.columns)
    if absent or not isinstance(found, dict) or not {"method", "metric"} <= set(found):
        raise StorageError(
            f"{run.folder} does not say how its subtypes were found (silhouette.csv, run.json); "
            "was it edited? Fit again"
        )
    return Subtypes(
        assignment=own["subtype"].rename("subtype"),
        silhouette=choice["silhouette"],
        smallest=choice["smallest"],
        sample_silhouette=own["silhouette"].astype(float),
        method=found["method"],
        metric=found["metric"],
        probability=own["probability"].astype(float) if "probability" in own else None,
    )


def _tables(model: FittedPoems, cohort: MultiOmics, subtypes: Subtypes) -> dict[str, pd.DataFrame]:
    tables = {
        "latent": model.latent.rename_axis("sample"),
        "latent_variance": model.latent_variance.rename_axis("sample"),
        "gates": model.gates.rename_axis("sample"),
        "subtypes": subtypes.table().rename_axis("sample"),
        "silhouette": subtypes.choice(),
        "r2": model.r2.rename("r2").rename_axis("view").to_frame(),
        "obs": cohort.obs.rename_axis("sample"),
        "history": model.history.rename_axis("epoch"),
    }
    if model.network is not None:
        tables["network"] = model.embedding("network").rename_axis("sample")
    components = model.component_probabilities
    if components is not None:
        tables["components"] = component_table(components).rename_axis("sample")
    pca = _pca(model, cohort)
    if pca is not None:
        tables["pca"] = pca.rename_axis("sample")
    for kind, by_view in (("loadings", model.loadings), ("inclusion", model.inclusion)):
        for view, table in by_view.items():
            tables[f"{kind}/{view}"] = table.rename_axis("feature")
    return tables


def _pca(model: FittedPoems, cohort: MultiOmics) -> pd.DataFrame | None:
    """Return the baseline, on the same scale as the model's where that is not linear."""
    from poems.evaluation.baselines import pca_embedding

    if isinstance(cohort, BackedCohort):
        return None
    logged = {
        name: replace(view, values=np.log1p(view.values))
        for name, view in cohort.views.items()
        if name in model.settings.preprocessing.log1p
    }
    try:
        return pca_embedding(replace(cohort, views={**cohort.views, **logged}))
    except (PoemsError, np.linalg.LinAlgError) as error:
        logger.info("no pca.csv: %s", error)
        return None


def _figures(model: FittedPoems, subtypes: Subtypes) -> dict[str, Figure]:
    from matplotlib.figure import Figure

    from poems import plots

    metric = subtypes.metric or model.default_metric
    points, found, gates = model.embedding(metric), subtypes.assignment, model.gates
    n_samples = len(points)
    if n_samples > _MOST_DRAWN:
        # In the order of the samples, drawn at random.
        rows = np.random.default_rng(model.seed).choice(n_samples, _MOST_DRAWN, replace=False)
        rows.sort()
        points, found, gates = points.iloc[rows], found.iloc[rows], gates.iloc[rows]
    drawn: dict[str, Any] = {
        "latent": plots.plot_latent(plots.principal_plane(points, metric), found),
        "subtypes": plots.plot_latent(plots.centre_plane(points, found, metric), found),
        "gates": plots.plot_gates(gates, found),
        "loadings": plots.plot_loadings(model.loadings),
        "sparsity": plots.plot_sparsity(model.loadings),
    }
    if n_samples > _MOST_DRAWN:
        for name in ("latent", "subtypes", "gates"):
            drawn[name].set_title(f"{_MOST_DRAWN} of {n_samples} samples, drawn at random")
    figures = {name: ax.get_figure(root=True) for name, ax in drawn.items()}
    if len(model.history):
        figures["history"] = plots.plot_history(model.history)
    return {name: figure for name, figure in figures.items() if isinstance(figure, Figure)}


def _summary(model: FittedPoems, subtypes: Subtypes) -> dict[str, Any]:
    silhouette = subtypes.sample_silhouette.mean()
    return {
        "poems": __version__,
        "versions": dict(model.versions),
        "seed": model.seed,
        "status": model.status,
        "n_samples": len(model.samples),
        "n_factors": model.latent.shape[1],
        "n_epochs": len(model.history),
        "failure_signatures": list(model.diagnose().signatures),
        "r2": {view: _number(value) for view, value in model.r2.items()},
        "mean_gate": {view: _number(value) for view, value in mean_weights(model.gates).items()},
        "subtypes": {
            "method": subtypes.method,
            "metric": subtypes.metric,
            "sizes": {name: int(size) for name, size in subtypes.sizes.items()},
            "silhouette": _number(silhouette),
        },
    }


def _number(value: float) -> float | None:
    # JSON has no name for a number that is not defined.
    return round(float(value), 6) if pd.notna(value) else None
