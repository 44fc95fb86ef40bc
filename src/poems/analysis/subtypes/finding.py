"""Subtypes of a fitted model: groups of samples that lie together in its embedding.

They are found either by k-means on the embedding, as many as hold when samples are
drawn anew, or as the components of the mixture prior.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from poems.analysis.subtypes.forming import (
    Clusterings,
    Judge,
    judge_by,
    judge_points,
    kmeans_subtypes,
    mixture_subtypes,
)
from poems.analysis.subtypes.result import Method, Subtypes, component_table
from poems.clustering.how_many import drawn_rows
from poems.clustering.kmeans import LARGEST_CLUSTERED, finite_points
from poems.clustering.redraws import PointRedraws
from poems.clustering.tried import NumberTried
from poems.errors import PoemsWarning, SettingsError
from poems.findings import Finding, name_some
from poems.settings.schema import Metric

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

__all__ = [
    "Method",
    "Subtypes",
    "component_table",
    "failed_fit",
    "find_subtypes",
    "form_subtypes",
    "kmeans_subtypes",
    "mixture_subtypes",
]

CANDIDATES: Final = range(2, 11)


def find_subtypes(
    model: FittedPoems,
    n_subtypes: int | None = None,
    *,
    candidates: Iterable[int] = CANDIDATES,
    metric: Metric | None = None,
    method: Method = "kmeans",
    seed: int = 0,
) -> Subtypes:
    """Assign the training samples of ``model`` to subtypes.

    Parameters
    ----------
    model
        The fitted model.
    n_subtypes
        Number of subtypes; ``None`` chooses the one of ``candidates`` that has most to speak
        for it, or 1 (:func:`poems.clustering.tried.number_to_report`). With
        ``method="mixture"`` the prior fixes it and it must be ``None``.
    candidates
        Numbers of subtypes to try.
    metric
        Embedding to cluster in; ``None`` is the model's default.
    method
        ``"kmeans"`` on the embedding, or ``"mixture"``: the most probable
        component of the mixture prior.
    seed
        Seed of k-means.

    Returns
    -------
    Subtypes
        What is doubtful of them is in its ``findings``.

    Warns
    -----
    PoemsWarning
        If the number that was asked for does not hold, a subtype is too small to be one, or the
        fit failed its diagnosis.

    Raises
    ------
    SettingsError
        If there are more subtypes than samples, no candidate is possible, or
        the model has no mixture prior to read subtypes from.
    """
    found = form_subtypes(
        model, n_subtypes, candidates=candidates, metric=metric, method=method, seed=seed
    )
    for each in (*found.findings, *failed_fit(model)):
        if each.severity != "note":
            warnings.warn(each.message, PoemsWarning, stacklevel=2)
    return found


def form_subtypes(
    model: FittedPoems,
    n_subtypes: int | None,
    *,
    candidates: Iterable[int] = CANDIDATES,
    metric: Metric | None,
    method: Method,
    seed: int,
) -> Subtypes:
    """Do what :func:`find_subtypes` does, for who says what there is to say by itself."""
    found = _formed(model, n_subtypes, candidates, metric, method, seed)
    return found.by_measured_omics(model.gates > 0)


def _formed(
    model: FittedPoems,
    n_subtypes: int | None,
    candidates: Iterable[int],
    metric: Metric | None,
    method: Method,
    seed: int,
) -> Subtypes:
    points = model.embedding(metric)
    if method == "kmeans":
        return kmeans_subtypes(
            points,
            n_subtypes,
            candidates=candidates,
            metric=metric,
            seed=seed,
            judge=_judge(model, metric, seed, others=n_subtypes is not None),
        )
    if method != "mixture":
        raise SettingsError(f"method must be 'kmeans' or 'mixture', not '{method}'")
    if model.component_probabilities is None:
        raise SettingsError(
            "method='mixture' reads the subtypes from a mixture prior, but this model was fitted "
            "with prior='normal'; fit with prior=\"mixture\", or use method='kmeans'"
        )
    if n_subtypes is not None:
        raise SettingsError(
            f"n_subtypes={n_subtypes} has no meaning with method='mixture': the prior's components "
            "are the subtypes; fit with another n_components, or use method='kmeans'"
        )
    return mixture_subtypes(points, model.component_probabilities, metric=metric)


def failed_fit(model: FittedPoems) -> tuple[Finding, ...]:
    """Return the warning that a fit which failed its diagnosis has no subtypes to be trusted."""
    signatures = model.diagnose().signatures
    if not signatures:
        return ()
    text = (
        f"the fit failed its diagnosis ({name_some(signatures, 5)}): whatever subtypes it has, "
        "do not build on them before that is mended; see the diagnosis"
    )
    return (Finding("warning", "subtypes-of-failed-fit", text),)


def _judge(model: FittedPoems, metric: Metric | None, seed: int, *, others: bool) -> Judge | None:
    """Return what judges numbers of subtypes: by networks made anew where there is a network.

    ``others``: with numbers that were not asked for, where they are known.
    """
    own = metric or model.default_metric
    points = finite_points(model.embedding(own))
    if len(points) > LARGEST_CLUSTERED:
        return None
    latents = finite_points(model.latent)
    if own != "network":
        return judge_points(points, latents, seed)
    rows = drawn_rows(len(points), model.seed)
    # A model that was loaded has nothing of its data: its network is held.
    redraws = model.redraws or PointRedraws(latents[rows], points[rows])

    def judge(clusterings: Clusterings) -> tuple[NumberTried, ...]:
        known = {each.n_clusters: each for each in model.cluster_numbers or ()}
        missing = {k: labels for k, labels in clusterings.items() if k not in known}
        more = judge_by(redraws, rows, seed)(missing) if missing else ()
        every = {**known, **{each.n_clusters: each for each in more}}
        return tuple(every[k] for k in sorted(every) if others or k in clusterings)

    return judge
