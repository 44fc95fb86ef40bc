"""A zarr folder that is not whole is refused, and nothing outside it read."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest
from hdf5_files import csr, dense, read, table

import poems
from poems import DataError, ReadError

Change = Callable[[Path], None]


@pytest.fixture(params=["2", "3", "3-sharded"])
def version(request: pytest.FixtureRequest) -> Any:
    wanted = {
        "zarr_write_format": int(request.param[0]),
        "auto_shard_zarr_v3": "sharded" in request.param,
    }
    with anndata.settings.override(**wanted):
        yield request.param


def store(folder: Path, x: Any) -> Path:
    path = folder / "v.zarr"
    with warnings.catch_warnings():
        # AnnData tells what its next version will write.
        warnings.simplefilter("ignore", UserWarning)
        table(x).write_zarr(path, **({"chunks": (4, 5)} if isinstance(x, np.ndarray) else {}))
    return path


def chunks(path: Path, array: str) -> list[Path]:
    return sorted(
        each
        for each in (path / array).rglob("*")
        if each.is_file() and each.name[0] != "." and each.name != "zarr.json"
    )


def remove(each: Path) -> None:
    each.unlink()


def empty(each: Path) -> None:
    each.write_bytes(b"")


def cut(each: Path) -> None:
    each.write_bytes(each.read_bytes()[:-3])


def nearly_all(each: Path) -> None:
    each.write_bytes(each.read_bytes()[:20])


@pytest.mark.parametrize("change", [remove, empty, cut, nearly_all])
@pytest.mark.parametrize("array", ["X", "X/data", "X/indices", "X/indptr", "obs/_index"])
def test_chunks_that_are_missing_or_cut_are_an_error_and_no_zeros(
    tmp_path: Path, version: str, array: str, change: Change
) -> None:
    path = store(tmp_path, csr() if "/" in array and array[0] == "X" else dense())
    whole = read(path, True)["v"]
    np.testing.assert_array_equal(whole, csr().toarray() if "X/" in array else dense())
    change(chunks(path, array)[-1])
    with pytest.raises(ReadError, match=r"missing|cut|cannot be read|damaged") as caught:
        read(path, True)
    assert "v.zarr" in str(caught.value)


def test_annotations_that_were_not_written_are_told_of(tmp_path: Path, version: str) -> None:
    path = store(tmp_path, dense())
    assert not poems.read(path, backed=True).findings
    for each in chunks(path, "obs/grp/codes"):
        each.unlink()
    cohort = poems.read(path, backed=True)
    found = [each for each in cohort.findings if each.code == "chunks-missing"]
    assert len(found) == 1
    assert "obs/grp/codes" in str(found[0])


@pytest.mark.parametrize("array", ["X", "obs/_index"])
def test_links_to_files_outside_are_refused(tmp_path: Path, version: str, array: str) -> None:
    path = store(tmp_path, dense())
    chunk = chunks(path, array)[0]
    shutil.move(chunk, tmp_path / "secret")
    chunk.symlink_to(tmp_path / "secret")
    with pytest.raises(ReadError, match="takes its values from other files"):
        read(path, True)


def test_damaged_bytes_are_read_or_refused_with_one_sentence(tmp_path: Path, version: str) -> None:
    sound = store(tmp_path, csr())
    files = sorted(each for each in sound.rglob("*") if each.is_file())
    rng = np.random.default_rng(0)
    for n in range(60):
        path = tmp_path / f"{n}.zarr"
        shutil.copytree(sound, path)
        file = path / files[int(rng.integers(len(files)))].relative_to(sound)
        content = bytearray(file.read_bytes())
        content[int(rng.integers(len(content)))] = int(rng.integers(256))
        file.write_bytes(content)
        text = refusal(path)
        assert "\n" not in text
        assert not text or path.name in text


def refusal(path: Path) -> str:
    """Say why a folder is refused; nothing if it is read."""
    try:
        read(path, True)
    except DataError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("array", ["X", "obs/_index"])
def test_a_chunk_that_claims_to_unpack_to_too_much_is_named(tmp_path: Path, array: str) -> None:
    with anndata.settings.override(zarr_write_format=2):
        path = store(tmp_path, dense())
    chunk = chunks(path, array)[0]
    content = bytearray(chunk.read_bytes())
    content[4:8] = (0xFFFFFFF0).to_bytes(4, "little")  # where blosc says what comes out
    chunk.write_bytes(content)
    with pytest.raises(ReadError, match=r"claims to unpack to 4294967280 bytes, and \d+ are the"):
        read(path, True)


def test_chunks_of_no_size_are_named(tmp_path: Path) -> None:
    with anndata.settings.override(zarr_write_format=2):
        path = store(tmp_path, dense())
    told = path / "X" / ".zarray"
    text = told.read_text("utf-8")
    start = text.index("[", text.index('"chunks"'))
    told.write_text(text[:start] + "[0, 0]" + text[text.index("]", start) + 1 :], "utf-8")
    with pytest.raises(ReadError, match=r"X is damaged: it has chunks of no size|not.*zarr|read"):
        read(path, True)
