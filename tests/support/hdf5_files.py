"""Sound small files, and what makes each of them hostile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
from scipy import sparse

import poems

N, D = 12, 5
Change = Callable[[h5py.File, str], None]


def table(x: Any) -> anndata.AnnData:
    """An AnnData with a categorical, a numeric and a text column in obs."""
    n, d = x.shape
    obs = pd.DataFrame(
        {
            "grp": pd.Categorical(["a", "b"] * (n // 2)),
            "age": np.arange(n) * 1.5,
            "note": [f"n{i}" for i in range(n)],
        },
        index=[f"s{i}" for i in range(n)],
    )
    return anndata.AnnData(x, obs, pd.DataFrame(index=[f"g{j}" for j in range(d)]))


def dense() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, D)).astype(np.float32)


def csr() -> sparse.csr_matrix:
    x = dense()
    return sparse.csr_matrix(np.where(x > 0, x, 0))


def write(folder: Path, ending: str, x: Any, change: Change | None = None) -> Path:
    """Write a file of one view, ``v``, and change what stands in it."""
    path = folder / f"v{ending}"
    if ending == ".h5ad":
        table(x).write_h5ad(path)
    else:
        with mudata.set_options(pull_on_update=False):
            mudata.MuData({"v": table(x)}).write(path)
    if change is not None:
        with h5py.File(path, "r+") as file:
            change(file, "" if ending == ".h5ad" else "mod/v/")
    return path


def put(file: h5py.File, name: str, values: Any, **options: Any) -> None:
    """Put other values in the place of a dataset, and keep its attributes."""
    attributes = dict(file[name].attrs)
    del file[name]
    file.create_dataset(name, data=values, **options).attrs.update(attributes)


def read(path: Path | dict[str, Path], backed: bool) -> dict[str, np.ndarray]:
    """Read as a user would, and return the values of every view."""
    cohort = poems.read(path, backed=backed)
    return {name: cohort.frame(name).to_numpy() for name in cohort}
