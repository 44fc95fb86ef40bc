"""h5mu: the views of a MuData, which is a whole cohort."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from poems.data.formats import Reader
from poems.data.layers import Layer

if TYPE_CHECKING:
    from poems.data.disk.stores import OpenStore
    from poems.data.stored.in_memory import Split

# What reads is imported when it does: whether a path is there is said before.


def read_cohort(path: Path, layer: Layer = None) -> Split:
    """Read the views as AnnData, the obs that they share and the order of the samples."""
    from poems.data.mudata_io import read_h5mu_views

    return read_h5mu_views(path, layer)


def open_parts(path: Path, view: str | None, layer: Layer = None) -> OpenStore:
    """Open the file, its values left on disk."""
    from poems.data.disk.stores import open_views

    return open_views(path, view, layer)


READER = Reader(cohort=read_cohort, parts=open_parts, layers=True)
