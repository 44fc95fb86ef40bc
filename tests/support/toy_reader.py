"""A reader as another package would write it: a sample a line, as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from poems.data.formats import Contents


def read_lines(path: Path) -> Contents:
    """Read ``{"sample": "s1", "TP53": 1.5, ...}`` a line."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return Contents(pd.DataFrame(rows).set_index("sample"))


def write_lines(path: Path, table: pd.DataFrame) -> Path:
    """Write what :func:`read_lines` reads."""
    rows = table.rename_axis("sample").reset_index().to_dict(orient="records")
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path
