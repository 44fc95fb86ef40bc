"""The real cohorts that benchmarks run on, read from a folder given on the command line.

One sub-folder a cohort: <view>.csv.gz with samples in rows, and obs.csv. The
data are not part of the repository; benchmarks/cohorts.toml describes them.
"""

from __future__ import annotations

from pathlib import Path

from poems_benchmark.cohorts import CohortSpec, read_cohort_specs, view_files

__all__ = ["DESCRIPTIONS", "labelled", "more", "view_files"]

DESCRIPTIONS = Path(__file__).with_name("cohorts.toml")


def labelled(data: Path) -> tuple[CohortSpec, ...]:
    """Return the described cohorts that have labels; read one with `read_benchmark_cohort`."""
    return tuple(spec for spec in read_cohort_specs(DESCRIPTIONS, data) if spec.labels)


def more(data: Path) -> tuple[CohortSpec, ...]:
    """Return the cohorts that played no part in choosing any default."""
    return read_cohort_specs(DESCRIPTIONS.with_name("more_cohorts.toml"), data)
