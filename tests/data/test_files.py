"""Files that unpack without end, and others that are not what they are called."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import poems
from poems.data import files
from poems.data.files import read_text, require_room
from poems.errors import ReadError


def written(data: bytes, folder: Path, name: str = "rna.csv.gz") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_what_unpacks_to_more_than_a_table_can_is_refused_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_LARGE", 1 << 16)
    monkeypatch.setattr(files, "_LARGEST_PART", 1 << 12)
    path = written(gzip.compress(b"sample,g0\n" + b"s,1.0\n" * 200_000), tmp_path)
    with pytest.raises(ReadError, match=r"unpacks to more than .* times its size"):
        read_text(path)


def test_a_large_table_of_zeros_is_read(tmp_path: Path) -> None:
    text = "sample," + ",".join(f"g{n}" for n in range(300)) + "\n"
    text += "".join(f"s{n}," + ",".join("0" * 300) + "\n" for n in range(300))
    path = written(gzip.compress(text.encode()), tmp_path)
    assert read_text(path) == text


def test_text_that_memory_does_not_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"--backed"):
        require_room(tmp_path / "rna.csv", 10**9, 10**9)
    require_room(tmp_path / "rna.csv", 10**6, 10**9)


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(st.binary(max_size=50), min_size=1, max_size=4), zeros=st.integers(0, 600))
def test_members_one_after_another_are_one_text(
    parts: list[bytes], zeros: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = b"".join(map(gzip.compress, parts)) + b"\0" * zeros
    found = b"".join(files._inflated(Path("a.gz"), data))
    assert found == b"".join(parts)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_packed_file_that_was_cut_is_named(keep: float, tmp_path: Path) -> None:
    packed = gzip.compress(np.random.default_rng(0).bytes(5000))
    with pytest.raises(ReadError, match="truncated"):
        read_text(written(packed[: int(keep * len(packed))], tmp_path))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bz2.compress(b"sample,g1\n"), "packed with bzip2"),
        (lzma.compress(b"sample,g1\n"), "packed with xz"),
        (b"\x28\xb5\x2f\xfd\x00\x00", "packed with zstd"),
        (b"PAR1\x00\x00", r"name it \.parquet"),
        (b"%PDF-1.7", "is a PDF"),
    ],
)
def test_files_that_are_no_text_are_called_what_they_are(
    data: bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ReadError, match=message):
        poems.read({"rna": written(data, tmp_path, "rna.csv")})
