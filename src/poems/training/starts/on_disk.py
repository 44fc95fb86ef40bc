"""The sparse linear start of a cohort on disk: the same, from cross-products summed in blocks.

With X the centred, block-scaled views side by side, N samples and D features,
lambda the eigenvalues and V the eigenvectors of X^T X, the loadings of the
whitened scores are

    L = X^T scores / N = V (lambda / N)^(1/2),

so that no scores are needed where X^T X is summed over blocks of samples (D is
small). Where X X^T is summed over blocks of features (N is small), scores are
N^(1/2) times its eigenvectors and L takes a second pass. Where both are large,
V is found by randomised subspace iteration (Halko, Martinsson & Tropp 2011,
SIAM Review 53:217): V <- orth(X^T X V), a pass each, then a Rayleigh-Ritz step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches
from poems.training.starts.linear import n_started, root_weights, start_from_loadings, varimax

Array = npt.NDArray[np.float64]

# Samples or features up to which a cross-product is decomposed exactly: 8 N^2 bytes, N^3 steps.
LARGEST_EXACT: Final = 5000
# Directions beyond those wanted, and passes over the data, of the randomised way.
_OVERSAMPLING = 10
_PASSES = 6


def is_exact(data: BackedBatches) -> bool:
    """Whether the start is the one in memory, but for rounding."""
    return min(len(data), sum(data.n_features.values())) <= LARGEST_EXACT


def backed_linear_start(
    data: BackedBatches, n_latent: int, weights: Mapping[str, Tensor] | None = None
) -> dict[str, tuple[Tensor, Tensor]]:
    """Compute loadings and noise as :func:`poems.training.starts.linear.sparse_linear_start` does.

    Parameters
    ----------
    data
        All training samples.
    n_latent
        Number of factors.
    weights
        How much each feature of a view counts, (n_features,), or ``None`` for alike.

    Returns
    -------
    View name to W of shape (n_features, n_latent) and noise standard deviations
    of shape (n_features,).
    """
    n_features = sum(data.n_features.values())
    rank = min(n_latent, len(data) - 1, n_features)
    if len(data) <= min(n_features, LARGEST_EXACT):
        loadings, variance = _from_samples(data, rank, weights)
    elif n_features <= LARGEST_EXACT:
        loadings, variance = _from_features(data, rank, weights)
    else:
        loadings, variance = _randomised(data, rank, weights)
    n_rows, scale = _per_feature(data, weights)
    seen = variance * scale**2 * n_rows / len(data)
    kept = n_started(torch.from_numpy(loadings), torch.from_numpy(seen), len(data))
    loadings = loadings[:, :kept]
    rotation = varimax(torch.from_numpy(loadings))
    start, first = {}, 0
    for name, width in data.n_features.items():
        some = slice(first, first + width)
        # From the scores of all samples and scaled blocks to the view's own samples and units.
        own = loadings[some] * (len(data) / (n_rows[some] * scale[some]))[:, None]
        start[name] = start_from_loadings(
            torch.from_numpy(own),
            torch.from_numpy(variance[some]),
            rotation,
            data.n_measured(name),
            n_latent,
            data.device,
        )
        first += width
    return start


_Weights = Mapping[str, Tensor] | None


def _from_samples(data: BackedBatches, rank: int, weights: _Weights) -> tuple[Array, Array]:
    """Decompose X X^T, summed over blocks of features."""
    n = len(data)
    product = np.zeros((n, n))
    for block, _ in _feature_blocks(data, weights):
        product += block @ block.T
    vectors = np.linalg.eigh(product)[1]
    scores = vectors[:, ::-1][:, :rank] * n**0.5
    loadings, variances = [], []
    for block, variance in _feature_blocks(data, weights):
        loadings.append(block.T @ scores / n)
        variances.append(variance)
    return np.concatenate(loadings), np.concatenate(variances)


def _from_features(data: BackedBatches, rank: int, weights: _Weights) -> tuple[Array, Array]:
    """Decompose X^T X, summed over blocks of samples."""
    # Beside the features, a column per view that says where it was measured: its products with
    # the features are the sums that centre them.
    n_features, n_views = sum(data.n_features.values()), len(data.n_features)
    product = np.zeros((n_features + n_views,) * 2)
    for chunk in data.chunks():
        x = np.concatenate([_masked(chunk), chunk.measured.double().cpu().numpy()], axis=1)
        product += x.T @ x
    n_rows, scale = _per_feature(data, weights)
    view = _view_of_feature(data)
    cross = product[:n_features, n_features:]  # sums of each feature where each view is measured
    mean = cross[np.arange(n_features), view] / n_rows
    both = product[n_features:, n_features:]
    gram = product[:n_features, :n_features]
    by_view = cross[:, view] * mean[None, :]
    gram = gram - by_view - by_view.T + both[np.ix_(view, view)] * np.outer(mean, mean)
    variance = np.diag(gram) / n_rows
    values, vectors = np.linalg.eigh(gram * np.outer(scale, scale))
    # A Gram matrix has no negative eigenvalues but by rounding.
    spread = np.sqrt(np.maximum(values[::-1][:rank], 0.0) / len(data))
    loadings: Array = vectors[:, ::-1][:, :rank] * spread
    return loadings, variance


def _randomised(data: BackedBatches, rank: int, weights: _Weights) -> tuple[Array, Array]:
    """Find the leading eigenvectors of X^T X without forming it; draws from torch's generator."""
    n_rows, scale = _per_feature(data, weights)
    total = np.zeros(len(scale))
    squares = np.zeros(len(scale))
    for chunk in data.chunks():
        x = _masked(chunk)
        total += x.sum(axis=0)
        squares += np.einsum("ij,ij->j", x, x)
    mean = total / n_rows
    # Of standardised values, whose means are near 0: below 0 by rounding alone.
    variance = np.maximum(squares / n_rows - mean**2, 0.0)
    width = min(rank + _OVERSAMPLING, len(scale), len(data))
    basis = np.linalg.qr(torch.randn(len(scale), width, dtype=torch.float64).numpy())[0]
    image = basis
    for at in range(_PASSES):
        image = np.zeros_like(basis)
        for chunk in data.chunks():
            x = _centred(_masked(chunk), chunk.measured, data, mean) * scale
            image += x.T @ (x @ basis)
        if at < _PASSES - 1:
            basis = np.linalg.qr(image)[0]
    values, vectors = np.linalg.eigh(basis.T @ image)
    # As above, of a projection of a Gram matrix.
    spread = np.sqrt(np.maximum(values[::-1][:rank], 0.0) / len(data))
    loadings: Array = basis @ vectors[:, ::-1][:, :rank] * spread
    return loadings, variance


def _feature_blocks(data: BackedBatches, weights: _Weights) -> Iterator[tuple[Array, Array]]:
    """Yield centred, block-scaled values of some features, and their variances."""
    for i, (name, width) in enumerate(data.n_features.items()):
        rows, first = data.measured[:, i].numpy(), 0
        roots = root_weights(width, (weights or {}).get(name)).numpy()
        for values, _ in data.columns(name):
            x = values.double().numpy()
            if rows.all():
                x -= x.mean(axis=0)
            else:
                x = np.where(rows[:, None], x - x[rows].mean(axis=0), 0.0)
            variance = np.einsum("ij,ij->j", x, x) / max(int(rows.sum()), 1)
            x *= roots[first : first + x.shape[1]] / width**0.5
            first += x.shape[1]
            yield x, variance


def _masked(chunk: Batch) -> Array:
    """The views side by side, zeros where one was not measured."""
    parts = [
        torch.where(chunk.measured[:, i, None], values, 0.0).double()
        for i, values in enumerate(chunk.values.values())
    ]
    found: Array = torch.cat(parts, dim=1).cpu().numpy()
    return found


def _centred(x: Array, measured: Tensor, data: BackedBatches, mean: Array) -> Array:
    """Subtract the means where a view was measured."""
    centred: Array = x - mean * measured.cpu().numpy()[:, _view_of_feature(data)]
    return centred


def _view_of_feature(data: BackedBatches) -> npt.NDArray[np.intp]:
    return np.repeat(np.arange(len(data.n_features)), list(data.n_features.values()))


def _per_feature(data: BackedBatches, weights: _Weights) -> tuple[Array, Array]:
    """Samples on which each feature's view was measured, and its scale in its view's block."""
    view = _view_of_feature(data)
    # A view that no row has: sums of 0 stay 0.
    counts = data.measured.sum(dim=0).clamp_min(1).double().numpy()
    widths = np.array(list(data.n_features.values()), dtype=np.float64)
    roots = [root_weights(n, (weights or {}).get(name)) for name, n in data.n_features.items()]
    return counts[view], torch.cat(roots).numpy() / np.sqrt(widths)[view]
