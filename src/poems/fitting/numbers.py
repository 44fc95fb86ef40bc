"""How many clusters a fitted model has, with a network or without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poems.clustering.how_many import drawn_rows, try_numbers
from poems.clustering.kmeans import by_size, clusterings_of, finite_points, one_thread
from poems.clustering.redraws import PointRedraws
from poems.clustering.tried import NumberTried

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems


def number_judgements(model: FittedPoems) -> tuple[NumberTried, ...]:
    """Judge the numbers of clusters from 2 to 10 of a model's training samples.

    Those of the network where the model has them; otherwise the points of the default
    embedding are held while samples are drawn.

    Parameters
    ----------
    model
        The fitted model.

    Raises
    ------
    DataError
        If a point is not finite.
    """
    if model.default_metric == "network" and model.cluster_numbers is not None:
        return model.cluster_numbers
    points, latents = finite_points(model.embedding()), finite_points(model.latent)
    rows = drawn_rows(len(points), model.seed)
    with one_thread():
        formed = clusterings_of(points, None, range(2, 11), 0)
        redraws = PointRedraws(latents[rows], points[rows])
        return try_numbers(redraws, {k: by_size(labels)[rows] for k, labels in formed.items()})
