"""``poems subtypes``: how many, how sure, and what marks each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from poems.cli import checks, inputs
from poems.cli.cohort_tables import TableFlags
from poems.cli.driver import add_command
from poems.cli.printing import (
    brief,
    decimal,
    heading,
    print_findings,
    print_grid,
    print_table,
    say,
)
from poems.cli.result import CommandResult, claim
from poems.findings import Finding, count
from poems.settings.rates import FDR

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.analysis.subtypes.assessment import SubtypeAssessment
    from poems.analysis.subtypes.finding import Subtypes
    from poems.analysis.subtypes.markers import Markers

_NUMBERS: Final = {
    "silhouette": "silhouette",
    "gap": "gap",
    "gap_se": "± se",
    "pac": "PAC",
    "mixture_weight": "mixture",
    "smallest": "smallest",
}
_CHOICE: Final = {
    "least_jaccard": "found again",
    "needed_jaccard": "needed",
    "separation": "apart (sd)",
    "without_groups": "without groups",
    "verdict": "verdict",
}
_STABILITY: Final = {
    "n_samples": "samples",
    "n_uncertain": "uncertain",
    "consensus": "consensus",
    "jaccard": "Jaccard",
    "silhouette": "silhouette",
    "probability": "probability",
}
# Tables of markers alone, which an overwritten result may leave behind.
_OF_MARKERS: Final = ("markers", "marker_agreement")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, subtypes)


def subtypes(
    run: inputs.RunFolder,
    files: inputs.Files = None,
    view: inputs.Views = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    obs: inputs.NewObs = None,
    layer: inputs.Layers = None,
    backed: inputs.Backed = False,
    stability: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The folder that poems stability wrote: consensus over its refits."
        ),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, metavar="N", help="Markers of each subtype and omic to show.")
    ] = 5,
    fdr: inputs.Fdr = FDR,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
    seed: inputs.Seed = 0,
) -> CommandResult:
    """Say how many subtypes there are, how sure each is, and what marks it.

    The tables of the fit are found again where they were; give them if they have moved. Every
    feature is tested against subtypes formed without it.
    """
    flags = TableFlags(files, view, features_in_rows, features_in_rows_of, obs, layer)
    tables, unfound = flags.existing_or_of_run(run)
    checks.require_run(run)
    checks.require_stability(stability)
    checks.require_output(out, "subtype-table", overwrite=overwrite)

    from poems.analysis.subtypes.assessment import assess_subtypes
    from poems.analysis.subtypes.markers import subtype_markers
    from poems.resampling.result import Stability
    from poems.runs.folder import read_run, run_subtypes

    read = read_run(run)
    reported = run_subtypes(read)
    refits = None if stability is None else Stability.load(stability)
    cohort = None if tables is None else tables.read(backed=backed)
    folder = claim(out, "subtype-table", overwrite=overwrite)
    # As in the fit, so that the same samples are uncertain.
    probability = reported.own_probability(read.model)
    assessment = assess_subtypes(
        read.model, reported, probability=probability, stability=refits, seed=seed
    )
    markers = None if cohort is None else subtype_markers(read.model, cohort, reported, seed=seed)
    about = {"run": str(run), "seed": seed, "fdr": fdr}
    of_markers = dict.fromkeys(_OF_MARKERS) if markers is None else markers.tables
    return CommandResult(
        partial(_show, found=assessment, markers=markers, top=top, fdr=fdr, unfound=unfound),
        {**about, "sizes": {name: int(size) for name, size in reported.sizes.items()}},
        tables={**assessment.tables, **of_markers},
        matrices={
            name: None if matrix is None else matrix.round(4).rename_axis("sample")
            for name, matrix in (
                ("consensus", assessment.consensus),
                ("consensus_refits", assessment.refit_consensus),
            )
        },
        findings=(
            *unfound,
            *assessment.findings,
            *(() if markers is None else markers.findings),
        ),
        figures=_figures(assessment, markers, reported, top=top, fdr=fdr),
        folder=folder,
        about=about,
    )


def print_choice(console: Console, table: pd.DataFrame) -> None:
    """Print what each number of subtypes has for it, and against it."""
    if len(table):
        shown = _named(table, _CHOICE)
        print_table(console, shown.set_axis(table["n_subtypes"]), index="subtypes")


def _figures(
    found: SubtypeAssessment,
    markers: Markers | None,
    subtypes: Subtypes,
    *,
    top: int,
    fdr: float,
) -> dict[str, Callable[[], Any]]:
    from poems import plots

    figures: dict[str, Callable[[], Any]] = {}
    numbers = found.numbers
    if numbers.table[["silhouette", "gap", "pac"]].notna().any(axis=None):
        figures["numbers"] = partial(plots.plot_subtype_numbers, numbers.table, numbers.best)
    for name, matrix, of in (
        ("consensus", found.consensus, "subsamples"),
        ("consensus_refits", found.refit_consensus, "refits"),
    ):
        if matrix is not None and matrix.notna().all(axis=None):
            groups = subtypes.assignment.loc[matrix.index]
            figures[name] = partial(plots.plot_consensus, matrix, groups, of=of)
    if markers is not None and len(markers.table):
        figures["markers"] = partial(plots.plot_markers, markers.table, top, fdr=fdr)
    return figures


def _show(
    console: Console,
    found: SubtypeAssessment,
    markers: Markers | None,
    *,
    top: int,
    fdr: float,
    unfound: Sequence[Finding],
) -> None:
    """Print the numbers tried, how sure each subtype is, other clusterings, and markers."""
    heading(console, "How many")
    say(console, found.explanation)
    print_choice(console, found.choice)
    numbers = found.numbers.table
    if len(numbers) > 1:
        say(console, "Other criteria, which do not decide:", "dim")
    shown = _named(numbers, _NUMBERS)
    shown["reported"] = numbers["chosen"].map({True: "yes", False: ""})
    print_table(console, shown.set_axis(numbers["n_subtypes"]), index="subtypes")
    if len(found.subtypes) > 1:
        _print_sureness(console, found)
    of_numbers = "number-of-subtypes"
    findings = [*unfound, *(each for each in found.findings if each.code != of_numbers)]
    if markers is not None:
        # Of one subtype nothing was tested, as a finding says: that is not "no marker".
        if len(names := list(found.subtypes["subtype"])) > 1:
            _print_markers(console, markers, names, top, fdr)
        findings += markers.findings
    console.print()
    print_findings(console, findings, all_notes=True)


def _print_sureness(console: Console, found: SubtypeAssessment) -> None:
    heading(console, "How sure")
    table = _named(found.subtypes, _STABILITY)
    print_table(console, table.set_axis(found.subtypes["subtype"]), index="subtype")
    say(
        console,
        "consensus: how often subsamples put two of its samples together; Jaccard: how much of "
        "it they find again (below 0.60 hardly, above 0.75 well)",
        "dim",
    )
    if "refit_jaccard" in found.subtypes:
        again = zip(found.subtypes["subtype"], found.subtypes["refit_jaccard"], strict=True)
        listed = ", ".join(f"{name} {decimal(float(value))}" for name, value in again)
        say(console, f"Found again by refits (Jaccard): {listed}")
    others = found.clusterings[found.clusterings["clustering"] == "reported"]
    if len(others):
        pairs = zip(others["other"], others["ari"].astype(float), strict=True)
        said = ", ".join(f"{name} {decimal(value)}" for name, value in pairs)
        say(console, f"Agreement with other clusterings (ARI): {said}")


def _print_markers(
    console: Console, markers: Markers, names: list[str], top: int, fdr: float
) -> None:
    found = markers.significant(fdr)
    heading(console, f"Markers: of each omic {top} at most, the largest effects first")
    if not len(found):
        say(console, f"No feature is a marker at a false discovery rate of {fdr:.0%}.")
        return
    lead = markers.top(top, fdr)
    rows = []
    for name in names:
        own = found[found["subtype"] == name]
        counted = f"{count(len(own), 'marker')}" if len(own) else "none"
        parts = [
            f"{view}: {_features(part)}"
            for view, part in lead[lead["subtype"] == name].groupby("view", sort=False)
        ]
        rows.append((name, "; ".join([counted, *parts])))
    print_grid(console, rows)
    say(
        console,
        f"+ up and - down in the subtype, by standard deviations; at a false discovery rate of "
        f"{fdr:.0%}, tested against subtypes formed without the feature",
        "dim",
    )


def _features(part: pd.DataFrame) -> str:
    ordered = part.iloc[(-part["effect"].abs()).argsort(kind="stable")]
    pairs = zip(ordered["feature"], ordered["effect"].astype(float), strict=True)
    return ", ".join(f"{brief(name)} {effect:+.1f}" for name, effect in pairs)


def _named(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Take the columns that hold anything, under the names that are printed."""
    kept = [name for name in names if name in table and table[name].notna().any()]
    shown = table[kept].rename(columns=names)
    for column in shown.columns:
        if shown[column].dtype.kind == "f":
            shown[column] = shown[column].map(decimal)
    return shown
