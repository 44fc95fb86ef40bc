"""``poems transform``: new samples in the latent space of a run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import typer

from poems.cli import checks, inputs
from poems.cli.cohort_tables import TableFlags
from poems.cli.driver import add_command
from poems.cli.printing import decimal, print_findings, print_table, say
from poems.cli.result import CommandResult, claim

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.findings import Finding
    from poems.fitting.projection import Projection


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, transform)


def transform(
    run: inputs.RunFolder,
    out: inputs.Out,
    files: inputs.Files = None,
    view: inputs.Views = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    obs: inputs.NewObs = None,
    layer: inputs.Layers = None,
    backed: inputs.Backed = False,
    match_features: inputs.MatchFeatures = "exact",
    rename_features: inputs.RenameFeatures = None,
    overwrite: inputs.Overwrite = False,
    quiet: inputs.Quiet = False,
) -> CommandResult:
    """Project new samples into the latent space of a run, and assign them to its subtypes."""
    flags = TableFlags(files, view, features_in_rows, features_in_rows_of, obs, layer)
    tables = flags.existing()
    checks.require_files([rename_features])
    checks.require_run(run)
    checks.require_output(out, "projection", overwrite=overwrite)

    from poems.analysis.subtypes.absent_views import doubt_without_views
    from poems.analysis.subtypes.assignment import assignment_sizes
    from poems.data.text.gene_files import read_new_names
    from poems.runs.folder import read_run

    names = None if rename_features is None else read_new_names(rename_features)
    known = read_run(run)
    subtype_model = known.subtype_model()
    projection = known.model.transform(
        tables.read(backed=backed), match_features=match_features, rename_features=names
    )
    assigned = subtype_model.assign(projection.latent, projection.latent_variance)
    measured = known.analysis.get("contributions_by_view")
    doubts: tuple[Finding, ...] = ()
    if measured is not None:
        switched = measured.set_index("view")["switched_share"]
        assigned, doubts = doubt_without_views(assigned, projection.gates, switched)
    projected = _Projected(projection, assigned, assignment_sizes(subtype_model, assigned))
    findings = (*projection.findings, *subtype_model.findings, *doubts)
    n_samples, n_factors = projection.latent.shape
    return CommandResult(
        partial(_show, found=projected, findings=findings),
        {"run": run, "n_samples": n_samples, "n_factors": n_factors},
        matrices=projected.matrices(),
        findings=findings,
        folder=claim(out, "projection", overwrite=overwrite),
        about={"run": str(run), "n_samples": n_samples},
    )


@dataclass(frozen=True, eq=False)
class _Projected:
    """Samples in the latent space, and how many each subtype has of them."""

    projection: Projection
    assigned: pd.DataFrame
    sizes: pd.DataFrame

    def matrices(self) -> dict[str, pd.DataFrame | None]:
        """Return the tables of the folder, a row per sample."""
        from poems.analysis.subtypes.finding import component_table

        components = self.projection.component_probabilities
        tables = {
            "latent": self.projection.latent,
            "latent_variance": self.projection.latent_variance,
            "gates": self.projection.gates,
            "background": _if_any(self.projection.background),
            "precision_shares": self.projection.precision_shares,
            "subtypes": self.assigned,
            "components": None if components is None else component_table(components),
        }
        return {
            name: None if table is None else table.rename_axis("sample")
            for name, table in tables.items()
        }


def _if_any(table: pd.DataFrame | None) -> pd.DataFrame | None:
    return None if table is None or not len(table.columns) else table


def _show(console: Console, found: _Projected, findings: tuple[Finding, ...]) -> None:
    from poems.analysis.contributions.gates import mean_weights

    gates = found.projection.gates
    print_findings(console, findings, all_notes=False)
    n_samples, n_factors = found.projection.latent.shape
    say(console, f"{n_samples} samples projected on {n_factors} factors.", "bold")
    print_table(console, mean_weights(gates).map(decimal).to_frame("mean weight"), index="view")
    if (gates == 0).any(axis=None):
        say(console, "  weights: over the samples on which the omic was measured", "dim")
    print_table(console, found.sizes, index="subtype")
