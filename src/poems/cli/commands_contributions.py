"""``poems contributions``: how much each view counted, by its gate and by what happens without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from poems.cli import inputs

if TYPE_CHECKING:
    import pandas as pd

    from poems.data import MultiOmics
    from poems.run_folder import Run


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("contributions")(contributions)


def contributions(
    run: inputs.RunFolder,
    files: inputs.Files = None,
    view: inputs.Views = None,
    obs: inputs.RunObs = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    backed: inputs.Backed = False,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
) -> None:
    """Say how much each omic counted: its weight, and what changes when it is withheld.

    Give the tables of the fit, or of other samples that have at least two of its omics.
    """
    tables = inputs.parse_views(files, view)
    in_rows = inputs.views_in_rows(features_in_rows, features_in_rows_of, tables)

    import pandas as pd

    from poems.analysis.view_contributions import view_contributions
    from poems.cli.console import output, print_findings, say
    from poems.cli.contributions import print_contributions, write_contributions
    from poems.output_folder import claim_folder
    from poems.run_folder import read_run

    known = read_run(run)
    cohort = inputs.read_cohort(tables, obs, features_in_rows=in_rows, backed=backed)
    # Claimed first: what cannot be written should be known before it is computed.
    folder = None if out is None else claim_folder(out, "contribution-table", overwrite=overwrite)
    found = view_contributions(
        known.model,
        cohort,
        pd.Series(known.subtypes["subtype"].to_numpy(), index=known.model.samples),
        _obs_table(cohort, known),
        subtype_model=known.subtype_model(),
    )
    console = output()
    print_contributions(console, found)
    print_findings(console, found.findings, all_notes=True)
    if folder is not None:
        written = write_contributions(folder, found, run=str(run))
        say(console, f"Written to {folder}: {', '.join(written)}")


def _obs_table(cohort: MultiOmics, run: Run) -> pd.DataFrame | None:
    """Return the run's table if the cohort has none and shares samples with it."""
    own = run.obs
    if len(cohort.obs.columns) or not own.index.isin(cohort.samples).any():
        return None
    return own
