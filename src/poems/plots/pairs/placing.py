"""Where the nodes of a network are drawn: as far apart as the paths between them are long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]

# Rounds at most, and the share of the stress that a round must gain for another.
_ROUNDS: Final = 500
_SETTLED: Final = 1e-6


def path_lengths(n_nodes: int, edges: Iterable[tuple[int, int]]) -> _Floats:
    """Count the edges on the shortest path between every two nodes, infinite where there is none.

    Examples
    --------
    >>> path_lengths(4, [(0, 1), (1, 2)])[0].tolist()
    [0.0, 1.0, 2.0, inf]
    """
    joined = np.eye(n_nodes, dtype=bool)
    for one, other in edges:
        joined[one, other] = joined[other, one] = True
    lengths = np.full((n_nodes, n_nodes), np.inf)
    reached, found = np.eye(n_nodes, dtype=bool), 0
    while not np.isfinite(lengths[reached]).all():
        lengths[reached & np.isinf(lengths)] = found
        reached, found = reached @ joined, found + 1
    return lengths


def components(lengths: _Floats) -> list[list[int]]:
    """Return the nodes that paths join, the largest component first.

    Examples
    --------
    >>> components(path_lengths(4, [(1, 3)]))
    [[1, 3], [0], [2]]
    """
    parts = {tuple(np.flatnonzero(np.isfinite(row)).tolist()) for row in lengths}
    return [list(part) for part in sorted(parts, key=lambda part: (-len(part), part))]


def placed_by_paths(lengths: _Floats) -> _Floats:
    """Place nodes in the plane so that distances are near to the lengths of paths, relatively.

    What is made small is the energy of Kamada & Kawai (1989, Information Processing Letters
    31:7), sum over pairs of (|x_i - x_j| / d_ij - 1)², from principal coordinates and from a
    circle, by majorisation (Gansner, Koren & North 2004, Graph Drawing): each round solves a
    linear system and loses nothing.

    Parameters
    ----------
    lengths
        Of paths, (n_nodes, n_nodes), finite, at least 3 nodes.

    Returns
    -------
    Array of shape (n_nodes, 2), its mean at 0, the farthest coordinate at 1.

    Examples
    --------
    >>> points = placed_by_paths(path_lengths(3, [(0, 1), (1, 2)]))
    >>> round(float(np.linalg.norm(points[0] - points[2]) / np.linalg.norm(points[0] - points[1])))
    2
    """
    n_nodes = len(lengths)
    angle = 2.0 * np.pi * np.arange(n_nodes) / n_nodes
    circle = np.column_stack([np.cos(angle), np.sin(angle)]) * lengths.max() / 2.0
    far = lengths + np.eye(n_nodes)
    weights = (1.0 - np.eye(n_nodes)) / far**2
    ends = [_majorised(start, far, weights) for start in (_scaled_classically(lengths), circle)]
    points = min(ends, key=lambda end: end[1])[0]
    points -= points.mean(axis=0)
    scaled: _Floats = points / np.abs(points).max()
    return scaled


def _majorised(points: _Floats, far: _Floats, weights: _Floats) -> tuple[_Floats, float]:
    """Return where nodes come to rest that start at ``points``, and the energy there."""
    inverse = np.linalg.pinv(np.diag(weights.sum(axis=1)) - weights, hermitian=True)
    energy = np.inf
    for _ in range(_ROUNDS):
        apart = np.linalg.norm(points[:, None] - points[None], axis=2)
        before, energy = energy, float((weights * (apart - far) ** 2).sum())
        if energy > (1.0 - _SETTLED) * before:
            break
        # Nodes at one place push each other nowhere.
        pull = np.divide(weights * far, apart, out=np.zeros_like(apart), where=apart > 0)
        points = inverse @ (np.diag(pull.sum(axis=1)) - pull) @ points
    return points, energy


def _scaled_classically(lengths: _Floats) -> _Floats:
    """Principal coordinates of the lengths (Torgerson 1952); alike nodes a little apart."""
    squares = lengths**2
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    values, vectors = np.linalg.eigh(-0.5 * centred)
    axes = vectors[:, ::-1][:, :2]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[largest, [0, 1]] < 0, -1.0, 1.0)
    # Lengths of paths need not fit into a plane: what is below 0 has no coordinates.
    points: _Floats = axes * np.sqrt(np.maximum(values[::-1][:2], 0.0))
    # Alike nodes, as leaves of one node, would stay at one place.
    numbers = np.arange(len(points))
    return points + 0.05 * np.column_stack([np.cos(numbers), np.sin(numbers)])
