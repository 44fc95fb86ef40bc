"""Compile the Triton kernels for a GPU that need not be there: run by test_triton.py.

What the interpreter lets through, the compiler may refuse. Prints each kernel's name,
and whether it keeps to its registers.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from poems.nn.kernels import triton_rows

INTEGERS = {"view", "order", "start", "factor", "feature", "entries", "bounds"}
SIZES = {"n_samples", "n_hidden", "n_latent", "width", "every", "phase"}
BLOCKS = {
    "forward_rows": {"SAMPLES": 128, "UNITS": 16},
    "backward_rows": {"SAMPLES": 64, "UNITS": 32, "LATENTS": 32},
    "grouped_sums": {"PARTS": 16, "ENTRIES": 8, "WIDTH": 128},
}


def compiled(name: str, number: str, constants: dict[str, int]) -> bytes:
    kernel = getattr(triton_rows, name)
    signature = {}
    for argument in kernel.arg_names:
        if argument in constants:
            signature[argument] = "constexpr"
        elif argument in SIZES:
            signature[argument] = "i64" if argument == "every" else "i32"
        else:
            signature[argument] = "*i64" if argument in INTEGERS else f"*{number}"
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    options = {"num_warps": 1, "enable_fp_fusion": True}
    cubin = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm["cubin"]
    assert isinstance(cubin, bytes)
    return cubin


def spilled(cubin: bytes) -> int:
    """Bytes of local memory that a thread needs, for want of registers."""
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [str(tool), "--dump-resource-usage", file.name]
        usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return max(int(found) for found in re.findall(r"STACK:(\d+)", usage))


if __name__ == "__main__":
    for name, blocks in BLOCKS.items():
        assert spilled(compiled(name, "fp32", blocks)) == 0, name
        # Triton makes constants of arguments that are 1.
        ones = {size: 1 for size in getattr(triton_rows, name).arg_names if size in SIZES}
        ones.pop("every", None)
        compiled(name, "fp64", ones | blocks)
        sys.stdout.write(f"{name}\n")
