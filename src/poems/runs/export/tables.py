"""The tables of a run, and what their files and columns mean."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from poems.errors import ReadError, SettingsError
from poems.files.atomic import clear_temporary
from poems.files.markers import read_marker

# What a table holds, by the last part of its name; for those of every view by the folder.
TABLES: Final = {
    "latent": "each sample's factors (posterior means)",
    "latent_variance": "how uncertain they are (posterior variances)",
    "network": "coordinates in the network of samples in which subtypes were found",
    "gates": "the weight of each view for each sample",
    "precision_shares": "how much of what is known of a sample's factors each view told",
    "background": "each sample's background factors: what many features share, no biomarkers",
    "background_obs": "tests of each background factor against each column of the samples' table",
    "subtypes": "each sample's subtype",
    "components": "probability of each component of the mixture prior",
    "silhouette": "numbers of subtypes that were tried",
    "r2": "share of each view's variance that factors, background and neither explain",
    "obs": "the table of the samples, as it was given",
    "history": "terms of the objective after each epoch",
    "findings": "what was noticed about the data, assumed, or left out",
    "diagnosis": "signs that the fit has failed, measured beside their thresholds",
    "pca": "principal components of the data, the baseline",
    "loadings": "by how many standard deviations a feature moves with a factor; 0: not driven (not "
    "Gaussian: log odds or log fold changes, see factor_effects)",
    "inclusion": "probability that each loading is in",
    "scores": "what speaks for each loading, zero or not, in standard errors",
    "factor_effects": "size, direction and shape of every effect that is not zero",
    "factor_top_features": "the features that load most on each factor",
    "ranked_features": "features by what speaks for their loading, those of zero among them",
    "factor_variance": "share of each view's variance that a factor explains",
    "factor_obs": "tests of each factor against each column of the samples' table",
    "factor_correlations": "correlations of the factors with each other",
    "contributions_by_sample": "how much each view counted for each sample",
    "contributions_by_view": "how much each view counted, over the samples",
    "contributions_by_group": "how much each view counted by subtype and other groups, tested",
    "cross_omic": "pairs of features of different views that share factors",
    "cross_omic_numbers": "how many pairs were tested, found and listed, and the overall p-value",
    "markers": "features that mark a subtype",
    "marker_agreement": "how well subtypes are formed again from half of the features",
    "subtype_numbers": "criteria for the number of subtypes",
    "subtype_samples": "each sample's subtype and how sure it is",
    "subtype_stability": "how stable each subtype is",
    "subtype_clusterings": "how well other clusterings agree with the subtypes",
    "subtype_assignments": "each sample's group by other clusterings",
    "survival_summary": "samples, events, median and restricted mean of each subtype",
    "survival_km": "Kaplan-Meier curves",
    "survival_at_risk": "samples at risk over time",
    "survival_tests": "the tests that decide what is reported",
    "survival_logrank": "log-rank tests",
    "survival_cox": "hazard ratios and tests of Cox models",
    "survival_ph": "checks of proportional hazards",
    "survival_concordance": "concordance on held-out samples",
    "gene_sets": "gene sets over-represented among the features of factors",
}

COLUMNS: Final = {
    "sample": "name of the sample",
    "feature": "name of the feature",
    "view": "the view (omic)",
    "factor": "the factor",
    "subtype": "the subtype, S1 the largest",
    "silhouette": "how clearly inside its subtype, from -1 to 1",
    "probability": "probability of the subtype",
    "n_subtypes": "number of subtypes",
    "smallest": "samples of the smallest subtype",
    "r2": "share of variance explained",
    "background": "share of variance that the background explains beyond the factors",
    "unexplained": "share of variance that neither explains",
    "epoch": "pass through the data",
    "p": "p-value",
    "q": "false discovery rate (Benjamini and Hochberg)",
    "n_samples": "samples counted",
    "n_events": "events counted",
    "severity": "note, warning or error",
    "code": "a stable name of the kind of finding",
    "message": "what was found, in a sentence",
    "items": "the names concerned, a JSON list",
    "gate": "weight of the view, from 0 to 1",
    "effect": "size of the effect",
    "direction": "up or down",
    "loading": "in the unit named (standard deviations), per standard deviation of the factor",
    "unit": "of loading and effect",
    "ratio": "what the effect multiplies the odds or the count by",
    "standardised": "the loading in standard deviations of the feature, comparable across views",
    "share_of": "what r2 is a share of",
    "r2_of_values": "share of the variance of the values, whatever the likelihood",
    "score": "what speaks for the loading, in standard errors",
    "shape": "form of the response along the factor",
    "rank": "place, 1 the strongest",
    "gene_set": "name of the gene set",
    "genes": "genes in common, the strongest loading first",
    "auc": "probability that a gene of the set ranks above another",
    "odds_ratio": "odds ratio, half a gene added to every cell",
    "time": "follow-up, in the unit of the column it came from",
    "at_risk": "samples still followed",
    "events": "events seen",
    "censored": "samples whose follow-up ended",
    "survival": "share surviving (Kaplan-Meier)",
    "lower": "lower 95% limit",
    "upper": "upper 95% limit",
    "hazard_ratio": "hazard ratio",
    "model": "what the Cox model is of",
    "adjusted_for": "covariates in the model",
    "concordance": "mean concordance on held-out samples, 0.5 by chance",
    "sd": "standard deviation over repeats",
}


def run_tables(run: str | Path, also: Iterable[str | Path] = ()) -> dict[str, Path]:
    """Return the CSV files of a run, and of other folders, by name.

    Parameters
    ----------
    run
        The run folder.
    also
        Folders of other commands, such as those of ``poems survival`` and ``poems genesets``;
        their tables are called after the folder, as in ``"survival/survival_km"``.

    Raises
    ------
    ReadError
        If the run is none or did not finish, another folder holds no table, two of one name
        are given, or a table is a link that leads out of its folder.
    """
    path = Path(run)
    read_marker(path, "run")
    files = _tables_in(path)
    for each in map(Path, also):
        tables = _tables_in(each) if each.is_dir() else {}
        if not tables:
            raise ReadError(f"there are no tables (*.csv) in {each}; give the --out of a command")
        name = each.resolve().name
        if any(f"{name}/{stem}" in files for stem in tables):
            raise ReadError(f"tables of two folders would be called '{name}'; rename {each}")
        files |= {f"{name}/{stem}": file for stem, file in tables.items()}
    return files


def new_file(path: str | Path, suffix: str, *, overwrite: bool) -> Path:
    """Return the path of a file that may be written.

    Raises
    ------
    SettingsError
        If it does not end in ``suffix``, is a folder, or is there and may not be replaced.
    """
    file = Path(path)
    if file.suffix.lower() != suffix:
        raise SettingsError(f"{file} does not end in {suffix}; name the file so")
    if file.is_dir():
        raise SettingsError(f"{file} is a folder; name a file")
    if file.exists() and not overwrite:
        raise SettingsError(f"{file} is there already; pass --overwrite to replace it")
    if file.parent.is_dir():
        clear_temporary(file.parent)
    return file


def describe(name: str) -> str:
    """Say what a table holds, ``""`` if that is not known.

    >>> describe("loadings/rna")
    'by how many standard deviations a feature moves with a factor; 0: not driven ...
    >>> describe("analysis/cross_omic"), describe("mine")
    ('pairs of features of different views that share factors', '')
    """
    first, _, last = name.partition("/")
    return TABLES.get(first) or TABLES.get(last.rpartition("/")[2] or first, "")


def _tables_in(folder: Path) -> dict[str, Path]:
    files = sorted(
        file
        for file in folder.rglob("*.csv")
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    home = folder.resolve()
    for file in files:
        if not file.resolve().is_relative_to(home):
            raise ReadError(
                f"{file} is a link that leads out of {folder}, so that it is not exported; put "
                "the file itself there, or remove the link"
            )
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}
