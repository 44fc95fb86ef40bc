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
    from poems._files import atomic_path
    from poems._version import __version__
    from poems.csv_tables import write_csv, write_findings
    from poems.output_folder import write_marker
    from poems.plots import plot_gene_sets

    write_marker(folder, "gene-sets", {}, complete=False)
    for name, table in found.tables.items():
        write_csv(folder / f"{name}.csv", table, index=False)
    write_findings(folder / "findings.csv", findings)
    figure = plot_gene_sets(found.table, fdr=float(about["fdr"])).get_figure(root=True)
    assert figure is not None
    with atomic_path(folder / "gene_sets.png") as temporary:
        figure.savefig(temporary, dpi=150)
    marker = {"poems": __version__, "n_tests": found.n_tests, **about}
    write_marker(folder, "gene-sets", marker)
    return [f"{name}.csv" for name in found.tables] + ["findings.csv", "gene_sets.png"]
