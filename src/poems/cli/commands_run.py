"""``poems transform``, ``evaluate``, ``diagnose`` and ``info``: what to do with a fitted run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from poems.cli import inputs

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.fitted import FittedPoems

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that poems fit wrote.")]

# A table of more columns does not fit into a terminal.
_MOST_CLASSES: Final = 16

RunOrModel = Annotated[
    Path, typer.Argument(metavar="RUN_OR_MODEL", help="A run folder or a model.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("transform")(transform)
    app.command("evaluate")(evaluate)
    app.command("diagnose")(diagnose)
    app.command("info")(info)


def transform(
    run: RunFolder,
    out: inputs.Out,
    files: inputs.Files = None,
    view: inputs.Views = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    backed: inputs.Backed = False,
    overwrite: inputs.Overwrite = False,
    quiet: inputs.Quiet = False,
) -> None:
    """Project new samples into the latent space of a run, and assign them to its subtypes."""
    tables = inputs.parse_views(files, view)
    in_rows = inputs.views_in_rows(features_in_rows, features_in_rows_of, tables)

    from poems._version import __version__
    from poems.analysis.assignment import assignment_sizes
    from poems.analysis.contributions import mean_weights
    from poems.analysis.subtypes import component_table
    from poems.cli.console import decimal, output, print_findings, print_table, say
    from poems.csv_tables import write_csv, write_findings
    from poems.output_folder import claim_folder, write_marker
    from poems.run_folder import read_run

    known = read_run(run)
    subtype_model = known.subtype_model()
    cohort = inputs.read_cohort(tables, None, features_in_rows=in_rows, backed=backed)
    projection = known.model.transform(cohort)
    assigned = subtype_model.assign(projection.latent, projection.latent_variance)
    findings = (*projection.findings, *subtype_model.findings)
    folder = claim_folder(out, "projection", overwrite=overwrite)
    write_marker(folder, "projection", {}, complete=False)
    for name in ("latent", "latent_variance", "gates"):
        write_csv(folder / f"{name}.csv", getattr(projection, name).rename_axis("sample"))
    write_csv(folder / "subtypes.csv", assigned.rename_axis("sample"))
    written = ["latent.csv", "latent_variance.csv", "gates.csv", "subtypes.csv", "findings.csv"]
    # What an overwritten projection leaves behind, if its model had a mixture prior.
    (folder / "components.csv").unlink(missing_ok=True)
    if projection.component_probabilities is not None:
        components = component_table(projection.component_probabilities)
        write_csv(folder / "components.csv", components.rename_axis("sample"))
        written.append("components.csv")
    write_findings(folder / "findings.csv", findings)
    about = {"poems": __version__, "run": str(run), "n_samples": len(projection.latent)}
    write_marker(folder, "projection", about)
    if quiet:
        return
    console = output()
    print_findings(console, findings, all_notes=False)
    n_samples, n_factors = projection.latent.shape
    say(console, f"{n_samples} samples projected on {n_factors} factors.", "bold")
    weights = mean_weights(projection.gates).map(decimal).to_frame("mean weight")
    print_table(console, weights, index="view")
    if (projection.gates == 0).any(axis=None):
        say(console, "  weights: over the samples on which the view was measured", "dim")
    _say_without(console, run, list(weights.index[(projection.gates == 0).all()]))
    print_table(console, assignment_sizes(subtype_model, assigned), index="subtype")
    say(console, f"Written to {folder}: {', '.join(written)}")


def evaluate(
    run: RunFolder,
    labels: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of the run's obs table that holds labels.")
    ],
    metric: inputs.MetricOption = None,
) -> None:
    """Compare the embedding and the subtypes of a run with known labels."""
    from poems.cli.console import heading, output, print_table, say
    from poems.evaluation.labelled import compare_embeddings, compare_subtypes, label_column
    from poems.run_folder import read_run

    found = read_run(run)
    known = label_column(found.obs, labels, str(found.folder))
    console = output()
    n_classes = known.nunique()
    say(console, f"{known.notna().sum()} of {len(known)} samples labelled, {n_classes} classes.")
    heading(console, "Embeddings: k-means into as many clusters as classes, and neighbours")
    metrics = found.model.metrics if metric is None else (metric,)
    embeddings = {str(name): found.model.embedding(name) for name in metrics}
    if found.pca is not None:
        embeddings["PCA"] = found.pca
    print_table(console, _written(compare_embeddings(embeddings, known)), index="embedding")
    say(console, "mean ± sd: of k-means over 5 seeds, of neighbours over 5 splits", "dim")
    if found.pca is not None:
        say(console, "PCA is the baseline: principal components of the data, no model", "dim")
    heading(console, "Subtypes found, against the labels")
    counts, scores = compare_subtypes(found.subtypes["subtype"], known)
    if counts.shape[1] > _MOST_CLASSES:
        say(
            console,
            f"{counts.shape[1]} classes are too many to print, and many for labels of groups: "
            "numbers are better compared by `poems factors`",
            "yellow",
        )
    else:
        print_table(console, counts, index="subtype")
    say(
        console,
        f"accuracy {scores['accuracy']:.2f}, NMI {scores['nmi']:.2f}, ARI {scores['ari']:.2f}",
    )


def diagnose(
    path: RunOrModel,
    files: inputs.Files = None,
    view: inputs.Views = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    backed: inputs.Backed = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write every check to this CSV file.")
    ] = None,
) -> None:
    """Look for signs that a fit has failed; judge it on new samples, if tables are given."""
    held_out = bool(files or view)
    tables = inputs.parse_views(files, view) if held_out else {}
    in_rows = inputs.views_in_rows(features_in_rows, features_in_rows_of, tables)

    from poems.cli.console import output, say
    from poems.cli.diagnosis import print_checks, print_diagnosis
    from poems.csv_tables import write_csv

    model = load_model(path)
    cohort = (
        inputs.read_cohort(tables, None, features_in_rows=in_rows, backed=backed)
        if held_out
        else None
    )
    diagnosis = model.diagnose(cohort)
    console = output()
    print_checks(console, diagnosis)
    print_diagnosis(console, diagnosis, notes=True)
    if out is not None:
        write_csv(out, diagnosis.table, index=False)
        say(console, f"Written to {out}")


def info(path: RunOrModel) -> None:
    """Say what a run folder or a saved model holds."""
    import pandas as pd

    from poems.cli.console import heading, output, print_findings, print_table, say
    from poems.cli.diagnosis import print_diagnosis
    from poems.settings_file import settings_to_toml

    model = load_model(path)
    console = output()
    say(console, repr(model))
    heading(console, "Versions")
    versions = pd.DataFrame({"version": dict(model.versions)})
    print_table(console, versions)
    heading(console, f"Settings (seed {model.seed})")
    lines = settings_to_toml(model.settings).splitlines()
    say(console, "\n".join(line for line in lines if not line.startswith("#")).rstrip())
    diagnosis = model.diagnose()
    others = [finding for finding in model.findings if finding not in diagnosis.findings]
    if others:
        heading(console, "Findings")
        print_findings(console, others, all_notes=True)
    print_diagnosis(console, diagnosis, notes=True)


def _say_without(console: Console, run: Path, absent: list[str]) -> None:
    """Say how far subtypes can be relied on without a view, as measured in the fit."""
    from poems.cli.console import say
    from poems.run_analysis import read_analysis

    table = read_analysis(run).get("contributions_by_view")
    if table is None:
        return
    switched = table.set_index("view")["switched_share"].dropna()
    for view in absent:
        if view in switched.index:
            say(
                console,
                f"  without {view}, {switched[view]:.0%} of the training samples would get "
                "another subtype",
                "yellow",
            )


def load_model(path: Path) -> FittedPoems:
    """Load the model of a run folder, or a model file."""
    from poems.fitted import load
    from poems.run_folder import read_run

    return read_run(path).model if path.is_dir() else load(path)


def _written(scores: pd.DataFrame) -> pd.DataFrame:
    """Write scores as "mean ± sd", an embedding a row."""
    import pandas as pd

    titles = {"nmi": "NMI", "ari": "ARI", "knn": "kNN"}
    names = [name for name in scores.columns if f"{name}_sd" in scores.columns]
    return pd.DataFrame(
        {
            titles.get(name, name): [
                f"{mean:.2f} ± {sd:.2f}"
                for mean, sd in zip(scores[name], scores[f"{name}_sd"], strict=True)
            ]
            for name in names
        },
        index=pd.Index(scores["embedding"].astype(str)),
    )
