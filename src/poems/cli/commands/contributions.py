"""``poems contributions``: how much each view counted, by its gate and by what happens without."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import typer

from poems.cli import checks, inputs
from poems.cli.cohort_tables import TableFlags
from poems.cli.driver import add_command
from poems.cli.printing import decimal, heading, percent, print_findings, print_table, say
from poems.cli.result import CommandResult, claim
from poems.findings import count
from poems.settings.rates import FDR_OBS

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.analysis.contributions.tables import ViewContributions
    from poems.data import MultiOmics
    from poems.runs.folder import Run

_NAMES: Final = {
    "n_samples": "samples",
    "mean_gate": "weight",
    "mean_shift": "shift",
    "mean_subtype_change": "probability",
    "switched_share": "switched",
}
_KEY = (
    "weight: mean of the gate. Without the omic: shift, how far the latent moves (1: as far as a "
    "sample lies from the mean, on average)"
)
_OF_SUBTYPES = (
    "; probability, by how much that of the sample's subtype changes; switched, samples that would "
    "be assigned to another subtype."
)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, contributions)


def contributions(
    run: inputs.RunFolder,
    files: inputs.Files = None,
    view: inputs.Views = None,
    obs: inputs.RunObs = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    layer: inputs.Layers = None,
    backed: inputs.Backed = False,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
) -> CommandResult:
    """Say how much each omic counted: its weight, and what changes when it is withheld.

    Of the tables of the fit, where they are as they were; or give those of other samples that
    have at least two of its omics.
    """
    flags = TableFlags(files, view, features_in_rows, features_in_rows_of, obs, layer)
    tables = flags.existing(run)
    checks.require_run(run)
    checks.require_output(out, "contribution-table", overwrite=overwrite)

    import pandas as pd

    from poems.analysis.contributions.tables import view_contributions
    from poems.plots import plot_contributions
    from poems.runs.folder import read_run

    known = read_run(run)
    cohort = tables.read(backed=backed)
    folder = claim(out, "contribution-table", overwrite=overwrite)
    counted = view_contributions(
        known.model,
        cohort,
        pd.Series(known.subtypes["subtype"].to_numpy(), index=known.model.samples),
        _obs_table(cohort, known),
        subtype_model=known.subtype_model(),
    )
    about = {"run": str(run), "n_samples": counted.by_sample["sample"].nunique()}
    return CommandResult(
        partial(_show, found=counted),
        about,
        tables=counted.tables,
        findings=counted.findings,
        figures={"contributions": partial(plot_contributions, counted.by_view, counted.by_group)},
        folder=folder,
        about=about,
    )


def _obs_table(cohort: MultiOmics, run: Run) -> pd.DataFrame | None:
    """Return the run's table if the cohort has none and shares samples with it."""
    own = run.obs
    if len(cohort.obs.columns) or not own.index.isin(cohort.samples).any():
        return None
    return own


def _show(console: Console, found: ViewContributions) -> None:
    _print_contributions(console, found)
    print_findings(console, found.findings, all_notes=True)


def _print_contributions(console: Console, found: ViewContributions) -> None:
    """Print a line for each view, then weight and shift by subtype, and which columns differ."""
    from poems.analysis.contributions.tables import SUBTYPE
    from poems.clustering.names import natural_order

    heading(console, "How much each omic counted")
    table = found.by_view.set_index("view")[list(_NAMES)].rename(columns=_NAMES)
    several = bool(table["switched"].notna().any())
    table["switched"] = table["switched"].map(percent)
    for name in ("weight", "shift", "probability"):
        table[name] = table[name].map(decimal)
    if not several:
        table = table.drop(columns=["probability", "switched"])
    print_table(console, table, index="omic")
    say(console, _KEY + (_OF_SUBTYPES if several else "."), "dim")
    groups = found.by_group[found.by_group["column"] == SUBTYPE]
    if not len(groups):
        return
    heading(console, "Weight / shift by subtype")
    cells = groups.assign(
        cell=[
            f"{decimal(gate)} / {decimal(shift)}"
            for gate, shift in zip(groups["mean_gate"], groups["mean_shift"], strict=True)
        ]
    ).pivot(index="group", columns="view", values="cell")
    order = sorted(groups["group"].unique(), key=natural_order)
    wide = cells.reindex(
        index=order, columns=found.by_view["view"][found.by_view["n_samples"] > 0]
    ).fillna("–")
    print_table(console, wide, index="subtype")
    _print_tests(console, found.by_group)


def _print_tests(console: Console, by_group: pd.DataFrame) -> None:
    """Say how many columns of the obs table go with weight or shift of which views."""
    from poems.analysis.contributions.tables import SUBTYPE

    tests = by_group[by_group["column"] != SUBTYPE].drop_duplicates(["column", "view"])
    tests = tests.dropna(subset=["p"])
    if not len(tests):
        return
    gate, shift = ((tests[each] <= FDR_OBS).sum() for each in ("q_gate", "q"))
    say(
        console,
        f"{count(len(tests), 'pair')} of an omic and a column of the obs table compared: weights "
        f"differ in {gate}, shifts in {shift}, at a false discovery rate of {FDR_OBS:.0%}",
        "dim",
    )
