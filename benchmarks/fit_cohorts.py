"""`poems fit` with defaults on every cohort of a folder: exit, wall time, peak memory.

    python benchmarks/fit_cohorts.py DATA_DIR [--only brca_mogonet255] [--threads 1]

Every cohort is a sub-folder of <view>.csv.gz files and obs.csv. Runs the real
command line, a process each; one cohort is fitted once more with a tenth of its
entries blanked. Wall time and peak memory are the whole process's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from cohorts import view_files

BLANKED = "brca_mogonet255"


def fit(files: dict[str, Path], obs: Path, out: Path, threads: int) -> dict[str, object]:
    command = [sys.executable, "-m", "poems", "fit", "--obs", str(obs), "--out", str(out)]
    command += ["--threads", str(threads), "--quiet"]
    for name, path in files.items():
        command += ["--view", f"{name}={path}"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    row: dict[str, object] = {
        "exit": os.waitstatus_to_exitcode(status),
        "seconds": time.perf_counter() - start,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    if row["exit"] == 0:
        latent = pd.read_csv(out / "latent.csv", index_col=0)
        row |= {"samples": len(latent), "factors": latent.shape[1]}
        row["subtypes"] = pd.read_csv(out / "subtypes.csv", index_col=0)["subtype"].nunique()
        assert np.isfinite(latent.to_numpy()).all()
    else:
        print(errors, file=sys.stderr)
    return row


def blank(files: dict[str, Path], folder: Path, share: float, seed: int) -> dict[str, Path]:
    """Write copies of the views with a share of their entries blanked at random."""
    rng = np.random.default_rng(seed)
    written = {}
    for name, path in files.items():
        table = pd.read_csv(path, index_col=0)
        table = table.mask(rng.random(table.shape) < share)
        written[name] = folder / f"{name}.csv.gz"
        table.to_csv(written[name])
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        for folder in sorted(path for path in args.data.iterdir() if path.is_dir()):
            if args.only and folder.name not in args.only:
                continue
            files, obs = view_files(folder), folder / "obs.csv"
            rows[folder.name] = fit(files, obs, scratch / folder.name, args.threads)
            print(folder.name, rows[folder.name], flush=True)
            if folder.name == BLANKED:
                name = f"{folder.name}, 10 % blanked"
                (scratch / "blanked").mkdir()
                holes = blank(files, scratch / "blanked", 0.1, seed=0)
                rows[name] = fit(holes, obs, scratch / "run-blanked", args.threads)
                print(name, rows[name], flush=True)
    print(pd.DataFrame.from_dict(rows, orient="index").round(1).to_string())
    if any(row["exit"] != 0 for row in rows.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
