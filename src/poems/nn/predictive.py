"""How sure a model is of a value that it predicts."""

from __future__ import annotations

import torch
from torch import Tensor

from poems.nn.inference import Inferred
from poems.nn.model import POEMS


@torch.no_grad()
def predictive_variance(model: POEMS, found: Inferred) -> dict[str, Tensor]:
    """Compute the variance of entries that were not seen, on the model's scale.

    The noise's, and what is not known of y = (z, b) and of the dense effects G = (C, B), decoders
    linearised at z:

        sigma_j^2 + a_j' Cov(y) a_j + E[y' Cov(G_j) y],   a_j = (d eta_j / d z, 0) + G_j.

    Cov(G_j) is taken as that of its view's features on average, for the same noise.

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
    background, n_latent = model.background, model.n_latent
    sizes, y = list(background.sizes), torch.cat([found.loc, found.background], dim=1)
    squares = y[:, :, None] * y[:, None, :] + found.covariance
    noise = torch.cat([deviation.square() for deviation in model.standard_deviations()])
    if background.n_background:
        noise = 1.0 / background.precision
    variances = {}
    parts = zip(
        torch.split(background.joint, sizes),
        torch.split(noise, sizes),
        model.weights_of_views().values(),
        strict=True,
    )
    for i, (name, (dense, own, counts)) in enumerate(zip(model.views, parts, strict=True)):
        driven, slopes = model.decoder(i).slopes(found.loc)
        axes = dense.repeat(len(y), 1, 1)
        axes[:, driven, :n_latent] += slopes
        spread = ((axes @ found.covariance) * axes).sum(dim=2)
        doubt = torch.einsum("nab,ab->n", squares, background.uncertainty[i]) / counts.sum()
        variances[name] = own * (1.0 + doubt[:, None]) + spread
    return variances
