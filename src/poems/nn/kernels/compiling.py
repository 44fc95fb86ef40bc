"""How kernels on the processor are compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Array = Any
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of arrays, free of the interpreter's lock, and keep it on disk.

    Sums may be reordered and fused; what is not a number stays so.
    """
    options = {"contract", "nsz", "reassoc"}
    jit = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=options)
    return cast(Function, jit(function))


def exactly_compiled(function: Function) -> Function:
    """Compile a function of arrays whose sums stay in their order, and keep it on disk."""
    jit = numba.njit(nogil=True, cache=True, error_model="numpy")
    return cast(Function, jit(function))
