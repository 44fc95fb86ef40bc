"""Layers of AnnData: which of them is taken in place of X."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from poems.data.formats import reader_of
from poems.errors import DataError, SettingsError
from poems.findings import Finding, name_some

Layer = str | Mapping[str, str] | None
# Where an AnnData that was read names the layers of its file.
LAYERS_KEY = "poems_layers"


def layers_of(layer: Layer, sources: Mapping[str, Any]) -> dict[str, str]:
    """Return the layer of each view that has one.

    Parameters
    ----------
    layer
        Its name, for all views that can have layers; or view name to name.
    sources
        What each view is read from.

    Raises
    ------
    SettingsError
        If a view is named that there is not, or none of the views can have layers.

    Examples
    --------
    >>> layers_of({"rna": "lognorm"}, {"rna": "a.h5ad", "protein": "b.csv"})
    {'rna': 'lognorm'}
    """
    if layer is None:
        return {}
    if isinstance(layer, str):
        found = {name: layer for name, source in sources.items() if has_layers(source)}
        if not found:
            raise SettingsError(
                f"layer {layer!r} was asked for, but none of the views is an AnnData or a "
                "workbook, which alone have layers or sheets"
            )
        return found
    unknown = [name for name in layer if name not in sources]
    if unknown:
        raise SettingsError(
            f"layer names the view {name_some(map(repr, unknown))}; there are "
            f"{name_some(map(repr, sources), 20)}"
        )
    tables = [name for name in layer if not has_layers(sources[name])]
    if tables:
        raise SettingsError(
            f"layer is given for view {name_some(map(repr, tables))}, which is no AnnData and no "
            "workbook and has no layers; leave it out for this view"
        )
    return dict(layer)


def chosen(available: Collection[str], layer: str | None, *, has_x: bool, where: str) -> str | None:
    """Return the layer to read, ``None`` for X.

    Raises
    ------
    DataError
        If it is not there, or there is neither X nor a layer that was asked for; the text
        names those that are there.
    """
    there = name_some(map(repr, available), 20)
    if layer is not None:
        if layer not in available:
            which = f"there are {there}" if available else "it has no layers"
            raise DataError(f"{where} has no layer {layer!r}; {which}")
        return layer
    if has_x:
        return None
    if not available:
        raise DataError(f"{where} has no X; put the values to fit there")
    first = next(iter(available))
    raise DataError(
        f"{where} has no X, but it has the layers {there}: choose one (layer={first!r}, or --layer "
        f"VIEW={first})"
    )


def layer_note(available: Collection[str], layer: str | None, where: str) -> tuple[Finding, ...]:
    """Say that there are layers of which none was asked for."""
    if layer is not None or not available:
        return ()
    text = (
        f"{where}: X was read; there are layers, too: {name_some(map(repr, available), 8)} "
        "(layer=, or --layer, takes one of them)"
    )
    return (Finding("note", "layers", text, items=tuple(map(str, available))),)


def has_layers(source: Any) -> bool:
    """Say whether a view, or the table of the samples, may have layers or sheets."""
    if isinstance(source, str) or hasattr(source, "suffix"):
        from pathlib import Path

        reader = reader_of(Path(source))
        return reader is not None and reader.layers
    # An AnnData, or a view of a file that is read in parts and was opened with its layer.
    return hasattr(source, "layers") or hasattr(source, "matrix")
