"""What a report computes itself: what needs the user's wishes, or an older run lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.clustering.names import natural_order
from poems.errors import DataError
from poems.findings import Finding, name_some
from poems.report.sections.labels import BASELINE
from poems.report.source import Source
from poems.runs.folder import Run

if TYPE_CHECKING:
    from poems.analysis.survival.outcome import Outcome
    from poems.analysis.survival.result import Survival
    from poems.fitting.fit_tables import FitTables

# Factors whose curves are drawn, at most.
_FACTOR_CURVES: Final = 3
# What the only group is called in pictures and tables.
_ALL_SAMPLES: Final = "all samples"


def factor_tables(source: Source) -> dict[str, pd.DataFrame]:
    """Return the tables of the factors that a run of an older version lacks and the model gives.

    Variance explained is not among them: it needs the data, which a run does
    not keep.
    """
    from poems.analysis.factors.associations import associate, factor_correlations

    model, obs = source.model, source.run.obs
    tables: dict[str, pd.DataFrame] = {}
    if not model.n_active:
        return tables
    if "factor_effects" not in source.tables:
        from poems.analysis.factors.effects import factor_effects

        tables["factor_effects"] = factor_effects(source.run.model, seed=model.seed)
    if "factor_correlations" not in source.tables:
        tables["factor_correlations"] = factor_correlations(model.latent)
    if "factor_obs" not in source.tables and len(obs.columns):
        tables["factor_obs"] = associate(model.latent, obs).table
    if "background_obs" not in source.tables and len(obs.columns) and len(model.background.columns):
        tables["background_obs"] = associate(model.background, obs).table
    return tables


def subtype_tables(source: Source, seed: int) -> dict[str, pd.DataFrame]:
    """Return the columns of the obs table by subtype, ``subtype_obs``; nothing without them."""
    from poems.analysis.subtypes.characteristics import characteristics

    obs = source.run.obs
    if not len(obs.columns) or source.subtypes.nunique() < 2:
        return {}
    table = characteristics(obs, source.subtypes, seed=seed).table
    return {"subtype_obs": table} if len(table) else {}


def label_tables(source: Source, column: str) -> dict[str, pd.DataFrame]:
    """Return ``label_counts``, ``label_agreement`` and ``label_scores``.

    The scores are of the embedding that subtypes are found in first, then of
    the model's others, then of the principal components, if the run has them.

    Raises
    ------
    DataError
        If there is no such column, or it holds fewer than 2 groups.
    """
    from poems.evaluation.labelled import compare_embeddings, compare_subtypes, label_column

    run = source.run
    known = label_column(run.obs, column, str(run.folder))
    counts, agreement = compare_subtypes(source.subtypes, known)
    metrics = dict.fromkeys((source.metric, *run.fit.metrics))
    embeddings = {str(metric): source.embedding(metric) for metric in metrics}
    if run.pca is not None:
        embeddings[BASELINE] = run.pca
    return {
        "label_counts": counts.reset_index(),
        "label_agreement": pd.DataFrame([agreement]).astype(
            dict.fromkeys(("n_samples", "n_subtypes", "n_classes"), int)
        ),
        "label_scores": compare_embeddings(embeddings, known),
    }


def _groups(subtypes: pd.Series) -> pd.Series:
    """Return the subtypes; one alone is none, and is called after what it holds."""
    return subtypes if subtypes.nunique() > 1 else subtypes.where(subtypes.isna(), _ALL_SAMPLES)


def survival_tables(
    source: Source,
    time: str,
    event: str,
    covariates: Sequence[str] = (),
    *,
    event_value: str | None = None,
    seed: int = 0,
    time_unit: str = "",
) -> tuple[Mapping[str, pd.DataFrame], tuple[Finding, ...]]:
    """Return the tables ``survival_*`` and what is to be said of them.

    What the data do not allow, such as too few events, is a finding: the rest of
    the report does not depend on it.

    Raises
    ------
    DataError
        If the obs table has no such column.
    """
    from poems.analysis.survival import survival_analysis
    from poems.analysis.survival.covariates import split_names

    run = source.run
    covariates = split_names(covariates, run.obs)
    for flag, names in (("--time", [time]), ("--event", [event]), ("--covariates", covariates)):
        for name in names:
            _column(run, name, flag)
    latent = run.fit.latent.set_axis(run.obs.index)
    try:
        survival = survival_analysis(
            latent,
            _groups(source.subtypes),
            _column(run, time, "--time"),
            _column(run, event, "--event"),
            covariates,
            obs=run.obs,
            event_value=event_value,
            embedding=source.embedding(),
            measured=source.gates > 0,
            seed=seed,
            time_unit=time_unit,
        )
    except DataError as error:
        return {}, (Finding("warning", "survival-refused", f"no survival analysis: {error}"),)
    curves = _factor_curves(latent, survival, _outcome(run, latent, time, event, event_value))
    return {**survival.tables, **curves}, survival.findings


def _outcome(
    run: Run, latent: pd.DataFrame, time: str, event: str, event_value: str | None
) -> Outcome:
    from poems.analysis.survival.outcome import read_outcome

    columns = _column(run, time, "--time"), _column(run, event, "--event")
    return read_outcome(*columns, latent.index, event_value=event_value)


def _factor_curves(
    latent: pd.DataFrame, survival: Survival, outcome: Outcome
) -> dict[str, pd.DataFrame]:
    """Return curves by thirds of the factors that go with survival most, one at least."""
    from poems.analysis.survival.thirds import curves_by_thirds

    tests = survival.tests
    own = tests[tests["what"].isin(latent.columns)].dropna(subset=["p"])
    own = own.sort_values("p", kind="stable").drop_duplicates("what")
    shown = own[own["reported"].astype(bool)].head(_FACTOR_CURVES)
    parts: dict[str, list[pd.DataFrame]] = {"survival_factor_km": [], "survival_factor_at_risk": []}
    for factor in (shown if len(shown) else own.head(1))["what"]:
        if latent[factor].nunique() < 3:
            continue
        curves = curves_by_thirds(latent[factor], outcome.time, outcome.event)
        for stem, table in zip(parts, (curves.km, curves.at_risk), strict=True):
            parts[stem].append(table.assign(factor=factor))
    return {stem: pd.concat(tables, ignore_index=True) for stem, tables in parts.items() if tables}


def _column(run: Run, name: str, flag: str) -> pd.Series:
    at = [place for place, column in enumerate(run.obs.columns) if str(column) == name]
    if not at:
        there = name_some(run.obs.columns, 20) if len(run.obs.columns) else "none"
        raise DataError(
            f"the obs table of {run.folder} has no column '{name}' ({flag}); there are: {there}"
        )
    return run.obs.iloc[:, at[0]]


def stability_tables(source: Source, folder: str | Path) -> dict[str, pd.DataFrame]:
    """Return what the refits of ``poems stability`` say of this run.

    ``stability_factors`` (how often each factor is found again), ``stability_runs`` (a row per
    refit), ``stability_subtypes`` (how
    well each subtype is), ``stability_biomarkers`` (pairs of feature and factor, if there were
    permutations) and ``stability_held_out`` (explained of samples left out, by omic).

    Raises
    ------
    ReadError, StorageError
        If the folder is no result of ``poems stability``, or damaged.
    DataError
        If the refits are of another fit.
    """
    from poems.analysis.subtypes.subsampling import jaccard_of
    from poems.resampling.result import Stability

    refits = Stability.load(folder)
    model = source.model
    same = list(map(str, refits.samples)) == list(map(str, model.samples))
    # Names alone are alike in every fit: loadings tell one from another.
    if not same or not _same_loadings(refits.reference, model):
        raise DataError(
            f"{folder} holds refits of another fit than {source.run.folder}; make it anew with "
            f"`poems stability --run {source.run.folder} …`"
        )
    tables = {
        "stability_factors": refits.factor_stability.rename_axis("factor").reset_index(),
        "stability_runs": refits.runs.assign(resample=refits.resample).reset_index(drop=True),
    }
    names = sorted(source.subtypes.unique(), key=natural_order)
    labels = refits.clusterings.get(len(names))
    if len(names) > 1 and labels is not None:
        codes = source.subtypes.map({name: at for at, name in enumerate(names)}).to_numpy(np.intp)
        found = jaccard_of(codes, labels.astype(np.intp), len(names))
        tables["stability_subtypes"] = pd.DataFrame({"subtype": names, "jaccard": found})
    if refits.n_permutations:
        tables["stability_biomarkers"] = refits.biomarkers()
    if len(refits.held_out_r2):
        by_view = refits.held_out_r2.groupby("view", sort=False)[["model", "pca"]].mean()
        tables["stability_held_out"] = by_view.reset_index()
    return tables


def _same_loadings(a: FitTables, b: FitTables) -> bool:
    return tuple(a.view_names) == tuple(b.view_names) and all(
        a.loadings[view].shape == b.loadings[view].shape
        and np.allclose(a.loadings[view], b.loadings[view], atol=1e-5)
        for view in a.view_names
    )


def gene_set_tables(
    source: Source, files: Sequence[str | Path], mapping: str | Path | None = None
) -> tuple[Mapping[str, pd.DataFrame], tuple[Finding, ...]]:
    """Return the table ``gene_sets`` and what is to be said of it.

    Parameters
    ----------
    source
        With the model whose loadings are tested.
    files
        In GMT format.
    mapping
        Table of features and genes, for features that are no genes.

    Raises
    ------
    ReadError
        If a file is not in GMT format.
    DataError
        If no feature is in any set.
    """
    from poems.analysis.factors.gene_sets import gene_set_enrichment
    from poems.analysis.factors.genes import genes_as_descriptions
    from poems.data.text.gene_files import read_feature_map, read_gmt

    sets = read_gmt([Path(file) for file in files])
    genes = None if mapping is None else read_feature_map(Path(mapping))
    enrichment = gene_set_enrichment(source.model.loadings, sets.sets, genes=genes)
    features = {name: table.index for name, table in source.model.loadings.items()}
    doubts = genes_as_descriptions(sets, features, genes)
    return enrichment.tables, (*sets.findings, *doubts, *enrichment.findings)
