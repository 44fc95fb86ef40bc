"""``poems associations``: features of different omics that share factors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from poems.cli import inputs


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("associations")(associations)


def associations(
    path: inputs.RunOrModel,
    files: inputs.Files = None,
    view: inputs.Views = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
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
            "VIEW:FEATURE) or of the columns view, feature and gene; 'names' for equal names.",
        ),
    ] = None,
    fdr: inputs.Fdr = 0.1,
    n_permutations: Annotated[
        int, typer.Option(min=1, metavar="N", help="Permutations of the samples of each view.")
    ] = 49,
    stability: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A result of poems stability, for the support of pairs."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Pairs to print and to draw.")] = 20,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
    seed: inputs.Seed = 0,
) -> None:
    """Find features of different omics that share factors, at a false discovery rate.

    Give the tables of the fit: a model keeps no data.
    """
    tables = inputs.parse_views(files, view)
    in_rows = inputs.views_in_rows(features_in_rows, features_in_rows_of, tables)
    if not 0 < fdr <= 1:
        raise typer.BadParameter(f"--fdr must be above 0 and at most 1, not {fdr:g}")

    from poems.analysis.cross_omic import cross_omic
    from poems.cli.associations import print_pairs, read_cis, write_pairs
    from poems.cli.console import output, print_findings, say
    from poems.output_folder import claim_folder
    from poems.resampling.result import Stability

    model = inputs.load_model(path)
    pairs = None if cis is None else read_cis(cis)
    refits = None if stability is None else Stability.load(stability)
    cohort = inputs.read_cohort(tables, None, features_in_rows=in_rows, backed=backed)
    # Claimed first: what cannot be written should be known before it is computed.
    folder = None if out is None else claim_folder(out, "association-table", overwrite=overwrite)
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
    console = output()
    print_pairs(console, found, top)
    print_findings(console, found.findings, all_notes=True)
    if folder is not None:
        about: dict[str, object] = {
            "run": str(path),
            "fdr": fdr,
            "n_permutations": n_permutations,
            "feature": list(feature or ()),
            "factor": factor,
            "cis": cis,
            "stability": None if stability is None else str(stability),
            "seed": seed,
        }
        written = write_pairs(folder, found, top, about)
        say(console, f"Written to {folder}: {', '.join(written)}")
