"""CSV, TSV, tab-separated text and GCT, plain or gzipped."""

from __future__ import annotations

from pathlib import Path

from poems.data.formats import Contents, Reader
from poems.errors import ReadError

# What reads is imported when it does: whether a path is there is said before.


def read_table(path: Path) -> Contents:
    """Read a view; cells that are not all plain numbers keep the types that their columns have."""
    import numpy as np

    from poems.data.text.tables import read_text_table

    table = read_text_table(path)
    numbers = table.numbers()
    # The slower way finds out which cells are no numbers, and what is beyond those that there are.
    cells = table.inferred() if numbers is None or np.isinf(numbers.to_numpy()).any() else numbers
    return Contents(cells, table.findings, features_in_rows=table.features_in_rows)


def read_annotations(path: Path) -> Contents:
    """Read a table of annotations, its cells as they are written."""
    from poems.data.obs.values import text_cells
    from poems.data.text.tables import read_text_table

    table = read_text_table(path)
    if table.features_in_rows:
        raise ReadError(
            f"{path} is a table of measurements with features in rows ({table.findings[0].code}), "
            "not one of annotations of samples"
        )
    return Contents(text_cells(table), table.findings, untyped=True)


READER = Reader(table=read_table, annotations=read_annotations, gzipped=True)
# Its rows are features, never samples with annotations.
MATRIX = Reader(table=read_table, gzipped=True)
