"""A run as other programs take it: a folder of CSV files, an Excel workbook, a MuData file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poems._lazy import lazily

if TYPE_CHECKING:
    from poems.runs.export.csv_folder import export_csv
    from poems.runs.export.h5mu import export_h5mu
    from poems.runs.export.workbook import export_workbook

# Loaded on first use: which tables there are can be said without what writes them.
_HOMES = {
    "export_csv": "poems.runs.export.csv_folder",
    "export_h5mu": "poems.runs.export.h5mu",
    "export_workbook": "poems.runs.export.workbook",
}

__all__ = ["export_csv", "export_h5mu", "export_workbook"]

__getattr__, __dir__ = lazily(__name__, _HOMES)
