"""The numbers and pictures of README, fitted again: the spread over seeds, and docs/images.

    python benchmarks/readme.py FOLDER [--seeds 3] [--images docs/images]

Makes the cohort of readme_cohort.py in FOLDER, fits it by the command line once for each seed, and
prints what README says of it with the spread. Pictures are those of the first seed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from poems.evaluation.labelled import compare_subtypes
from readme_cohort import FEATURES, write_cohort

PICTURES = ("latent", "gates", "loadings")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=Path)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    write_cohort(args.folder, seed=0)
    rows = [fitted(args.folder, seed) for seed in range(args.seeds)]
    if args.images is not None:
        args.images.mkdir(parents=True, exist_ok=True)
        for name in PICTURES:
            shutil.copy(args.folder / "run-0" / "figures" / f"{name}.png", args.images)
    table = pd.DataFrame(rows, index=pd.RangeIndex(args.seeds, name="seed"))
    print(table.round(3).to_string())
    print(table.agg(["min", "mean", "max"]).round(3).to_string())


def fitted(folder: Path, seed: int) -> dict[str, float]:
    """Fit the cohort with a seed; what was found, beside the truth."""
    run = folder / f"run-{seed}"
    views = [f"--view={name}={folder / name}.csv.gz" for name in FEATURES]
    command = [sys.executable, "-m", "poems", "fit", *views, "--obs", str(folder / "clinical.csv")]
    command += ["--out", str(run), "--seed", str(seed), "--overwrite", "--no-analysis", "--quiet"]
    subprocess.run(command, check=True)
    subtypes = pd.read_csv(run / "subtypes.csv", index_col=0)["subtype"]
    truth = pd.read_csv(folder / "clinical.csv", index_col=0)["subtype"]
    agreement = compare_subtypes(subtypes, truth.loc[subtypes.index])[1]
    explained = pd.read_csv(run / "r2.csv", index_col=0).iloc[:, 0]
    return {
        "factors": pd.read_csv(run / "latent.csv", index_col=0).shape[1],
        "subtypes": subtypes.nunique(),
        "purity": agreement["purity"],
        "NMI": agreement["nmi"],
        **{f"R² {name}": float(value) for name, value in explained.items()},
    }


if __name__ == "__main__":
    main()
