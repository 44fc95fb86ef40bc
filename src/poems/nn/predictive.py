"""How sure a model is of a value that it predicts."""

from __future__ import annotations

import torch
from torch import Tensor

from poems.nn.inferred import Inferred
from poems.nn.model import POEMS


@torch.no_grad()
def predictive_variance(model: POEMS, found: Inferred) -> dict[str, Tensor]:
    """Compute the variance of entries that were not seen, on the model's scale.

    The noise's, and what is not known of y = (z, b) and of the dense effects G = (C, B), decoders
    linearised at z:

        sigma_j^2 + a_j' Cov(y) a_j + E[y' Cov(G_j) y],   a_j = (d eta_j / d z, 0) + G_j.

    Cov(G_j) is taken as that of its view's features on average, for the same noise. A view that was
    not measured has less of y than the others tell, and what it has instead is not known: see
    :mod:`poems.training.carried`.

    Parameters
    ----------
    model
        The trained model, in evaluation mode; its likelihoods have additive noise.
    found
        What was inferred of some samples, with their ``covariance``.

    Returns
    -------
    View name to (n_samples, n_features).

    Raises
    ------
    ValueError
        If the covariance was not asked for.

    Examples
    --------
    >>> from poems.nn.inference import infer
    >>> from poems.scaling.batch import Batch
    >>> from poems.settings.schema import Settings
    >>> model = POEMS({"a": torch.ones(5)}, Settings().updated(n_latent=2)).eval()
    >>> batch = Batch({"a": torch.randn(3, 5)}, {"a": None}, torch.ones(3, 1).bool())
    >>> predictive_variance(model, infer(model, batch, covariance=True))["a"].shape
    torch.Size([3, 5])
    """
    if found.covariance is None:
        raise ValueError("infer(…, covariance=True) is needed for predictive variances")
    background = model.background
    noise = torch.cat([deviation.square() for deviation in model.standard_deviations()])
    if background.n_background:
        noise = 1.0 / background.precision
    variances = {}
    for i, (name, own) in enumerate(
        zip(model.views, torch.split(noise, list(background.sizes)), strict=True)
    ):
        of_view = found.loc.new_empty(len(found.loc), len(own))
        for there in (True, False):
            rows = (found.measured[:, i] == there).nonzero()[:, 0]
            if len(rows):
                y, covariance = _as_a_view_has_it(model, found, i, rows, there)
                of_view[rows] = _variance(model, i, own, y, covariance)
        variances[name] = of_view
    return variances


def _as_a_view_has_it(
    model: POEMS, found: Inferred, view: int, rows: Tensor, measured: bool
) -> tuple[Tensor, Tensor]:
    """Return mean and covariance of what a view has of (z, b)."""
    assert found.covariance is not None
    background = model.background
    y, covariance = torch.cat([found.loc, found.background], dim=1)[rows], found.covariance[rows]
    if measured:
        return y, covariance
    shares = background.shares(view)
    free = torch.cat([background.moments, torch.ones(background.n_background)])
    lost = torch.diag((1.0 - shares.square()) * free)
    return shares * y, shares[:, None] * covariance * shares + lost


def _variance(model: POEMS, view: int, noise: Tensor, y: Tensor, covariance: Tensor) -> Tensor:
    """Return predictive variances of one view, (n_rows, n_features)."""
    background, K = model.background, model.n_latent
    driven, slopes = model.decoder(view).slopes(y[:, :K])
    axes = torch.split(background.joint, list(background.sizes))[view].repeat(len(y), 1, 1)
    axes[:, driven, :K] += slopes
    spread = ((axes @ covariance) * axes).sum(dim=2)
    squares = y[:, :, None] * y[:, None, :] + covariance
    counts = model.weights_of_views()[model.views[view]]
    doubt = torch.einsum("nab,ab->n", squares, background.uncertainty[view]) / counts.sum()
    return noise * (1.0 + doubt[:, None]) + spread
