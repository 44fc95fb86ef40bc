"""Names of clusters: S1 the largest, whatever numbers a method gave them."""

from __future__ import annotations

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


def rank_of_name(name: object) -> tuple[int, str]:
    """Return a key that sorts such names by their number, whatever is said of them behind it.

    Examples
    --------
    >>> sorted(["S10", "S2 (without rna)", "S1"], key=rank_of_name)
    ['S1', 'S2 (without rna)', 'S10']
    """
    first = str(name).split(" ", 1)[0]
    return len(first), first
