from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from poems.errors import StorageError
from poems.files.tensors import FORMAT, read_state, write_state

DTYPES = [
    "bool",
    "int8",
    "uint8",
    "int16",
    "int32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
]

arrays = st.sampled_from([np.dtype(name) for name in DTYPES]).flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    )
)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name != "__metadata__"
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.poems"
    tensors = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([True, False])}
    write_state(path, tensors, {"seed": 1, "name": "ω"})
    return path


def craft(path: Path, tensors: dict[str, Any], **metadata: str) -> Path:
    """Write a safetensors file with the given metadata."""
    safetensors.numpy.save_file(tensors, path, metadata=metadata)
    return path


@given(
    tensors=st.dictionaries(names, arrays, max_size=4),
    record=st.dictionaries(names, json_values, max_size=4),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, Any], record: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("storage") / "state"
    write_state(path, tensors, record)
    found, text = read_state(path)
    assert text == record
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].dtype == value.dtype
        assert found[name].shape == value.shape
        assert found[name].tobytes() == value.tobytes()


def test_the_order_of_bytes_and_axes_in_memory_does_not_matter(tmp_path: Path) -> None:
    x = np.arange(12.0).reshape(3, 4)
    tensors = {"big": x.astype(">f8"), "fortran": np.asfortranarray(x), "strided": x[::2, ::-1]}
    write_state(tmp_path / "state", tensors, {})
    found, _ = read_state(tmp_path / "state")
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value)


def test_any_changed_byte_is_noticed(saved: Path) -> None:
    whole, reference = saved.read_bytes(), read_state(saved)
    header_end = 8 + int.from_bytes(whole[:8], "little")
    blanks = range(len(whole[:header_end].rstrip(b" ")), header_end)
    for position in range(len(whole)):
        for mask in (0x01, 0x20, 0x80):
            damaged = bytearray(whole)
            damaged[position] ^= mask
            saved.write_bytes(damaged)
            if position not in blanks:
                with pytest.raises(StorageError, match=saved.name):
                    read_state(saved)
                continue
            # Only the blanks between header and data may differ unnoticed.
            try:
                tensors, record = read_state(saved)
            except StorageError:
                continue
            assert record == reference[1]
            assert all(np.array_equal(tensors[name], reference[0][name]) for name in reference[0])


def test_a_truncated_file_is_noticed(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in range(0, len(whole), 7):
        saved.write_bytes(whole[:length])
        with pytest.raises(StorageError, match="is not a POEMS model, or is damaged"):
            read_state(saved)
    saved.write_bytes(whole + b"\0")
    with pytest.raises(StorageError, match="is damaged"):
        read_state(saved)


def test_a_changed_record_does_not_match_its_checksum(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes().replace(rb"\"seed\": 1", rb"\"seed\": 2"))
    with pytest.raises(StorageError) as error:
        read_state(saved)
    assert str(error.value) == (
        f"{saved} is damaged: its contents do not match their checksum. Copy it again or fit again."
    )


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(StorageError, match=f"there is no model file {missing}"):
        read_state(missing)
    with pytest.raises(StorageError, match="there is no model file"):
        read_state(tmp_path)
    text = tmp_path / "table.csv"
    text.write_text("sample,gene\ns1,1.0\n")
    with pytest.raises(StorageError, match=r"table\.csv is not a POEMS model, or is damaged"):
        read_state(text)
    foreign = craft(tmp_path / "foreign.safetensors", {"w": np.ones(3)})
    with pytest.raises(
        StorageError, match=r"is not a POEMS model \(its format is not 'poems-model'\)"
    ):
        read_state(foreign)


@pytest.mark.parametrize("version", ["3", "0", "", "1.0", "x"])
def test_another_format_version_is_refused(tmp_path: Path, version: str) -> None:
    path = craft(tmp_path / "new", {"w": np.ones(1)}, format=FORMAT, format_version=version)
    with pytest.raises(StorageError) as error:
        read_state(path)
    assert str(error.value) == (
        f"{path} has format version {version or 'none'}, this program reads 1 and 2. "
        "Use the version of POEMS that wrote it, or fit again."
    )


@pytest.mark.parametrize("record", ["", "{", "[1]", "null", "3"])
def test_a_record_that_is_no_object_is_refused(tmp_path: Path, record: str) -> None:
    digest = hashlib.sha256(record.encode()).hexdigest()
    metadata = {"format": FORMAT, "format_version": "1", "record": record, "sha256": digest}
    path = craft(tmp_path / "crafted", {}, **metadata)
    with pytest.raises(StorageError, match="is damaged: its record is not"):
        read_state(path)


def test_nothing_is_pickled(saved: Path) -> None:
    content = saved.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    assert header["__metadata__"]["format"] == FORMAT
    assert json.loads(header["__metadata__"]["record"]) == {"seed": 1, "name": "ω"}
    with pytest.raises(TypeError):
        write_state(saved, {}, {"function": print})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_has_no_name_for_are_refused(saved: Path, value: float) -> None:
    before = saved.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_state(saved, {}, {"value": value})
    assert saved.read_bytes() == before


@pytest.mark.parametrize("at", ["start", "middle"])
def test_a_crash_while_writing_leaves_the_old_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    before = saved.read_bytes()

    def crash(path: Path, tensors: object, metadata: object) -> None:
        if at == "middle":
            path.write_bytes(b"half a fi")
        raise OSError("the disk is no longer there")

    monkeypatch.setattr("poems.files.tensors._write", crash)
    with pytest.raises(StorageError, match=r"cannot write the model to .*no longer there"):
        write_state(saved, {"a": np.zeros(3)}, {})
    assert saved.read_bytes() == before
    assert [item.name for item in saved.parent.iterdir()] == [saved.name]


def test_a_model_is_as_readable_as_any_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_state(tmp_path / "model.poems", {"a": np.zeros(3)}, {})
    assert (tmp_path / "model.poems").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_same_tensors_are_the_same_bytes_in_a_plain_container(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    tensors = {
        "flags": np.array([True, False, True]),
        "β": np.arange(6, dtype=">f4").reshape(2, 3),
        "one": np.array(2.5),
        "none": np.zeros((0, 4), np.float32),
        "bytes": np.arange(5, dtype=np.uint8),
        "turned": np.arange(6.0).reshape(2, 3).T,
    }
    paths = [tmp_path / "a.poems", tmp_path / "b.poems"]
    write_state(paths[0], tensors, {"seed": 1, "é": "ü"})
    write_state(paths[1], dict(reversed(tensors.items())), {"seed": 1, "é": "ü"})
    assert paths[0].read_bytes() == paths[1].read_bytes()
    found = load_file(paths[0])
    assert set(found) == set(tensors)
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].shape == value.shape


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"[2,3]", b"[3,2]"), (b'"dtype":"F64"', b'"dtype":"I64"'), (b'"a"', b'"c"')],
    ids=["shape", "type", "name"],
)
def test_the_same_bytes_of_another_shape_type_or_name_do_not_match_their_checksum(
    saved: Path, before: bytes, after: bytes
) -> None:
    whole = saved.read_bytes()
    assert whole.count(before) == 1
    saved.write_bytes(whole.replace(before, after))
    with pytest.raises(StorageError, match="do not match their checksum"):
        read_state(saved)
