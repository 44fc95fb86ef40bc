"""``poems info``: what a run folder or a saved model holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from poems.cli import checks, inputs
from poems.cli.driver import add_command
from poems.cli.printing import heading, print_findings, print_table, say
from poems.cli.printing.diagnosis import print_diagnosis
from poems.cli.result import CommandResult

if TYPE_CHECKING:
    from rich.console import Console

    from poems.diagnosis.check import Diagnosis
    from poems.findings import Finding
    from poems.fitting.record import StoredModel

# As in poems.runs.folder, which takes long to import; a test holds them equal.
MODEL: Final = "model.poems"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, info)


def info(path: inputs.RunOrModel) -> CommandResult:
    """Say what a run folder or a saved model holds."""
    checks.require_run_or_model(path)

    import pandas as pd

    from poems.fitting.record import read_stored

    file = path / MODEL if path.is_dir() else path
    stored = read_stored(file)
    diagnosis = stored.diagnosis or _judged_by_tables(file)
    others = [each for each in stored.record.findings if each not in diagnosis.findings]
    summary, record = stored.summary, stored.record
    return CommandResult(
        partial(_show, found=stored, diagnosis=diagnosis, others=others),
        {
            "model": path,
            "n_samples": summary.n_samples,
            "n_factors": summary.n_active,
            "n_latent": summary.n_latent,
            "status": summary.status,
            "seed": record.seed,
            "versions": record.versions,
            "settings": record.settings.model_dump(mode="json"),
            "signatures": diagnosis.signatures,
        },
        tables={
            "views": pd.DataFrame([asdict(view) for view in summary.views]),
            "checks": diagnosis.table,
        },
        findings=(*others, *diagnosis.findings),
    )


def _judged_by_tables(file: Path) -> Diagnosis:
    """Return what the tables of a model tell that was saved without a diagnosis."""
    from poems.fitting.result import load

    return load(file).diagnose()


def _show(
    console: Console, found: StoredModel, diagnosis: Diagnosis, others: Sequence[Finding]
) -> None:
    import pandas as pd

    from poems.settings.toml_file import settings_to_toml

    say(console, found.summary)
    heading(console, "Versions")
    print_table(console, pd.DataFrame({"version": found.record.versions}))
    heading(console, f"Settings (seed {found.record.seed})")
    lines = settings_to_toml(found.record.settings).splitlines()
    say(console, "\n".join(line for line in lines if not line.startswith("#")).rstrip())
    if others:
        heading(console, "Findings")
        print_findings(console, others, all_notes=True)
    print_diagnosis(console, diagnosis, notes=True)
