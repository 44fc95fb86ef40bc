"""``poems associations``: features of different omics that share factors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from poems.cli import checks, inputs
from poems.cli.cohort_tables import TableFlags
from poems.cli.driver import add_command
from poems.cli.printing import brief, heading, print_findings, print_table, say
from poems.cli.result import CommandResult, claim
from poems.findings import count
from poems.settings.rates import FDR
from poems.wording import number, p_value

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from rich.console import Console

    from poems.analysis.pairs.cross_omic import CrossOmic


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, associations)


def associations(
    path: inputs.RunOrModel,
    files: inputs.Files = None,
    view: inputs.Views = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    obs: inputs.NewObs = None,
    layer: inputs.Layers = None,
    backed: inputs.Backed = False,
    feature: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Test only pairs that hold this feature; repeatable.",
            show_default=False,
        ),
    ] = None,
    factor: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Report only pairs that this factor drives."),
    ] = None,
    cis: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE",
            help="Test only pairs that belong together: of a table of two columns (features, or "
            "OMIC:FEATURE) or of the columns view, feature and gene; 'names' for equal names.",
        ),
    ] = None,
    fdr: inputs.Fdr = FDR,
    n_permutations: Annotated[
        int, typer.Option(min=1, metavar="N", help="Permutations of the samples of each omic.")
    ] = 49,
    stability: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A result of poems stability, for the support of pairs."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Pairs to print and to draw.")] = 20,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
    seed: inputs.Seed = 0,
) -> CommandResult:
    """Find features of different omics that share factors, at a false discovery rate.

    The tables of the fit are found again where they were; of a model, or where they have moved,
    give them.
    """
    flags = TableFlags(files, view, features_in_rows, features_in_rows_of, obs, layer)
    tables = flags.existing(path)
    checks.require_rate(fdr, one=True)
    checks.require_run_or_model(path)
    checks.require_stability(stability)
    pair_file = _pair_file(cis)
    checks.require_files([pair_file])
    checks.require_output(out, "association-table", overwrite=overwrite)

    from poems.analysis.pairs.cross_omic import cross_omic
    from poems.resampling.result import Stability

    model = inputs.load_model(path)
    pairs: pd.DataFrame | Literal["names"] | None = None
    if cis is not None:
        pairs = "names" if pair_file is None else _read_pairs(pair_file)
    refits = None if stability is None else Stability.load(stability)
    cohort = tables.read(backed=backed)
    folder = claim(out, "association-table", overwrite=overwrite)
    found = cross_omic(
        model,
        cohort,
        fdr=fdr,
        n_permutations=n_permutations,
        feature=feature or None,
        factor=factor,
        cis=pairs,
        stability=refits,
        seed=seed,
    )
    about = {
        "run": str(path),
        "fdr": fdr,
        "n_permutations": n_permutations,
        "feature": list(feature or ()),
        "factor": factor,
        "cis": cis,
        "stability": None if stability is None else str(stability),
        "seed": seed,
        "n_tested": found.n_tested,
        "n_significant": found.n_significant,
        "overall_p": None if found.overall_p != found.overall_p else found.overall_p,
    }
    return CommandResult(
        partial(_show, found=found, top=top),
        about,
        tables=found.tables,
        findings=found.findings,
        figures=_figures(found, top),
        folder=folder,
        about=about,
        files=partial(_write_graph, found),
    )


def _pair_file(cis: str | None) -> Path | None:
    """Return the table that ``--cis`` names; ``None`` where it asks for equal names."""
    return None if cis is None or (cis == "names" and not Path(cis).exists()) else Path(cis)


def _read_pairs(path: Path) -> pd.DataFrame:
    """Read a table of cis pairs, all of it as text."""
    from poems.data.text.gene_files import read_names

    table = read_names(path, "table of cis pairs")
    return table.mask(table == "")


def _figures(found: CrossOmic, top: int) -> dict[str, Callable[[], Axes]]:
    from poems.plots import plot_pair_circle, plot_pair_network

    return {
        "circle": partial(plot_pair_circle, found.table, views=found.views, top=top),
        "network": partial(plot_pair_network, found.table, views=found.views, top=top),
    }


def _write_graph(found: CrossOmic, folder: Path) -> list[str]:
    from poems.analysis.pairs.graph import write_graph

    return write_graph(folder, found.table)


def _show(console: Console, found: CrossOmic, top: int) -> None:
    _print_pairs(console, found, top)
    print_findings(console, found.findings, all_notes=True)


def _print_pairs(console: Console, found: CrossOmic, top: int) -> None:
    """Print how many pairs there are, and the best."""
    from poems.analysis.pairs.alike import said_once

    once = said_once(found.table)
    n, shown = len(once), once.head(top)
    pairs = count(found.n_significant, "cross-omic pair")
    say(console, f"{pairs} of {count(found.n_tested, 'tested pair')}.", "bold")
    if not n:
        return
    heading(console, "The pair" if n == 1 else f"The {len(shown)} highest scores of {n}")
    print_table(console, _short(shown, found.overall_p).set_index("feature"), index="feature")


def _short(table: pd.DataFrame, floor: float) -> pd.DataFrame:
    """Return the columns that are printed, numbers short."""
    short = table[["feature_a", "feature_b", "score", "correlation", "q", "factors"]].copy()
    more = [len(a) + len(b) for a, b in zip(table["alike_a"], table["alike_b"], strict=True)]
    if any(more):
        # Last, beside what says the most of a pair.
        short["like it"] = ["" if n == 0 else f"+{n}" for n in more]
    short["feature_a"] = table["view_a"].astype(str) + " " + table["feature_a"].map(_named)
    short["feature_b"] = table["view_b"].astype(str) + " " + table["feature_b"].map(_named)
    for name in ("score", "correlation"):
        short[name] = list(map(number, table[name]))
    short["q"] = [p_value(value, floor) for value in table["q"]]
    short["factors"] = [str(each).replace("factor_", "") for each in table["factors"]]
    if "support" in table:
        short["support"] = [f"{value:.2f}" for value in table["support"]]
    names = {"feature_a": "feature", "feature_b": "with", "correlation": "r"}
    return short.rename(columns=names)


def _named(feature: object) -> str:
    # Of a feature's name, so that two fit on a line.
    return brief(feature, 20)
