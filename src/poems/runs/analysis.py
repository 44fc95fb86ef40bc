"""What a run says of its cohort that takes the data to tell, as tables in ``RUN/analysis/``.

A model keeps no data, so these are computed when it is fitted, and read by
``poems report`` and whoever else wants them: what computes them is imported when it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.errors import PoemsError
from poems.files.csv_tables import read_typed_csv, write_csv
from poems.files.output_folder import added_to_folder
from poems.files.placing import read_manifest
from poems.findings import Finding, unsaid
from poems.fitting.failures import failure
from poems.notebook import Shown

if TYPE_CHECKING:
    from poems.analysis.subtypes.assessment import SubtypeAssessment
    from poems.analysis.subtypes.result import Subtypes
    from poems.data import MultiOmics
    from poems.fitting.projection import Inferred
    from poems.fitting.result import FittedPoems

_FOLDER: Final = "analysis"
# Features of each factor and view in factor_top_features.csv.
_TOP: Final = 20
# Samples in subtype_consensus.csv, at most.
_MOST_IN_MATRIX: Final = 300
# Columns that hold names, whatever they look like; all others are numbers where they can be.
NAME_COLUMNS: Final = (
    "sample",
    "view",
    "view_a",
    "view_b",
    "feature",
    "feature_a",
    "feature_b",
    "group_a",
    "group_b",
    "factor",
    "factors",
    "other",
    "subtype",
    "nearest",
    "column",
    "group",
    "lowest",
    "highest",
)

Tables = Mapping[str, pd.DataFrame]
_Family = Callable[
    ["FittedPoems", "MultiOmics", "Subtypes", int, "Samples"], tuple[Tables, tuple[Finding, ...]]
]
# Gives the samples as the model sees them, which takes as long as an analysis.
Samples = Callable[[], "Inferred"]


@dataclass(frozen=True, eq=False, repr=False)
class RunAnalysis(Shown):
    """Tables by their name, tidy: a row an observation, no index.

    ``findings`` say what was left out of them, and why.
    """

    tables: Tables
    findings: tuple[Finding, ...] = ()


def analyse_run(
    model: FittedPoems, cohort: MultiOmics, subtypes: Subtypes, *, seed: int = 0
) -> RunAnalysis:
    """Compute all tables of ``RUN/analysis/``.

    What a cohort does not allow for, as an association of omics where there
    is only one, is left out and said in the findings.

    Parameters
    ----------
    model
        The fitted model.
    cohort
        The cohort it was fitted to.
    subtypes
        Subtypes of its samples.
    seed
        Of everything random.
    """
    tables: dict[str, pd.DataFrame] = {}
    findings: list[Finding] = []
    samples = samples_of_fit(model, cohort)
    for title in PARTS:
        try:
            made = analyse_part(title, model, cohort, subtypes, seed=seed, samples=samples)
        # Broad on purpose: whatever goes wrong with one part, the others are worth having.
        except Exception as error:
            findings.append(left_out(title, error))
            continue
        tables |= made.tables
        findings.extend(unsaid(made.findings, findings))
    return RunAnalysis(tables, tuple(findings))


def samples_of_fit(model: FittedPoems, cohort: MultiOmics) -> Samples:
    """Return what gives the samples of a fit as its model sees them, made once when first asked."""
    from poems.fitting.projection import inferred, inferred_in_fit

    if list(cohort.samples) != list(model.samples):
        return cache(partial(inferred, model, cohort))
    return cache(partial(inferred_in_fit, model, cohort))


def analyse_part(
    title: str,
    model: FittedPoems,
    cohort: MultiOmics,
    subtypes: Subtypes,
    *,
    seed: int = 0,
    samples: Samples | None = None,
) -> RunAnalysis:
    """Compute the tables that are computed together under one of the titles of :data:`PARTS`.

    Parameters
    ----------
    title
        Of the part.
    model, cohort, subtypes, seed
        As for :func:`analyse_run`.
    samples
        Of :func:`samples_of_fit`, where several parts share them.

    Raises
    ------
    PoemsError
        If the cohort does not allow for them.
    """
    given = samples_of_fit(model, cohort) if samples is None else samples
    tables, said = _FAMILIES[title](model, cohort, subtypes, seed, given)
    # That the model does not use what the fit left out was said when it did.
    news = [each for each in unsaid(said, model.findings) if each.code != "features-unknown"]
    return RunAnalysis(tables, tuple(news))


def left_out(title: str, error: Exception) -> Finding:
    """Return what is said of a part that could not be computed.

    >>> print(left_out("markers", PoemsError("there is one subtype")))
    note: markers left out: there is one subtype
    """
    if isinstance(error, PoemsError):
        return Finding("note", "analysis-left-out", f"{title} left out: {error}")
    return failure(f"{title} left out", error, code="analysis-failed")


def write_analysis(run: Path, analysis: RunAnalysis) -> None:
    """Write the tables into a run folder, in place of those that are there."""
    with added_to_folder(run, remove=(f"{_FOLDER}/*.csv",)) as fresh:
        write_tables(fresh, analysis.tables)


def write_tables(run: Path, tables: Tables) -> None:
    """Write tables into a run folder beside those that are there, each whole or not at all."""
    for name, table in tables.items():
        write_csv(run / _FOLDER / f"{name}.csv", table, index=False)


def read_analysis(run: Path) -> dict[str, pd.DataFrame]:
    """Read the tables of a run folder, those that it has; what others put there is not read.

    Raises
    ------
    StorageError
        If one is damaged.
    """
    written = read_manifest(run)
    paths = [
        path
        for path in sorted((run / _FOLDER).glob("*.csv"))
        if written is None or path.relative_to(run).as_posix() in written
    ]
    return {path.stem: read_typed_csv(path, names=NAME_COLUMNS) for path in paths}


def _factors(
    model: FittedPoems, cohort: MultiOmics, subtypes: Subtypes, seed: int, samples: Samples
) -> tuple[Tables, tuple[Finding, ...]]:
    from poems.analysis.factors.effects import top_features
    from poems.analysis.factors.tables import describe_factors

    found = describe_factors(model, cohort, seed=seed, samples=samples())
    tables = {
        "factor_effects": found.effects,
        "factor_top_features": top_features(found.effects, _TOP),
        "factor_correlations": found.correlations,
    }
    if found.variance is not None:
        tables["factor_variance"] = found.variance.table
    if found.associations is not None:
        tables["factor_obs"] = found.associations.table
    if found.background is not None:
        tables["background_obs"] = found.background.table
    return tables, found.findings


def _contributions(
    model: FittedPoems, cohort: MultiOmics, subtypes: Subtypes, seed: int, samples: Samples
) -> tuple[Tables, tuple[Finding, ...]]:
    from poems.analysis.contributions.tables import view_contributions

    found = view_contributions(model, cohort, subtypes, samples=samples())
    return found.tables, found.findings


def _subtypes(
    model: FittedPoems, cohort: MultiOmics, subtypes: Subtypes, seed: int, samples: Samples
) -> tuple[Tables, tuple[Finding, ...]]:
    from poems.analysis.subtypes.assessment import assess_subtypes

    probability = subtypes.own_probability(model)
    found = assess_subtypes(model, subtypes, probability=probability, seed=seed)
    return {**found.tables, **_consensus(found, seed)}, found.findings


def _consensus(found: SubtypeAssessment, seed: int) -> Tables:
    """Return the consensus of every two samples, of a random part where a picture shows no more.

    Columns are numbered in the order of the rows: a sample's name could be that of another column.
    """
    matrix = found.consensus
    if len(found.subtypes) < 2 or matrix.isna().any(axis=None):
        return {}
    rows = np.arange(len(matrix))
    if len(rows) > _MOST_IN_MATRIX:
        drawn = np.random.default_rng(seed).choice(rows, _MOST_IN_MATRIX, replace=False)
        rows = np.sort(drawn)
    values = matrix.to_numpy(dtype=np.float64)[np.ix_(rows, rows)].round(2)
    columns = [str(at + 1) for at in range(len(rows))]
    table = pd.DataFrame(values, columns=columns)
    table.insert(0, "sample", matrix.index[rows].astype(str))
    return {"subtype_consensus": table}


def _markers(
    model: FittedPoems, cohort: MultiOmics, subtypes: Subtypes, seed: int, samples: Samples
) -> tuple[Tables, tuple[Finding, ...]]:
    from poems.analysis.subtypes.marker_values import marker_values
    from poems.analysis.subtypes.markers import subtype_markers

    found = subtype_markers(model, cohort, subtypes, seed=seed)
    values = marker_values(found, samples(), seed=seed)
    return {**found.tables, **({"marker_values": values} if len(values) else {})}, found.findings


def _cross_omic(
    model: FittedPoems, cohort: MultiOmics, subtypes: Subtypes, seed: int, samples: Samples
) -> tuple[Tables, tuple[Finding, ...]]:
    from poems.analysis.pairs.cross_omic import cross_omic

    found = cross_omic(model, cohort, seed=seed)
    return found.tables, found.findings


# Tables that are computed together, by what they are called where they cannot be.
_FAMILIES: Final[Mapping[str, _Family]] = {
    "tables of the factors": _factors,
    "contributions of the views": _contributions,
    "associations of the omics": _cross_omic,
    "how sure the subtypes are": _subtypes,
    "markers of the subtypes": _markers,
}
# The parts by title, with the command that computes each from a run and the data.
PARTS: Final[Mapping[str, str]] = dict(
    zip(
        _FAMILIES, ("factors", "contributions", "associations", "subtypes", "subtypes"), strict=True
    )
)
