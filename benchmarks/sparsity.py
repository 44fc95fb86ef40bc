"""What tunes the sparsity: non-zero loadings over the slab's rate and the spike's constant.

    python benchmarks/sparsity.py DATA_DIR [--cohort acc_mini] [--views rna mirna]

One fit a value, seed 0, everything else at its default.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import poems
from cohorts import view_files

SWEEPS = {
    "lambda_slab": (0.3, 1.0, 5.0, 15.0, 30.0),
    "lambda_spike_scale": (0.5, 1.0, 1.5, 2.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cohort", default="acc_mini")
    parser.add_argument("--views", nargs="+", default=["rna", "mirna"])
    args = parser.parse_args()
    files = view_files(args.data / args.cohort)
    cohort = poems.read({name: files[name] for name in args.views})
    rows = []
    for setting, values in SWEEPS.items():
        for value in values:
            model = poems.fit(cohort, progress=False, **{setting: value})
            row = {"setting": setting, "value": value, "factors": model.n_active}
            for name, loadings in model.loadings.items():
                row[f"non-zero {name}"] = int(np.count_nonzero(loadings))
                row[f"R2 {name}"] = round(float(model.r2[name]), 2)
            rows.append(row)
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
