"""One training step of the sparse decoder beside published ones, forward and backward.

    python benchmarks/decoder_step.py [--threads 2] [--repeats 15]

B 64, D 1000, K 32, H 100. All decoders have the same weights, all loadings are
non-zero, and their rounds alternate, so that whatever else the machine does
falls on all alike. Medians and ratios of medians. Then
the memory that one step adds at D 20,000, in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor

from decoders import LoopDecoder, VectorisedDecoder, agree, random_weights
from poems.nn.kernels.blockwise import blockwise_decode

N_SAMPLES, N_FEATURES, N_LATENT, N_HIDDEN = 64, 1000, 32, 100
WIDE = 20_000


class BlockwiseDecoder(LoopDecoder):
    """The decoder of POEMS, on the same weights."""

    def forward(self, z: Tensor) -> Tensor:
        return blockwise_decode(z, self.W, self.A, self.u, self.b)


def step(decoder: LoopDecoder | VectorisedDecoder, z: Tensor, target: Tensor) -> float:
    start = time.perf_counter()
    for parameter in decoder.parameters():
        parameter.grad = None
    (decoder(z) - target).square().sum().backward()
    return time.perf_counter() - start


def memory(field: str) -> float:
    """Read this process's memory in MB: VmRSS, now, or VmHWM, at its highest."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} in /proc/self/status")


def report_added_memory() -> None:
    """Print by how much one step raises the memory of a fresh process, its result included."""
    decoder = BlockwiseDecoder(random_weights(WIDE, N_LATENT, N_HIDDEN))
    z = torch.randn(N_SAMPLES, N_LATENT, requires_grad=True)
    target = torch.zeros(N_SAMPLES, WIDE)
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
    before = memory("VmRSS")
    step(decoder, z, target)
    print(f"D {WIDE}: a step adds {memory('VmHWM') - before:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    small = random_weights(30, 5, 7, non_zeros=2, dtype=torch.float64)
    assert agree(LoopDecoder(small), BlockwiseDecoder(small))
    assert agree(LoopDecoder(small), VectorisedDecoder(small, dropout=0.0))

    weights = random_weights(N_FEATURES, N_LATENT, N_HIDDEN)
    z = torch.randn(N_SAMPLES, N_LATENT, requires_grad=True)
    target = torch.randn(N_SAMPLES, N_FEATURES)
    decoders = {
        "POEMS, blockwise": BlockwiseDecoder(weights),
        "vectorised, dropout 0.2 (as published)": VectorisedDecoder(weights, dropout=0.2),
        "vectorised, no dropout": VectorisedDecoder(weights, dropout=0.0),
        "loop over features": LoopDecoder(weights),
    }
    times: dict[str, list[float]] = {name: [] for name in decoders}
    for repeat in range(args.repeats + 2):
        for name, decoder in decoders.items():
            seconds = step(decoder, z, target)
            if repeat >= 2:
                times[name].append(seconds)
    ours = statistics.median(times["POEMS, blockwise"])
    print(f"B {N_SAMPLES}, D {N_FEATURES}, K {N_LATENT}, H {N_HIDDEN}, threads: {args.threads}")
    print(f"{'':40s} {'median ms':>10s} {'ratio':>7s}")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"{name:40s} {median * 1e3:10.1f} {median / ours:7.2f}")

    process = multiprocessing.get_context("spawn").Process(target=report_added_memory)
    process.start()
    process.join()


if __name__ == "__main__":
    main()
