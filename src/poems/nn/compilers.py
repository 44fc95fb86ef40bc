"""Which compilers of kernels are installed."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import torch


@cache
def has_compiler() -> bool:
    """Whether numba, which compiles kernels for processors, is installed."""
    return find_spec("numba") is not None


@cache
def has_triton() -> bool:
    """Whether Triton, which compiles kernels for GPUs, is installed."""
    return find_spec("triton") is not None


def compiled_for(device: torch.device) -> bool:
    """Whether kernels that numba compiles serve a device.

    >>> compiled_for(torch.device("meta"))
    False
    """
    return device.type == "cpu" and has_compiler()
