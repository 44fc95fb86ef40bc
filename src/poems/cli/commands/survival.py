"""``poems survival``: do subtypes and factors of a run matter for survival?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from poems.cli import checks, inputs
from poems.cli.driver import add_command
from poems.cli.printing import heading, number, print_findings, print_table, say
from poems.cli.result import CommandResult, claim
from poems.settings.rates import FDR
from poems.wording import p_value, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.console import Console

    from poems.analysis.survival import Survival
    from poems.findings import Finding


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, survival)


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
    unit: inputs.TimeUnit = "",
    fdr: inputs.Fdr = FDR,
    repeats: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Repeats of the cross-validated concordance; 0 for none."
        ),
    ] = 5,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
    seed: inputs.Seed = 0,
) -> CommandResult:
    """Relate subtypes and factors to survival: curves, tests, hazard ratios, concordance."""
    checks.require_rate(fdr)
    checks.require_run(run)
    checks.require_files([obs])
    checks.require_output(out, "survival", overwrite=overwrite)
    named = {"--time": [time], "--event": [event], "--covariates": covariates or ()}
    checks.require_columns(run, obs, named)

    from poems.analysis.survival import survival_analysis
    from poems.analysis.survival.covariates import split_names
    from poems.runs.folder import read_run, run_obs

    read = read_run(run)
    table, noticed = run_obs(read, obs)
    checks.require_among(list(table.columns), run, obs, named)
    wanted = split_names(covariates or (), table)
    folder = claim(out, "survival", overwrite=overwrite)
    metric = read.summary.get("subtypes", {}).get("metric")
    analysed = survival_analysis(
        read.fit.latent.set_axis(read.obs.index),
        read.subtypes["subtype"],
        table[time],
        table[event],
        wanted,
        obs=table,
        event_value=event_value,
        embedding=read.fit.embedding(metric).set_axis(read.obs.index),
        measured=read.fit.gates.set_axis(read.obs.index) > 0,
        fdr=fdr,
        n_repeats=repeats,
        seed=seed,
        time_unit=unit,
    )
    about = {"run": str(run), "time": time, "event": event, "covariates": wanted, "seed": seed}
    summary = analysed.curves.summary
    return CommandResult(
        partial(_show, found=analysed, noticed=noticed, unit=unit),
        {
            **about,
            "n_samples": summary["n_samples"].sum(),
            "n_events": summary["n_events"].sum(),
            "logrank_p": _logrank_p(analysed),
        },
        tables=analysed.tables,
        findings=(*noticed, *analysed.findings),
        figures=_figures(analysed, unit),
        folder=folder,
        about={**about, "fdr": analysed.fdr},
    )


def _logrank_p(found: Survival) -> float | None:
    return None if not len(found.logrank) else float(found.logrank["p"].iloc[0])


def _figures(found: Survival, unit: str) -> dict[str, Callable[[], Axes]]:
    from poems.plots import plot_hazard_ratios, plot_kaplan_meier

    km, at_risk = found.curves.km, found.curves.at_risk
    return {
        "kaplan_meier": partial(plot_kaplan_meier, km, at_risk, p=_logrank_p(found), unit=unit),
        "hazard_ratios": partial(plot_hazard_ratios, found.cox),
    }


def _show(console: Console, found: Survival, noticed: Sequence[Finding], unit: str) -> None:
    print_findings(console, noticed, all_notes=True)
    _print_survival(console, found, unit)


def _print_survival(console: Console, found: Survival, unit: str) -> None:
    """Print a line for each subtype, the tests, the hazard ratios, and the findings."""
    import numpy as np

    from poems.analysis.survival.cox import NOT_FITTED

    summary = found.curves.summary
    n_samples, n_events = int(summary["n_samples"].sum()), int(summary["n_events"].sum())
    say(console, f"{n_samples} samples with follow-up and a subtype, {n_events} events.", "bold")
    heading(console, "Subtypes")
    shown = summary.set_index("subtype")
    until = float(shown["until"].iloc[0])
    columns = {
        "n_samples": "samples",
        "n_events": "events",
        "median": "median",
        "median_lower": "from",
        "median_upper": "to",
        "restricted_mean": f"mean up to {with_unit(until, unit)}",
        "restricted_mean_se": "SE",
    }
    table = shown[list(columns)].rename(columns=columns)
    print_table(console, table.map(number), index="subtype")
    if not np.isfinite(table.to_numpy(dtype=float)).all():
        say(console, "– not reached: the curve, or its limit, does not fall that low", "dim")
    heading(console, "Tests, and their false discovery rates")
    tests = found.tests.copy()
    tests["what"] = [
        f"{what}, adjusted for {beside}" if beside else str(what)
        for what, beside in zip(found.tests["what"], found.tests["adjusted_for"], strict=True)
    ]
    numbers = tests[["what", "p", "q"]].set_index(tests["test"])
    numbers[["p", "q"]] = numbers[["p", "q"]].map(p_value)
    numbers.loc[(tests["how"] == NOT_FITTED).to_numpy(), "p"] = NOT_FITTED
    print_table(console, numbers, index="test")
    ratios = found.cox[(found.cox["role"] != "test") & (found.cox["model"] == "subtype")]
    if len(ratios):
        heading(console, "Hazard ratios of the subtypes (95% limits)")
        ratios = ratios[ratios["adjusted_for"] == ratios["adjusted_for"].iloc[-1]]
        names = [
            f"{row['term']} {row['level']} against {row['reference']}"
            if row["level"]
            else row["term"]
            for _, row in ratios.iterrows()
        ]
        shown = ratios.set_axis(names)[["hazard_ratio", "lower", "upper", "p"]]
        shown = shown.rename(columns={"hazard_ratio": "ratio", "lower": "from", "upper": "to"})
        shown["p"] = shown["p"].map(p_value)
        print_table(console, shown.map(number), index="term")
    _print_not_fitted(console, found)
    heading(console, "What this says")
    print_findings(console, found.findings, all_notes=True)


def _print_not_fitted(console: Console, found: Survival) -> None:
    """Name the models that have no line in the table of ratios."""
    from poems.analysis.survival.cox import NOT_FITTED

    missing = found.cox[found.cox["test"] == NOT_FITTED]
    for _, row in missing[missing["model"] == "subtype"].iterrows():
        beside = f", adjusted for {row['adjusted_for']}" if row["adjusted_for"] else ""
        say(console, f"Subtypes{beside}: {NOT_FITTED}; why, is said below.")
