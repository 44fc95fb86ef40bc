"""Sparse counts on disk: CPU time of an epoch and peak memory, as counts and as Gaussian values.

    python benchmarks/counts_on_disk.py [--samples 20000] [--features 2000] [--epochs 3]

One .h5ad of sparse negative binomial counts (a third of the entries are not zero) is simulated in
blocks. Each fit runs in a process of its own, does all that comes before training, and ends after
so many epochs; the first one compiles. CPU time includes reading ahead; on a shared machine it
depends less on the neighbours than time does. Peak memory is the process's highest resident
size, imports included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

_BLOCK, _N_FACTORS = 2000, 6


class _EnoughError(Exception):
    """So many epochs are over."""


def simulate(n: int, d: int, path: Path) -> None:
    """Write counts, a block of samples at a time."""
    from anndata import AnnData
    from scipy import sparse

    rng = np.random.default_rng(0)
    driven = rng.random((_N_FACTORS, d)) < 0.1
    loadings = np.where(driven, 0.6 * rng.normal(size=(_N_FACTORS, d)), 0.0)
    level, parts = rng.normal(-1.2, 1.1, d), []
    for start in range(0, n, _BLOCK):
        rows = min(_BLOCK, n - start)
        log_rate = rng.normal(size=(rows, _N_FACTORS)) @ loadings + level
        log_rate += rng.normal(0.0, 0.5, (rows, 1))
        rate = np.exp(log_rate) * rng.gamma(2.0, 0.5, log_rate.shape)
        parts.append(sparse.csr_matrix(rng.poisson(rate).astype(np.float32)))
    samples = pd.DataFrame(index=[f"c{i}" for i in range(n)])
    features = pd.DataFrame(index=[f"g{j}" for j in range(d)])
    AnnData(sparse.vstack(parts, format="csr"), samples, features).write_h5ad(path)


def fit(path: Path, likelihood: str, epochs: int) -> None:
    """Fit in this process; print CPU seconds of epochs, and the peak memory."""
    import resource

    import poems

    clock = [time.process_time()]

    def after_epoch(_: object) -> None:
        clock.append(time.process_time())
        if len(clock) > epochs:
            raise _EnoughError

    try:
        with poems.read({"rna": path}, backed=True) as cohort:
            poems.fit(cohort, likelihood=likelihood, progress=after_epoch)
    except _EnoughError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        seconds = ", ".join(f"{b - a:.1f}" for a, b in pairwise(clock[1:]))
        print(
            f"{likelihood}: {clock[1] - clock[0]:.1f} s of CPU until the first epoch was over, "
            f"then {seconds} s an epoch; at most {peak:.0f} MB",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--likelihood", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.likelihood:
        fit(args.file, args.likelihood, args.epochs)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.h5ad"
        simulate(args.samples, args.features, path)
        for likelihood in ("gaussian", "poisson", "auto"):
            command = [sys.executable, __file__, "--file", str(path), "--likelihood", likelihood]
            subprocess.run([*command, "--epochs", str(args.epochs)], check=True)


if __name__ == "__main__":
    main()
