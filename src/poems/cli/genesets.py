"""How gene sets of factors are printed and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poems.cli.console import heading, print_table, say
from poems.findings import Finding, count

if TYPE_CHECKING:
    from rich.console import Console

    from poems.analysis.gene_sets import GeneSetEnrichment


def print_gene_sets(console: Console, found: GeneSetEnrichment, fdr: float, top: int) -> None:
    """Print the leading sets of each factor."""
    passed = found.table[found.table["q"] <= fdr]
    say(
        console,
        f"{len(passed)} of {count(found.n_tests, 'test')} of a factor, view, gene set and "
        f"direction {'is' if len(passed) == 1 else 'are'} significant at a false discovery rate "
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
    columns["genes"] = [
        f"{n} of {m}" for n, m in zip(shown["n_overlap"], shown["n_set"], strict=True)
    ]
    columns["q"] = [f"{q:.1g}" for q in shown["q"]]
    columns["leading"] = [", ".join(genes.split(";")[:3]) for genes in shown["genes"]]
    print_table(console, columns.rename(columns={"gene_set": "gene set"}), index="factor")


def write_gene_sets(
    folder: Path, found: GeneSetEnrichment, findings: Iterable[Finding], about: Mapping[str, Any]
) -> list[str]:
    """Write table and picture into a folder that was claimed; return the names of the files."""
    from poems.cli.result_folder import write_result
    from poems.plots import plot_gene_sets

    return write_result(
        folder,
        "gene-sets",
        {"n_tests": found.n_tests, **about},
        tables=found.tables,
        findings=findings,
        figures={"gene_sets": plot_gene_sets(found.table, fdr=float(about["fdr"]))},
    )
