"""Parquet and zarr are parsed by another process, whose faults end nothing but itself."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from hdf5_files import csr, dense, read, table
from helper_programs import ABORT, CIRCLE, CRASH, GONE

import poems
from poems import DataError, ReadError
from poems.data.stored import parsing
from poems.data.stored.helper import Helper
from poems.data.stored.parsed_apart import limits, parquet, reasons, serve, zarr_store
from poems.data.stored.parsed_apart.payload import Payload

KINDS = {"parquet": "a.parquet", "zarr_store": "a.zarr"}


def frame() -> pd.DataFrame:
    x = dense()
    return pd.DataFrame(x, [f"s{i}" for i in range(len(x))], [f"g{j}" for j in range(x.shape[1])])


@pytest.fixture(params=["parquet", "zarr_store"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / KINDS[kind]
    if kind == "parquet":
        frame().to_parquet(path, row_group_size=5)
    else:
        with warnings.catch_warnings():
            # AnnData tells what its next version will write.
            warnings.simplefilter("ignore", UserWarning)
            table(csr()).write_zarr(path)
    return path


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, kind: str) -> Iterator[Callable[[str], Helper]]:
    made: list[Helper] = []

    def use(program: str) -> Helper:
        helper = Helper(program, payload=True)
        made.append(helper)
        monkeypatch.setitem(parsing.HELPERS, kind, helper)
        return helper

    yield use
    for helper in made:
        helper.end()


def expected(kind: str) -> Any:
    return dense() if kind == "parquet" else csr().toarray()


@pytest.mark.parametrize(
    ("program", "text"),
    [(CRASH, "crashes the"), (ABORT, "crashes the"), (CIRCLE, "may run in circles")],
)
def test_a_crash_or_a_circle_is_a_sentence_that_names_the_file(
    path: Path,
    kind: str,
    use: Callable[[str], Helper],
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    text: str,
) -> None:
    monkeypatch.setattr(parsing, "_SECONDS", 1.0)
    use(program)
    for backed in (False, True) if kind == "parquet" else (True,):
        with pytest.raises(ReadError, match=text) as caught:
            read({"a": path}, backed)
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_where_no_process_runs_this_one_parses(
    path: Path, kind: str, use: Callable[[str], Helper], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(GONE)
    np.testing.assert_array_equal(read({"a": path}, True)["a"], expected(kind))
    monkeypatch.setattr(subprocess, "Popen", refuse)
    np.testing.assert_array_equal(read({"a": path}, True)["a"], expected(kind))


def refuse(*_: Any, **__: Any) -> None:
    raise OSError("no more processes")


def test_a_process_that_ended_meanwhile_is_started_again(path: Path, kind: str) -> None:
    for _ in range(2):
        np.testing.assert_array_equal(read({"a": path}, True)["a"], expected(kind))
        parsing.HELPERS[kind].end()


def test_values_that_were_read_once_to_the_end_are_read_here_afterwards(
    path: Path, kind: str, use: Callable[[str], Helper]
) -> None:
    with poems.read({"a": path}, backed=True) as cohort:
        use(CRASH)
        np.testing.assert_array_equal(cohort.views["a"].rows(slice(None)), expected(kind))
        np.testing.assert_array_equal(cohort.views["a"].columns(1, 3), expected(kind)[:, 1:3])


def test_bytes_that_changed_are_read_or_refused_with_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    frame().to_parquet(path, row_group_size=5)
    sound = path.read_bytes()
    rng = np.random.default_rng(0)
    for n in range(40):
        changed = bytearray(sound)
        for place in rng.choice(len(sound), size=int(rng.integers(1, 8))):
            changed[place] = int(rng.integers(256))
        path.write_bytes(changed if n % 5 else sound[: int(rng.integers(len(sound)))])
        text = refusal(path, bool(n % 2))
        assert "\n" not in text or "problems" in text
        assert not text or path.name in text


def refusal(path: Path, backed: bool) -> str:
    """Say why a file is refused; nothing if it is read."""
    try:
        read({"a": path}, backed)
    except DataError as error:
        return str(error)
    return ""


def test_a_table_that_claims_far_more_than_it_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    zeros = pyarrow.table({"sample": [f"s{i}" for i in range(5)], "g": [0.0] * 5})
    pyarrow.parquet.write_table(zeros, path)
    monkeypatch.setattr(parquet, "_SMALL", 1)
    monkeypatch.setattr(parquet, "_RATIO", 0.01)
    monkeypatch.setitem(parsing.HELPERS, "parquet", Helper(GONE, payload=True))
    with pytest.raises(ReadError, match=r"a\.parquet claims .* more than a table"):
        read({"a": path}, False)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError(), "GB of memory"),
        (KeyError("some\nlines"), r"a\.zarr, X cannot be read"),
        (RecursionError("too deep"), r"a\.zarr, X cannot be read: too deep"),
    ],
)
def test_any_error_of_a_library_becomes_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(zarr_store, "answer", fail)
    monkeypatch.setitem(parsing.HELPERS, "zarr_store", Helper(GONE, payload=True))
    with pytest.raises(ReadError, match=text) as caught:
        parsing.parse("zarr_store", Path("a.zarr"), {"do": "node"}, where="a.zarr, X")
    assert "\n" not in str(caught.value)


def test_a_fault_of_poems_is_not_called_damage(tmp_path: Path) -> None:
    """Neither where another process parses, as here, nor where this one calls the library."""
    path = tmp_path / "a.parquet"
    frame().to_parquet(path)
    with pytest.raises(ReadError, match=r"POEMS fails on it \(TypeError in parquet\.py, line"):
        parsing.parse("parquet", path, {"do": "block", "index": 3})
    ours: Any = reasons.fault
    with pytest.raises(ReadError, match=r"AttributeError in reasons\.py, .*report") as caught:
        parsing.guarded("a.h5ad, X", lambda: ours("a", 3))
    assert "damaged" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [MemoryError(), ReadError("a says what to do")])
def test_memory_and_what_was_said_already_are_passed_on(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        parsing.guarded("a.h5ad, X", fail)
    assert caught.value is error


def test_the_memory_of_the_process_is_bounded_by_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_to: list[int] = []
    monkeypatch.setattr(limits, "limit_memory", set_to.append)
    monkeypatch.setattr(serve, "limit_memory_beyond", limits.limit_memory_beyond)
    monkeypatch.setattr(serve, "limit_time", lambda seconds: None)
    monkeypatch.setattr(zarr_store, "answer", lambda question, payload: {})
    asked = {"kind": "zarr_store", "path": "a", "where": "a", "seconds": 1.0}
    file = parsing.nameless_file()
    for memory in (10**6, 10**9):
        serve.parse({**asked, "memory": memory}, Payload(file))
    assert 0.9e9 < set_to[1] - set_to[0] < 1.1e9
