"""The sparse linear start: rotated principal components give the first loadings and noise."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from poems.scaling.batch import Batch

# Loadings below this many universal thresholds are noise, and begin at zero.
_THRESHOLD = 1.0
# Components beyond those that stand out from noise.
_SPARE = 4
# Share of a feature's variance that its noise keeps at the start, at the least.
_LEAST_NOISE_SHARE = 0.05


def varimax(loadings: Tensor, *, max_iter: int = 200, tolerance: float = 1e-7) -> Tensor:
    """Compute the rotation that maximises the varimax criterion of the loadings.

    Kaiser (1958), by repeated singular value decompositions: with L = loadings R,
    the next rotation is the orthogonal part of loadings^T (L^3 - L diag(mean L^2)).

    Parameters
    ----------
    loadings
        Tensor of shape (n_features, n_latent).
    max_iter, tolerance
        Stop when the criterion's relative gain falls below the tolerance.

    Returns
    -------
    Orthogonal tensor of shape (n_latent, n_latent).
    """
    identity = torch.eye(loadings.shape[1], dtype=loadings.dtype, device=loadings.device)
    rotation, criterion = identity, 0.0
    for _ in range(max_iter):
        rotated = loadings @ rotation
        squares = rotated.square()
        target = rotated * (squares - squares.mean(dim=0))
        left, singular, right = torch.linalg.svd(loadings.T @ target)
        rotation = left @ right
        previous, criterion = criterion, float(singular.sum())
        if criterion <= previous * (1.0 + tolerance):
            break
    # The iteration climbs in all but degenerate cases, more factors than features among them.
    return rotation if _spread(loadings @ rotation) >= _spread(loadings) else identity


def _spread(loadings: Tensor) -> float:
    """The varimax criterion: the variance of the squares, summed over columns."""
    return float(loadings.square().var(dim=0, correction=0).sum())


def principal_scores(blocks: list[Tensor], n_components: int) -> tuple[Tensor, Tensor]:
    """Compute whitened principal scores and loadings of the blocks side by side.

    Each block is divided by the square root of its width, so that views count alike.
    The smaller of the two cross-products is decomposed, in double precision.

    Parameters
    ----------
    blocks
        Centred tensors of shape (n_samples, n_features_v).
    n_components
        Number of components; at most the rank.

    Returns
    -------
    scores
        Columns of unit variance, of shape (n_samples, n_components).
    loadings
        Of shape (sum of n_features_v, n_components): scores @ loadings.T
        approximates the scaled blocks.
    """
    x = torch.cat([block / block.shape[1] ** 0.5 for block in blocks], dim=1).double()
    n = x.shape[0]
    if n <= x.shape[1]:
        values, vectors = torch.linalg.eigh(x @ x.T)
        left = vectors.flip(1)[:, :n_components]
    else:
        values, vectors = torch.linalg.eigh(x.T @ x)
        # A direction of no variance is divided by something: its scores stay near 0.
        spread = values.flip(0)[:n_components].clamp_min(1e-12).sqrt()
        left = x @ vectors.flip(1)[:, :n_components] / spread
    scores = left * n**0.5
    return scores, x.T @ scores / n


def n_started(loadings: Tensor, variances: Tensor, n_samples: int) -> int:
    """Count the components that start a factor: those that stand out, and four to spare.

    Weak factors may lie just below the edge; what is noise among the four is
    left again in training (docs/design.md). See :func:`n_supported`.
    """
    return min(loadings.shape[1], n_supported(loadings, variances, n_samples) + _SPARE)


def n_supported(loadings: Tensor, variances: Tensor, n_samples: int) -> int:
    """Count the leading components that stand out from noise.

    A component does if its variance is above the largest that as much unexplained
    variance would have in noise (Marchenko & Pastur 1967), R (m^(-1/2) + d^(-1/2))^2
    with R what the components before it leave, m the dimensions of the samples
    that they leave, and d the number of features, those of small variance counting less.
    Below that the direction of a principal component is chance, and a factor that
    starts there is one of noise.

    Parameters
    ----------
    loadings
        Of whitened scores, strongest first, of shape (n_features, n_components).
    variances
        Variance of each feature, as the components saw it, of shape (n_features,).
    n_samples
        Number of samples.

    Examples
    --------
    >>> x = torch.randn(200, 40, generator=torch.Generator().manual_seed(0))
    >>> x[:, :10] += 3 * x[:, :1]
    >>> scores, loadings = principal_scores([x - x.mean(dim=0)], 8)
    >>> n_supported(loadings, x.var(dim=0) / 40, 200)
    1
    """
    explained = loadings.square().sum(dim=0)
    total = variances.sum()
    width = float(total.square() / variances.square().sum())
    left_over = float(total)
    for number, variance in enumerate(explained.tolist()):
        dimensions = n_samples - 1 - number
        if dimensions < 1 or variance <= left_over * (dimensions**-0.5 + width**-0.5) ** 2:
            return number
        left_over -= variance
    return loadings.shape[1]


def root_weights(n_features: int, weights: Tensor | None) -> Tensor:
    """Compute by what features are multiplied before components are sought: (n_features,).

    The roots of how much they count, of mean square 1 within a view, so that views count alike.

    >>> root_weights(2, torch.tensor([0.25, 0.25])).tolist()
    [1.0, 1.0]
    """
    if weights is None:
        return torch.ones(n_features, dtype=torch.float64)
    own = weights.double()
    return (own / own.mean()).sqrt()


def sparse_linear_start(
    batch: Batch, n_latent: int, weights: Mapping[str, Tensor] | None = None
) -> dict[str, tuple[Tensor, Tensor]]:
    """Compute loadings and noise of a varimax-rotated PCA of the block-scaled views.

    Loadings within the universal threshold sigma_j sqrt(2 log(n_features n_latent) / N_j)
    of zero (Donoho & Johnstone 1994) are set to zero.

    Values that are missing, and rows of views that were not measured, count as
    the feature's mean. Where there are fewer components than factors (a very
    small cohort), the remaining columns are zero.

    Parameters
    ----------
    batch
        All training samples.
    n_latent
        Number of factors.
    weights
        How much each feature of a view counts, (n_features,), or ``None`` for alike. They bear
        on the components, not on the loadings and noise that a feature has given these.

    Returns
    -------
    View name to W of shape (n_features, n_latent) and noise standard deviations
    of shape (n_features,).

    Examples
    --------
    >>> x = torch.randn(50, 1) @ torch.ones(1, 4)
    >>> batch = Batch({"a": x}, {"a": None}, torch.ones(50, 1, dtype=torch.bool))
    >>> W, noise = sparse_linear_start(batch, 1)["a"]
    >>> W.shape, noise.shape
    (torch.Size([4, 1]), torch.Size([4]))
    """
    blocks = {}
    for i, (name, values) in enumerate(batch.values.items()):
        rows = batch.measured[:, i]
        mean = values[rows].mean(dim=0)
        blocks[name] = torch.where(rows[:, None], values - mean, 0.0)
    rank = min(n_latent, len(batch) - 1, sum(x.shape[1] for x in blocks.values()))
    seen = [
        x if weights is None else x * root_weights(x.shape[1], weights[name]).to(x)
        for name, x in blocks.items()
    ]
    scores, stacked = principal_scores(seen, rank)
    variances = [x.double().square().mean(dim=0) / x.shape[1] for x in seen]
    kept = n_started(stacked, torch.cat(variances), len(batch))
    del seen
    scores, rotation = scores[:, :kept], varimax(stacked[:, :kept])

    start = {}
    for i, (name, x) in enumerate(blocks.items()):
        # A view that no sample has: all its sums are 0.
        n_rows = batch.measured[:, i].sum().clamp_min(1)
        own = x.double().T @ scores / n_rows
        variance = x.double().square().sum(dim=0) / n_rows
        start[name] = start_from_loadings(
            own, variance, rotation, batch.n_measured(name), n_latent, x.device
        )
    return start


def start_from_loadings(
    own: Tensor,
    variance: Tensor,
    rotation: Tensor,
    n_measured: Tensor,
    n_latent: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Compute a view's start from the loadings of whitened scores on its features.

    Parameters
    ----------
    own
        x^T scores / n_rows in double precision, of shape (n_features, rank).
    variance
        Of each feature, (n_features,).
    rotation
        What varimax found for all views, of shape (rank, rank).
    n_measured
        Samples in which each feature was measured, (n_features,).
    n_latent
        Number of factors; columns beyond the rank are zero.
    device
        Where the result is put.

    Returns
    -------
    W of shape (n_features, n_latent), thresholded, and noise standard deviations
    of shape (n_features,).
    """
    W = own @ rotation
    # Rotated scores are uncorrelated with unit variance, so the explained share of the
    # variance is the sum of squares.
    left_over = (variance - W.square().sum(dim=1)).clamp_min(_LEAST_NOISE_SHARE * variance)
    noise = left_over.sqrt()
    candidates = math.log(max(2, len(W) * n_latent))
    # A feature never measured has loadings of 0, below any threshold.
    universal = noise * (2.0 * candidates / n_measured.to(noise).clamp_min(1)).sqrt()
    W = W.where(W.abs() > _THRESHOLD * universal[:, None], 0.0)
    padded = torch.zeros(len(W), n_latent, device=device)
    padded[:, : W.shape[1]] = W.float().to(device)
    return padded, noise.float().to(device)
