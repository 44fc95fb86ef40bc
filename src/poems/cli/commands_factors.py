"""``poems factors``: what each factor drives, explains and goes with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poems.cli import inputs

if TYPE_CHECKING:
    import pandas as pd

    from poems.data import MultiOmics
    from poems.findings import Finding
    from poems.fitted import FittedPoems


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("factors")(factors)


def factors(
    path: inputs.RunOrModel,
    files: inputs.Files = None,
    view: inputs.Views = None,
    obs: inputs.RunObs = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    backed: inputs.Backed = False,
    top: Annotated[
        int, typer.Option(min=1, metavar="N", help="Features of each factor and view to print.")
    ] = 3,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
    seed: inputs.Seed = 0,
) -> None:
    """Say what each factor drives and goes with and, if tables are given, what it explains.

    Give the tables of the fit, or of other samples: then variance explained and associations are
    of these.
    """
    given = bool(files or view)
    tables = inputs.parse_views(files, view) if given else {}
    in_rows = inputs.views_in_rows(features_in_rows, features_in_rows_of, tables)

    from poems.analysis.factors import describe_factors
    from poems.cli.console import output, print_findings, say
    from poems.cli.factors import print_factors, write_factors
    from poems.output_folder import claim_folder

    model, own_obs = _model_and_obs(path)
    cohort = (
        inputs.read_cohort(tables, obs, features_in_rows=in_rows, backed=backed) if given else None
    )
    known, noticed = _obs_table(model, cohort, obs, own_obs)
    # Claimed first: what cannot be written should be known before it is computed.
    folder = None if out is None else claim_folder(out, "factor-table", overwrite=overwrite)
    found = describe_factors(model, cohort, obs=known, seed=seed)
    console = output()
    print_factors(console, model, found, top)
    print_findings(console, (*noticed, *found.findings), all_notes=True)
    if folder is not None:
        written = write_factors(folder, found, noticed, run=str(path), seed=seed)
        say(console, f"Written to {folder}: {', '.join(written)}")


def _model_and_obs(path: Path) -> tuple[FittedPoems, pd.DataFrame | None]:
    """Load a run with its obs table, or a model, which has none."""
    from poems.fitted import load
    from poems.run_folder import read_run

    if not path.is_dir():
        return load(path), None
    run = read_run(path)
    return run.model, run.obs if len(run.obs.columns) else None


def _obs_table(
    model: FittedPoems, cohort: MultiOmics | None, given: Path | None, own: pd.DataFrame | None
) -> tuple[pd.DataFrame | None, tuple[Finding, ...]]:
    """Return the table to compare with: the cohort's, the given one, or the run's."""
    from poems.data.assemble import align_obs
    from poems.data.tables import load_obs

    if cohort is not None and len(cohort.obs.columns):
        return cohort.obs, ()
    if given is not None and cohort is None:
        table, noticed = load_obs(given)
        aligned, unmatched = align_obs(table, model.samples)
        return (aligned if table.index.isin(model.samples).any() else table), (
            *noticed,
            *unmatched,
        )
    samples = model.samples if cohort is None else cohort.samples
    if own is None or not own.index.isin(samples).any():
        return None, ()
    return own.reindex(samples), ()
