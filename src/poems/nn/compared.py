"""What is predicted beside what was measured, on the scale on which shares are explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from poems.nn.likelihoods.own_scale import OwnScaleLikelihood
from poems.nn.model import POEMS
from poems.scaling.batch import Batch


@dataclass(frozen=True, eq=False)
class Compared:
    """Samples, and what is predicted of them: view name to (n_samples, n_features).

    Of continuous views, values and their means. Of a view on its own scale, deviance residuals r
    about a model without factors, and what the model takes off them, so that the sum of squares
    of the difference is the model's deviance, that of r the one without factors, and the share
    explained is the share of deviance. ``means``, of the latter views alone, is what that share
    is about: 0 throughout, (n_features,).
    """

    batch: Batch
    predicted: Mapping[str, Tensor]
    means: Mapping[str, Tensor] = field(default_factory=dict)


@torch.no_grad()
def compared(
    model: POEMS,
    batch: Batch,
    z: Tensor,
    background: Tensor | None = None,
    measured: Tensor | None = None,
) -> Compared:
    """Predict samples from latents (n_samples, n_latent), and background scores if there are any.

    ``batch`` has the values that predictions are compared with, ``measured`` is as in
    :meth:`~poems.nn.model.POEMS.linear_predictors`.

    Examples
    --------
    >>> from poems.settings.schema import Settings
    >>> model = POEMS({"a": torch.ones(5)}, Settings().updated(n_latent=2)).eval()
    >>> batch = Batch({"a": torch.randn(3, 5)}, {"a": None}, torch.ones(3, 1).bool())
    >>> found = compared(model, batch, torch.zeros(3, 2))
    >>> found.batch is batch, found.predicted["a"].shape
    (True, torch.Size([3, 5]))
    """
    if not batch.targets:
        return Compared(batch, model.predict(z, background, measured=measured))
    values, predicted, means = dict(batch.values), {}, {}
    rows = torch.ones(len(batch), dtype=torch.bool)
    for i, (name, eta) in enumerate(model.linear_predictors(z, background, measured).items()):
        x, found, mean = compare_view(model, i, batch, rows, eta)
        predicted[name] = found
        if mean is not None:
            values[name], means[name] = x, mean
    return Compared(replace(batch, values=values), predicted, means)


@torch.no_grad()
def compare_view(
    model: POEMS, view: int, batch: Batch, rows: Tensor, eta: Tensor
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Compare one view of some samples with its eta before sizes, (n_rows, n_features).

    Returns
    -------
    What :class:`Compared` says, of these samples: values, predictions, and the means of a view on
    its own scale, ``None`` for others.
    """
    name, likelihood = model.views[view], model.likelihood(view)
    if not isinstance(likelihood, OwnScaleLikelihood):
        return batch.values[name][rows], likelihood.mean(eta), None
    x = batch.targets[name][rows]
    without = batch.shifted_view(name, likelihood.null.expand_as(eta), rows)
    about_null = likelihood.residual(x, without)
    left = likelihood.residual(x, batch.shifted_view(name, eta, rows))
    return about_null, about_null - left, torch.zeros_like(likelihood.null)


@torch.no_grad()
def shares_of_values(
    model: POEMS,
    batch: Batch,
    z: Tensor,
    background: Tensor | None = None,
    measured: Tensor | None = None,
) -> dict[str, float]:
    """Compute R squared on the values themselves, of views on their own scale.

    Squares of what values differ from their means by, beside those of a model without factors;
    each feature counts by its measured entries, as where features are standardised. It says what
    R squared says of a Gaussian view, and the share of deviance beside it what the likelihood is
    worth.

    Parameters
    ----------
    model, batch
        The trained model, and some samples.
    z, background, measured
        As :func:`compared` has them.

    Returns
    -------
    View name to R squared, at most 1; ``NaN`` where no measured value differs from its mean.
    """
    sums = ValueSums()
    if batch.targets:
        for i, eta in enumerate(model.linear_predictors(z, background, measured).values()):
            rows = batch.measured[:, i]
            sums.add(model, i, batch, rows, eta[rows])
    return sums.shares()


@dataclass(eq=False)
class ValueSums:
    """Sums over samples from which :func:`shares_of_values` follows, by view: (n_features,) each.

    ``left``: squares that the model leaves of values; ``about``: those of a model without factors;
    ``n``: measured entries.
    """

    left: dict[str, Tensor] = field(default_factory=dict)
    about: dict[str, Tensor] = field(default_factory=dict)
    n: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def add(self, model: POEMS, view: int, batch: Batch, rows: Tensor, eta: Tensor) -> None:
        """Count some samples of a view in, if it is on its own scale.

        ``rows``: which samples, all of which have the view; ``eta`` is theirs, before sizes,
        (n_rows, n_features).
        """
        name, likelihood = model.views[view], model.likelihood(view)
        if not isinstance(likelihood, OwnScaleLikelihood):
            return
        x, observed = batch.targets[name][rows], batch.observed[name]
        there = torch.ones_like(x, dtype=torch.bool) if observed is None else observed[rows]
        left, about = (
            (x - likelihood.mean(batch.shifted_view(name, at, rows)))
            .where(there, 0.0)
            .double()
            .square()
            .sum(dim=0)
            for at in (eta, likelihood.null.expand_as(eta))
        )
        none = torch.zeros_like(left)
        self.left[name] = self.left.get(name, none) + left
        self.about[name] = self.about.get(name, none) + about
        self.n[name] = self.n.get(name, none.long()) + there.sum(dim=0)

    def shares(self) -> dict[str, float]:
        """View name to R squared."""
        found = {}
        for name, about in self.about.items():
            n = self.n[name].where(about > 0, 0)
            lost = (n * self.left[name] / about.where(about > 0, 1.0)).sum()
            found[name] = float(1.0 - lost / n.sum()) if bool(n.any()) else float("nan")
        return found
