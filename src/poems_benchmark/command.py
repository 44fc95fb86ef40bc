"""``poems benchmark``: methods on cohorts over seeds, or by the paper's protocol."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from poems.cli import inputs

if TYPE_CHECKING:
    from rich.console import Console

    from poems_benchmark.cohorts import CohortSpec
    from poems_benchmark.folder import BenchmarkResult
    from poems_benchmark.methods.interface import Method
    from poems_benchmark.running.runner import Finished

_DESCRIPTION = "benchmark.toml"
_PAPER = "With --protocol paper"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("benchmark")(benchmark)


def benchmark(
    data: Annotated[
        Path, typer.Argument(metavar="DATA_DIR", help="Folder with a sub-folder a cohort.")
    ],
    out: inputs.Out,
    cohorts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file that describes the cohorts; DATA_DIR/benchmark.toml if it is there.",
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of obs.csv to score against, where no file describes the cohorts; "
            "repeatable.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="Run these of the cohorts only.")
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="Methods: pca, snf, mofa, mofaflex, autoencoder, poems, paper, ablations by "
            "name, or the groups tools, ablations, all. \\[tools] "
            "With --protocol paper: poems-paper, poem-dense, equal-gate, poems-default, pca. "
            "\\[all five]",
            show_default=False,
        ),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:SETTING=VALUE,…",
            help="POEMS with settings changed, as a method of this name; repeatable.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Seeds 0 to N - 1. \\[5]", show_default=False),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Processes, of one thread each. \\[1]", show_default=False
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", metavar="", help="Train briefly, one seed: to see that it works."),
    ] = False,
    choose_among: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="For each cohort, choose the best of these methods (variants by their names) on "
            "the cohorts of other studies, and score it beside POEMS.",
        ),
    ] = None,
    protocol: Annotated[
        Literal["all-samples", "paper"],
        typer.Option(
            metavar="NAME",
            help="all-samples fits and scores all samples, over seeds; paper is the POEMS paper's: "
            "its split, its scores of the test samples, its figures.",
        ),
    ] = "all-samples",
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Epochs at most of the published settings (the paper's own are 5000). \\[300]",
            show_default=False,
            rich_help_panel=_PAPER,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**32 - 1,
            metavar="N",
            help="Seed of the fits. \\[0]",
            show_default=False,
            rich_help_panel=_PAPER,
        ),
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of obs.csv with the patient of each sample: patients are split whole.",
            rich_help_panel=_PAPER,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            metavar="",
            help="Replace an earlier result in the folder.",
            rich_help_panel=_PAPER,
        ),
    ] = False,
    quiet: inputs.Quiet = False,
) -> None:
    """Compare POEMS with other tools on labelled cohorts.

    Each cohort is a folder with a table per view and obs.csv. Finished results
    are kept: the same command goes on where it was interrupted, and computes
    anew only what changed or failed.

    With --protocol paper a cohort may also be a folder in MOGONET's format:
    1_all.csv, 2_all.csv, … and labels_all.csv, or the same with _tr and _te.
    """
    of_paper = {"--epochs": epochs, "--seed": seed, "--groups": groups, "--overwrite": overwrite}
    of_others = {
        "--variant": variant,
        "--seeds": seeds,
        "--jobs": jobs,
        "--quick": quick,
        "--choose-among": choose_among,
    }
    foreign = of_others if protocol == "paper" else of_paper
    given = [flag for flag, value in foreign.items() if value]
    if given or (protocol != "paper" and seed is not None):
        raise typer.BadParameter(
            f"{', '.join(given) or '--seed'} does not go with --protocol {protocol}"
        )
    _check_paths(data, cohorts, labels or [])
    if protocol == "paper":
        from poems_benchmark.paper.command import PaperRequest, mogonet_folders, run_paper

        folders = mogonet_folders(data)
        described = cohorts is not None or bool(labels) or (data / _DESCRIPTION).is_file()
        if not described and not folders:
            raise typer.BadParameter(
                f"{data} is not in MOGONET's format (1_all.csv, … or 1_tr.csv, …), nor are its "
                "sub-folders; for tables with an obs.csv name its columns of labels with --labels"
            )
        use_tables = described or not folders
        specs = _cohorts(data, cohorts, labels or [], _listed(only)) if use_tables else ()
        if only and not specs:
            raise typer.BadParameter("--only names described cohorts; give one folder as DATA_DIR")
        run_paper(
            PaperRequest(
                data,
                specs,
                out,
                methods=_listed(methods),
                epochs=epochs,
                seed=seed or 0,
                groups=groups,
                overwrite=overwrite,
                quiet=quiet,
            )
        )
        return

    from poems.cli.printing import output
    from poems_benchmark.folder import run_benchmark

    specs = _cohorts(data, cohorts, labels or [], _listed(only))
    console = output()
    chosen = _methods(
        methods or "tools", variant or [], quick=quick, console=None if quiet else console
    )
    progress = _Progress(None if quiet else console)
    result = run_benchmark(
        specs,
        chosen,
        out,
        n_seeds=1 if quick else seeds or 5,
        jobs=jobs or 1,
        quick=quick,
        choose_among=_listed(choose_among),
        started=progress.start,
        report=progress.report,
    )
    _close(console, result, out, quiet=quiet)


def _check_paths(data: Path, cohorts: Path | None, labels: Sequence[str]) -> None:
    """Say what is wrong with paths before anything is imported that takes long."""
    from poems.errors import ReadError, SettingsError

    if cohorts is not None and labels:
        raise typer.BadParameter("--labels goes without --cohorts, which names the columns")
    if not data.is_dir():
        raise ReadError(f"there is no folder {data}")
    if cohorts is not None and not cohorts.is_file():
        raise SettingsError(f"there is no file {cohorts}")


def _cohorts(
    data: Path, file: Path | None, labels: Sequence[str], only: Sequence[str]
) -> tuple[CohortSpec, ...]:
    from poems.errors import SettingsError
    from poems_benchmark.cohorts import discover_cohorts, read_cohort_specs

    described = file or data / _DESCRIPTION
    if file is not None or (described.is_file() and not labels):
        specs = read_cohort_specs(described, data)
    else:
        specs = discover_cohorts(data, labels)
    names = [spec.name for spec in specs]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise SettingsError(f"--only names {', '.join(unknown)}; there are {', '.join(names)}")
    return tuple(spec for spec in specs if not only or spec.name in only)


def _methods(
    names: str, variants: Sequence[str], *, quick: bool, console: Console | None
) -> dict[str, Method]:
    """Return the methods by short name; of a group, those that are not installed are left out."""
    from poems.cli.printing import say
    from poems.errors import SettingsError
    from poems_benchmark.methods.interface import require
    from poems_benchmark.methods.registry import METHODS, method_names, poems_variant

    listed = _listed(names)
    chosen: dict[str, Method] = {}
    for key in method_names(listed):
        try:
            method = METHODS[key](quick=quick)
            require(method.name, method.requires)
        except SettingsError as error:
            if key in listed:
                raise
            if console is not None:
                say(console, f"left out: {error}", "yellow")
            continue
        chosen[key] = method
    for text in variants:
        key, overrides = parse_variant(text)
        if key in METHODS or key in chosen:
            raise typer.BadParameter(f"--variant {text}: there is a method '{key}' already")
        chosen[key] = poems_variant(f"POEMS, {key}", overrides, quick=quick)
        chosen[key].options  # noqa: B018  (settings that do not exist are told now)
    return chosen


def parse_variant(text: str) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the settings of ``NAME:SETTING=VALUE,…``.

    Values are read as in TOML, and as texts where they are none; ``none`` is
    ``None`` where a setting may be that.

    Raises
    ------
    typer.BadParameter
        If the text is not of that form.

    Examples
    --------
    >>> parse_variant("wide:n_latent=32,prior=mixture")
    ('wide', {'n_latent': 32, 'prior': 'mixture'})
    """
    from poems.settings.schema import group_of
    from poems.settings.toml_file import none_if_off
    from poems_benchmark.methods.keys import is_key

    name, _, rest = text.partition(":")
    # A comma within brackets belongs to a value.
    pairs = [pair.partition("=") for pair in re.split(r",(?![^\[]*\])", rest)]
    if not is_key(name) or not all(key and value for key, _, value in pairs):
        raise typer.BadParameter(
            f"--variant takes NAME:SETTING=VALUE,…, such as wide:n_latent=32, not '{text}'"
        )
    overrides = {}
    for key, _, value in pairs:
        group_of(key)
        try:
            overrides[key] = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):  # no TOML, or numbers and brackets beyond Python's
            overrides[key] = none_if_off(key, value)
    return name, overrides


def _listed(text: str | None) -> list[str]:
    return [each.strip() for each in (text or "").split(",") if each.strip()]


class _Progress:
    """A line per finished unit, numbered; none without a console."""

    def __init__(self, console: Console | None) -> None:
        self.console, self.at, self.n_units = console, 0, 0

    def start(self, n_units: int, n_reused: int) -> None:
        """Say how much there is to do."""
        from poems.cli.printing import say

        self.at, self.n_units = n_reused, n_units
        done = f", {n_reused} of them done already" if n_reused else ""
        if self.console is not None:
            say(self.console, f"{n_units} units{done}")

    def report(self, finished: Finished) -> None:
        """Say what came of a unit."""
        from poems.cli.printing import say

        self.at += 1
        if self.console is None:
            return
        unit = finished.unit
        what = f"[{self.at}/{self.n_units}] {unit.cohort.name}  {unit.method.name}"
        if not unit.method.deterministic:
            what += f"  seed {unit.seed}"
        if finished.error is None:
            say(self.console, f"{what}  {finished.seconds:.1f} s")
        else:
            say(self.console, f"{what}  failed: {finished.error}", "bold red")


def _close(console: Console, result: BenchmarkResult, out: Path, *, quiet: bool) -> None:
    from poems.cli.printing import clean, heading, print_table, say

    if not quiet and not result.table.empty:
        import pandas as pd

        from poems_benchmark.scores.summary import spread

        names = dict(zip(result.table["method"], result.table["name"], strict=True))
        shown = spread(result.table, "nmi", list(names))
        if not shown.mean.empty:
            heading(console, "NMI, mean ± standard deviation over seeds")
            cells = {
                names[method]: [
                    "–" if pd.isna(m) else f"{m:.2f}" + ("" if pd.isna(s) else f" ± {s:.2f}")
                    for m, s in zip(shown.mean[method], shown.sd[method], strict=True)
                ]
                for method in shown.mean.columns
            }
            print_table(console, pd.DataFrame(cells, index=shown.mean.index).T)
        console.print()
        say(console, f"Written to {out}: results.csv, summary.md, summary.png", "bold")
    for unit, error in result.failures.items():
        typer.echo(clean(f"failed: {unit}: {error}"), err=True)
    if result.failures:
        typer.echo(
            f"{len(result.failures)} units failed (their files in {out / 'units'} say where); the "
            "same command tries them again",
            err=True,
        )
        raise typer.Exit(1)
