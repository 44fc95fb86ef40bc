"""What is said of features that a view's scaling leaves out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.errors import DataError
from poems.findings import Finding, name_some


def left_out_findings(
    name: str, features: pd.Index, kept: npt.NDArray[np.intp]
) -> Iterator[Finding]:
    """Say which features are left out for want of two different values.

    Raises
    ------
    DataError
        If none is kept.
    """
    if not len(kept):
        raise DataError(
            f"view '{name}' has no usable feature: every one is constant or missing. "
            "Leave the view out."
        )
    if len(kept) < len(features):
        left_out = tuple(map(str, features.delete(kept)))
        text = (
            f"{len(left_out)} features are constant or missing throughout and were left out: "
            f"{name_some(left_out)}"
        )
        yield Finding("warning", "features-left-out", text, name, left_out)


def most_variable_finding(name: str, most: pd.Index, n_features: int) -> Finding:
    """Say which features were kept as the most variable ones."""
    text = f"the {len(most)} most variable of {n_features} features were kept"
    return Finding("note", "most-variable", text, name, tuple(map(str, most)))
