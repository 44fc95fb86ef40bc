"""Principal components of the training data: the baseline, and what noise would have given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from poems.nn.estimates import explained_share
from poems.scaling.batch import Batch

# One permutation gives the noise's share of a small view with an error of a few per cent.
_PERMUTATIONS = 3
# A component stands out from permuted data if it explains more by this factor: without one,
# all the leading components of pure noise may be above by a hair.
_STANDS_OUT = 1.05

Axes = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Principal:
    """Principal axes of block-scaled views, and how they compare with permuted data.

    Parameters
    ----------
    axes
        View name to (n_features, rank), single precision. Stacked over the
        views the columns are orthonormal.
    noise
        View name to the share of variance that as many components explain once
        every feature has been permuted over the samples by itself, on average.
    n_supported
        Leading components that explain more than those of permuted data by 5 %:
        the parallel analysis of Horn (1965).
    """

    axes: Axes
    noise: Mapping[str, float]
    n_supported: int


def fit_principal(batch: Batch, means: Mapping[str, Tensor], rank: int, seed: int) -> Principal:
    """Compute principal components of the views side by side.

    Each view is divided by the square root of its number of features, so that
    views count alike; missing entries and unmeasured views are at the mean.

    Parameters
    ----------
    batch
        The training samples.
    means
        View name to the mean of each feature, of shape (n_features,).
    rank
        Number of components; fewer where the data have fewer.
    seed
        Of the permutations.

    Examples
    --------
    >>> x = torch.outer(torch.linspace(-1, 1, 40), torch.ones(8)) + 0.1 * torch.randn(40, 8)
    >>> batch = Batch({"a": x}, {"a": None}, torch.ones(40, 1, dtype=torch.bool))
    >>> found = fit_principal(batch, {"a": x.mean(dim=0)}, rank=1, seed=0)
    >>> found.n_supported, found.axes["a"].shape
    (1, torch.Size([8, 1]))
    """
    centred = {}
    for i, (name, values) in enumerate(batch.values.items()):
        rows = batch.measured[:, i]
        centred[name] = (values[rows] - means[name]) / values.shape[1] ** 0.5
    axes, spectrum = _decompose(_with_gaps(centred, batch), rank)

    # Apart from the numbers that a caller with the same seed may have drawn the data from.
    generator = np.random.default_rng(int(seed) + 7_368_787)
    shares: dict[str, list[float]] = {name: [] for name in centred}
    highest = torch.zeros_like(spectrum)
    for _ in range(_PERMUTATIONS):
        shuffled = {
            name: torch.from_numpy(generator.permuted(x.numpy(), axis=0))
            for name, x in centred.items()
        }
        blocks = _with_gaps(shuffled, batch)
        noise_axes, noise_spectrum = _decompose(blocks, rank)
        highest = torch.maximum(highest, noise_spectrum)
        for i, (name, fitted) in enumerate(_project(blocks, noise_axes).items()):
            of_view = fitted[batch.measured[:, i]]
            zero = torch.zeros(fitted.shape[1])
            shares[name].append(explained_share(shuffled[name], of_view, None, zero))
    n_supported = int((spectrum > _STANDS_OUT * highest).to(torch.int64).cumprod(dim=0).sum())
    noise = {name: sum(values) / _PERMUTATIONS for name, values in shares.items()}
    return Principal(axes, noise, n_supported)


def structure_alone(
    batch: Batch, means: Mapping[str, Tensor], name: str, rank: int, seed: int
) -> float:
    """Compute what principal components of one view alone explain beyond noise.

    A share of the view's variance: components of all views side by side may pass over a view
    that is outnumbered.

    Parameters
    ----------
    batch, means, rank, seed
        As in :func:`fit_principal`.
    name
        The view.
    """
    rows = batch.measured[:, list(batch.values).index(name)]
    measured = torch.ones(len(batch), 1, dtype=torch.bool)
    alone = Batch({name: batch.values[name]}, {name: batch.observed[name]}, measured).take(
        rows.nonzero().flatten()
    )
    found = fit_principal(alone, {name: means[name]}, rank, seed)
    fitted = predict(found.axes, alone, means)[name]
    share = explained_share(alone.values[name], fitted, alone.observed[name], means[name])
    return share - found.noise[name]


def _with_gaps(rows: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
    """Put the measured rows of each view in their places, zeros where it was not measured."""
    return {
        name: torch.zeros_like(values).index_put((batch.measured[:, i],), rows[name])
        for i, (name, values) in enumerate(batch.values.items())
    }


def predict(axes: Axes, batch: Batch, means: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Predict every view of some samples from their scores: name to (n_samples, n_features)."""
    blocks = {
        name: torch.where(batch.measured[:, i, None], values - means[name], 0.0)
        / values.shape[1] ** 0.5
        for i, (name, values) in enumerate(batch.values.items())
    }
    return {
        name: fitted * fitted.shape[1] ** 0.5 + means[name]
        for name, fitted in _project(blocks, axes).items()
    }


def noise_shares(axes: Axes) -> dict[str, float]:
    """Compute the share of new noise that the axes would explain in each view.

    A sample's scores hold its own noise, which comes back in the prediction.
    With P = B B^T the projection, P_vu its block for views v and u, and noise of
    variance 1 / D_u in each of the D_u features of view u, as standardised
    features have it once blocks are scaled:

        1 - tr (I - P_vv)^2 / D_v - sum_{u != v} |P_vu|^2 / D_u

    Examples
    --------
    >>> noise_shares({"a": torch.eye(4)[:, :1]})
    {'a': 0.25}
    """
    # By the trace's cyclic property from the small matrices B_v^T B_v alone.
    grams = {name: (block.double().T @ block.double()) for name, block in axes.items()}
    shares = {}
    for name, gram in grams.items():
        width = axes[name].shape[0]
        residual = (width - 2.0 * gram.trace() + (gram @ gram).trace()) / width
        for other, theirs in grams.items():
            if other != name:
                residual = residual + (gram @ theirs).trace() / axes[other].shape[0]
        shares[name] = float(1.0 - residual)
    return shares


def _decompose(blocks: Mapping[str, Tensor], rank: int) -> tuple[dict[str, Tensor], Tensor]:
    """Leading principal axes by view, and all eigenvalues, the largest first.

    The smaller of the two cross-products is decomposed, in double precision.
    """
    x = torch.cat(list(blocks.values()), dim=1).double()
    wide = x.shape[0] <= x.shape[1]
    values, vectors = torch.linalg.eigh(x @ x.T if wide else x.T @ x)
    values, vectors = values.flip(0), vectors.flip(1)
    # Eigenvalues below this share of the largest are rounding.
    kept = min(rank, int((values > 1e-9 * values[0]).sum()))
    leading = vectors[:, :kept]
    stacked = x.T @ leading / values[:kept].sqrt() if wide else leading
    widths = [block.shape[1] for block in blocks.values()]
    parts = torch.split(stacked.float(), widths)
    return dict(zip(blocks, parts, strict=True)), values


def _project(blocks: Mapping[str, Tensor], axes: Axes) -> dict[str, Tensor]:
    """The blocks' projections on the axes."""
    scores = torch.stack([block @ axes[name] for name, block in blocks.items()]).sum(dim=0)
    return {name: scores @ axes[name].T for name in blocks}
