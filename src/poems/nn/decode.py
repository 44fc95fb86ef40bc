"""The sparse decoder's function, by whichever kernel is the fastest.

    eta_j(z) = u_j . relu(A (w_j * z)) + b_j

Kernels (``nn/kernels``) differ in cost, not in result: ``reference`` is the formula,
``blockwise`` works on dense blocks of features, ``sparse`` visits non-zero loadings
alone, compiled by numba for processors and by Triton for GPUs.

Zero loadings. A loading that is exactly zero still has a derivative, without which
it could never come back, and computing it costs as much as a non-zero one. It is
computed in turns: in the features with ``j % every == phase``, see ``Turns``; for
the others it is reported as zero and the optimiser leaves the loading alone. The
derivative at a feature whose loadings are all zero, where relu has a kink, takes
relu'(0) = 1/2: with the usual 0 such a feature would be lost for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function

from poems.errors import SettingsError
from poems.nn.compilers import compiled_for, has_triton
from poems.nn.kernels.blockwise import blockwise_decode, blockwise_jacobian, blockwise_slopes
from poems.nn.kernels.reference import reference_decode
from poems.nn.norms import held
from poems.nn.slopes import Pairs, Slopes
from poems.nn.views import view_of_features

Kernel = Literal["auto", "reference", "blockwise", "sparse"]

# Share of non-zero loadings up to which the sparse kernel is the faster one: on processors at
# any, by a third even with no zero at all (benchmarks/speed/kernels.py).
_CROSSOVER = 1.0
# The same on GPUs: a cautious estimate that awaits its measurement (benchmarks/gpu.py). At
# this density the sparse kernel has about a quarter of the dense one's multiplications.
_GPU_CROSSOVER = 0.2


@dataclass(frozen=True)
class Turns:
    """Whose zero loadings are looked at: those of features with ``j % every == phase``."""

    every: int = 1
    phase: int = 0

    def visited(self, loadings: Tensor) -> Tensor:
        """Loadings that have their derivative: booleans of shape (n_features, n_latent).

        >>> Turns(every=2, phase=1).visited(torch.tensor([[0.0], [0.0], [3.0]])).flatten().tolist()
        [False, True, True]
        """
        visited = loadings != 0
        visited[self.phase :: self.every] = True
        return visited


ALL = Turns()
NONE = Turns(every=1 << 31, phase=(1 << 31) - 1)


def decode(
    z: Tensor,
    W: Tensor,
    A: Tensor,
    u: Tensor,
    b: Tensor,
    sizes: Sequence[int],
    *,
    kernel: Kernel = "auto",
    turns: Turns = ALL,
    dropout: float = 0.0,
    norms: tuple[float, float] | None = None,
) -> Tensor:
    """Predict the features of all views from the latents.

    Parameters
    ----------
    z
        Latents, of shape (n_samples, n_latent).
    W, u, b
        Loadings (n_features, n_latent), heads (n_features, n_hidden) and offsets
        (n_features,), the views' features one after the other.
    A
        Hidden weights of each view, of shape (n_views, n_hidden, n_latent).
    sizes
        Number of features of each view.
    kernel
        Which kernel; ``"auto"`` chooses by device and density.
    turns
        Whose zero loadings get their derivative.
    dropout
        Probability of dropping a hidden unit of a feature in a sample, which
        the blockwise kernel alone can do.
    norms
        What the columns of A and the rows of u are brought to before, ``None`` to take
        them as they are.

    Returns
    -------
    Tensor of shape (n_samples, n_features).

    Examples
    --------
    >>> one = torch.ones(2, 1)
    >>> decode(one, one, one[None], torch.ones(2, 2), torch.zeros(2), [2])
    tensor([[2., 2.],
            [2., 2.]])
    """
    chosen = choose_kernel(W, dropout) if kernel == "auto" else kernel
    sparse_kernel = _sparse_kernel(z.device) if chosen == "sparse" else None
    options = () if sparse_kernel is None else sparse_kernel.OPTIONS
    if norms is not None and "norms" not in options:
        A, u = held(A, u, norms)
    if sparse_kernel is not None:
        keep = torch.is_grad_enabled() and any(x.requires_grad for x in (z, W, A, u, b))
        known = {"norms": norms, "keep": keep}
        view = view_of_features(tuple(sizes), z.device)
        eta: Tensor = _SparseDecode.apply(  # type: ignore[no-untyped-call]
            z, W, A, u, b, view, turns, sparse_kernel, {name: known[name] for name in options}
        )
        return eta
    parts = []
    views = zip(*(torch.split(x, list(sizes)) for x in (W, u, b)), A, strict=True)
    for w, heads, offsets, mixing in views:
        if chosen == "reference":
            parts.append(reference_decode(z, w, mixing, heads, offsets))
        else:
            parts.append(blockwise_decode(z, w, mixing, heads, offsets, dropout=dropout))
    return torch.cat(parts, dim=1)


def choose_kernel(loadings: Tensor, dropout: float = 0.0) -> Kernel:
    """Choose by what is asked, where, and how many loadings are not zero.

    >>> choose_kernel(torch.eye(20), dropout=0.2)
    'blockwise'
    """
    crossover = _crossover(loadings.device)
    if dropout > 0 or crossover is None:
        return "blockwise"
    if crossover >= 1.0:
        return "sparse"
    density = int(torch.count_nonzero(loadings)) / max(1, loadings.numel())
    return "sparse" if density <= crossover else "blockwise"


def _crossover(device: torch.device) -> float | None:
    """Density up to which the sparse kernel is chosen on a device; None where there is none."""
    if compiled_for(device):
        return _CROSSOVER
    return _GPU_CROSSOVER if device.type == "cuda" and has_triton() else None


@torch.no_grad()
def decoder_jacobian(
    z: Tensor, W: Tensor, A: Tensor, u: Tensor, *, kernel: Kernel = "auto"
) -> tuple[Tensor, Tensor, Tensor]:
    """Average one view's Jacobian d eta / d z over samples.

    A is of shape (n_hidden, n_latent), the rest as for :func:`decode`.

    Returns
    -------
    The mean and the mean size of each derivative, of shape (n_features, n_latent),
    and the mean of J^T J, (n_latent, n_latent).
    """
    chosen = choose_kernel(W) if kernel == "auto" else kernel
    if chosen == "sparse" and z.device.type == "cpu":
        jacobian: tuple[Tensor, Tensor, Tensor] = _sparse_kernel(z.device).sparse_jacobian(
            z, W, A, u
        )
        return jacobian
    return blockwise_jacobian(z, W, A, u)


@torch.no_grad()
def decoder_slopes(
    z: Tensor, W: Tensor, A: Tensor, u: Tensor, *, kernel: Kernel = "auto"
) -> tuple[Tensor, Tensor]:
    """Compute one view's Jacobian d eta / d z of each sample.

    Arguments are those of :func:`decoder_jacobian`.

    Returns
    -------
    Positions of the features with a non-zero loading, (n_driven,), and their derivatives, of
    shape (n_samples, n_driven, n_latent).
    """
    driven = (W != 0).any(dim=1).nonzero()[:, 0]
    chosen = choose_kernel(W) if kernel == "auto" else kernel
    if chosen == "sparse" and z.device.type == "cpu":
        slopes: Tensor = _sparse_kernel(z.device).sparse_slopes(z, W[driven], A, u[driven])
        return driven, slopes
    return driven, blockwise_slopes(z, W[driven], A, u[driven])


@torch.no_grad()
def packed_decoder_slopes(
    z: Tensor, W: Tensor, A: Tensor, u: Tensor, *, kernel: Kernel = "auto"
) -> Slopes:
    """Compute what :func:`decoder_slopes` does, of loadings that are not zero alone."""
    chosen = choose_kernel(W) if kernel == "auto" else kernel
    if chosen == "sparse" and z.device.type == "cpu":
        features, factors, values = _sparse_kernel(z.device).packed_slopes(z, W, A, u)
        order = torch.argsort(factors, stable=True)
        return Slopes(Pairs(features[order], factors[order], W.shape[1]), values[order])
    return Slopes.dense(*decoder_slopes(z, W, A, u, kernel=kernel))


def _sparse_kernel(device: torch.device) -> Any:
    """Return the module of the sparse kernel, imported where it is needed: it takes a moment.

    Raises
    ------
    SettingsError
        If there is none for the device, or its compiler is not installed.
    """
    if compiled_for(device):
        from poems.nn.kernels import sparse

        return sparse
    if device.type == "cuda" and has_triton():
        from poems.nn.kernels import triton_sparse

        return triton_sparse
    needed = {"cpu": "numba (pip install numba)", "cuda": "Triton (pip install 'poems-omics[gpu]')"}
    raise SettingsError(
        f"kernel='sparse' needs {needed.get(device.type, 'a processor or an NVIDIA GPU')}, which "
        f"device '{device.type}' lacks here; use kernel='auto', which takes what there is"
    )


class _SparseDecode(Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        W: Tensor,
        A: Tensor,
        u: Tensor,
        b: Tensor,
        view: Tensor,
        turns: Turns,
        kernel: Any,
        options: Mapping[str, Any],
    ) -> Tensor:
        ctx.kernel = kernel
        eta, ctx.kept = kernel.sparse_forward(z, W, A, u, b, view, **options)
        ctx.turns = turns
        result: Tensor = eta
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = grads
        turns = ctx.turns if ctx.needs_input_grad[1] else NONE
        grad_z, grad_W, grad_A, grad_u = ctx.kernel.sparse_backward(
            ctx.kept, g, turns.every, turns.phase
        )
        return grad_z, grad_W, grad_A, grad_u, g.sum(dim=0), None, None, None, None
