"""The real cohorts that benchmarks run on, read from a folder given on the command line.

One sub-folder a cohort: <view>.csv.gz with samples in rows, and obs.csv. The
data are not part of the repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import poems


@dataclass(frozen=True)
class Labelled:
    """A cohort with known classes: its folder, the views to use, the column of obs."""

    folder: str
    views: tuple[str, ...]
    label: str


LABELLED = (
    Labelled("brca_mogonet255", ("mrna", "methylation", "mirna"), "pam50"),
    Labelled("brca_jive348", ("expression", "methylation", "mirna"), "pam50"),
    Labelled("brca_mixomics", ("mrna", "mirna"), "subtype"),
    Labelled("gbm_stategra", ("mrna", "mirna"), "subtype"),
)


def view_files(folder: Path) -> dict[str, Path]:
    """View name to file, in alphabetical order."""
    return {path.name.removesuffix(".csv.gz"): path for path in sorted(folder.glob("*.csv.gz"))}


def read_labelled(data: Path, cohort: Labelled) -> poems.MultiOmics:
    """Read the views of a labelled cohort."""
    files = view_files(data / cohort.folder)
    views = {name: files[name] for name in cohort.views}
    return poems.read(views, obs=data / cohort.folder / "obs.csv")
