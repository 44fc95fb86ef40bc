"""How large a cohort can be: time and peak memory of fits to views on disk.

    python benchmarks/scale.py                      # a first, small look
    python benchmarks/scale.py --cases wide tall --table scale.md

Cases: ``wide`` is one dense view of 1,000 samples x 450,000 features (methylation arrays),
``tall`` is two sparse views of 2,000 and 200 features (cells; a tenth and a half of the entries
are not zero) on 250,000, 500,000 and 1,000,000 samples, ``small`` is both, small. The .h5mu files
are simulated in blocks into ``--folder`` and kept there if it is given. Each fit runs in a process
of its own, with everything that ``poems fit --backed`` does: checks, preprocessing, start,
training, latents of all samples, diagnosis, subtypes, and the run folder. Peak memory is the
process's highest resident size (VmHWM), imports included. On a shared machine the time of an epoch
depends on the neighbours; its CPU time, reading ahead included, hardly does. "Waited for data" is
the share of training in which no batch was there yet, the first buffer of each epoch included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

BLOCK_BYTES = 1 << 27
N_FACTORS = 8
CHUNK = 1 << 16


@dataclass(frozen=True)
class Case:
    """One file: view to its number of features, and the share of entries that are stored."""

    name: str
    n_samples: int
    features: dict[str, int]
    density: dict[str, float]

    @property
    def file(self) -> str:
        return f"{self.name}-{self.n_samples}.h5mu"


def cases(name: str, sizes: list[int] | None) -> list[Case]:
    cells = {"rna": 2000, "protein": 200}
    shares = {"rna": 0.1, "protein": 0.5}
    if name == "wide":
        return [Case(name, n, {"methylation": 450_000}, {}) for n in sizes or [1000]]
    if name == "tall":
        return [Case(name, n, cells, shares) for n in sizes or [250_000, 500_000, 1_000_000]]
    return [
        Case("wide", 300, {"methylation": 20_000}, {}),
        *(Case("tall", n, cells, shares) for n in sizes or [5_000, 10_000]),
    ]


def simulate(case: Case, path: Path) -> None:
    """Write the file a block of samples at a time."""
    import h5py
    import pandas as pd
    from anndata.io import write_elem

    rng = np.random.default_rng(0)
    samples = pd.Index([f"s{i}" for i in range(case.n_samples)], dtype=object)
    latent = rng.normal(size=(case.n_samples, N_FACTORS)).astype(np.float32)
    with h5py.File(path, "w") as file:
        encode(file, "MuData", "0.1.0")
        file.attrs["axis"] = 0
        write_elem(file, "obs", pd.DataFrame(index=samples))
        mod = file.create_group("mod")
        mod.attrs["mod-order"] = list(case.features)
        for view, width in case.features.items():
            group = mod.create_group(view)
            encode(group, "anndata", "0.1.0")
            features = pd.Index([f"{view}{j}" for j in range(width)], dtype=object)
            write_elem(group, "obs", pd.DataFrame(index=samples))
            write_elem(group, "var", pd.DataFrame(index=features))
            loadings = rng.normal(size=(N_FACTORS, width)) * (rng.random((N_FACTORS, width)) < 0.1)
            if view in case.density:
                write_sparse(group, latent, loadings, case.density[view], rng)
            else:
                write_dense(group, latent, loadings, rng)


def write_dense(group: Any, latent: Any, loadings: Any, rng: np.random.Generator) -> None:
    n, width = len(latent), loadings.shape[1]
    dataset = group.create_dataset("X", shape=(n, width), dtype=np.float32)
    encode(dataset, "array", "0.2.0")
    step = max(1, BLOCK_BYTES // (4 * width))
    for start in range(0, n, step):
        z = latent[start : start + step]
        noise = rng.standard_normal((len(z), width), dtype=np.float32)
        dataset[start : start + step] = z @ loadings.astype(np.float32) + noise


def write_sparse(
    group: Any, latent: Any, loadings: Any, density: float, rng: np.random.Generator
) -> None:
    from scipy import sparse

    n, width = len(latent), loadings.shape[1]
    out = group.create_group("X")
    encode(out, "csr_matrix", "0.1.0")
    out.attrs["shape"] = (n, width)
    data = out.create_dataset("data", (0,), np.float32, maxshape=(None,), chunks=(CHUNK,))
    indices = out.create_dataset("indices", (0,), np.int32, maxshape=(None,), chunks=(CHUNK,))
    pointers = [np.zeros(1, dtype=np.int64)]
    base = np.log(density / (1 - density))
    step = max(1, BLOCK_BYTES // (4 * width))
    for start in range(0, n, step):
        logit = latent[start : start + step] @ loadings.astype(np.float32) + np.float32(base)
        odds = np.exp(logit, out=logit)
        seen = rng.random(odds.shape, dtype=np.float32) * (1 + odds) < odds
        rows = sparse.csr_array(seen)
        values = np.log1p(1.0 + rng.exponential(1.0, size=rows.nnz)).astype(np.float32)
        end = len(data)
        data.resize((end + rows.nnz,))
        indices.resize((end + rows.nnz,))
        data[end:], indices[end:] = values, rows.indices
        pointers.append(rows.indptr[1:].astype(np.int64) + end)
    out.create_dataset("indptr", data=np.concatenate(pointers))


def encode(element: Any, kind: str, version: str) -> None:
    element.attrs["encoding-type"], element.attrs["encoding-version"] = kind, version


def fit(path: Path, out: Path, options: dict[str, Any]) -> dict[str, float]:
    """Do what ``poems fit --backed`` does; return seconds by phase and the peak memory in GB."""
    import poems
    from poems.analysis.subtypes.finding import find_subtypes
    from poems.fitting import fit as fitting
    from poems.nn.profiling import WallTimes
    from poems.runs.folder import write_run

    seconds: dict[str, float] = {}
    cpu: dict[str, float] = {}

    def timed(module: Any, name: str, phase: str) -> None:
        inner: Callable[..., Any] = getattr(module, name)

        def outer(*args: Any, **kwargs: Any) -> Any:
            start, start_cpu = time.monotonic(), time.process_time()
            found = inner(*args, **kwargs)
            cpu[phase] = time.process_time() - start_cpu
            seconds[phase] = seconds.get(phase, 0.0) + time.monotonic() - start
            mark(phase)
            return found

        setattr(module, name, outer)

    def mark(phase: str) -> None:
        own = f"{seconds.get(phase, 0):.0f} s, {cpu.get(phase, 0):.0f} s of processor time"
        print(f"{phase}: {own}, peak {peak():.2f} GB", file=sys.stderr)

    timed(poems, "read", "open")
    timed(fitting, "prepare_fit", "preprocess")
    timed(fitting, "_start", "start")
    timed(fitting, "train", "train")
    timed(fitting, "_finish", "estimates")
    timed(fitting, "with_diagnosis", "diagnosis")
    timed(fitting, "with_network", "network")
    profile = WallTimes()
    began = time.monotonic()
    cohort = poems.read(path, backed=True)
    model = poems.fit(cohort, progress=False, profile=profile, **options)
    parts = profile.table()
    start, start_cpu = time.monotonic(), time.process_time()
    write_run(out, model, cohort, find_subtypes(model, seed=0))
    seconds["write"], cpu["write"] = time.monotonic() - start, time.process_time() - start_cpu
    mark("write")
    seconds["total"] = time.monotonic() - began
    seconds["epoch"] = seconds["train"] / len(model.history)
    seconds["epoch_cpu"] = cpu["train"] / len(model.history)
    seconds["waited"] = float(parts.loc["data", "seconds"]) / seconds["train"]
    print(parts.round(3).to_string(), file=sys.stderr)
    return seconds | {"peak": peak(), "samples": len(model.samples)}


def peak() -> float:
    """The highest resident size of this process so far, in GB."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9


def row(case: Case, size: int, found: dict[str, float]) -> str:
    width = " + ".join(f"{each:,}" for each in case.features.values())
    prepared = found["open"] + found["preprocess"]
    after = found["estimates"] + found["diagnosis"] + found["network"]
    cells = [
        f"{case.n_samples:,} × {width}",
        f"{size / 1e9:.1f} GB",
        f"{prepared:.0f} s",
        f"{found['start']:.0f} s",
        f"{found['epoch']:.0f} s",
        f"{found['epoch_cpu']:.0f} s",
        f"{100 * found['waited']:.0f} %",
        f"{found['samples'] / found['epoch']:,.0f}",
        f"{after:.0f} s",
        f"{found['write']:.0f} s",
        f"{found['peak']:.2f} GB",
    ]
    return f"| {' | '.join(cells)} |"


HEADER = (
    "| samples × features | file | open, preprocess | start | an epoch | its CPU time "
    "| waited for data | samples / s | latents, estimates, diagnosis | subtypes, run folder "
    "| peak memory |\n" + "|---" * 11 + "|"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", default=["small"], choices=("small", "wide", "tall"))
    parser.add_argument("--samples", nargs="+", type=int, help="sizes, in place of the case's")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--n-latent", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the simulated files are kept")
    parser.add_argument("--table", type=Path, help="Markdown file to write the table to")
    parser.add_argument("--fit", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    settings = {
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "n_latent": options.n_latent,
        "threads": options.threads,
    }
    if options.fit:
        print(json.dumps(fit(*options.fit, settings)))
        return
    lines = [HEADER]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for case in [case for name in options.cases for case in cases(name, options.samples)]:
            path = folder / case.file
            if not path.exists():
                print(f"simulating {path}", file=sys.stderr)
                partial = path.with_suffix(".part")
                simulate(case, partial)
                partial.rename(path)
            out = Path(temporary) / f"run-{case.name}-{case.n_samples}"
            flags = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
            child = subprocess.run(
                [sys.executable, __file__, "--fit", path, out, *flags],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            found = json.loads(child.stdout.splitlines()[-1])
            print(json.dumps({"case": case.name} | found), file=sys.stderr)
            lines.append(row(case, path.stat().st_size, found))
            if options.table:
                options.table.write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
