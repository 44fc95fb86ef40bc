"""What a damaged or crafted .h5ad or .h5mu may hold, read into memory and left on disk alike."""

from __future__ import annotations

import itertools
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hdf5_files import Change, D, N, csr, dense, put, read, write

import poems
from poems import DataError, ReadError
from poems.data.stored.hdf5 import inspect_hdf5
from poems.data.stored.helper import Helper

both_ways = pytest.mark.parametrize("backed", [False, True], ids=["memory", "backed"])
both_files = pytest.mark.parametrize("ending", [".h5ad", ".h5mu"])

OTHER = "takes its values from other files"
PLACES = ["X", "obs", "obs/_index", "obs/grp/codes", "obs/grp/categories", "obs/age", "var"]


def other_file(folder: Path) -> None:
    """A file of somebody else, with everything that a link might ask for."""
    write(folder, ".h5ad", dense()).rename(folder / "other.h5")


@both_ways
@both_files
@pytest.mark.parametrize("place", [*PLACES, "var/_index", "uns/more", "obsm/pca", "layers/raw"])
def test_a_link_to_another_file_is_refused_wherever_it_stands(
    tmp_path: Path, ending: str, backed: bool, place: str
) -> None:
    other_file(tmp_path)

    def change(file: h5py.File, root: str) -> None:
        if root + place in file:
            del file[root + place]
        file[root + place] = h5py.ExternalLink("other.h5", place if place in PLACES else "X")

    with pytest.raises(ReadError, match=OTHER) as caught:
        read(write(tmp_path, ending, dense(), change), backed)
    assert place in str(caught.value)
    assert f"v{ending}" in str(caught.value)


@both_ways
@both_files
def test_a_soft_link_that_passes_over_a_link_to_another_file_is_refused(
    tmp_path: Path, ending: str, backed: bool
) -> None:
    other_file(tmp_path)

    def change(file: h5py.File, root: str) -> None:
        file["zz_elsewhere"] = h5py.ExternalLink("other.h5", "/")
        del file[root + "X"]
        file[root + "X"] = h5py.SoftLink("/zz_elsewhere/X")

    with pytest.raises(ReadError, match=OTHER):
        read(write(tmp_path, ending, dense(), change), backed)


@both_ways
@both_files
@pytest.mark.parametrize("place", ["X", "obs/age"])
@pytest.mark.parametrize("kind", ["external", "virtual"])
def test_values_in_other_files_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    backed: bool,
    place: str,
    kind: str,
) -> None:
    other_file(tmp_path)
    monkeypatch.chdir(tmp_path)

    def change(file: h5py.File, root: str) -> None:
        shape = file[root + place].shape
        attributes = dict(file[root + place].attrs)
        del file[root + place]
        if kind == "external":
            found = file.create_dataset(
                root + place, shape, "f4", external=[("other.h5", 0, int(np.prod(shape)) * 4)]
            )
        else:
            layout = h5py.VirtualLayout(shape, "f4")
            layout[:] = h5py.VirtualSource("other.h5", place, shape)
            found = file.create_virtual_dataset(root + place, layout)
        found.attrs.update(attributes)

    with pytest.raises(ReadError, match=OTHER):
        read(write(tmp_path, ending, dense(), change), backed)


def dangling(file: h5py.File, root: str) -> None:
    del file[root + "X"]
    file[root + "X"] = h5py.SoftLink("/nowhere")


def looping(file: h5py.File, root: str) -> None:
    del file[root + "X"]
    file[root + "X"] = h5py.SoftLink(f"/{root}X")


def hard_circle(file: h5py.File, root: str) -> None:
    file[root + "obs/again"] = file[root + "obs"]


def soft_circle(file: h5py.File, root: str) -> None:
    file[root + "uns/again"] = h5py.SoftLink("/")


def deep(file: h5py.File, root: str) -> None:
    file.create_group("/".join(["uns", *["a"] * 60]))


@both_ways
@both_files
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (dangling, "X is a link to '/nowhere', which is not in the file"),
        (looping, "X is a link to .*, which is not in the file"),
        (hard_circle, "contains itself"),
        (soft_circle, "contains itself"),
        (deep, "levels"),
    ],
)
def test_links_that_lead_nowhere_or_in_circles_are_refused(
    tmp_path: Path, ending: str, backed: bool, change: Change, text: str
) -> None:
    with pytest.raises(ReadError, match=text):
        read(write(tmp_path, ending, dense(), change), backed)


@both_ways
@both_files
def test_a_link_within_the_file_is_followed(tmp_path: Path, ending: str, backed: bool) -> None:
    def change(file: h5py.File, root: str) -> None:
        file.move(root + "X", root + "layers/raw")
        file[root + "X"] = h5py.SoftLink(f"/{root}layers/raw")

    found = read(write(tmp_path, ending, dense(), change), backed)
    np.testing.assert_array_equal(found["v"], dense())


def never_written(file: h5py.File, root: str) -> None:
    attributes = dict(file[root + "X"].attrs)
    del file[root + "X"]
    file.create_dataset(root + "X", (N, D), "f4").attrs.update(attributes)


def some_chunks(file: h5py.File, root: str) -> None:
    attributes = dict(file[root + "X"].attrs)
    del file[root + "X"]
    found = file.create_dataset(root + "X", (N, D), "f4", chunks=(4, D))
    found[:8] = 1
    found.attrs.update(attributes)


def codes_never_written(file: h5py.File, root: str) -> None:
    attributes = dict(file[root + "obs/grp/codes"].attrs)
    del file[root + "obs/grp/codes"]
    file.create_dataset(root + "obs/grp/codes", (N,), "i1").attrs.update(attributes)


def large_claim(file: h5py.File, root: str) -> None:
    del file[root + "X"]
    file.create_dataset(root + "X", (60_000, 100_000), "f4", chunks=(100, 100), compression="gzip")


def empty_place(file: h5py.File, root: str) -> None:
    put(file, root + "X", h5py.Empty("f4"))


def group_of_another_kind(file: h5py.File, root: str) -> None:
    del file[root + "X"]
    file.create_group(root + "X").attrs["encoding-type"] = "dict"


def other_shape(file: h5py.File, root: str) -> None:
    put(file, root + "X", np.ones((N, D + 1), dtype="f4"))


def names_as_table(file: h5py.File, root: str) -> None:
    put(file, root + "var/_index", np.array([["a", "b"]] * D, dtype="S1"))


def names_are_group(file: h5py.File, root: str) -> None:
    del file[root + "var/_index"]
    file.create_group(root + "var/_index")


def code_beyond(file: h5py.File, root: str) -> None:
    put(file, root + "obs/grp/codes", np.full(N, 7, dtype="i1"))


def column_too_short(file: h5py.File, root: str) -> None:
    put(file, root + "obs/age", np.ones(3))


def obs_is_values(file: h5py.File, root: str) -> None:
    del file[root + "obs"]
    file[root + "obs"] = np.ones(N)


@both_ways
@both_files
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (never_written, "never written"),
        (some_chunks, "1 of 3 chunks are missing"),
        (codes_never_written, "obs/grp/codes: its values were never written"),
        (large_claim, "600000 of 600000 chunks are missing"),
        (empty_place, "without a shape"),
        (group_of_another_kind, "stored as 'dict'"),
        (other_shape, r"X has shape \(12, 6\), but there are 12 names of samples and 5"),
        (names_as_table, "not a list of names"),
        (names_are_group, "var"),
        (code_beyond, "obs"),
        (column_too_short, "obs"),
        (obs_is_values, "obs|cannot be read"),
    ],
)
def test_what_the_file_claims_and_does_not_hold_is_refused(
    tmp_path: Path, ending: str, backed: bool, change: Change, text: str
) -> None:
    with pytest.raises(DataError, match=text) as caught:
        read(write(tmp_path, ending, dense(), change), backed)
    assert f"v{ending}" in str(caught.value)
    assert "\n" not in str(caught.value)


@both_ways
@pytest.mark.parametrize("place", ["X", "obs/age"])
def test_more_values_than_compression_can_explain_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backed: bool, place: str
) -> None:
    monkeypatch.setattr("poems.data.stored.parsed_apart.values._SMALL", 1 << 20)
    # Looked at in this process, where the limit is another.
    monkeypatch.setattr("poems.data.stored.hdf5.HELPER", Helper("raise SystemExit"))

    def packed_twice(file: h5py.File, root: str) -> None:
        zeros = np.zeros((2000, 2000) if place == "X" else 4_000_000)
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk(zeros.shape)
        plist.set_deflate(9)
        plist.set_deflate(9)
        attributes = dict(file[place].attrs)
        del file[place]
        space, kind = h5py.h5s.create_simple(zeros.shape), h5py.h5t.IEEE_F64LE
        array = h5py.h5d.create(file.id, place.encode(), kind, space, plist)
        array.write(h5py.h5s.ALL, h5py.h5s.ALL, zeros)
        file[place].attrs.update(attributes)

    with pytest.raises(ReadError, match=f"{place} claims 0.0 GB of values in .*compression"):
        read(write(tmp_path, ".h5ad", dense(), packed_twice), backed)


@both_ways
def test_one_string_in_the_place_of_many_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backed: bool
) -> None:
    """Strings are kept by their address, which compresses well: a few kB may claim gigabytes."""
    monkeypatch.setattr("poems.data.stored.parsed_apart.values._SMALL", 1 << 20)
    monkeypatch.setattr("poems.data.stored.hdf5.HELPER", Helper("raise SystemExit"))
    n = 2000

    def repeat(file: h5py.File, _: str) -> None:
        kind = h5py.string_dtype()
        file.create_dataset("one", data=["x" * 10_000], dtype=kind)
        put(file, "obs/note", np.array(["x"] * n, dtype=object), chunks=(n,), compression="gzip")
        file.flush()
        content = Path(file.filename).read_bytes()
        start = file["one"].id.get_offset()
        packed = zlib.compress(content[start : start + 16] * n)
        file["obs/note"].id.write_direct_chunk((0,), packed)

    with pytest.raises(ReadError, match=r"obs/note claims 0\.0 GB of values in"):
        read(write(tmp_path, ".h5ad", dense(), repeat), backed)


def arrays(**parts: Any) -> Change:
    def change(file: h5py.File, root: str) -> None:
        for name, values in parts.items():
            old = file[f"{root}X/{name}"][()]
            put(file, f"{root}X/{name}", values(old))

    return change


def at(position: int, value: int) -> Any:
    def changed(old: np.ndarray) -> np.ndarray:
        old = old.astype(np.int64)
        old[position] = value
        return old

    return changed


def attribute(name: str, value: Any) -> Change:
    def change(file: h5py.File, root: str) -> None:
        file[root + "X"].attrs[name] = value

    return change


@both_ways
@both_files
@pytest.mark.parametrize("kind", ["csr", "csc"])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (arrays(indices=at(3, 10**6)), "number is beyond its"),
        (arrays(indices=at(3, -1)), "number is beyond its"),
        (arrays(indices=at(0, 2**40)), "number is beyond its"),
        (arrays(indptr=at(0, 1)), "pointers do not fit"),
        (arrays(indptr=at(2, -5)), "pointers do not fit"),
        (arrays(indptr=at(2, 10**9)), "pointers do not fit"),
        (arrays(indptr=at(-1, 1)), "pointers do not fit"),
        (arrays(indptr=lambda old: old[:-1]), "pointers do not fit"),
        (arrays(indptr=lambda old: old.astype(float)), "not integers"),
        (arrays(indices=lambda old: old.astype(float)), "not integers"),
        (arrays(indices=lambda old: old[:-1]), "pointers do not fit"),
        (arrays(data=lambda old: old[:-1]), "pointers do not fit"),
        (arrays(data=lambda old: np.array(["x"] * len(old), dtype="S1")), "not numbers"),
        (arrays(indices=lambda old: np.repeat(old[:1], len(old))), "stores an entry twice"),
        (attribute("shape", [N, D + 1]), "X has shape|pointers do not fit"),
        (attribute("shape", [-1, D]), "X has shape|pointers do not fit"),
        (attribute("shape", "ab"), "lacks its shape"),
    ],
)
def test_a_damaged_sparse_matrix_is_refused(
    tmp_path: Path, ending: str, backed: bool, kind: str, change: Change, text: str
) -> None:
    x = csr() if kind == "csr" else csr().tocsc()
    if kind == "csc" and backed:
        text = r"tocsr\(\)|lacks its shape"
    with pytest.raises(DataError, match=text):
        read(write(tmp_path, ending, x, change), backed)


@both_ways
@both_files
def test_entries_in_any_order_are_those_of_the_matrix(
    tmp_path: Path, ending: str, backed: bool
) -> None:
    x = csr()
    mixed = x[:, ::-1].tocsr()[:, ::-1]
    shuffled = type(x)(x.shape, dtype=x.dtype)
    shuffled.indptr = x.indptr
    order = np.concatenate([np.arange(b - 1, a - 1, -1) for a, b in itertools.pairwise(x.indptr)])
    shuffled.indices, shuffled.data = x.indices[order], x.data[order]
    for each in (mixed, shuffled):
        found = read(write(tmp_path, ending, each), backed)
        np.testing.assert_array_equal(found["v"], x.toarray())


@both_ways
def test_an_axis_that_is_text_and_views_that_are_values_are_named(
    tmp_path: Path, backed: bool
) -> None:
    def axis(file: h5py.File, _: str) -> None:
        file.attrs["axis"] = "zero"

    def values(file: h5py.File, _: str) -> None:
        del file["mod"]
        file["mod"] = np.ones(3)

    def view_is_values(file: h5py.File, _: str) -> None:
        file["mod/w"] = np.ones(3)

    for change, text in (
        (axis, "axis is 'zero', not a number"),
        (values, "mod is not a group of views"),
        (view_is_values, "view 'w' is not a group"),
    ):
        with pytest.raises(ReadError, match=text):
            read(write(tmp_path, ".h5mu", dense(), change), backed)


def test_what_needs_more_memory_than_there_is_is_refused_with_the_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, ".h5ad", dense())
    monkeypatch.setattr("poems.data.stored.memory.memory_left", lambda: 100)
    with pytest.raises(ReadError, match=r"takes 0 GB of memory.*backed=True"):
        poems.read(path)
    np.testing.assert_array_equal(read(path, True)["v"], dense())


def test_a_file_is_found_from_wherever_the_program_has_gone_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import anndata

    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        anndata.AnnData(np.ones((3, 2), np.float32)).write_h5ad(f"{name}.h5ad")
        assert inspect_hdf5(Path(f"{name}.h5ad")) > 0
