"""``poems transform``, ``evaluate``, ``diagnose`` and ``info``: what to do with a fitted run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from poems.cli import inputs

if TYPE_CHECKING:
    import pandas as pd

    from poems.findings import Finding

# A table of more columns does not fit into a terminal.
_MOST_CLASSES: Final = 16


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("transform")(transform)
    app.command("evaluate")(evaluate)
    app.command("diagnose")(diagnose)
    app.command("info")(info)


def transform(
    run: inputs.RunFolder,
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

    from poems.analysis.absent_views import doubt_without_views
    from poems.analysis.assignment import assignment_sizes
    from poems.analysis.contributions import mean_weights
    from poems.analysis.subtypes import component_table
    from poems.cli.console import decimal, output, print_findings, print_table, say
    from poems.cli.result_folder import write_result
    from poems.output_folder import claim_folder
    from poems.run_folder import read_run

    known = read_run(run)
    subtype_model = known.subtype_model()
    cohort = inputs.read_cohort(tables, None, features_in_rows=in_rows, backed=backed)
    projection = known.model.transform(cohort)
    assigned = subtype_model.assign(projection.latent, projection.latent_variance)
    measured = known.analysis.get("contributions_by_view")
    doubts: tuple[Finding, ...] = ()
    if measured is not None:
        switched = measured.set_index("view")["switched_share"]
        assigned, doubts = doubt_without_views(assigned, projection.gates, switched)
    findings = (*projection.findings, *subtype_model.findings, *doubts)
    folder = claim_folder(out, "projection", overwrite=overwrite)
    components = projection.component_probabilities
    matrices = {
        "latent": projection.latent,
        "latent_variance": projection.latent_variance,
        "gates": projection.gates,
        "subtypes": assigned,
        "components": None if components is None else component_table(components),
    }
    written = write_result(
        folder,
        "projection",
        {"run": str(run), "n_samples": len(projection.latent)},
        tables={},
        findings=findings,
        matrices={
            name: None if table is None else table.rename_axis("sample")
            for name, table in matrices.items()
        },
    )
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
    print_table(console, assignment_sizes(subtype_model, assigned), index="subtype")
    say(console, f"Written to {folder}: {', '.join(written)}")


def evaluate(
    run: inputs.RunFolder,
    labels: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of the run's obs table that holds labels.")
    ],
    metric: inputs.MetricOption = None,
) -> None:
    """Compare the embedding and the subtypes of a run with known labels."""
    from poems.cli.console import heading, output, print_findings, print_table, say
    from poems.data.obs_values import clean_obs
    from poems.evaluation.labelled import compare_embeddings, compare_subtypes, label_column
    from poems.run_folder import read_run

    found = read_run(run)
    known = label_column(found.obs, labels, str(found.folder))
    console = output()
    # Of runs whose obs table was not cleaned when they were fitted.
    _, noticed = clean_obs(found.obs.loc[:, [str(name) == labels for name in found.obs.columns]])
    print_findings(console, noticed, all_notes=True)
    n_classes = known.nunique()
    say(console, f"{known.notna().sum()} of {len(known)} samples labelled, {n_classes} classes.")
    heading(console, "Embeddings: k-means into as many clusters as classes, and neighbours")
    metrics = found.model.metrics if metric is None else (metric,)
    embeddings = {str(name): found.model.embedding(name) for name in metrics}
    if found.pca is not None:
        embeddings["PCA"] = found.pca
    print_table(console, _written(compare_embeddings(embeddings, known)), index="embedding")
    if not found.model.n_active:
        say(
            console,
            "the model has no factor: its embeddings hold nothing to score, or the views alone",
        )
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
    path: inputs.RunOrModel,
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

    model = inputs.load_model(path)
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


def info(path: inputs.RunOrModel) -> None:
    """Say what a run folder or a saved model holds."""
    import pandas as pd

    from poems.cli.console import heading, output, print_findings, print_table, say
    from poems.cli.diagnosis import print_diagnosis
    from poems.settings_file import settings_to_toml

    model = inputs.load_model(path)
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


def _written(scores: pd.DataFrame) -> pd.DataFrame:
    """Write scores as "mean ± sd", an embedding a row."""
    import pandas as pd

    titles = {"nmi": "NMI", "ari": "ARI", "knn": "kNN"}
    names = [name for name in scores.columns if f"{name}_sd" in scores.columns]
    return pd.DataFrame(
        {
            titles.get(name, name): [
                f"{mean:.2f} ± {sd:.2f}" if mean == mean else "–"
                for mean, sd in zip(scores[name], scores[f"{name}_sd"], strict=True)
            ]
            for name in names
        },
        index=pd.Index(scores["embedding"].astype(str)),
    )
