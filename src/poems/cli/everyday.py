"""Help in two lengths: what is used every day, and ``--help-all`` with the rest."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

_EVERYDAY: Final = "poems.everyday"
# Commands of more options than these have everyday ones.
MANY: Final = 15


@dataclass(frozen=True)
class Everyday:
    """The parameters of a command that its help shows, by name, and a line to copy."""

    parameters: tuple[str, ...]
    example: str


EVERYDAY: Final[dict[str, Everyday]] = {
    "fit": Everyday(
        (
            "files",
            "view",
            "obs",
            "out",
            "features_in_rows",
            "log1p",
            "likelihood",
            "n_subtypes",
            "n_latent",
            "seed",
            "overwrite",
        ),
        "poems fit --view mrna=mrna.csv --view mirna=mirna.csv --obs clinical.csv --out run/",
    ),
    "stability": Everyday(
        ("files", "view", "run", "out", "n_runs", "n_permutations", "fdr", "jobs", "seed",
         "overwrite"),
        "poems stability --run run/ --out stable/",
    ),
    "report": Everyday(
        ("run", "labels", "time", "event", "covariates", "gmt", "stability", "brief", "title",
         "out"),
        "poems report run/ --labels subtype --time days --event dead --time-unit days",
    ),
    "demo": Everyday(
        ("out", "n_samples", "n_features", "seed", "overwrite", "quiet"),
        "poems demo --out demo-run/",
    ),
    "simulate": Everyday(
        ("out", "n_samples", "n_features", "n_factors", "n_views", "n_subtypes", "density",
         "kind", "seed", "overwrite"),
        "poems simulate --out cohort/ --n-samples 200 --n-views 2",
    ),
    "associations": Everyday(
        ("path", "files", "view", "stability", "feature", "factor", "cis", "fdr", "top", "out"),
        "poems associations run/ --out pairs/",
    ),
}  # fmt: skip


def _show_all(ctx: typer.Context, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        ctx.meta[_EVERYDAY] = False
        typer.echo(ctx.get_help(), color=ctx.color)
        raise typer.Exit


HelpAll = Annotated[
    bool,
    typer.Option(
        "--help-all",
        metavar="",
        is_eager=True,
        callback=_show_all,
        help="Show all options and exit.",
    ),
]


class EverydayCommand(TyperCommand):
    """A command whose help shows its everyday options; ``--help-all`` shows the others, too."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; for the short help, those of every day alone are not hidden."""
        found = super().get_params(ctx)
        return self.shortened(ctx, found)

    def shortened(self, ctx: Any, found: list[Any]) -> list[Any]:
        """Hide what is not of every day where the short help is being written."""
        everyday = EVERYDAY.get(self.name or "")
        if everyday is None or not ctx.meta.get(_EVERYDAY):
            return found
        kept = {*everyday.parameters, "help_all", "help"}
        return [each if each.name in kept else _hidden(each) for each in found]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help: short unless all of it was asked for."""
        ctx.meta.setdefault(_EVERYDAY, True)
        super().format_help(ctx, formatter)


def _hidden(parameter: Any) -> Any:
    other = copy.copy(parameter)
    other.hidden = True
    return other
