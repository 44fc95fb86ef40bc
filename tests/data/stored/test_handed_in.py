"""AnnData and MuData that are handed in are checked like files, and not changed."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import anndata
import mudata
import numpy as np
import pytest
from hdf5_files import N, csr, dense, table, write
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import poems
from poems import DataError, ReadError
from poems.data.stored.compressed import checked_sparse


def damaged(kind: str, part: str, position: int, value: int) -> anndata.AnnData:
    data = table(csr().asformat(kind))
    array = getattr(data.X, part)
    array[position] = value
    return data


@pytest.mark.parametrize("kind", ["csr", "csc"])
@pytest.mark.parametrize(
    ("part", "position", "value", "text"),
    [
        ("indices", 2, 10**6, "number is beyond its"),
        ("indices", 2, -(10**6), "number is beyond its"),
        ("indptr", 2, -3, "pointers do not fit"),
        ("indptr", 3, 10**6, "pointers do not fit"),
        ("indptr", -1, 1, "pointers do not fit"),
    ],
)
def test_bad_indices_are_refused(
    kind: str, part: str, position: int, value: int, text: str
) -> None:
    data = damaged(kind, part, position, value)
    with pytest.raises(ReadError, match=text):
        poems.read(data)
    with pytest.raises(ReadError, match=text):
        poems.read({"a": data})


def test_bad_indices_in_a_view_of_a_mudata_and_in_a_part_are_refused() -> None:
    data = damaged("csr", "indices", 2, 10**6)
    other = table(dense())
    other.var_names = [f"p{i}" for i in range(other.n_vars)]
    with mudata.set_options(pull_on_update=False):
        several = mudata.MuData({"a": data, "b": other})
    with pytest.raises(ReadError, match="number is beyond"):
        poems.read(several)
    with pytest.raises(ReadError, match="number is beyond"):
        poems.read(data[:, [0, 2]])


def test_an_entry_stored_twice_is_refused_and_the_matrix_not_changed() -> None:
    x = csr()
    x.indices[: x.indptr[1]] = x.indices[0]
    before = x.indices.copy()
    assert x.indptr[1] > 1
    with pytest.raises(DataError, match=r"stores an entry twice.*sum_duplicates\(\)"):
        poems.read(table(x))
    np.testing.assert_array_equal(x.indices, before)


def test_a_backed_anndata_is_read(tmp_path: Path) -> None:
    for x in (dense(), csr(), csr().tocsc()):
        data = anndata.read_h5ad(write(tmp_path, ".h5ad", x), backed="r")
        found = poems.read(data).frame("view")
        np.testing.assert_array_equal(found, x.toarray() if sparse.issparse(x) else x)
        data.file.close()


def test_a_sound_part_is_read() -> None:
    part = table(csr())[3:7, [0, 2]]
    found = poems.read(part).frame("view").to_numpy()
    np.testing.assert_array_equal(found, csr().toarray()[3:7][:, [0, 2]])


integers = st.lists(st.integers(-3, N + 2), max_size=8)


@given(integers, integers, st.integers(0, 8), st.integers(0, 4), st.integers(0, 4))
def test_what_passes_is_a_matrix_and_what_does_not_is_refused(
    indptr: list[int], indices: list[int], n_stored: int, n_rows: int, n_columns: int
) -> None:
    def cells() -> Any:
        """The matrix by its definition, or None."""
        if len(indptr) != n_rows + 1 or indptr[0] != 0 or indptr[-1] != n_stored:
            return None
        if n_stored != len(indices) or any(a > b for a, b in itertools.pairwise(indptr)):
            return None
        found = np.zeros((n_rows, n_columns))
        for row in range(n_rows):
            columns = indices[indptr[row] : indptr[row + 1]]
            if any(not 0 <= c < n_columns for c in columns) or len(set(columns)) < len(columns):
                return None
            found[row, columns] = 1 + np.arange(indptr[row], indptr[row + 1])
        return found

    expected = cells()
    whole = [np.array(each, dtype=np.int64) for each in (indices, indptr)]
    data = 1.0 + np.arange(n_stored)
    if expected is None:
        with pytest.raises(DataError):
            checked_sparse(data, *whole, (n_rows, n_columns), "x", "csr")
    else:
        found = checked_sparse(data, *whole, (n_rows, n_columns), "x", "csr")
        np.testing.assert_array_equal(found.toarray(), expected)


@pytest.mark.parametrize("beyond", [-1, 3, 4])
@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_an_index_just_beyond_a_matrix_is_damage(beyond: int, kind: str) -> None:
    checked_sparse([1.0, 2.0], [0, 2], [0, 1, 2, 2], (3, 3), "m", kind)
    with pytest.raises(ReadError, match="number is beyond its 3"):
        checked_sparse([1.0, 2.0], [0, beyond], [0, 1, 2, 2], (3, 3), "m", kind)


@pytest.mark.parametrize("kind", ["c8", "S8", "V4", "M8[s]"])
def test_values_that_are_no_numbers_are_refused(kind: str) -> None:
    data = table(dense())
    data.layers["odd"] = np.zeros(data.shape, kind)
    with pytest.raises(DataError, match=r"layer 'odd' holds values of type .*, not numbers"):
        poems.read({"v": data}, layer={"v": "odd"})
