"""``poems subtypes``: how many, how sure, and what marks each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from poems.cli import inputs


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("subtypes")(subtypes)


def subtypes(
    run: inputs.RunFolder,
    files: inputs.Files = None,
    view: inputs.Views = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    backed: inputs.Backed = False,
    stability: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The folder that poems stability wrote: consensus over its refits."
        ),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, metavar="N", help="Markers of each subtype and view to show.")
    ] = 5,
    fdr: inputs.Fdr = 0.1,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
    seed: inputs.Seed = 0,
) -> None:
    """Say how many subtypes there are, how sure each is and, if tables are given, what marks it.

    Give the tables of the fit: every feature is tested against subtypes formed without it.
    """
    given = bool(files or view)
    tables = inputs.parse_views(files, view) if given else {}
    in_rows = inputs.views_in_rows(features_in_rows, features_in_rows_of, tables)

    from poems.analysis.markers import subtype_markers
    from poems.analysis.subtype_assessment import assess_subtypes
    from poems.cli.console import output, say
    from poems.cli.subtypes import print_subtypes, write_subtypes
    from poems.output_folder import claim_folder
    from poems.resampling.result import Stability
    from poems.run_folder import read_run, run_subtypes

    read = read_run(run)
    reported = run_subtypes(read)
    refits = None if stability is None else Stability.load(stability)
    cohort = (
        inputs.read_cohort(tables, None, features_in_rows=in_rows, backed=backed) if given else None
    )
    # Claimed first: what cannot be written should be known before it is computed.
    folder = None if out is None else claim_folder(out, "subtype-table", overwrite=overwrite)
    # As in the fit, so that the same samples are uncertain.
    probability = reported.own_probability(read.model)
    found = assess_subtypes(
        read.model, reported, probability=probability, stability=refits, seed=seed
    )
    markers = None if cohort is None else subtype_markers(read.model, cohort, reported, seed=seed)
    console = output()
    print_subtypes(console, found, markers, top=top, fdr=fdr)
    if folder is not None:
        about = {"run": str(run), "seed": seed, "fdr": fdr}
        written = write_subtypes(folder, found, markers, reported, about, top=top, fdr=fdr)
        say(console, f"Written to {folder}: {', '.join(written)}")
