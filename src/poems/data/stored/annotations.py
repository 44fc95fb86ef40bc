"""Tables of annotations and lists of names, as another process hands them over."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.stored.helper import Bytes

Names = npt.NDArray[np.object_]


def from_parts(answer: dict[str, Any], values: Bytes) -> pd.DataFrame | Names:
    """Put together what :func:`~poems.data.stored.parsed_apart.zarr_frame.hand_over` wrote.

    Parameters
    ----------
    answer
        What the columns and the index are.
    values
        Their bytes, of shape (n_bytes,).

    Returns
    -------
    DataFrame or array
        The table, its index the names; a list of names has the shape that it had.
    """
    parts = _Parts(values)
    columns = [parts.column(each) for each in answer["columns"]]
    index = np.array([*parts.column(answer["index"]), None], dtype=object)[:-1]
    if "shape" in answer:
        return index.reshape(answer["shape"])
    table = pd.DataFrame(dict(enumerate(columns)), index=pd.Index(index, dtype=object))
    table.columns = pd.Index(answer["names"], dtype=object)
    return table


def from_arrow(answer: dict[str, Any], values: Bytes) -> pd.DataFrame | Names:
    """Put together what was handed over as a table of Arrow; as :func:`from_parts`."""
    import pyarrow as pa

    table: pd.DataFrame = pa.ipc.open_stream(pa.py_buffer(values)).read_all().to_pandas()
    names: Names = table.pop("index").to_numpy(dtype=object)
    if "shape" in answer:
        return names.reshape(answer["shape"])
    table.index, table.columns = pd.Index(names), pd.Index(answer["names"], dtype=object)
    return table


class _Parts:
    def __init__(self, values: Bytes) -> None:
        self._values, self._at = values, 0

    def _next(self, size: int) -> Bytes:
        self._at += size
        return self._values[self._at - size : self._at]

    def column(self, facts: dict[str, Any]) -> Any:
        """Return the next column as pandas has it."""
        if facts["kind"] == "categories":
            categories = self.column(facts["categories"])
            codes = self._next(facts["sizes"][0]).view("<i8").tolist()
            return pd.Categorical.from_codes(codes, categories, ordered=facts["ordered"])
        parts = [self._next(size) for size in facts["sizes"]]
        if facts["kind"] == "text":
            texts = json.loads(parts[0].tobytes())
            found = np.array([*texts, None], dtype=object)[:-1]
            return pd.array(found, dtype="string") if "nullable" in facts else found
        kind = np.dtype(facts["dtype"])
        numbers = parts[0].view(kind).astype(kind.newbyteorder("="))
        if "nullable" not in facts:
            return numbers
        # Whole numbers of which some are missing would become floats.
        typed = pd.arrays.BooleanArray if kind.kind == "b" else pd.arrays.IntegerArray
        return typed(numbers, parts[1].view(bool))
