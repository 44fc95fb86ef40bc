"""Clusters, neighbours and survival on real cohorts: POEMS beside other tools.

    python benchmarks/accuracy.py DATA_DIR --out DIR [--methods tools] [--seeds 5] [--jobs 2]

`poems benchmark` with the cohorts of benchmarks/cohorts.toml; all its options
are taken. Labels are used for scoring only.
"""

from __future__ import annotations

import sys

from cohorts import DESCRIPTIONS
from poems.cli import main

if __name__ == "__main__":
    described = [] if "--cohorts" in sys.argv else ["--cohorts", str(DESCRIPTIONS)]
    main(["benchmark", *sys.argv[1:], *described])
