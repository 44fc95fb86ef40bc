"""How commands print a diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poems.cli.printing.console import heading
from poems.cli.printing.findings import print_findings
from poems.cli.printing.numbers import number
from poems.cli.printing.tables import print_table
from poems.findings import count

if TYPE_CHECKING:
    from rich.console import Console

    from poems.diagnosis.check import Diagnosis


def print_diagnosis(console: Console, diagnosis: Diagnosis, *, notes: bool) -> None:
    """Print the verdict and the findings; notes in full, or their number."""
    findings = diagnosis.findings
    n_notes = sum(finding.severity == "note" for finding in findings)
    more = "" if notes or not n_notes else f" ({count(n_notes, 'note')}, see `poems diagnose`)"
    heading(console, f"Diagnosis: {diagnosis}{more}")
    print_findings(
        console,
        [finding for finding in findings if notes or finding.severity != "note"],
        all_notes=True,
    )


def print_checks(console: Console, diagnosis: Diagnosis) -> None:
    """Print what was measured on views and on the whole model; factors only where one fails."""
    import pandas as pd

    rows = [
        {
            "measured": check.quantity,
            "of": check.factor or check.view or "model",
            "samples": check.samples,
            "value": _number(check.value),
            "limit": _number(check.threshold),
            "verdict": check.verdict,
        }
        for check in diagnosis.checks
        if check.factor is None or check.verdict != "ok"
    ]
    print_table(console, pd.DataFrame(rows).set_index("measured"), index="measured")


def _number(value: float | None) -> str:
    return number(float("nan") if value is None else float(value))
