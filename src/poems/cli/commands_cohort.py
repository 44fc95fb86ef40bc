"""``poems check`` and ``poems simulate``: cohorts before any model."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from poems.cli import inputs
from poems.findings import name_some

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from poems.simulation import Simulation


# As in poems.simulation_effects, which takes long to import; a test holds them equal.
Truth = Literal["linear", "saturating", "threshold", "u_shaped", "mixed", "interaction"]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("check")(check)
    app.command("simulate")(simulate)


def check(
    files: inputs.Files = None,
    view: inputs.Views = None,
    obs: inputs.Obs = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    samples: inputs.SamplesOption = "union",
) -> None:
    """Say what is in the tables of a cohort, and what is wrong with them."""
    tables = inputs.parse_views(files, view)
    in_rows = inputs.views_in_rows(features_in_rows, features_in_rows_of, tables)

    from poems.cli.console import output, print_findings, print_table, say
    from poems.data import check as check_cohort

    report = check_cohort(tables, obs=obs, features_in_rows=in_rows, samples=samples)
    console = output()
    if report.cohort is not None:
        columns = report.cohort.obs.columns
        held = f"; obs has {name_some(columns, 8)}" if len(columns) else ""
        say(console, f"{report.cohort.n_samples} samples{held}", "bold")
    if len(report.summary):
        print_table(console, _readable(report.summary), index="view")
        console.print()
    print_findings(console, report.findings, all_notes=True)
    if not report.ok:
        say(console, "not ready for a fit: mend the errors above", "bold red")
        raise typer.Exit(1)
    worst = any(finding.severity == "warning" for finding in report.findings)
    say(console, "ready for a fit" + (", with the warnings above" if worst else ""), "bold green")


def simulate(
    out: inputs.Out,
    n_samples: Annotated[int, typer.Option(help="Samples.")] = 300,
    n_features: Annotated[int, typer.Option(help="Features of each view.")] = 500,
    n_views: Annotated[int, typer.Option(help="Views.")] = 3,
    n_factors: Annotated[int, typer.Option(help="Planted factors.")] = 8,
    n_subtypes: Annotated[int, typer.Option(help="Planted subtypes.")] = 4,
    density: Annotated[float, typer.Option(help="Share of features a factor drives.")] = 0.05,
    truth: Annotated[Truth, typer.Option(help="Shape of the effects.")] = "linear",
    separation: Annotated[
        float, typer.Option(help="Distance of subtypes, in standard deviations within them.")
    ] = 5.0,
    effect: Annotated[
        tuple[float, float],
        typer.Option(help="Least and largest effect, in standard deviations of the noise."),
    ] = (0.6, 1.4),
    r2: Annotated[
        float | None,
        typer.Option(help="Share of a driven feature's variance that is signal, for --effect."),
    ] = None,
    noise: Annotated[
        float, typer.Option(help="Standard deviation of the noise: the scale of the values.")
    ] = 1.0,
    missing_views: Annotated[
        float, typer.Option(help="Share of samples on which a view is unmeasured.")
    ] = 0.0,
    missing_entries: Annotated[float, typer.Option(help="Share of entries left blank.")] = 0.0,
    seed: inputs.Seed = 0,
    overwrite: inputs.Overwrite = False,
) -> None:
    """Write a cohort with planted subtypes and effects, and the truth about it."""
    from poems.cli.console import clean, output, say
    from poems.output_folder import claim_folder, write_marker
    from poems.simulation import simulate as simulate_cohort

    simulation = simulate_cohort(
        n_samples,
        n_features,
        n_factors,
        n_views=n_views,
        density=density,
        truth=truth,
        n_subtypes=n_subtypes,
        separation=separation,
        effect=effect,
        r2=r2,
        noise=noise,
        missing_views=missing_views,
        missing_entries=missing_entries,
        seed=seed,
    )
    folder = claim_folder(out, "simulation", overwrite=overwrite)
    _write_simulation(folder, simulation)
    write_marker(folder, "simulation", {"seed": seed, "truth": truth})
    console = output()
    say(console, repr(simulation.cohort))
    views = [f"{folder / name}.csv.gz" for name in simulation.cohort.views]
    command = ["poems", "fit", *views, "--obs", f"{folder / 'obs.csv'}", "--out", f"{folder}-run"]
    say(console, f"Written to {folder}. To fit it:", "bold")
    # Not wrapped: the line is there to be copied.
    typer.echo(clean(f"  {shlex.join(command)}"))


def _readable(summary: pd.DataFrame) -> pd.DataFrame:
    shown = summary.rename(columns={"missing_samples": "unmeasured", "missing_share": "missing"})
    if "missing" in shown:
        shown["missing"] = shown["missing"].map("{:.1%}".format)
    return shown


def _write_simulation(folder: Path, simulation: Simulation) -> None:
    from poems.csv_tables import write_csv

    cohort = simulation.cohort
    for name, view in cohort.views.items():
        # A sample on which the view was not measured has no row, as in a cohort of real files.
        table = cohort.frame(name).loc[view.measured].rename_axis("sample")
        write_csv(folder / f"{name}.csv.gz", table)
        loadings = simulation.loadings[name].rename_axis("feature")
        write_csv(folder / "truth" / "loadings" / f"{name}.csv", loadings)
    write_csv(folder / "obs.csv", cohort.obs.rename_axis("sample"))
    write_csv(folder / "truth" / "latent.csv", simulation.latent.rename_axis("sample"))
    subtypes = simulation.subtypes.rename("subtype").to_frame()
    write_csv(folder / "truth" / "subtypes.csv", subtypes.rename_axis("sample"))
