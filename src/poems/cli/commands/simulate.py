"""``poems simulate``: a cohort with planted subtypes and effects."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from poems.cli import checks, inputs
from poems.cli.driver import add_command
from poems.cli.printing import clean, say
from poems.cli.result import CommandResult

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from poems.simulation.cohort import Simulation


# As in poems.simulation.effects, which takes long to import; a test holds them equal.
Truth = Literal["linear", "saturating", "threshold", "u_shaped", "mixed", "interaction"]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, simulate)


def simulate(
    out: inputs.Out,
    n_samples: Annotated[int, typer.Option(help="Samples.")] = 300,
    n_features: Annotated[int, typer.Option(help="Features of each omic.")] = 500,
    n_views: Annotated[int, typer.Option(help="Omics.")] = 3,
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
        float, typer.Option(help="Share of samples on which an omic is unmeasured.")
    ] = 0.0,
    missing_entries: Annotated[float, typer.Option(help="Share of entries left blank.")] = 0.0,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OMIC=NAME",
            help="What an omic's values are, if not gaussian: student_t, bernoulli, ordinal, beta, "
            "poisson, negative_binomial or zinb; once for each omic.",
        ),
    ] = None,
    seed: inputs.Seed = 0,
    overwrite: inputs.Overwrite = False,
) -> CommandResult:
    """Write a cohort with planted subtypes and effects, and the truth about it."""
    checks.require_output(out, "simulation", overwrite=overwrite)

    kinds = _kinds(kind or [])

    from poems.files.markers import write_marker
    from poems.files.output_folder import replaced_folder
    from poems.simulation.cohort import simulate as simulate_cohort

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
        kinds=kinds,
        seed=seed,
    )
    older = ("*.csv.gz", "obs.csv", "truth/*.csv", "truth/loadings/*.csv")
    with replaced_folder(out, "simulation", overwrite=overwrite, older=older) as fresh:
        _write_simulation(fresh, simulation)
        write_marker(fresh, "simulation", {"seed": seed, "truth": truth})
    return CommandResult(
        partial(_show, folder=out, simulation=simulation, kinds=kinds),
        {
            "folder": out,
            "n_samples": simulation.cohort.n_samples,
            "n_factors": simulation.latent.shape[1],
            "n_subtypes": simulation.subtypes.nunique(),
        },
        findings=simulation.cohort.findings,
    )


def _kinds(given: list[str]) -> dict[str, str]:
    """Read OMIC=NAME, of which a view's name may hold an equals sign."""
    from poems.errors import SettingsError

    found = {}
    for text in given:
        view, equals, name = text.strip().rpartition("=")
        if not (view and equals and name):
            raise SettingsError(f"--kind {text} is not OMIC=NAME, such as view1=bernoulli")
        found[view] = name
    return found


def _show(console: Console, folder: Path, simulation: Simulation, kinds: dict[str, str]) -> None:
    say(console, repr(simulation.cohort))
    views = [f"{folder / name}.csv.gz" for name in simulation.cohort.views]
    command = ["poems", "fit", *views, "--obs", f"{folder / 'obs.csv'}", "--out", f"{folder}-run"]
    if kinds:
        command += ["--likelihood", ",".join(f"{view}={name}" for view, name in kinds.items())]
    say(console, f"Written to {folder}. To fit it:", "bold")
    # Not wrapped: the line is there to be copied.
    typer.echo(clean(f"  {shlex.join(command)}"))


def _write_simulation(folder: Path, simulation: Simulation) -> None:
    from poems.files.csv_tables import write_csv

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
