"""Writing a run folder: model, subtypes and tables at once, everything else after."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from poems._version import __version__
from poems.analysis.contributions.gates import mean_weights
from poems.analysis.subtypes.choice_words import choice_table
from poems.analysis.subtypes.result import Subtypes, component_table
from poems.files.atomic import write_text
from poems.files.csv_tables import write_csv, write_findings
from poems.files.markers import CHECKPOINT, write_marker
from poems.files.output_folder import claimed_folder, replaced_folder
from poems.findings import Finding
from poems.runs.additions import MODEL_STEM, Addition, add_to_run, all_additions, still_missing
from poems.runs.analysis import RunAnalysis, write_analysis
from poems.settings.toml_file import settings_to_toml

if TYPE_CHECKING:
    from poems.data import MultiOmics
    from poems.fitting.result import FittedPoems

logger = logging.getLogger(__name__)

KIND: Final = "run"
MODEL: Final = "model.poems"
SUBTYPE_MODEL: Final = f"{MODEL_STEM}.json"
# What a run of a version that kept no list of its files may have beside what each has.
_OLDER = (
    "loadings/*.csv",
    "inclusion/*.csv",
    "scores/*.csv",
    "analysis/*.csv",
    "figures/*.png",
    "components.csv",
    "background.csv",
    "precision_shares.csv",
    "subtype_choice.csv",
    "pca.csv",
    "network.csv",
    SUBTYPE_MODEL,
    "report.html",
    "report_tables/*.csv",
)


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

    The model, its subtypes and its tables come first and all at once, see
    :func:`write_core`. What is added after that can fail by itself, which
    ``findings.csv`` then says. Tables hold names as they are in the data, also
    those that a spreadsheet would take for a formula.

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
    of_analysis = () if analysis is None else analysis.findings
    additions = all_additions(model, cohort, subtypes, analysis=False, figures=figures)
    with claimed_folder(folder, KIND, overwrite=True) as path:
        write_core(path, model, cohort, subtypes, missing=additions)
        if analysis is not None:
            write_analysis(path, analysis)
        add_to_run(path, additions, (*model.findings, *subtypes.findings, *of_analysis))
    return path


def write_core(
    folder: str | Path,
    model: FittedPoems,
    cohort: MultiOmics,
    subtypes: Subtypes,
    *,
    findings: Sequence[Finding] = (),
    missing: Sequence[Addition] = (),
    about: Mapping[str, Any] | None = None,
    keep_checkpoint: bool = False,
) -> Path:
    """Write what makes a run: the model, its subtypes and its tables, all of them or none.

    An earlier run stays as it was until the new one is there, also where a disk
    is full or the process is killed. A checkpoint is removed at the end: the
    model has taken its place. Analyses and pictures of an earlier run go: they
    are of another model.

    Parameters
    ----------
    folder
        The run folder, claimed before the fit, or a new one.
    model, cohort, subtypes
        As in :func:`write_run`.
    findings
        What ``findings.csv`` says beside the findings of model and subtypes.
    missing
        What is to be added, which the findings call missing until it is there.
    about
        What ``run.json`` says beside what the model tells: from what and how it was fitted.
    keep_checkpoint
        Leave the checkpoint: training can go on from there.

    Raises
    ------
    SettingsError
        If the folder holds something other than a run.
    """
    path = Path(folder)
    with replaced_folder(path, KIND, older=_OLDER) as fresh:
        for name, table in _tables(model, cohort, subtypes).items():
            write_csv(fresh / f"{name}.csv", table)
        gathered = (*model.findings, *subtypes.findings, *findings, *still_missing(path, missing))
        write_findings(fresh / "findings.csv", gathered)
        write_csv(fresh / "diagnosis.csv", model.diagnose().table, index=False)
        write_text(fresh / "settings.toml", settings_to_toml(model.settings))
        model.save(fresh / MODEL)
        write_marker(fresh, KIND, {**_summary(model, subtypes), **(about or {})})
    if not keep_checkpoint:
        (path / CHECKPOINT).unlink(missing_ok=True)
    logger.info("wrote the model and its tables to %s", path)
    return path


def _tables(model: FittedPoems, cohort: MultiOmics, subtypes: Subtypes) -> dict[str, pd.DataFrame]:
    tables = {
        "latent": model.latent.rename_axis("sample"),
        "latent_variance": model.latent_variance.rename_axis("sample"),
        "gates": model.gates.rename_axis("sample"),
        "subtypes": subtypes.table().rename_axis("sample"),
        "silhouette": subtypes.choice(),
        "subtype_choice": choice_table(subtypes.tried).set_index("n_subtypes"),
        "r2": _explained(model).rename_axis("view"),
        "obs": cohort.obs.rename_axis("sample"),
        "history": model.history.rename_axis("epoch"),
    }
    if len(model.background.columns):
        tables["background"] = model.background.rename_axis("sample")
    shares = model.precision_shares
    if shares is not None:
        tables["precision_shares"] = shares.rename_axis("sample")
    if model.network is not None:
        tables["network"] = model.embedding("network").rename_axis("sample")
    components = model.component_probabilities
    if components is not None:
        tables["components"] = component_table(components).rename_axis("sample")
    kinds = {"loadings": model.loadings, "inclusion": model.inclusion}
    if model.feature_estimates.score:
        kinds["scores"] = model.loading_scores
    for kind, by_view in kinds.items():
        for view, table in by_view.items():
            tables[f"{kind}/{view}"] = table.rename_axis("feature")
    return tables


def _explained(model: FittedPoems) -> pd.DataFrame:
    """What is explained of each view; of what, and of the values, where it is not of these."""
    if (model.share_of == "variance").all():
        return model.explained
    return model.explained.assign(share_of=model.share_of, r2_of_values=model.value_r2)


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
        "share_of": model.share_of.to_dict(),
        "r2_of_values": {view: _number(value) for view, value in model.value_r2.items()},
        "likelihood": dict(
            zip(
                model.view_names,
                model.settings.model.likelihoods_of(model.view_names),
                strict=True,
            )
        ),
        "size_factors": {
            view: scaling.own.sizes
            for view, scaling in model.preprocessing.views.items()
            if scaling.own is not None and scaling.own.kind == "counts"
        },
        "total_r2": {view: _number(value) for view, value in model.total_r2.items()},
        "n_background": len(model.background.columns),
        "mean_gate": {view: _number(value) for view, value in mean_weights(model.gates).items()},
        "subtypes": {
            "method": subtypes.method,
            "metric": subtypes.metric,
            "sizes": {name: int(size) for name, size in subtypes.sizes.items()},
            "silhouette": _number(silhouette),
            "asked": subtypes.asked,
            "explanation": subtypes.explanation,
        },
    }


def _number(value: float) -> float | None:
    # JSON has no name for a number that is not defined.
    return round(float(value), 6) if pd.notna(value) else None
