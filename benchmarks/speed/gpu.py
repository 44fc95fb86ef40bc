"""The sparse decoder on a GPU: whether it is right, and how fast beside what the GPU can do.

    python benchmarks/speed/gpu.py [--samples 128] [--features 5000] [--latents 16] [--hidden 32]

1. Errors of the Triton kernel's predictions and gradients, in single and in double
   precision, against the reference in double precision on the processor, and whether
   it repeats itself bit for bit.
2. Time of a step (forwards and backwards, a quarter of the zero loadings visited) by
   density: the Triton kernel, the dense blockwise one on the same GPU, and the sparse
   one on the processor, with the arithmetic that a step needs at the least as a share
   of the rate of multiply-adds, and its traffic as a share of the memory's bandwidth,
   both measured in the same run. The density at which the blockwise kernel becomes the
   faster one is what poems.nn.decode's _GPU_CROSSOVER should be.
3. Fits in TF32 and bfloat16: the share of the float32 fit's latents that theirs do not
   explain (factors come in any order and sign), beside that of another seed, and their
   time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

import poems
from poems.nn.decode import Kernel, Turns, decode, has_triton

GRADIENTS = ("z", "W", "A", "u", "b")
EVERY = 4


def draw(
    n: int, sizes: Sequence[int], k: int, h: int, density: float, dtype: torch.dtype, device: str
) -> list[Tensor]:
    """z, W, A, u and b, with that share of the loadings not zero, the same on every device."""
    rng = torch.Generator().manual_seed(0)
    shapes = [(n, k), (sum(sizes), k), (len(sizes), h, k), (sum(sizes), h), (sum(sizes),)]
    z, W, A, u, b = (torch.randn(*shape, generator=rng, dtype=torch.float64) for shape in shapes)
    W *= torch.rand(W.shape, generator=rng) < density
    return [x.to(device, dtype).requires_grad_() for x in (z, W, A, u / h**0.5, b)]


def step(
    inputs: list[Tensor], weights: Tensor, sizes: Sequence[int], kernel: Kernel, turns: Turns
) -> tuple[Tensor, ...]:
    """Predictions, and the gradients of their weighted sum."""
    z, W, A, u, b = inputs
    eta = decode(z, W, A, u, b, sizes, kernel=kernel, turns=turns)
    return (eta.detach(), *torch.autograd.grad(eta, inputs, weights))


def report_errors(device: str, n: int, sizes: Sequence[int], k: int, h: int) -> None:
    print("\nLargest error over largest value, against the reference in float64")
    print(f"{'density':>8s} {'dtype':>8s} {'eta':>8s}" + "".join(f"{x:>9s}" for x in GRADIENTS))
    weights = torch.randn(n, sum(sizes), dtype=torch.float64)
    for density in (0.0, 0.05, 0.3, 1.0):
        inputs = draw(n, sizes, k, h, density, torch.float64, "cpu")
        exact = step(inputs, weights, sizes, "reference", Turns())
        for dtype, most in ((torch.float32, 1e-5), (torch.float64, 1e-13)):
            inputs = draw(n, sizes, k, h, density, dtype, device)
            first, second = (
                step(inputs, weights.to(device, dtype), sizes, "sparse", Turns()) for _ in range(2)
            )
            errors = [
                float((x.cpu().double() - y).abs().max() / y.abs().max().clamp_min(1e-300))
                for x, y in zip(first, exact, strict=True)
            ]
            repeated = all(torch.equal(x, y) for x, y in zip(first, second, strict=True))
            verdict = "" if max(errors) < most else f"  WRONG: above {most:g}"
            verdict += "" if repeated else "  DOES NOT REPEAT ITSELF"
            name = str(dtype).removeprefix("torch.")
            print(f"{density:8.2f} {name:>8s}" + "".join(f" {x:8.1e}" for x in errors) + verdict)


def seconds(work: Callable[[], object], repeats: int, device: str) -> float:
    """Median time of some work, its launches included."""
    times = []
    for repeat in range(repeats + 3):
        if device != "cpu":
            torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        if repeat >= 3:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def ceilings(device: str) -> tuple[float, float]:
    """Multiply-adds a second, in single precision, and bytes a second to and from memory."""
    size = 8192
    x, y = torch.randn(2, size, size, device=device)
    products = size**3 / seconds(lambda: torch.mm(x, y), 10, device)
    source = torch.empty(1 << 28, device=device)
    target = torch.empty_like(source)
    traffic = 2 * source.nbytes / seconds(lambda: target.copy_(source), 10, device)
    return products, traffic


def least_work(W: Tensor, n: int, h: int) -> tuple[float, float]:
    """Multiply-adds and bytes (of float32) that a step cannot do without.

    A loading costs two multiply-adds a sample and hidden unit forwards, for the hidden
    unit's input and for its slope, and as many backwards; a visited zero costs one. A
    feature with a single loading, or none, costs next to nothing.
    """
    counts = (W != 0).sum(dim=1)
    several = counts > 1
    visited_zeros = (W.shape[1] - counts[several]).sum().item() / EVERY
    multiply_adds = n * h * (4 * counts[several].sum().item() + visited_zeros)
    non_zero, n_features = counts.sum().item(), len(W)
    # Predictions and their gradient, heads and theirs, slopes written once and read once.
    return multiply_adds, 4.0 * (2 * n_features * n + 3 * n_features * h + 2 * non_zero * n)


def report_times(device: str, n: int, sizes: Sequence[int], k: int, h: int, repeats: int) -> None:
    products, traffic = ceilings(device)
    print(f"\nMeasured: {products / 1e12:.1f} T multiply-adds/s, {traffic / 1e9:.0f} GB/s")
    print(f"A step, ms: {n} samples, {sum(sizes)} features, {k} latents, {h} hidden units")
    print(
        f"{'density':>8s} {'Triton':>9s} {'blockwise':>9s} {'ratio':>7s} {'processor':>9s} ", end=""
    )
    print(f"{'ratio':>7s} {'of arithmetic':>14s} {'of bandwidth':>13s}")
    turns = Turns(EVERY, 1)
    for density in (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0):
        inputs = draw(n, sizes, k, h, density, torch.float32, device)
        on_host = draw(n, sizes, k, h, density, torch.float32, "cpu")
        weights = torch.randn(n, sum(sizes))
        on_gpu = partial(step, inputs, weights.to(device), sizes, turns=turns)
        sparse = seconds(partial(on_gpu, kernel="sparse"), repeats, device)
        dense = seconds(partial(on_gpu, kernel="blockwise"), repeats, device)
        host = seconds(partial(step, on_host, weights, sizes, "sparse", turns), 3, "cpu")
        multiply_adds, bytes_moved = least_work(on_host[1].detach(), n, h)
        print(
            f"{density:8.2f} {sparse * 1e3:9.3f} {dense * 1e3:9.3f} {dense / sparse:7.2f} "
            f"{host * 1e3:9.2f} {host / sparse:7.1f} {multiply_adds / sparse / products:14.1%} "
            f"{bytes_moved / sparse / traffic:13.1%}"
        )


def unexplained(latents: np.ndarray, exact: np.ndarray) -> float:
    """Share of the variance of some latents that no linear map of others explains."""
    x, y = latents - latents.mean(axis=0), exact - exact.mean(axis=0)
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float((rest**2).sum() / (y**2).sum())


def report_precision(device: str, epochs: int) -> None:
    simulation = poems.simulate(n_samples=500, n_features=2000, n_factors=8, seed=0)

    def fitted(precision: str, seed: int = 0) -> tuple[np.ndarray, float]:
        start = time.perf_counter()
        model = poems.fit(
            simulation.cohort,
            seed=seed,
            device=device,
            precision=precision,
            epochs=epochs,
            companions=0,
            progress=False,
        )
        return model.latent.to_numpy(), time.perf_counter() - start

    fitted("float32")
    exact, baseline = fitted("float32")
    print("\nFits by precision, beside the one in float32 with seed 0")
    print(f"{'':20s} {'unexplained':>12s} {'time':>7s}")
    cases = [("float32, again", "float32", 0), ("tf32", "tf32", 0), ("bf16", "bf16", 0)]
    for name, precision, seed in [*cases, ("float32, seed 1", "float32", 1)]:
        if device == "cpu" and precision == "tf32":
            continue
        latents, duration = fitted(precision, seed)
        print(f"{name:20s} {unexplained(latents, exact):12.4%} {duration / baseline:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--features", type=int, default=5000, help="of each of two views")
    parser.add_argument("--latents", type=int, default=16)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=60)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("There is no GPU that PyTorch can use here: nothing was measured.")
    if not has_triton():
        sys.exit("Triton is not installed, pip install 'poems-omics[gpu]': nothing was measured.")
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
    sizes = [args.features, args.features]
    report_errors("cuda", 150, [70, 33], args.latents, args.hidden + 5)
    report_times("cuda", args.samples, sizes, args.latents, args.hidden, args.repeats)
    report_precision("cuda", args.epochs)


if __name__ == "__main__":
    main()
