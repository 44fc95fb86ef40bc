"""Names of clusters: S1 the largest, whatever numbers a method gave them."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt


def names_by_size(labels: npt.NDArray[np.integer]) -> list[str]:
    """Return a name for each sample, ``"S1"`` for those of the largest cluster.

    Clusters of equal size go by their first sample, so that the names do not
    depend on how a method numbers its clusters.

    Examples
    --------
    >>> names_by_size(np.array([7, 3, 3]))
    ['S2', 'S1', 'S1']
    """
    found, first, counts = np.unique(labels, return_index=True, return_counts=True)
    order = sorted(range(len(found)), key=lambda at: (-counts[at], first[at]))
    names = {found[at]: f"S{rank + 1}" for rank, at in enumerate(order)}
    return [names[label] for label in labels]


def natural_order(name: object) -> tuple[tuple[int, int | str], ...]:
    """Return a key that sorts names by the numbers in them: S2 before S10.

    Examples
    --------
    >>> sorted(["S10", "S2 (without rna)", "S1", "a"], key=natural_order)
    ['S1', 'S2 (without rna)', 'S10', 'a']
    """
    parts = re.split(r"(\d+)", str(name))
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts if part)
