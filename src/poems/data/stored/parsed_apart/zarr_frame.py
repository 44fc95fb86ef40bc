"""Tables of annotations of a zarr folder, read without the libraries that made them.

AnnData and pandas take longer to import than most files to read. What current
versions of AnnData write is read here; whatever else a folder holds, AnnData reads.
"""

from __future__ import annotations

import json
from typing import Any

from .payload import Payload

_NUMBERS = "iufb"
_LISTS = frozenset({("array", "0.2.0"), ("string-array", "0.2.0")})
_NULLABLE = ("nullable-integer", "nullable-boolean", "nullable-string-array")


class _Unknown(Exception):  # noqa: N818 - never raised beyond this file
    """A kind of element that only AnnData knows."""


class _Parts:
    """The bytes of columns, one after the other, and what each column is."""

    def __init__(self) -> None:
        self.bytes: list[bytes] = []

    def column(self, node: Any) -> dict[str, Any]:
        """Take a column in; return what it is."""
        kind, version = _kind(node)
        if kind == "categorical" and version == "0.2.0":
            return self._categories(node)
        if kind in _NULLABLE and version == "0.1.0":
            missing = node["mask"][...]
            if missing.dtype.kind != "b" or missing.shape != node["values"].shape:
                raise ValueError("what is missing is not told for each value")
            return {**self._values(node["values"], missing), "nullable": True}
        if (kind, version) in _LISTS:
            return self._values(node)
        raise _Unknown

    def texts(self, values: list[Any]) -> dict[str, Any]:
        """Take texts in; return what they are."""
        told = json.dumps(_texts(values)).encode()
        return {"kind": "text", "length": len(values), **self._sizes(told)}

    def _values(self, array: Any, missing: Any = None) -> dict[str, Any]:
        values = array[...]
        if values.ndim != 1:
            raise ValueError(f"a column has {values.ndim} axes, not 1")
        if missing is not None and values.dtype.kind == "f":
            raise ValueError("whole numbers that may be missing are fractions")
        if values.dtype.kind in _NUMBERS:
            parts = [values.tobytes()] + ([] if missing is None else [missing.tobytes()])
            facts = {"kind": "number", "length": len(values), "dtype": values.dtype.str}
            return {**facts, **self._sizes(*parts)}
        if _kind(array)[0] != "string-array":
            raise _Unknown
        texts = values.tolist()
        if missing is not None:
            both = zip(missing.tolist(), texts, strict=True)
            texts = [None if out else each for out, each in both]
        return self.texts(texts)

    def _categories(self, group: Any) -> dict[str, Any]:
        codes, categories = group["codes"][...], group["categories"]
        n, listed = categories.size, categories[...].tolist()
        if codes.ndim != 1 or codes.dtype.kind not in "iu":
            raise ValueError("the codes of categories are not a row of whole numbers")
        if len(codes) and not (int(codes.min()) >= -1 and int(codes.max()) < n):
            raise ValueError(f"codes lie outside the {n} categories")
        if any(each != each for each in listed) or len(set(listed)) < n:
            raise ValueError("categories occur more than once, or are missing")
        facts = {
            "kind": "categories",
            "length": len(codes),
            "ordered": bool(group.attrs.get("ordered", False)),
            "categories": self.column(categories),
        }
        return {**facts, **self._sizes(codes.astype("<i8").tobytes())}

    def _sizes(self, *parts: bytes) -> dict[str, Any]:
        self.bytes.extend(parts)
        return {"sizes": [len(each) for each in parts]}


def hand_over(node: Any, payload: Payload) -> dict[str, Any]:
    """Hand over a table of annotations, or a list of names.

    Parameters
    ----------
    node
        A group or an array of zarr.
    payload
        Where the values are written.

    Returns
    -------
    dict
        ``columns`` and ``index``: what each is, ``length`` and ``sizes`` of its
        parts in bytes, which follow in the order of the columns, the index last
        (of categories, those before the codes); ``names`` of the columns. Or, with
        ``arrow``, that the table is one of Arrow. ``shape`` is that of a list.

    Raises
    ------
    ValueError
        If parts of it contradict each other.
    """
    parts = _Parts()
    try:
        answer = _table(node, parts) if hasattr(node, "keys") else _list(node, parts)
    except _Unknown:
        return _by_anndata(node, payload)
    return {**answer, "n_bytes": payload.bytes(b"".join(parts.bytes))}


def _table(group: Any, parts: _Parts) -> dict[str, Any]:
    if _kind(group) != ("dataframe", "0.2.0"):
        raise _Unknown
    names, own = group.attrs["column-order"], group.attrs["_index"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in [*names, own]):
        raise ValueError("its attributes column-order and _index do not name arrays")
    columns = [parts.column(group[name]) for name in names]
    index = _names(group[own], parts)
    if any(each["length"] != index["length"] for each in columns):
        raise ValueError("its columns are not as long as its list of names")
    return {"names": names, "columns": columns, "index": index}


def _list(array: Any, parts: _Parts) -> dict[str, Any]:
    shape = [int(n) for n in array.shape]
    return {"names": [], "columns": [], "index": _names(array, parts), "shape": shape}


def _names(node: Any, parts: _Parts) -> dict[str, Any]:
    if _kind(node)[0] == "nullable-string-array":
        return parts.column(node)
    if _kind(node) not in _LISTS:
        raise _Unknown
    return parts.texts(node[...].ravel().tolist())


def _kind(node: Any) -> tuple[str, str]:
    return str(node.attrs.get("encoding-type")), str(node.attrs.get("encoding-version"))


def _by_anndata(node: Any, payload: Payload) -> dict[str, Any]:
    import warnings

    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from anndata.io import read_elem

    # What the library says of its own workings; this process has no one to tell.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = read_elem(node)
    if isinstance(found, pd.DataFrame):
        columns = {str(at): found.iloc[:, at].array for at in range(found.shape[1])}
        typed = pd.DataFrame({**columns, "index": _texts(found.index)})
        table = pa.Table.from_pandas(typed, preserve_index=False)
        names = [str(name) for name in found.columns]
        return {**payload.table(table), "arrow": True, "names": names}
    values = np.asarray(found, dtype=object)
    table = pa.table({"index": pa.array(_texts(values.ravel()), type=pa.large_string())})
    return {**payload.table(table), "arrow": True, "shape": list(values.shape)}


def _texts(values: Any) -> list[str | None]:
    # What is missing is no text; NaN alone is not itself.
    return [None if each is None or each != each else str(each) for each in values]
