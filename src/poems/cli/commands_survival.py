"""``poems survival``: do subtypes and factors of a run matter for survival?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from poems.cli import inputs

if TYPE_CHECKING:
    pass


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("survival")(survival)


def survival(
    run: inputs.RunFolder,
    time: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of the obs table with the follow-up.")
    ],
    event: Annotated[
        str,
        typer.Option(
            metavar="COLUMN",
            help="Column that says whether the event was seen: 0/1, dead/alive, 1:DECEASED, ….",
        ),
    ],
    event_value: inputs.EventValue = None,
    covariates: inputs.Covariates = None,
    obs: inputs.RunObs = None,
    unit: Annotated[
        str, typer.Option(metavar="TEXT", help="Unit of the time, for the picture.")
    ] = "",
    fdr: inputs.Fdr = 0.1,
    repeats: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Repeats of the cross-validated concordance; 0 for none."
        ),
    ] = 5,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
    seed: inputs.Seed = 0,
) -> None:
    """Relate subtypes and factors to survival: curves, tests, hazard ratios, concordance."""
    if not 0 < fdr < 1:
        raise typer.BadParameter(f"--fdr must be between 0 and 1, not {fdr:g}")

    from poems.analysis.survival import survival_analysis
    from poems.analysis.survival.covariates import split_names
    from poems.cli.console import output, print_findings, say
    from poems.cli.survival import print_survival, write_survival
    from poems.errors import DataError
    from poems.findings import name_some
    from poems.output_folder import claim_folder
    from poems.run_folder import read_run, run_obs

    found = read_run(run)
    table, noticed = run_obs(found, obs)
    for flag, column in (("--time", time), ("--event", event)):
        if column not in table.columns:
            there = name_some(table.columns, 20) if len(table.columns) else "no columns"
            raise DataError(
                f"the obs table has no column '{column}' for {flag}; there are {there}"
                + ("" if obs is not None else ". Give another table with --obs")
            )
    wanted = split_names(covariates or (), table)
    # Claimed first: what cannot be written should be known before it is computed.
    folder = None if out is None else claim_folder(out, "survival", overwrite=overwrite)
    metric = found.summary.get("subtypes", {}).get("metric")
    result = survival_analysis(
        found.model.latent.set_axis(found.obs.index),
        found.subtypes["subtype"],
        table[time],
        table[event],
        wanted,
        obs=table,
        event_value=event_value,
        embedding=found.model.embedding(metric).set_axis(found.obs.index),
        fdr=fdr,
        n_repeats=repeats,
        seed=seed,
    )
    console = output()
    print_findings(console, noticed, all_notes=True)
    print_survival(console, result)
    if folder is not None:
        about = {"run": str(run), "time": time, "event": event, "covariates": wanted, "seed": seed}
        written = write_survival(folder, result, about, unit=unit)
        say(console, f"Written to {folder}: {', '.join(written)}")
