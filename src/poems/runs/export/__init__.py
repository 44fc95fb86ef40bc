"""A run as other programs take it: a folder of CSV files, an Excel workbook, a MuData file."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'poems.runs.export' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
