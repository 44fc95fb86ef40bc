from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.errors import StorageError
from poems.runs import inputs
from poems.runs.inputs import InputFile, find_input, read_inputs, record_inputs


def test_a_file_is_found_where_it_was_and_known_by_its_contents(tmp_path: Path) -> None:
    table, run = tmp_path / "a.csv", tmp_path / "run"
    table.write_text("1")
    recorded = record_inputs({"a": table}, None, run, {"samples": "union"})
    again = read_inputs({"inputs": json.loads(json.dumps(recorded.record()))}, run)
    assert again == recorded
    file = recorded.views["a"]
    assert find_input(file, run).problem is None
    table.write_text("2")
    assert find_input(file, run).problem == "changed"
    table.unlink()
    assert find_input(file, run).problem == "moved"
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "a.csv").write_text("1")
    found = find_input(file, other / "run")
    assert (found.problem, found.path) == (None, other / "a.csv")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="takes a device")
def test_a_path_that_was_edited_is_not_read_without_end(tmp_path: Path) -> None:
    file = InputFile("/dev/zero", None, 0, "sha256:")
    assert find_input(file, tmp_path).problem == "moved"


def test_a_folder_is_known_by_the_names_and_contents_of_its_files(tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    (store / "x").mkdir(parents=True)
    (store / "x" / "0").write_text("1")
    (store / "x" / "1").write_text("2")
    file = record_inputs(store, None, tmp_path, {}).views[""]
    assert find_input(file, tmp_path).problem is None
    (store / "x" / "1").rename(store / "x" / "2")
    assert find_input(file, tmp_path).problem == "changed"


def test_of_large_files_pieces_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "_LARGEST", 100)
    monkeypatch.setattr(inputs, "_PIECE", 4)
    monkeypatch.setattr(inputs, "_N_PIECES", 5)
    table = tmp_path / "a.parquet"
    table.write_bytes(bytes(range(200)))
    file = record_inputs({"a": table}, None, tmp_path, {}).views["a"]
    assert file.checksum.startswith("sampled:")
    for at in (0, 199, 100):
        table.write_bytes(bytes([*range(at), 255, *range(at + 1, 200)]))
        assert find_input(file, tmp_path).problem == "changed", at
    table.write_bytes(bytes(range(200)))
    assert find_input(file, tmp_path).problem is None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["views", "obs", "options", "a"]), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_whatever_a_marker_says_of_inputs_is_understood_or_refused(found: object) -> None:
    # Of all errors, with this alone.
    with suppress(StorageError):
        read_inputs({"inputs": found}, Path("run"))


@pytest.mark.parametrize(
    "options", [{"obs": "/etc/hostname"}, {"samples": "some"}, {"backed": "yes"}, {"layer": 3}]
)
def test_a_run_tells_the_reader_what_commands_can_tell_it_and_nothing_else(
    options: dict[str, object],
) -> None:
    record = {"views": {}, "obs": None, "options": options}
    with pytest.raises(StorageError, match=f"inputs.options.{next(iter(options))}"):
        read_inputs({"inputs": record}, Path("run"))
