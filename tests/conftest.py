"""Small cohorts and fitted models that many tests share."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pictures
import pytest
import torch
from hypothesis import settings
from scipy import sparse

import poems
import poems.data.mudata_io
from poems.data.container import MultiOmics, View
from poems.fitting.result import FittedPoems
from poems.scaling.batch import Batch

# The first call into torch is slow, and shared machines pause: time limits would be noise.
# A run of the suite says the same of the same code; `make search` draws other examples, and more.
settings.register_profile("poems", deadline=None, max_examples=50, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=500)
settings.load_profile("poems")


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Let processes that tests start be interrupted, also where the tests run in the background.

    A shell starts background jobs with SIGINT ignored, nohup ignores SIGHUP: children inherit it.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _unflushed() -> Iterator[None]:
    """Let the system write files out when it likes: no test turns the power off.

    A run folder is some three hundred files, each of which waits milliseconds for the disk.
    What is forced out, and when, is tested in ``files/test_atomic.py``.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def unrendered() -> Iterator[None]:
    """For tests of commands that draw, of what else they do; see ``support/pictures.py``."""
    with pictures.unrendered():
        yield


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Give every test the same random numbers, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def simulation() -> poems.simulation.cohort.Simulation:
    return poems.simulate(
        n_samples=72, n_features={"rna": 40, "protein": 30}, n_factors=3, density=0.2, seed=1
    )


@pytest.fixture(scope="session")
def incomplete() -> MultiOmics:
    """Samples that lack a view, and missing entries."""
    return poems.simulate(
        n_samples=72,
        n_features={"rna": 40, "protein": 30},
        n_factors=3,
        density=0.2,
        missing_views=0.25,
        missing_entries=0.05,
        seed=1,
    ).cohort


@pytest.fixture(scope="session")
def fitted(simulation: poems.simulation.cohort.Simulation) -> FittedPoems:
    return poems.fit(
        simulation.cohort, seed=0, epochs=80, batch_size=24, n_latent=6, progress=False
    )


@pytest.fixture(scope="session")
def fitted_incomplete(incomplete: MultiOmics) -> FittedPoems:
    """A mixture prior on an incomplete cohort."""
    return poems.fit(
        incomplete, seed=3, epochs=15, n_latent=5, prior="mixture", n_components=3, progress=False
    )


@pytest.fixture(scope="session")
def make_cohort() -> Callable[..., MultiOmics]:
    return _make_cohort


def _make_cohort(
    *, measured: dict[str, np.ndarray] | None = None, **tables: np.ndarray
) -> MultiOmics:
    """Wrap arrays by view name; features are called after their view and position."""
    n = len(next(iter(tables.values())))
    samples = pd.Index([f"s{i}" for i in range(n)])
    views = {}
    for name, x in tables.items():
        rows = (measured or {}).get(name, np.ones(n, dtype=bool))
        features = pd.Index([f"{name}_{j}" for j in range(x.shape[1])])
        views[name] = View(np.array(x, dtype=np.float32), features, rows)
    return MultiOmics(views, samples, pd.DataFrame(index=samples))


@pytest.fixture(scope="session")
def spoil() -> Callable[[MultiOmics], MultiOmics]:
    """Return a function that fills unmeasured rows with NaN, infinities and huge numbers."""

    def spoiled(cohort: MultiOmics) -> MultiOmics:
        garbage = np.array([np.nan, np.inf, -np.inf, 1e30, -7.0], dtype=np.float32)
        views = {}
        for name, view in cohort.views.items():
            values = view.values.copy()
            values[~view.measured] = np.resize(garbage, values.shape)[~view.measured]
            views[name] = replace(view, values=values)
        return replace(cohort, views=views)

    return spoiled


@pytest.fixture(scope="session")
def write_backed() -> Callable[[MultiOmics, Path, str], Any]:
    return _write_backed


def _write_backed(cohort: MultiOmics, folder: Path, kind: str) -> Any:
    """Write a cohort as h5mu, zarr (each also -csr), h5ad or parquet; return what read() takes."""
    if kind == "parquet":
        return {name: _write_parquet(cohort, name, folder) for name in cohort}
    mudata = poems.data.mudata_io.to_mudata(cohort)
    for data in mudata.mod.values():
        if kind.endswith("-csr"):
            data.X = sparse.csr_matrix(data.X)
    if kind == "h5ad":
        paths = {name: folder / f"{name}.h5ad" for name in cohort}
        for name, path in paths.items():
            mudata[name].write_h5ad(path)
        return paths
    path = folder / f"cohort.{kind.removesuffix('-csr')}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, about its own formats
        mudata.write_zarr(path) if path.suffix == ".zarr" else mudata.write_h5mu(path)
    return path


def _write_parquet(cohort: MultiOmics, name: str, folder: Path) -> Path:
    path = folder / f"{name}.parquet"
    cohort.frame(name)[cohort[name].measured].to_parquet(path, row_group_size=7)
    return path


@pytest.fixture
def batch() -> Batch:
    """Ten samples of two views; the second lacks samples 0 to 2, the first an entry."""
    values = {"a": torch.randn(10, 6), "b": torch.randn(10, 4)}
    measured = torch.ones(10, 2, dtype=torch.bool)
    measured[:3, 1] = False
    observed = torch.ones(10, 6, dtype=torch.bool)
    observed[4, 2] = False
    return Batch(values, {"a": observed, "b": None}, measured)
