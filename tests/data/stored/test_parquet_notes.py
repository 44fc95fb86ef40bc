"""What pandas noted in a Parquet file may be damaged: one sentence, in memory and backed alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from hdf5_files import dense, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import poems
from poems import DataError, ReadError

both_ways = pytest.mark.parametrize("backed", [False, True], ids=["memory", "backed"])


def frame() -> pd.DataFrame:
    x = dense()
    return pd.DataFrame(x, [f"s{i}" for i in range(len(x))], [f"g{j}" for j in range(x.shape[1])])


def write(path: Path, notes: Any) -> Path:
    """Write a table with notes of one's own: text, or a change of the right ones."""
    whole = pyarrow.Table.from_pandas(frame())
    if callable(notes):
        right = json.loads(whole.schema.metadata[b"pandas"])
        notes(right)
        notes = json.dumps(right)
    metadata = {} if notes is None else {b"pandas": notes}
    pyarrow.parquet.write_table(whole.replace_schema_metadata(metadata), path)
    return path


@both_ways
@pytest.mark.parametrize(
    ("notes", "text"),
    [
        ("{nope", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("3", "they are 3"),
        ("[]", r"they are \[\]"),
        ("{}", "lists of columns"),
        (lambda n: n.update(columns=[{"name": "g0"}]), "described by"),
        (lambda n: n.update(columns=3), "lists of columns"),
        (lambda n: n.update(index_columns=["nope"]), "'nope' should hold the names of the rows"),
        (lambda n: n.update(index_columns=[3]), "'3' should hold"),
        (lambda n: n.update(index_columns=[{"kind": "range"}]), "the rows are numbered by"),
        (
            lambda n: n.update(
                index_columns=[{"kind": "range", "start": 0, "stop": 10**12, "step": 1}]
            ),
            "number 1000000000000 rows, and there are 12",
        ),
        (
            lambda n: n.update(index_columns=[{"kind": "range", "start": 0, "stop": 1, "step": 0}]),
            "the rows are numbered by",
        ),
    ],
)
def test_damaged_notes_are_one_sentence(
    tmp_path: Path, backed: bool, notes: Any, text: str
) -> None:
    path = write(tmp_path / "a.parquet", notes)
    with pytest.raises(ReadError, match=text) as caught:
        read({"a": path}, backed)
    assert "a.parquet" in str(caught.value)
    assert "replace_schema_metadata" in str(caught.value)
    assert "\n" not in str(caught.value)


@both_ways
def test_sound_notes_and_none_are_read(tmp_path: Path, backed: bool) -> None:
    path = write(tmp_path / "a.parquet", lambda notes: None)
    np.testing.assert_array_equal(read({"a": path}, backed)["a"], dense())
    frame().reset_index().to_parquet(tmp_path / "b.parquet")
    np.testing.assert_array_equal(read({"a": tmp_path / "b.parquet"}, backed)["a"], dense())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from(["columns", "index_columns", "column_indexes", "attributes"]),
    inner=st.sampled_from([None, "name", "field_name", "pandas_type", "numpy_type", "metadata"]),
    value=json_values,
)
def test_any_notes_are_read_or_refused(
    tmp_path: Path, field: str, inner: str | None, value: Any
) -> None:
    def change(notes: dict[str, Any]) -> None:
        if inner is None or not isinstance(notes[field], list) or field == "index_columns":
            notes[field] = value
        else:
            notes[field][0][inner] = value

    path = write(tmp_path / "a.parquet", change)
    for backed in (False, True):
        found, text = attempt(path, backed)
        assert "a.parquet" in text if found is None else len(found) == len(dense())


def attempt(path: Path, backed: bool) -> tuple[Any, str]:
    try:
        return read({"a": path}, backed)["a"], ""
    except DataError as error:
        return None, str(error)


def test_a_table_larger_than_memory_is_refused_with_the_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.parquet", lambda notes: None)
    monkeypatch.setattr("poems.data.stored.memory.memory_left", lambda: 100)
    with pytest.raises(ReadError, match=r"a\.parquet of 12 samples and 6 features takes"):
        read({"a": path}, False)


def test_a_table_is_refused_that_memory_cannot_hold_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rna.parquet"
    pd.DataFrame(np.zeros((1000, 20)), [f"s{i}" for i in range(1000)]).rename(
        columns=str
    ).to_parquet(path)
    # Room for the values, not for what they are copied to on the way.
    monkeypatch.setattr("poems.data.stored.memory.memory_left", lambda: 1000 * 20 * 30)
    with pytest.raises(ReadError, match="leave the values in the file"):
        poems.read({"rna": path})
