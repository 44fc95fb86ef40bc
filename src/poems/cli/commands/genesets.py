"""``poems genesets``: which gene sets the features of each factor come from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poems.cli import checks, inputs
from poems.cli.driver import add_command
from poems.cli.printing import heading, percent, print_findings, print_table, say
from poems.cli.result import CommandResult, claim
from poems.findings import count
from poems.settings.rates import FDR
from poems.wording import p_value

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.analysis.factors.gene_sets import GeneSetEnrichment
    from poems.findings import Finding


# What features are tested by.
_TESTS = ("loadings", "scores")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, genesets)


def genesets(
    path: inputs.RunOrModel,
    gmt: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="Gene sets, a GMT file; repeatable."),
    ],
    gene_map: inputs.GeneMap = None,
    view_map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE", help="The same for one omic; repeatable.", show_default=False
        ),
    ] = None,
    match_features: inputs.MatchFeatures = "exact",
    min_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Fewest measured genes of a set.")
    ] = 5,
    max_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Most measured genes of a set.")
    ] = 500,
    by: Annotated[
        str,
        typer.Option(
            metavar="WHAT",
            help="loadings: which sets the driven features come from; scores: which sets lie at an "
            "end of the ranking of all features.",
        ),
    ] = "loadings",
    fdr: inputs.Fdr = FDR,
    top: Annotated[
        int, typer.Option(min=1, metavar="N", help="Gene sets of each factor to print.")
    ] = 3,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
) -> CommandResult:
    """Test which gene sets are over-represented among the features of each factor.

    Features that go up with a factor and those that go down are tested apart, against all features
    of their omic; no connection is needed. With --by scores all features are ranked by what speaks
    for their loading, zero or not.
    """
    checks.require_rate(fdr)
    if by not in _TESTS:
        raise typer.BadParameter(f"--by is one of {', '.join(_TESTS)}, not '{by}'")
    if min_size > max_size:
        raise typer.BadParameter(f"--min-size {min_size} is above --max-size {max_size}")
    maps = _maps(view_map or ())
    checks.require_run_or_model(path)
    checks.require_files([*gmt, gene_map, *maps.values()])
    checks.require_output(out, "gene-sets", overwrite=overwrite)

    from poems.analysis.factors.gene_set_ranks import gene_set_ranks
    from poems.analysis.factors.gene_sets import gene_set_enrichment
    from poems.analysis.factors.genes import genes_as_descriptions, matched_genes
    from poems.data.text.gene_files import read_feature_map, read_gmt
    from poems.plots import plot_gene_sets

    model = inputs.load_tables(path)
    genes: dict[str, pd.DataFrame] = {}
    if gene_map is not None:
        genes = dict.fromkeys(model.view_names, read_feature_map(gene_map))
    genes |= {view: read_feature_map(file) for view, file in maps.items()}
    sets = read_gmt(gmt)
    ranked = by == "scores"
    values = model.loading_scores if ranked else model.loadings
    test = gene_set_ranks if ranked else gene_set_enrichment
    if match_features != "exact":
        for name in model.view_names:
            own = matched_genes(model.loadings[name].index, sets.sets, match_features)
            genes.setdefault(name, own)
    folder = claim(out, "gene-sets", overwrite=overwrite)
    found = test(values, sets.sets, genes=genes, min_size=min_size, max_size=max_size)
    features = {name: table.index for name, table in values.items()}
    doubts = genes_as_descriptions(sets, features, genes)
    findings = (*sets.findings, *doubts, *found.findings)
    about = {
        "by": by,
        "n_tests": found.n_tests,
        "run": str(path),
        "gmt": [str(file) for file in gmt],
        "fdr": fdr,
    }
    return CommandResult(
        partial(_show, found=found, findings=findings, fdr=fdr, top=top),
        {**about, "n_significant": (found.table["q"] <= fdr).sum()},
        tables=found.tables,
        findings=findings,
        figures={"gene_sets": partial(plot_gene_sets, found.table, fdr=fdr)},
        folder=folder,
        about=about,
    )


def _maps(given: list[str] | tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not name or not equals or not file:
            raise typer.BadParameter(f"--view-map takes NAME=FILE, not '{text}'")
        if name in found:
            raise typer.BadParameter(f"--view-map is given twice for '{name}'")
        found[name] = Path(file)
    return found


def _show(
    console: Console, found: GeneSetEnrichment, findings: Sequence[Finding], fdr: float, top: int
) -> None:
    _print_gene_sets(console, found, fdr, top)
    print_findings(console, findings, all_notes=True)


def _print_gene_sets(console: Console, found: GeneSetEnrichment, fdr: float, top: int) -> None:
    """Print the leading sets of each factor."""
    passed = found.table[found.table["q"] <= fdr]
    tested = "gene set" if "auc" in passed else "gene set and direction"
    say(
        console,
        f"{len(passed)} of {count(found.n_tests, 'test')} of a factor, omic, {tested} "
        f"{'is' if len(passed) == 1 else 'are'} significant at a false discovery rate "
        f"of {fdr:.0%}.",
        "bold",
    )
    if not len(passed):
        return
    heading(console, f"Gene sets of each factor, {top} at most")
    # The factors in the order of their strongest set.
    shown = passed.groupby("factor", sort=False).head(top)
    order = list(dict.fromkeys(shown["factor"]))
    shown = shown.sort_values("factor", key=lambda names: names.map(order.index), kind="stable")
    columns = shown[["view", "gene_set", "direction"]].astype(str).set_axis(shown["factor"])
    if "auc" in shown:
        columns["genes"] = [str(n) for n in shown["n_set"]]
        columns["above others"] = [percent(share) for share in shown["auc"]]
    else:
        columns["genes"] = [
            f"{n} of {m}" for n, m in zip(shown["n_overlap"], shown["n_set"], strict=True)
        ]
    columns["q"] = [p_value(q) for q in shown["q"]]
    columns["leading"] = [", ".join(genes.split(";")[:3]) for genes in shown["genes"]]
    print_table(console, columns.rename(columns={"gene_set": "gene set"}), index="factor")
