"""CSV, TSV, tab-separated text and GCT, plain or gzipped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from poems.data.formats import Contents, Reader
from poems.errors import ReadError

if TYPE_CHECKING:
    from poems.data.text.tables import TextTable

# What reads is imported when it does: whether a path is there is said before.


def read_table(path: Path) -> Contents:
    """Read a view; cells that are not all plain numbers keep the types that their columns have."""
    from poems.data.text.tables import read_text_table

    return table_contents(read_text_table(path))


def read_annotations(path: Path) -> Contents:
    """Read a table of annotations, its cells as they are written."""
    from poems.data.text.tables import read_text_table

    return annotation_contents(read_text_table(path))


def table_contents(table: TextTable) -> Contents:
    """Return a table of text as one of numbers, where its cells are."""
    import numpy as np

    numbers = table.numbers()
    # The slower way finds out which cells are no numbers, and what is beyond those that there are.
    cells = table.inferred() if numbers is None or np.isinf(numbers.to_numpy()).any() else numbers
    return Contents(cells, table.findings, features_in_rows=table.features_in_rows)


def annotation_contents(table: TextTable) -> Contents:
    """Return a table of text as annotations of samples.

    Raises
    ------
    ReadError
        If the format says that its rows are features.
    """
    from poems.data.obs.values import text_cells

    if table.features_in_rows:
        raise ReadError(
            f"{table.path} is a table of measurements with features in rows "
            f"({table.findings[0].code}), not one of annotations of samples"
        )
    return Contents(text_cells(table), table.findings, untyped=True)


READER = Reader(table=read_table, annotations=read_annotations, gzipped=True)
# Its rows are features, never samples with annotations.
MATRIX = Reader(table=read_table, gzipped=True)
