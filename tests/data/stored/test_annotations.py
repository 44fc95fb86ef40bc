"""Annotations of a zarr folder are what AnnData reads, though another process reads them."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import example, given
from hypothesis import strategies as st

from poems import ReadError
from poems.data.disk.stores import read_frame, read_names
from poems.data.stored.zarr_folder import open_folder

N = 6


def columns() -> dict[str, Any]:
    missing = [None, "b", "a", None, "b", "c"]
    return {
        "real": np.linspace(-1e300, 1e300, N),
        "single": np.arange(N, dtype="f4") / 3,
        "whole": np.arange(N) + (1 << 60),
        "small": np.arange(N, dtype="u1"),
        "flag": np.arange(N) % 2 == 0,
        "word": [f"wörd\n{i}" for i in range(N)],
        "class": pd.Categorical(missing),
        "grade": pd.Categorical(missing, ["c", "a", "b"], ordered=True),
        "year": pd.Categorical([2001, 2003, 2001, 2002, 2003, 2001]),
        "count": pd.array([1, None, 3, (1 << 62) + 1, None, 0], dtype="Int64"),
        "tiny": pd.array([1, None, 3, 4, None, 0], dtype="UInt8"),
        "known": pd.array([True, None, False, True, None, False], dtype="boolean"),
        "text": pd.array(["x", None, "", "y", "ü", None], dtype="string"),
    }


@pytest.fixture(params=[2, 3])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return write(tmp_path / "a.zarr", columns(), version=request.param)


def write(path: Path, obs: dict[str, Any], index: Any = None, version: int = 2) -> Path:
    names = [f"s{i}" for i in range(N)] if index is None else index
    data = anndata.AnnData(np.ones((len(names), 2)), obs=pd.DataFrame(obs, index=names))
    with (
        warnings.catch_warnings(),
        anndata.settings.override(zarr_write_format=version, allow_write_nullable_strings=True),
    ):
        # AnnData tells what its next version will write.
        warnings.simplefilter("ignore", UserWarning)
        data.write_zarr(path)
    return path


def test_every_kind_of_column_comes_back_as_anndata_reads_it(store: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = anndata.read_zarr(store).obs
    found = read_frame(open_folder(store)["obs"], "obs")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert list(found.dtypes) == list(expected.dtypes)


def test_anndata_is_not_imported_for_what_it_writes_now(store: Path) -> None:
    program = (
        "import sys, os; from poems.data.stored import parsing; from pathlib import Path; "
        "from poems.data.stored.parsed_apart.payload import Payload; "
        "from poems.data.stored.parsed_apart import zarr_store; "
        "before = set(sys.modules); "
        "zarr_store.answer({'do': 'frame', 'path': sys.argv[1], 'token': '', 'place': '/obs'}, "
        "Payload(parsing.nameless_file())); "
        "sys.exit(str({'anndata', 'pyarrow'} & (set(sys.modules) - before) or ''))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(store)], capture_output=True, text=True, check=False
    )
    assert ran.stderr.strip() == ""


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=5))
@example(["x" * 5000])
@example(["", "word " * 40_000])
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("texts") / "a.zarr"
    write(path, {"word": texts}, [f"s{i}" for i in range(len(texts))])
    assert list(read_frame(open_folder(path)["obs"], "obs")["word"]) == texts


def test_what_only_anndata_knows_is_left_to_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", {"n": np.arange(N), "word": list("abcdef")})
    group = zarr.open_group(path)["obs"]
    group.attrs["encoding-version"] = "0.1.0"
    found = read_frame(open_folder(path)["obs"], "obs")
    assert list(found["n"]) == list(range(N))
    assert list(found.index) == [f"s{i}" for i in range(N)]


def change_codes(obs: Any) -> None:
    obs["class/codes"][...] = 7


def change_codes_below(obs: Any) -> None:
    obs["class/codes"][...] = -2


def repeat_categories(obs: Any) -> None:
    obs["class/categories"][...] = "a"


def shorten(obs: Any) -> None:
    obs["flag"].resize((2,))


def no_name(obs: Any) -> None:
    obs.attrs["_index"] = "nothing"


def no_column(obs: Any) -> None:
    obs.attrs["column-order"] = ["nothing"]


def mask_of_others(obs: Any) -> None:
    obs["count/mask"].resize((2,))


def mask_of_fractions(obs: Any) -> None:
    said = dict(obs["count/values"].attrs)
    del obs["count/values"]
    obs.create_array("count/values", data=np.full(N, 0.25)).attrs.update(said)


@pytest.mark.parametrize(
    "change",
    [
        mask_of_fractions,
        change_codes,
        change_codes_below,
        repeat_categories,
        shorten,
        no_name,
        no_column,
        mask_of_others,
    ],
)
def test_what_contradicts_itself_is_refused_in_one_sentence(
    store: Path, change: Callable[[Any], None]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        change(zarr.open_group(store, use_consolidated=False)["obs"])
    with pytest.raises(ReadError, match=r"a\.zarr") as caught:
        read_frame(open_folder(store)["obs"], "a.zarr, obs")
    assert "\n" not in str(caught.value)
    assert "POEMS fails" not in str(caught.value)


def test_names_keep_their_order_and_blanks(tmp_path: Path) -> None:
    names = ["b", " a", "", "Ω", "e\t", "nan"]
    path = write(tmp_path / "a.zarr", {}, names)
    assert list(read_names(open_folder(path)["obs"], "obs")) == names
