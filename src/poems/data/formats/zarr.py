"""zarr: the folder of an AnnData or a MuData, whose values stay on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from poems.data.formats import Reader
from poems.data.layers import Layer

if TYPE_CHECKING:
    from poems.data.disk.stores import OpenStore


def open_parts(path: Path, view: str | None, layer: Layer = None) -> OpenStore:
    """Open the folder."""
    # Whether the path is there is said before this is imported.
    from poems.data.disk.stores import open_views

    return open_views(path, view, layer)


READER = Reader(parts=open_parts, folder=True, layers=True)
