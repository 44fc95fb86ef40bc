"""What a GPU can do at most: multiply-adds a second in registers, bytes a second in its memory."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import torch
import triton
import triton.language as tl
from torch import Tensor

# Sums of products that wait for no other: so many a thread, in so many threads a program.
_CHAINS, _WARPS = 8, 4
_BLOCK = _CHAINS * _WARPS * 32
_UNROLLED = tl.constexpr(32)


@triton.jit
def multiply_adds(out, factor, addend, repeats, BLOCK: tl.constexpr):
    """Apply x <- factor x + addend, from the position on, 32 times ``repeats`` times."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = at.to(tl.float32)
    for _ in range(repeats):
        for _ in tl.static_range(_UNROLLED):
            x = x * factor + addend
    tl.store(out + at, x)


def run_multiply_adds(out: Tensor, repeats: int) -> None:
    """Fill ``out``, a multiple of 1024 entries, from its positions."""
    multiply_adds[(len(out) // _BLOCK,)](
        out, 0.999, 0.001, repeats, BLOCK=_BLOCK, num_warps=_WARPS, enable_fp_fusion=True
    )


def operation_rate(device: torch.device) -> float:
    """Measure multiply-adds a second, in single precision."""
    n = 64 * torch.cuda.get_device_properties(device).multi_processor_count * _BLOCK
    repeats = 500
    out = torch.empty(n, device=device)
    return n * repeats * _UNROLLED.value / _best(lambda: run_multiply_adds(out, repeats))


def bandwidth(device: torch.device) -> float:
    """Measure bytes a second of a + 2 b, in arrays of half a gigabyte."""
    a, b, c = (torch.ones(1 << 27, device=device) for _ in range(3))
    return 3 * a.nbytes / _best(lambda: torch.add(a, b, alpha=2, out=c))


def _best(work: Callable[[], object], rounds: int = 9) -> float:
    """Median seconds of the faster half, by the device's own clock."""
    work()
    times = []
    for _ in range(rounds):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return median(sorted(times)[: (rounds + 1) // 2])
