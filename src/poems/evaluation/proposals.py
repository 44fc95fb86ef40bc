"""Proposals for importance sampling: where a sample's latents are, given the decoders alone.

The density of a sample is an integral over the latents, nearly all of which comes from
a small region. It is found by optimisation from several starts, and each mode found
contributes a t distribution of the local curvature. The encoder is only a start: on samples that
it was not trained on its own posterior misses too often to integrate with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from poems.nn.model import POEMS
from poems.scaling.batch import Batch

# Degrees of freedom of the proposals: few, so that tails longer than the local Gaussian's, as
# beyond a kink of relu, are reached; in 16 dimensions about a third of the draws are kept.
_FREEDOM = 5
# Steps at most, the gain in nats below which a sample has arrived, and where it gives up.
_STEPS = 20
_ENOUGH = 1e-2
_MOST_DAMPING = 1e4
# Half the distance over which slopes are measured: kinks of relu within it are averaged.
_DIFFERENCE = 0.05
# The least curvature of the prior that is believed: a mixture is not log-concave everywhere.
_LEAST_CURVATURE = 0.1


@dataclass(frozen=True, eq=False)
class Proposal:
    """An equal mixture of multivariate t distributions for each sample.

    ``loc``: (n_components, n_samples, n_latent); ``root``: (n_components, n_samples,
    n_latent, n_latent), lower triangular, the Cholesky factor of the scale matrix.
    """

    loc: Tensor
    root: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw once per sample: (n_samples, n_latent)."""
        n_components, n_samples, n_latent = self.loc.shape
        place = self.loc.device

        def normal(width: int) -> Tensor:
            return torch.randn(n_samples, width, generator=generator, device=place)

        chosen = torch.randint(n_components, (n_samples,), generator=generator, device=place)
        rows = torch.arange(n_samples, device=place)
        stretch = (_FREEDOM / normal(_FREEDOM).square().sum(dim=1, keepdim=True)).sqrt()
        step = (self.root[chosen, rows] @ normal(n_latent)[..., None])[..., 0]
        return self.loc[chosen, rows] + step * stretch

    def log_prob(self, z: Tensor) -> Tensor:
        """Log density of z (n_samples, n_latent): (n_samples,)."""
        centred = (z - self.loc)[..., None]
        white = torch.linalg.solve_triangular(self.root, centred, upper=False)[..., 0]
        n_latent = z.shape[1]
        half = (_FREEDOM + n_latent) / 2.0
        constant = math.lgamma(half) - math.lgamma(_FREEDOM / 2.0)
        constant -= 0.5 * n_latent * math.log(_FREEDOM * math.pi)
        log_det = self.root.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
        parts = constant - log_det - half * torch.log1p(white.square().sum(dim=-1) / _FREEDOM)
        return torch.logsumexp(parts, dim=0) - math.log(len(self.loc))


def log_joint(module: POEMS, batch: Batch, z: Tensor) -> Tensor:
    """Compute log p(x, z) of the measured entries, with z (n_samples, n_latent): (n_samples,)."""
    total = module.prior.log_prob(z)
    for i, name in enumerate(module.views):
        rows = batch.measured[:, i].nonzero()[:, 0]
        if not len(rows):
            continue
        observed = batch.observed[name]
        nll = module.likelihood(i).nll(
            batch.targets.get(name, batch.values[name])[rows],
            batch.shifted_view(name, module.decoders[i](z[rows]), rows),
            None if observed is None else observed[rows],
        )
        total = total.index_add(0, rows, -nll)
    return total


def propose(module: POEMS, batch: Batch, start: Tensor, generator: torch.Generator) -> Proposal:
    """Find likely latents of each sample, and how far around them likely ones lie.

    Parameters
    ----------
    module
        The trained model, in evaluation mode.
    batch
        Samples on the model's scale.
    start
        Where to begin, of shape (n_samples, n_latent); the search begins at a
        few draws from N(0, I) too.
    generator
        For those draws.
    """
    modes = []
    used = _used_latents(module, start)
    # The start that is given, and two drawn from the prior: a posterior may have several modes.
    for number in range(3):
        z = start
        if number:
            z = torch.randn(start.shape, generator=generator, device=start.device)
        modes.append(likely_latents(module, batch, z, used))
    loc = torch.stack(modes)
    with torch.no_grad():
        precision = torch.stack([_curvature(module, batch, z, used) for z in modes])
    return Proposal(loc, torch.linalg.cholesky(torch.linalg.inv(precision)))


def likely_latents(
    module: POEMS, batch: Batch, start: Tensor, used: Tensor | None = None
) -> Tensor:
    """Raise log p(x, z) from where the encoder, or a guess, puts each sample.

    Damped Gauss-Newton steps (Levenberg-Marquardt), each sample at its own pace.

    Parameters
    ----------
    module
        The trained model, in evaluation mode.
    batch
        Samples on the model's scale.
    start
        Where to begin, of shape (n_samples, n_latent).
    used
        Positions of the latents that matter to the decoders; found by default.

    Returns
    -------
    Latents of shape (n_samples, n_latent), at a mode of p(z | x) near each start.

    Examples
    --------
    >>> from poems.settings.schema import Settings
    >>> module = POEMS({"a": torch.ones(5)}, Settings().updated(n_latent=2)).eval()
    >>> batch = Batch({"a": torch.randn(3, 5)}, {"a": None}, torch.ones(3, 1).bool())
    >>> found = likely_latents(module, batch, torch.zeros(3, 2))
    >>> (log_joint(module, batch, found) >= log_joint(module, batch, torch.zeros(3, 2))).all()
    tensor(True)
    """
    used = _used_latents(module, start) if used is None else used
    z = start.detach().clone()
    damping = z.new_full((len(z),), 1e-2)
    climbing = torch.arange(len(z), device=z.device)
    for _ in range(_STEPS):
        part = batch.take(climbing)
        at = z[climbing].requires_grad_()
        value = log_joint(module, part, at)
        (slope,) = torch.autograd.grad(value.sum(), at)
        with torch.no_grad():
            curvature = _curvature(module, part, at, used)
            curvature.diagonal(dim1=-2, dim2=-1).mul_(1.0 + damping[climbing, None])
            moved = at + torch.linalg.solve(curvature, slope[..., None])[..., 0]
            gain = log_joint(module, part, moved) - value
            better = gain > 0
            z[climbing] = torch.where(better[:, None], moved, at)
            damping[climbing] *= torch.where(better, 0.2, 5.0)
            # A step that fails at strong damping was too short to matter.
            arrived = (better & (gain < _ENOUGH)) | (damping[climbing] > _MOST_DAMPING)
            climbing = climbing[~arrived]
        if not len(climbing):
            break
    return z


def _used_latents(module: POEMS, z: Tensor) -> Tensor:
    """Positions of the latents that move any feature, at ``z`` or anywhere about zero."""
    # Where a hidden unit is at rest, as all are at zero, it has no slope.
    generator = torch.Generator(device=z.device).manual_seed(0)
    # Points besides the given ones at which it is asked which latents matter.
    cloud = torch.randn(64, z.shape[1], generator=generator, device=z.device)
    points = torch.cat([z, 2.0 * cloud])
    moves = torch.zeros(z.shape[1], dtype=torch.bool, device=z.device)
    for i in range(len(module.views)):
        _, size, _ = module.decoder(i).jacobian(points)
        moves |= (size != 0).any(dim=0)
    return moves.nonzero()[:, 0]


def _curvature(module: POEMS, batch: Batch, z: Tensor, used: Tensor) -> Tensor:
    """Approximate minus the Hessian of log p(x, z): (n_samples, n_latent, n_latent).

    Gauss-Newton: J^T diag(I) J over the measured entries, I the Fisher information of a
    value about eta and J by central differences in the latents ``used``, plus the
    prior's own.
    """
    n_samples, n_latent = z.shape
    shifts = _DIFFERENCE * torch.eye(n_latent, dtype=z.dtype, device=z.device)[used]
    gram = z.new_zeros(n_samples, len(used), len(used))
    for i, name in enumerate(module.views):
        rows = batch.measured[:, i].nonzero()[:, 0]
        if not len(rows) or not len(used):
            continue
        around = z[rows][None] + torch.cat([shifts, -shifts])[:, None]
        eta = module.decoders[i](around.flatten(0, 1)).unflatten(0, (2, len(used), len(rows)))
        # Of shape (n_rows, n_features), for what a value tells may depend on what is predicted.
        at_rows = batch.shifted_view(name, module.decoder(i)(z[rows]), rows)
        error = module.likelihood(i).standard_error(at_rows)
        weighted = (eta[0] - eta[1]) / (2.0 * _DIFFERENCE * error)
        observed = batch.observed[name]
        if observed is not None:
            weighted = torch.where(observed[rows], weighted, 0.0)
        by_sample = weighted.transpose(0, 1)
        gram = gram.index_add(0, rows, by_sample @ by_sample.mT)
    total = _prior_curvature(module, z)
    total[:, used[:, None], used] += gram
    return total


def _prior_curvature(module: POEMS, z: Tensor) -> Tensor:
    """Minus the Hessian of the prior's log density, made positive definite."""

    with torch.enable_grad():
        at = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(-module.prior.log_prob(at).sum(), at, create_graph=True)
        rows = [
            torch.autograd.grad(part.sum(), at, retain_graph=True)[0] for part in slope.unbind(1)
        ]
    hessian = torch.stack(rows, dim=1)
    values, vectors = torch.linalg.eigh(hessian)
    # A proposal, corrected by its weight: any positive curvature is right, see the constant.
    positive: Tensor = (vectors * values.clamp_min(_LEAST_CURVATURE)[..., None, :]) @ vectors.mT
    return positive
