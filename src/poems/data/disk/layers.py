"""The layers of an AnnData group in a file, or its X."""

from __future__ import annotations

from typing import Any

from poems.data.layers import Layer, chosen
from poems.data.stored.parsing import guarded


def layer_of(view: str, layer: Layer) -> str | None:
    """Return the layer that is asked for of a view."""
    return layer if layer is None or isinstance(layer, str) else layer.get(view)


def layer_names(group: Any) -> list[str]:
    """Return the names of the layers of an AnnData group."""
    layers = group.get("layers")
    return sorted(map(str, layers)) if hasattr(layers, "keys") else []


def values_element(group: Any, where: str, layer: str | None) -> tuple[Any, str]:
    """Return what holds the values of an AnnData group, and what it is called.

    Raises
    ------
    DataError
        If there is no X, or no such layer.
    """
    has_x = "X" in group and not _is_null(group["X"])
    name = chosen(layer_names(group), layer, has_x=has_x, where=where)
    if name is None:
        return guarded(f"{where}, X", lambda: group["X"]), f"{where}, X"
    place = f"{where}, layer {name!r}"
    return guarded(place, lambda: group["layers"][name]), place


def _is_null(element: Any) -> bool:
    return str(element.attrs.get("encoding-type", "")) == "null"
