"""Sound files with bytes changed, cut out or doubled are read, or refused by their name."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hdf5_files import csr, dense
from hdf5_files import table as anndata_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import poems
from poems.errors import PoemsError
from poems.settings.toml_file import read_settings

TABLE = pd.DataFrame(
    np.random.default_rng(0).normal(6.0, 2.0, (9, 4)).round(2),
    [f"s{i}" for i in range(9)],
    [f"g{j}" for j in range(4)],
)
TOML = "[model]\nn_latent = 8\nnormalise = true\n\n[training]\nepochs = 20\nlearning_rate = 1e-3\n"
# Signs that mean something in one of the formats, and any others.
BYTES = st.sampled_from(b"\n\r\t,;\"'#[]{}=:.-eE0129\x00\xff") | st.integers(0, 255)
CHANGES = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(["set", "cut", "twice"]), BYTES),
    min_size=1,
    max_size=4,
)
FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def changed(content: bytes, changes: list[tuple[float, str, int]]) -> bytes:
    """Set a byte, cut out twenty or repeat twenty at each place."""
    for share, how, value in changes:
        at = int(share * len(content))
        middle = {
            "set": bytes([value]) + content[at + 1 :],
            "cut": content[at + 20 :],
            "twice": content[at : at + 20] + content[at:],
        }
        content = content[:at] + middle[how]
    return content


def require_read_or_refused(read: Callable[[], object], name: str) -> None:
    """An error of POEMS that names the file; anything else fails the test."""
    try:
        read()
    except PoemsError as error:
        text = str(error)
        if name not in text or "POEMS fails" in text:
            raise AssertionError(text) from error


def written(kind: str) -> bytes:
    if kind == "gct":
        head = f"#1.2\n{TABLE.shape[1]}\t{TABLE.shape[0]}\n"
        body = TABLE.T.rename_axis("Name")
        body.insert(0, "Description", "words")
        return (head + body.to_csv(sep="\t")).encode()
    if kind == "txt":
        head = '!Series_title\t"a"\n!series_matrix_table_begin\n'
        body = TABLE.T.rename_axis("ID_REF").to_csv(sep="\t")
        return (head + body + "!series_matrix_table_end\n").encode()
    return TABLE.to_csv(index_label="sample").encode()


@pytest.mark.parametrize("kind", ["csv", "gct", "txt"])
@FEW
@given(changes=CHANGES)
def test_tables_of_text(kind: str, tmp_path: Path, changes: Any) -> None:
    path = tmp_path / f"rna.{kind}"
    path.write_bytes(changed(written(kind), changes))
    require_read_or_refused(lambda: poems.read({"rna": path}), "rna")


@FEW
@given(changes=CHANGES)
def test_tables_of_samples(tmp_path: Path, changes: Any) -> None:
    path = tmp_path / "obs.csv"
    obs = pd.DataFrame(
        {"age": [61.5, None, 58] * 3, "sex": ["M", "f", "NA"] * 3, "time": ["1,5", "2", ">3"] * 3},
        TABLE.index,
    )
    path.write_bytes(changed(obs.to_csv(index_label="sample").encode(), changes))
    require_read_or_refused(lambda: poems.read({"rna": TABLE}, obs=path), "obs")


@FEW
@given(changes=CHANGES)
def test_settings(tmp_path: Path, changes: Any) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(changed(TOML.encode(), changes))
    require_read_or_refused(lambda: read_settings(path), "s.toml")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stores")
    with warnings.catch_warnings():
        # AnnData tells what its next version will write.
        warnings.simplefilter("ignore")
        anndata_of(csr()).write_h5ad(folder / "a.h5ad")
        anndata_of(dense()).write_zarr(folder / "a.zarr")
    return folder


@pytest.mark.parametrize("backed", [False, True])
@FEW
@given(changes=CHANGES)
def test_hdf5(stores: Path, tmp_path: Path, backed: bool, changes: Any) -> None:
    path = tmp_path / "v.h5ad"
    path.write_bytes(changed((stores / "a.h5ad").read_bytes(), changes))

    def read() -> None:
        cohort = poems.read({"v": path}, backed=backed)
        cohort.close() if hasattr(cohort, "close") else None

    require_read_or_refused(read, "v.h5ad")


@settings(FEW, max_examples=8)
@given(
    at=st.integers(0, 99),
    key=st.integers(0, 9),
    value=st.sampled_from([None, -1, 0, 1e30, "", "<f8", "|O", [], [0], [-1, 5], {}, True]),
)
@example(at=30, key=1, value=None)
def test_what_zarr_says_of_its_arrays(
    stores: Path, tmp_path: Path, at: int, key: int, value: Any
) -> None:
    path = tmp_path / "v.zarr"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(stores / "a.zarr", path)
    told = sorted(each for each in path.rglob("*") if each.name in (".zarray", ".zattrs"))
    told += sorted(path.rglob("zarr.json"))
    file = told[at % len(told)]
    said = json.loads(file.read_text("utf-8"))
    if said:
        said[sorted(said)[key % len(said)]] = value
    file.write_text(json.dumps(said), "utf-8")

    def read() -> None:
        poems.read({"v": path}, backed=True).close()  # type: ignore[attr-defined]

    require_read_or_refused(read, "v.zarr")
