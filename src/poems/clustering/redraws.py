"""Embeddings made anew: of some of the samples, and of cohorts like theirs without groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from poems.clustering.coordinates import principal_coordinates
from poems.clustering.networks import coordinates_from_distances
from poems.clustering.without_groups import (
    completed_products,
    even_rotation,
    gaussian_rotation,
    own_basis,
    rotated_distances,
)

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

# Rounds in which networks are fused that are made anew: more change hardly any coordinate.
_ROUNDS = 3
# Of a cohort, the principal coordinates that stand for it.
_COORDINATES = 16


# What a cohort without groups looks like: one Gaussian, or evenly spread, straight or bent.
Shape = Literal["gaussian", "even", "bent"]
SHAPES: Final[tuple[Shape, ...]] = ("gaussian", "even", "bent")


def _rotation(scores: Floats, basis: Floats, rng: np.random.Generator, shape: Shape) -> Floats:
    if shape == "gaussian":
        return gaussian_rotation(len(scores), rng, basis)
    return even_rotation(scores, rng, bent=shape == "bent", basis=basis)


@dataclass(frozen=True, eq=False)
class Groupless:
    """A cohort without groups: spaces as of :attr:`Redraws.spaces`, and points to be clustered.

    ``of_some`` is that of :class:`Redraws`.
    """

    spaces: tuple[Floats, ...]
    points: Floats
    of_some: Callable[[Codes], Floats]


class Redraws(Protocol):
    """What makes an embedding anew."""

    @property
    def latents(self) -> Floats:
        """Latents of the samples, (n_samples, n_factors)."""
        ...

    @property
    def spaces(self) -> tuple[Floats, ...]:
        """Spaces in which clusters may be apart, (n_samples, n_dimensions) each."""
        ...

    @property
    def anew(self) -> bool:
        """Whether the embedding itself is made anew, or held."""
        ...

    def some(self, rows: Codes) -> Redraws:
        """Return the same of some samples, which stand for all."""
        ...

    def of_some(self, rows: Codes) -> Floats:
        """Return the points of some samples as if there were no others."""
        ...

    def without_groups(self, rng: np.random.Generator, shape: Shape) -> Groupless:
        """Draw a cohort with the same covariances but without groups."""
        ...


@dataclass(frozen=True, eq=False)
class NetworkRedraws:
    """Coordinates in the fused network, made anew from latents and distances by view.

    Parameters
    ----------
    latents
        Posterior means of the factors, (n_samples, n_factors).
    distances
        Of shape (n_views, n_samples, n_samples), NaN where a sample lacks a view; in single
        precision, for they are kept.
    variances
        Posterior variances of the factors, as the fit's own network takes them; ``None`` for none.
    cohort_size
        Of how many samples these were drawn; ``None`` if they are all.
    """

    latents: Floats
    distances: npt.NDArray[np.float32]
    variances: Floats | None = None
    cohort_size: int | None = None

    @property
    def anew(self) -> bool:
        """The network is made anew."""
        return True

    @property
    def spaces(self) -> tuple[Floats, ...]:
        """Latents, and principal coordinates of the omics, which no model has seen."""
        return self.latents, self._scores

    def some(self, rows: Codes) -> NetworkRedraws:
        """Return the same of these samples, in whose network each has the same share near it."""
        return NetworkRedraws(
            self.latents[rows],
            self.distances[:, rows[:, None], rows[None, :]],
            None if self.variances is None else self.variances[rows],
            self._size,
        )

    def of_some(self, rows: Codes) -> Floats:
        """Return coordinates in a network of these samples alone."""
        drawn = self.some(rows)
        return drawn._coordinates(drawn.latents, drawn.distances.astype(np.float64))

    def _coordinates(
        self, latents: Floats, distances: Iterable[Floats], principal: Floats | None = None
    ) -> Floats:
        return coordinates_from_distances(
            latents,
            distances,
            variances=self.variances,
            rounds=_ROUNDS,
            cohort_size=self._size,
            principal=principal,
        )

    @property
    def _size(self) -> int:
        return self.cohort_size or len(self.latents)

    @cached_property
    def _scores(self) -> Floats:
        return principal_coordinates(list(self.distances.astype(np.float64)), _COORDINATES)

    @cached_property
    def _basis(self) -> Floats:
        return own_basis(self._scores)

    @cached_property
    def _products(self) -> list[tuple[Floats, npt.NDArray[np.bool_]]]:
        # Whose residuals are lent matters little; the same for every draw saves half of the time.
        lent = np.random.default_rng(len(self.latents))
        return completed_products(list(self.distances.astype(np.float64)), self._scores, lent)

    def without_groups(self, rng: np.random.Generator, shape: Shape) -> Groupless:
        """Rotate latents and views, and make a network of what they become."""
        turn = _rotation(self._scores, self._basis, rng, shape)
        distances = [rotated_distances(*each, turn) for each in self._products]
        latents = turn @ (self.latents - self.latents.mean(axis=0))
        scores = turn @ self._scores
        # Of rotated samples they are these, rotated; but for those that lack a view.
        known = scores if all(there.all() for _, there in self._products) else None
        points = self._coordinates(latents, distances, known)
        kept = np.stack(distances).astype(np.float32)
        turned = replace(self, latents=latents, distances=kept)
        return Groupless((latents, scores), points, turned.of_some)


@dataclass(frozen=True, eq=False)
class PointRedraws:
    """Points that are what they are, whichever samples are drawn: latents, predictions.

    Parameters
    ----------
    latents
        Of shape (n_samples, n_factors).
    points
        Of shape (n_samples, n_dimensions).
    """

    latents: Floats
    points: Floats

    @property
    def anew(self) -> bool:
        """The points are held."""
        return False

    @property
    def spaces(self) -> tuple[Floats, ...]:
        """The latents alone."""
        return (self.latents,)

    def some(self, rows: Codes) -> PointRedraws:
        """Return these samples alone."""
        return PointRedraws(self.latents[rows], self.points[rows])

    def of_some(self, rows: Codes) -> Floats:
        """Return the points of these samples."""
        return self.points[rows]

    @cached_property
    def _scores(self) -> Floats:
        # Principal coordinates of the points; without any spread there is none.
        vectors, sizes, _ = np.linalg.svd(self._centred, full_matrices=False)
        scores: Floats = vectors[:, sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1e-300)]
        return scores[:, : len(scores) - 2]

    @cached_property
    def _centred(self) -> Floats:
        centred: Floats = self.points - self.points.mean(axis=0)
        return centred

    @cached_property
    def _basis(self) -> Floats:
        return own_basis(self._scores)

    def without_groups(self, rng: np.random.Generator, shape: Shape) -> Groupless:
        """Rotate the points, and the latents alike."""
        turn = _rotation(self._scores, self._basis, rng, shape)
        latents = turn @ (self.latents - self.latents.mean(axis=0))
        points: Floats = turn @ self._centred
        return Groupless((latents,), points, lambda rows: points[rows])
