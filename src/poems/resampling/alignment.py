"""Factors of a refit found again among those of the reference fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from poems.resampling.factor_matching import match_stacked

_Floats = npt.NDArray[np.float64]

# A factor of a refit is the reference's where the cosine of their loadings reaches this.
LEAST_SIMILARITY = 0.5


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where the reference's factors are in a refit; all arrays of shape (n_reference,).

    Parameters
    ----------
    factor
        Position of the matched factor in the refit, -1 where there were too few.
    similarity
        Cosine of the absolute loadings over all views, 0 where unmatched.
    sign
        -1 where the refit's latents run the other way, 1 elsewhere.
    """

    factor: npt.NDArray[np.intp]
    similarity: _Floats
    sign: _Floats

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Which factors the refit contains: those of similarity 0.5 or more."""
        return (self.factor >= 0) & (self.similarity >= LEAST_SIMILARITY)


def align(
    reference: Mapping[str, npt.NDArray[np.floating]],
    reference_latent: npt.NDArray[np.floating],
    loadings: Mapping[str, npt.NDArray[np.floating]],
    latent: npt.NDArray[np.floating],
) -> Alignment:
    """Match a refit's factors to the reference's by their loadings, and orient them.

    One to one, with the largest sum of the cosines of absolute loadings; signs
    are those of the correlation of the latents, which is defined for effects
    without a direction too.

    Parameters
    ----------
    reference, loadings
        View to loadings of shape (n_features, n_factors); features alike, the
        number of factors may differ.
    reference_latent, latent
        Latents of the same samples, of shape (n_samples, n_factors).

    Examples
    --------
    >>> w, z = np.eye(3), np.array([[1.0, 0, 2], [0, 2, 1], [2, 1, 0]])
    >>> align({"a": w}, z, {"a": w[:, ::-1]}, -z[:, ::-1])
    Alignment(factor=array([2, 1, 0]), similarity=array([1., 1., 1.]), sign=array([-1., -1., -1.]))
    """
    match = match_stacked(_stack(reference), _stack(loadings), "size")
    sign = np.ones(len(match.estimated))
    for at, factor in enumerate(match.estimated):
        if factor >= 0:
            first, second = reference_latent[:, at], latent[:, factor]
            product = (first - first.mean()) @ (second - second.mean())
            sign[at] = -1.0 if product < 0 else 1.0
    return Alignment(match.estimated, match.similarity, sign)


def aligned_loadings(
    loadings: Mapping[str, npt.NDArray[np.floating]], alignment: Alignment
) -> dict[str, _Floats]:
    """Put a refit's loadings in the reference's order and sign, zeros for factors not found."""
    there = np.flatnonzero(alignment.found)
    columns = alignment.factor[there]
    aligned = {}
    for name, table in loadings.items():
        aligned[name] = np.zeros((len(table), len(alignment.factor)))
        aligned[name][:, there] = table[:, columns] * alignment.sign[there]
    return aligned


def chance_similarity(
    reference: Mapping[str, npt.NDArray[np.floating]],
    loadings: Mapping[str, npt.NDArray[np.floating]],
    rng: np.random.Generator,
) -> _Floats:
    """Compute the matched similarities once the features of each view have changed places.

    What two fits with factors of these sizes and sparsities share by chance.
    """
    shuffled = {name: rng.permutation(table, axis=0) for name, table in loadings.items()}
    return match_stacked(_stack(reference), _stack(shuffled), "size").similarity


def _stack(loadings: Mapping[str, npt.NDArray[np.floating]]) -> _Floats:
    return np.vstack([np.asarray(table, dtype=np.float64) for table in loadings.values()])
