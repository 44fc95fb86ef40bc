"""``poems genesets``: which gene sets the features of each factor come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poems.cli import inputs

if TYPE_CHECKING:
    import pandas as pd


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("genesets")(genesets)


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
            metavar="NAME=FILE", help="The same for one view; repeatable.", show_default=False
        ),
    ] = None,
    min_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Fewest measured genes of a set.")
    ] = 5,
    max_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Most measured genes of a set.")
    ] = 500,
    fdr: inputs.Fdr = 0.1,
    top: Annotated[
        int, typer.Option(min=1, metavar="N", help="Gene sets of each factor to print.")
    ] = 3,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
) -> None:
    """Test which gene sets are over-represented among the features of each factor.

    Features that go up with a factor and those that go down are tested apart, against all features
    of their view; no connection is needed.
    """
    if not 0 < fdr < 1:
        raise typer.BadParameter(f"--fdr must be between 0 and 1, not {fdr:g}")
    if min_size > max_size:
        raise typer.BadParameter(f"--min-size {min_size} is above --max-size {max_size}")
    maps = _maps(view_map or ())

    from poems.analysis.gene_sets import gene_set_enrichment
    from poems.cli.console import output, print_findings, say
    from poems.cli.genesets import print_gene_sets, write_gene_sets
    from poems.data.gene_files import read_feature_map, read_gmt
    from poems.output_folder import claim_folder

    model = inputs.load_model(path)
    genes: dict[str, pd.DataFrame] = {}
    if gene_map is not None:
        genes = dict.fromkeys(model.view_names, read_feature_map(gene_map))
    genes |= {view: read_feature_map(file) for view, file in maps.items()}
    sets = read_gmt(gmt)
    # Claimed first: what cannot be written should be known before it is computed.
    folder = None if out is None else claim_folder(out, "gene-sets", overwrite=overwrite)
    found = gene_set_enrichment(
        model.loadings, sets.sets, genes=genes, min_size=min_size, max_size=max_size
    )
    console = output()
    print_gene_sets(console, found, fdr, top)
    findings = (*sets.findings, *found.findings)
    print_findings(console, findings, all_notes=True)
    if folder is not None:
        about = {"run": str(path), "gmt": [str(file) for file in gmt], "fdr": fdr}
        written = write_gene_sets(folder, found, findings, about)
        say(console, f"Written to {folder}: {', '.join(written)}")


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
