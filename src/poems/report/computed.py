"""What a report computes itself: what needs the user's wishes, or an older run lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from poems.errors import DataError
from poems.evaluation.labelled import compare_embeddings, compare_subtypes, label_column
from poems.findings import Finding, name_some
from poems.report.sections.labels import BASELINE
from poems.report.source import Source
from poems.runs.folder import Run


def factor_tables(source: Source) -> dict[str, pd.DataFrame]:
    """Return the tables of the factors that a run of an older version lacks and the model gives.

    Variance explained is not among them: it needs the data, which a run does
    not keep.
    """
    from poems.analysis.factors.associations import associate, factor_correlations
    from poems.analysis.factors.effects import factor_effects

    model, obs = source.model, source.run.obs
    tables: dict[str, pd.DataFrame] = {}
    if not model.n_active:
        return tables
    if "factor_effects" not in source.tables:
        tables["factor_effects"] = factor_effects(model, seed=model.seed)
    if "factor_correlations" not in source.tables:
        tables["factor_correlations"] = factor_correlations(model.latent)
    if "factor_obs" not in source.tables and len(obs.columns):
        tables["factor_obs"] = associate(model.latent, obs).table
    if "background_obs" not in source.tables and len(obs.columns) and len(model.background.columns):
        tables["background_obs"] = associate(model.background, obs).table
    return tables


def label_tables(source: Source, column: str) -> dict[str, pd.DataFrame]:
    """Return ``label_counts``, ``label_agreement`` and ``label_scores``.

    The scores are of the embedding that subtypes are found in first, then of
    the model's others, then of the principal components, if the run has them.

    Raises
    ------
    DataError
        If there is no such column, or it holds fewer than 2 groups.
    """
    run = source.run
    known = label_column(run.obs, column, str(run.folder))
    counts, agreement = compare_subtypes(source.subtypes, known)
    metrics = dict.fromkeys((source.metric, *run.model.metrics))
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


def survival_tables(
    source: Source,
    time: str,
    event: str,
    covariates: Sequence[str] = (),
    *,
    event_value: str | None = None,
    seed: int = 0,
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
    latent = run.model.latent.set_axis(run.obs.index)
    try:
        survival = survival_analysis(
            latent,
            source.subtypes,
            _column(run, time, "--time"),
            _column(run, event, "--event"),
            covariates,
            obs=run.obs,
            event_value=event_value,
            embedding=source.embedding(),
            measured=source.gates > 0,
            seed=seed,
        )
    except DataError as error:
        return {}, (Finding("warning", "survival-refused", f"no survival analysis: {error}"),)
    return survival.tables, survival.findings


def _column(run: Run, name: str, flag: str) -> pd.Series:
    at = [place for place, column in enumerate(run.obs.columns) if str(column) == name]
    if not at:
        there = name_some(run.obs.columns, 20) if len(run.obs.columns) else "none"
        raise DataError(
            f"the obs table of {run.folder} has no column '{name}' ({flag}); there are: {there}"
        )
    return run.obs.iloc[:, at[0]]


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
    from poems.data.text.gene_files import read_feature_map, read_gmt

    sets = read_gmt([Path(file) for file in files])
    genes = None if mapping is None else read_feature_map(Path(mapping))
    enrichment = gene_set_enrichment(source.model.loadings, sets.sets, genes=genes)
    return enrichment.tables, (*sets.findings, *enrichment.findings)
