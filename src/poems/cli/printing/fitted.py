"""What ``poems fit`` and ``poems demo`` print of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from poems.cli.printing import (
    decimal,
    heading,
    output,
    percent,
    print_findings,
    print_table,
    say,
)
from poems.cli.printing.diagnosis import print_diagnosis
from poems.findings import Finding, name_some
from poems.wording import r_squared

if TYPE_CHECKING:
    from rich.console import Console

    from poems.analysis.subtypes.finding import Subtypes
    from poems.data import MultiOmics
    from poems.fitting.result import FittedPoems
    from poems.nn.profiling import WallTimes
    from poems.runs.fitting import FittedRun

# Findings whose text is that of the summary.
_ASKED = "asked-number-does-not-hold"
_SAID_OF_SUBTYPES = (
    "no-distinct-groups",
    "number-is-a-close-call",
    "subtypes-of-failed-fit",
    _ASKED,
)


def show_cohort(cohort: MultiOmics, findings: Sequence[Finding]) -> None:
    """Print what is to be fitted, and what was noticed of it."""
    console = output()
    say(console, repr(cohort))
    print_findings(console, findings, all_notes=False)


def show_fit(console: Console, found: FittedRun, seconds: float) -> None:
    """Print what the fit noticed and found."""
    # Those of the diagnosis come with the summary.
    of_diagnosis = found.model.diagnose().findings
    late = [
        each
        for each in found.late
        if each not in of_diagnosis and each.code not in _SAID_OF_SUBTYPES
    ]
    print_findings(console, late, all_notes=False)
    _print_summary(console, found.model, found.subtypes, found.folder, seconds)


def _print_summary(
    console: Console, model: FittedPoems, subtypes: Subtypes, out: Path, seconds: float
) -> None:
    import pandas as pd

    from poems.analysis.contributions.gates import mean_weights

    n_epochs = len(model.history)
    n_factors = model.latent.shape[1]
    heading(console, f"{model.status} {n_epochs} epochs, {seconds:.0f} s in all.")
    say(console, f"{n_factors} of {model.settings.model.n_latent} factors kept.")
    heading(console, "Omics")
    weights = mean_weights(model.gates)
    views = pd.DataFrame(
        {
            "features": [len(model.loadings[view]) for view in model.view_names],
            "driven": [int((model.loadings[v] != 0).any(axis=1).sum()) for v in model.view_names],
            "R²": [r_squared(model.value_r2[view]) for view in model.view_names],
            "mean weight": [decimal(weights[view]) for view in model.view_names],
        },
        index=list(model.view_names),
    )
    own = model.share_of == "deviance"
    if own.any():
        views.insert(3, "deviance", [decimal(share) for share in model.r2.where(own)])
    n_background = len(model.background.columns)
    if n_background:
        # A background is of Gaussian views alone.
        totals = [decimal(total) for total in model.total_r2.where(~own)]
        views.insert(list(views.columns).index("R²") + 1, "with background", totals)
    print_table(console, views, index="view")
    if own.any():
        say(console, "  deviance: share explained of what is not Gaussian, as R² of what is", "dim")
    if (model.gates == 0).any(axis=None):
        say(console, "  weights: over the samples on which the omic was measured", "dim")
    _print_subtypes(console, subtypes, model.diagnose().signatures)
    print_diagnosis(console, model.diagnose(), notes=False)
    heading(console, f"Written to {out}")
    say(console, "  latent.csv, gates.csv, subtypes.csv, loadings/, figures/, model.poems, …")


def _print_subtypes(console: Console, subtypes: Subtypes, signatures: Sequence[str]) -> None:
    import pandas as pd

    heading(console, "Subtypes")
    if signatures:
        say(
            console,
            f"The fit failed its diagnosis ({name_some(signatures, 5)}), so that no subtypes are "
            "reported here; the groups that were formed are in subtypes.csv",
            "yellow",
        )
        return
    doubts = [each.message for each in subtypes.findings if each.code == _ASKED]
    for doubt in doubts:
        say(console, f"{doubt[:1].upper()}{doubt[1:]}", "yellow")
    if not doubts:
        say(console, subtypes.explanation)
    if subtypes.n_subtypes > 1:
        table = pd.DataFrame({"samples": subtypes.sizes})
        again = subtypes.found_again
        if again:
            table["found again"] = [decimal(again[name]) for name in table.index]
        print_table(console, table, index="subtype")


def print_profile(console: Console, times: WallTimes) -> None:
    """Print where the time went, parts in the order in which they began."""
    heading(console, "Where the time went")
    table = times.table()
    shown = table.assign(
        seconds=[f"{value:.2f}" for value in table["seconds"]],
        share=[percent(value) for value in table["share"]],
        calls=[str(value) for value in table["calls"]],
    )
    shown["ms a call"] = [f"{value:.2f}" for value in table["ms a call"]]
    print_table(console, shown, index="part")
