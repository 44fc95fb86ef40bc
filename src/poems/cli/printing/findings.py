"""Findings, the worst first, in the words of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from poems.cli.printing.console import clean
from poems.cli.printing.tables import print_grid
from poems.cli.words import in_words
from poems.findings import Finding, together

_STYLES: Final = {"error": "bold red", "warning": "yellow", "note": "dim"}
# Notes beyond these are counted; the run's findings.csv has them all.
_MAX_NOTES: Final = 6


def print_findings(console: Console, findings: Sequence[Finding], *, all_notes: bool) -> None:
    """Print findings, the worst first: errors and warnings always, notes perhaps abridged.

    Abridge only what a ``findings.csv`` is written of: the text sends there.
    """
    order = ("error", "warning", "note")
    ranked = sorted(together(findings), key=lambda finding: order.index(finding.severity))
    notes = [finding for finding in ranked if finding.severity == "note"]
    hidden = [] if all_notes or len(notes) <= _MAX_NOTES else notes[_MAX_NOTES - 1 :]
    rows = [
        (Text(finding.severity, style=_STYLES[finding.severity]), Text(clean(_said(finding))))
        for finding in ranked
        if finding not in hidden
    ]
    if hidden:
        text = f"… and {len(hidden)} more notes (all in findings.csv)"
        rows.append((Text("note", style=_STYLES["note"]), Text(text)))
    if rows:
        print_grid(console, rows, indent=0, gap=1)


def _said(finding: Finding) -> str:
    where = f"{finding.view}: " if finding.view is not None else ""
    return where + in_words(finding.message, names=finding.items)
