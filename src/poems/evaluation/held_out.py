"""What is made of samples that were not fitted: reconstruction, cross-view prediction, neighbours.

R squared is on the scale of the preprocessing and about the means of the training samples, so that
predicting those gives 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from poems.clustering.agreement import Labels, Points, as_codes, as_points, balanced_accuracy
from poems.diagnosis.reconstruction import explained_views
from poems.errors import DataError, SettingsError
from poems.findings import name_some
from poems.fitting.result import FittedPoems
from poems.nn.estimates import estimate_samples
from poems.scaling.batch import Batch

Predict = Callable[[Batch], Mapping[str, Tensor]]
"""Samples to predictions of every view, measured or not: view name to (n_samples, n_features)."""

_Rows = npt.NDArray[np.intp]


def stratified_split(labels: pd.Series, seed: int, *, share: float = 0.2) -> tuple[_Rows, _Rows]:
    """Split samples at random in two, with equal shares of each class in both parts.

    Samples without a label count as a class; one that is alone in its class is
    counted with the largest.

    Parameters
    ----------
    labels
        Class of each sample, missing where unknown.
    seed
        Of the split.
    share
        Share of the samples in the second part.

    Returns
    -------
    Positions of the samples of the first and the second part, sorted.

    Raises
    ------
    DataError
        If there are too few samples for every class to be in both parts.

    Examples
    --------
    >>> fitted, held_out = stratified_split(pd.Series(["a"] * 10 + ["b"] * 5), seed=0)
    >>> len(fitted), held_out < 10
    (12, array([ True,  True, False]))
    """
    from sklearn.model_selection import StratifiedShuffleSplit

    codes, _ = pd.factorize(labels.to_numpy(dtype=object), use_na_sentinel=False)
    count = np.bincount(codes)
    codes = np.where(count[codes] > 1, codes, count.argmax())
    splitter = StratifiedShuffleSplit(1, test_size=share, random_state=seed)
    try:
        ((first, second),) = splitter.split(codes, codes)
    except ValueError as error:
        raise DataError(f"the samples cannot be split: {error}") from None
    return np.sort(first), np.sort(second)


def predicted_by(model: FittedPoems) -> Predict:
    """Return what predicts by decoding the posterior means of a fitted model.

    Raises
    ------
    SettingsError
        If values of a view are on their own scale; see
        :func:`poems.evaluation.held_out_scores.held_out_scores`.
    """
    for i, name in enumerate(model.view_names):
        if model.module.likelihood(i).kind != "continuous":
            raise SettingsError(
                f"predictions of view '{name}' are means on its own scale, which the model's "
                "scale has no place for; held_out_scores() compares them"
            )

    @torch.no_grad()
    def predict(batch: Batch) -> Mapping[str, Tensor]:
        estimates = estimate_samples(model.module, batch)
        return model.module.predict(estimates.loc, estimates.background, measured=batch.measured)

    return predict


def reconstruction_r2(
    batch: Batch, predict: Predict, means: Mapping[str, Tensor]
) -> dict[str, float]:
    """Compute R squared of every view, predicted from all views, itself among them.

    Parameters
    ----------
    batch
        Held-out samples on the model's scale.
    predict
        The model, see :func:`predicted_by`.
    means
        View name to (n_features,), of the training samples.

    Returns
    -------
    View name to R squared over the measured entries of all features together;
    without the views that no sample was measured on.

    Examples
    --------
    >>> x = torch.tensor([[1.0], [-1.0]])
    >>> batch = Batch({"a": x}, {"a": None}, torch.ones(2, 1, dtype=torch.bool))
    >>> reconstruction_r2(batch, lambda some: {"a": some.values["a"] / 2}, {"a": torch.zeros(1)})
    {'a': 0.75}
    """
    return explained_views(batch, predict(batch), means)


def views_that_vary(
    batch: Batch, training: Batch, means: Mapping[str, Tensor], *, least: float = 0.1
) -> list[str]:
    """Name the views of held-out samples that have variance to explain.

    R squared is a ratio to it. Rare mutations, say, may all be among the training
    samples: what is left of the view is constant, and R squared of any model far
    below 0.

    Parameters
    ----------
    batch, training
        Held-out and training samples on the model's scale.
    means
        View name to (n_features,), of the training samples.
    least
        Mean square about the means, as a share of that of the training samples.

    Examples
    --------
    >>> x = torch.tensor([[1.0], [-1.0]])
    >>> both = torch.ones(2, 2, dtype=torch.bool)
    >>> training = Batch({"a": x, "b": x}, {"a": None, "b": None}, both)
    >>> held_out = Batch({"a": x, "b": 0.1 * x}, {"a": None, "b": None}, both)
    >>> views_that_vary(held_out, training, {"a": torch.zeros(1), "b": torch.zeros(1)})
    ['a']
    """
    varying = []
    for name, mean in means.items():
        given, usual = _mean_square(batch, name, mean), _mean_square(training, name, mean)
        if given > least * usual:
            varying.append(name)
    return varying


def _mean_square(batch: Batch, name: str, mean: Tensor) -> float:
    """Mean square of the measured entries about the mean; 0 without any."""
    there = batch.measured[:, list(batch.values).index(name), None]
    observed = batch.observed[name]
    there = (there if observed is None else there & observed).expand_as(batch.values[name])
    squares = torch.where(there, batch.values[name] - mean, 0.0).double().square().sum()
    # Without any: 0, as said above, and no view then varies.
    return float(squares / there.sum().clamp_min(1))


def cross_view_r2(batch: Batch, predict: Predict, means: Mapping[str, Tensor]) -> dict[str, float]:
    """Compute R squared of every view, predicted from the other views alone.

    Each view in turn is withheld from the samples that were measured on it and
    on another one. Parameters are those of :func:`reconstruction_r2`.

    Returns
    -------
    View name to R squared; without the views that no such sample has.

    Examples
    --------
    >>> x = torch.tensor([[1.0], [-1.0]])
    >>> batch = Batch({"a": x, "b": x}, {"a": None, "b": None}, torch.ones(2, 2, dtype=torch.bool))
    >>> swap = lambda some: {"a": some.values["b"], "b": some.values["a"] / 2}
    >>> cross_view_r2(batch, swap, {"a": torch.zeros(1), "b": torch.zeros(1)})
    {'a': 1.0, 'b': 0.75}
    """
    shares = {}
    for i, name in enumerate(batch.values):
        rows = batch.measured[:, i] & (batch.measured.sum(dim=1) > 1)
        if rows.any():
            part = batch.take(rows.nonzero()[:, 0])
            predicted = predict(withheld(part, name))
            shares[name] = explained_views(part, predicted, means)[name]
    return shares


def withheld(batch: Batch, view: str) -> Batch:
    """Return the samples as if the view had been measured on none of them."""
    measured = batch.measured.clone()
    measured[:, list(batch.values).index(view)] = False
    return replace(
        batch,
        values={**batch.values, view: torch.zeros_like(batch.values[view])},
        observed={**batch.observed, view: None},
        measured=measured,
    )


def neighbour_scores(
    points: Points,
    labels: Labels,
    new_points: Points,
    new_labels: Labels,
    *,
    n_neighbours: int | None = None,
) -> dict[str, float]:
    """Classify new samples by their nearest neighbours among the fitted ones.

    Parameters
    ----------
    points, new_points
        Embeddings of shape (n_samples, n_dimensions) and (n_new, n_dimensions).
    labels, new_labels
        One entry per sample; those without are left out.
    n_neighbours
        Neighbours that vote; by default the number of classes among ``labels``,
        as in :func:`poems.evaluation.paper.protocol.knn_accuracy`.

    Returns
    -------
    ``accuracy`` and ``balanced_accuracy`` of the new samples.

    Raises
    ------
    DataError
        If lengths differ, a point is not finite, no new sample has a label, or
        fewer fitted ones have than there are neighbours.

    Examples
    --------
    >>> neighbour_scores([[0.0], [0.1], [9.0], [9.1]], list("aabb"), [[1.0], [8.0]], list("ab"))
    {'accuracy': 1.0, 'balanced_accuracy': 1.0}
    """
    from sklearn.neighbors import KNeighborsClassifier

    parts = []
    for x, given in ((points, labels), (new_points, new_labels)):
        classes = np.asarray(given, dtype=object)
        known = ~pd.isna(classes)
        parts.append((as_points(x, given)[known], classes[known]))
    (learn, truth), (test, wanted) = parts
    if not len(wanted):
        raise DataError("none of the new samples has a label")
    codes = as_codes("labels", truth)
    _, names = pd.factorize(truth)
    k = n_neighbours if n_neighbours is not None else len(names)
    if len(learn) < k:
        raise DataError(
            f"{k} neighbours cannot be found among {len(learn)} samples; lower n_neighbours"
        )
    if not learn.shape[1]:
        # A model without any factor puts all samples at one point.
        learn, test = np.zeros((len(learn), 1)), np.zeros((len(test), 1))
    predicted = names[KNeighborsClassifier(k).fit(learn, codes).predict(test)]
    return {
        "accuracy": float(np.mean(predicted == wanted)),
        "balanced_accuracy": balanced_accuracy(wanted, predicted),
    }


@dataclass(frozen=True, eq=False)
class PrincipalModel:
    r"""Probabilistic PCA of the block-scaled views: a linear reference for POEMS.

    .. math::
        x = B z + \epsilon, \; z_k \sim N(0, \lambda_k), \; \epsilon \sim N(0, \sigma^2 I),

    x the views side by side, each divided by the square root of its number of
    features, B their principal axes (Tipping and Bishop, 1999). A sample's
    scores are E[z | measured views]. Missing entries of a measured view are at
    the mean. Made by :func:`fit_principal_model`.

    Parameters
    ----------
    axes
        B, view name to (n_features, rank).
    variance
        lambda, of shape (rank,).
    noise
        sigma squared.
    means
        View name to (n_features,), of the training samples.
    """

    axes: Mapping[str, Tensor]
    variance: Tensor
    noise: float
    means: Mapping[str, Tensor]

    def scores(self, batch: Batch) -> Tensor:
        """Return the expected scores of some samples, of shape (n_samples, rank)."""
        blocks = _blocks(batch, self.means)
        projected = sum(blocks[name] @ axes for name, axes in self.axes.items())
        assert isinstance(projected, Tensor)
        grams = torch.stack([axes.T @ axes for axes in self.axes.values()])
        gram = torch.einsum("nv,vkl->nkl", batch.measured.double(), grams)
        precision = gram + torch.diag(self.noise / self.variance)
        scores: Tensor = torch.linalg.solve(precision, projected)
        return scores

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Predict every view of some samples: name to (n_samples, n_features)."""
        z = self.scores(batch)
        return {
            name: (z @ axes.T).float() * len(axes) ** 0.5 + self.means[name]
            for name, axes in self.axes.items()
        }


def fit_principal_model(batch: Batch, means: Mapping[str, Tensor], rank: int) -> PrincipalModel:
    """Fit probabilistic PCA to training samples, by singular values.

    Parameters
    ----------
    batch
        The training samples; what was not measured on them is at the mean.
    means
        View name to (n_features,).
    rank
        Number of components; at most one less than samples and features.

    Raises
    ------
    DataError
        If no view varies.

    Examples
    --------
    >>> x = torch.outer(torch.linspace(-1, 1, 40), torch.ones(8)) + 0.1 * torch.randn(40, 8)
    >>> batch = Batch({"a": x}, {"a": None}, torch.ones(40, 1, dtype=torch.bool))
    >>> model = fit_principal_model(batch, {"a": x.mean(dim=0)}, rank=1)
    >>> model.scores(batch).shape
    torch.Size([40, 1])
    """
    blocks = _blocks(batch, means)
    x = torch.cat(list(blocks.values()), dim=1)
    _, singular, right = torch.linalg.svd(x, full_matrices=False)
    spectrum = singular.square() / len(x)
    # What lies below is rounding.
    supported = int((spectrum > 1e-9 * spectrum[0]).sum()) if float(spectrum[0]) > 0 else 0
    if not supported:
        raise DataError(f"no feature of {name_some(blocks)} varies")
    kept = min(rank, supported, min(x.shape) - 1)
    noise = float(spectrum[kept:].sum() / (x.shape[1] - kept))
    widths = [block.shape[1] for block in blocks.values()]
    axes = dict(zip(blocks, right[:kept].T.split(widths), strict=True))
    # Leading eigenvalues are no smaller than the mean of the rest but by rounding; a Gaussian needs
    # some variance.
    variance = (spectrum[:kept] - noise).clamp_min(1e-9 * spectrum[0])
    return PrincipalModel(axes, variance, noise, means)


def _blocks(batch: Batch, means: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the views block-scaled about the means, zero where they were not measured."""
    return {
        name: torch.where(batch.measured[:, i, None], values - means[name], 0.0).double()
        / values.shape[1] ** 0.5
        for i, (name, values) in enumerate(batch.values.items())
    }
