"""The background of a trained model: what its sparse factors leave unsaid, dense and linear.

Variational Bayes for a group factor analysis of the residuals (Virtanen et al. 2012; Klami et al.
2015), the decoders held as they are:

    x_nj - eta_j(z_n) = offset_j + G_j . y_n + noise,   y_n = (z_n, b_n), b_n ~ N(0, I),
    G_jk ~ N(0, 1 / alpha_vk),   noise_nj ~ N(0, sigma_j^2).

So a feature has a few large effects of the factors and a small one of each, as in sparse linear
mixed models (Zhou, Carbonetto & Stephens 2013), and background factors b beside them. alpha_vk, the
precision of a view's effects of a factor, is learned. It grows without end where the view has no
part in the factor, so that background factors become shared, private or nobody's by themselves; the
last are left out. What is not known of z and b counts: residuals about their means alone would be
too small. How much a feature counts (:mod:`poems.scaling.redundancy`) bears on what features share,
the scores and alpha; its own loadings and noise are what they would be without.
"""

from __future__ import annotations

import torch
from torch import Tensor

from poems.nn.background import Background
from poems.nn.background_scores import Knowledge
from poems.nn.inference import infer
from poems.nn.inferred import Inferred
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.training.background_rounds import Residuals, one_round, start
from poems.training.carried import learn_carried

# Background factors at most, and samples that each takes at the least.
_MOST = 64
_SAMPLES_EACH = 2
# Turns of background and latents; rounds of a turn, at most.
_TURNS, _ROUNDS = 2, 20
# Steps of the latents in a turn: they are inferred to the end when the background stands.
_STEPS = 2
# Rounds of a turn end when a feature's log noise variance changes by less than this on average.
_SETTLED = 2e-3


@torch.no_grad()
def fit_background(model: POEMS, batch: Batch, most: int | None = None) -> Inferred:
    """Find the background of a trained model, set it, and return what is known of the samples.

    Latents and background take turns, for what a background factor says of a sample may be what
    a sparse factor would say, and the latents are inferred with it. Then it is found how much of
    both is carried over to a view that was not measured (:mod:`poems.training.carried`).

    Parameters
    ----------
    model
        The trained model, in evaluation mode; its background is replaced.
    batch
        The training samples, or as many of them as are to learn from.
    most
        Background factors at most, by default one for two samples and 64 in all, of which
        those stay that the data support; 0 for none. They are of the views alone whose noise
        is additive (:attr:`poems.nn.likelihoods.Likelihood.additive`); others may have some of
        their own (:mod:`poems.training.link_background`).
    """
    sizes = tuple(batch.n_features.values())
    model.background = Background(sizes, 0, model.n_latent)
    limit = most_factors(len(batch), most)
    additive = [i for i in range(len(model.views)) if model.likelihood(i).additive]
    learns = bool(limit and additive and batch.measured[:, additive].any())
    found = infer(model, batch, steps=_STEPS, moments=learns)
    if not learns:
        return found

    own = _views_of(batch, additive)

    def left() -> Residuals:
        eta = torch.split(model.decode_jointly(found.loc), list(sizes), dim=1)
        weights = torch.split(model.feature_weights, list(sizes))
        parts = [eta[i] for i in additive], [weights[i] for i in additive]
        return Residuals(own, torch.cat(parts[0], dim=1), torch.cat(parts[1]))

    # What latents do through dense decoders is dense as it is.
    used = model.driving().nonzero()[:, 0] if model.sparse_decoders() else torch.arange(0)
    rows = torch.cat([part for i, part in enumerate(_positions(sizes)) if i in additive])
    state = start(left(), found.loc, used, limit)
    for _ in range(_TURNS):
        residuals = left()
        known = Knowledge.of(model.background, model.feature_weights, batch)
        state.learn_of(found, known.scatter(batch.measured), additive, rows)
        for _ in range(_ROUNDS):
            if not state.n_background or one_round(residuals, state) < _SETTLED:
                break
        model.background = state.background(residuals).among(sizes, additive)
        found = infer(model, batch, found.loc, steps=_STEPS, moments=True)
    if state.n_background:
        given = Knowledge.of(model.background, model.feature_weights, batch)
        state.learn_of(found, given.scatter(batch.measured), additive, rows)
        learn_carried(model, batch, found, left(), state, additive)
    return found


def most_factors(n_samples: int, most: int | None = None) -> int:
    """Background factors at most, those that were asked for or what so many samples allow.

    >>> most_factors(50), most_factors(50, 3)
    (25, 3)
    """
    return min(_MOST, n_samples // _SAMPLES_EACH) if most is None else most


def _positions(sizes: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Return where the features of each view are among those of all."""
    return torch.split(torch.arange(sum(sizes)), list(sizes))


def _views_of(batch: Batch, views: list[int]) -> Batch:
    """Return some of the views."""
    if len(views) == len(batch.values):
        return batch
    names = [name for i, name in enumerate(batch.values) if i in views]
    return Batch(
        {name: batch.values[name] for name in names},
        {name: batch.observed[name] for name in names},
        batch.measured[:, views],
    )
