"""Products in less than single precision: TF32 or bfloat16, where it is asked for alone.

GPUs multiply matrices in these formats several times faster, with 11 and 8 significant
bits in place of 24 and sums in single precision. The encoders and dense decoders can
bear that in training; sparse decoders, the likelihood, the KL term and the loadings'
update cannot, so what is set here is set for one part of the computation, forwards and
backwards, and for nothing around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from poems.errors import SettingsError
from poems.settings.groups import Precision

# GPUs from this compute capability on have units for both formats.
_FIRST_CAPABILITY = (8, 0)


def require_precision(precision: Precision, device: torch.device) -> None:
    """Check that a device has a precision.

    Raises
    ------
    SettingsError
        If it has not; the text says which device would do.
    """
    if precision == "float32":
        return
    if precision == "tf32" and device.type != "cuda":
        raise SettingsError(
            f"precision='tf32' needs a GPU (device='cuda'), and the device is '{device}'; use "
            "'float32', or 'bf16', which runs there but is seldom faster"
        )
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        if capability < _FIRST_CAPABILITY:
            needed, found = (".".join(map(str, x)) for x in (_FIRST_CAPABILITY, capability))
            raise SettingsError(
                f"precision='{precision}' needs a GPU of compute capability {needed} or later, and "
                f"'{device}' has {found}; use 'float32'"
            )


def products_in(
    precision: Precision, compute: Callable[[], tuple[Tensor, ...]], *given: Tensor
) -> tuple[Tensor, ...]:
    """Compute something with its matrix products in a precision, and its derivatives too.

    Parameters
    ----------
    precision
        Of the products; all else stays as it is.
    compute
        What to compute.
    given
        Tensors that it starts from, at least one: their own derivatives are no part of it.

    Returns
    -------
    What it returns, in single precision.
    """
    if precision == "bf16":
        # Backwards, too: a product's derivatives are computed in what its factors were cast to.
        with torch.autocast(given[0].device.type, dtype=torch.bfloat16):
            outputs = compute()
        return tuple(x.float() for x in outputs)
    if precision == "tf32":
        with matmul_precision_kept():
            _set_matmul_precision("tf32")
            outputs = compute()
        for node in _nodes(outputs, given):
            _in_tf32(node)
        return outputs
    return compute()


@contextmanager
def matmul_precision_kept() -> Iterator[None]:
    """Put PyTorch's precision of matrix products back at the end, whatever happens."""
    before = _matmul_precision()
    try:
        yield
    finally:
        _set_matmul_precision(before)


def _in_tf32(node: Any) -> None:
    """Let a node of the backward pass multiply in TF32."""
    before: list[Any] = []

    def begin(_: Any) -> None:
        before.append(_matmul_precision())
        _set_matmul_precision("tf32")

    def end(*_: Any) -> None:
        _set_matmul_precision(before.pop())

    node.register_prehook(begin)
    node.register_hook(end)


def _nodes(outputs: tuple[Tensor, ...], given: tuple[Tensor, ...]) -> set[Any]:
    """Nodes of the backward pass from the outputs as far as what was given."""
    stop = {x.grad_fn for x in given}
    found: set[Any] = set()
    pending = [x.grad_fn for x in outputs]
    while pending:
        node = pending.pop()
        # What follows nothing adds to a parameter's gradient, and outlives the pass.
        if node is not None and node not in found | stop and node.next_functions:
            found.add(node)
            pending += [following for following, _ in node.next_functions]
    return found


# The name of this setting changed in PyTorch 2.9, and the old one must not be mixed with it.
def _matmul_precision() -> Any:
    matmul: Any = torch.backends.cuda.matmul
    return matmul.fp32_precision if hasattr(matmul, "fp32_precision") else matmul.allow_tf32


def _set_matmul_precision(value: Any) -> None:
    matmul: Any = torch.backends.cuda.matmul
    if hasattr(matmul, "fp32_precision"):
        matmul.fp32_precision = value
    else:
        matmul.allow_tf32 = value in ("tf32", True)
