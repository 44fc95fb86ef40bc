"""The Triton kernel without a GPU, in processes of their own.

Whether Triton interprets or compiles is settled when it is imported, so it is not
imported here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from poems.nn import decode as decode_module
from poems.nn.decode import choose_kernel

needs_triton = pytest.mark.skipif(
    find_spec("triton") is None, reason="Triton is not installed (poems-omics[gpu])"
)
HERE = Path(__file__).parent


def run(*command: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=os.environ | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_triton
def test_the_kernel_is_right_in_tritons_interpreter() -> None:
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-rs"]
    out = run("-m", "pytest", str(HERE / "triton_checks.py"), *options, TRITON_INTERPRET="1")
    assert "skipped" not in out


@needs_triton
def test_the_kernel_compiles_for_a_gpu_without_spills(tmp_path: Path) -> None:
    out = run(str(HERE / "triton_compile.py"), TRITON_CACHE_DIR=str(tmp_path), TRITON_INTERPRET="0")
    assert out.split() == ["forward_rows", "backward_rows", "grouped_sums"]


@pytest.mark.parametrize(
    ("device", "triton", "expected"),
    [("cuda", True, True), ("cuda", False, False), ("mps", True, False)],
)
def test_gpus_have_a_sparse_kernel_where_triton_is(
    device: str, triton: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_module, "has_triton", lambda: triton)
    assert (decode_module._crossover(torch.device(device)) is not None) is expected


def test_the_density_decides_where_there_is_a_sparse_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loadings = torch.eye(10)
    for crossover, expected in ((0.11, "sparse"), (0.09, "blockwise"), (None, "blockwise")):
        monkeypatch.setattr(decode_module, "_crossover", lambda device, at=crossover: at)
        assert choose_kernel(loadings) == expected


def test_compilers_are_not_imported_before_they_are_needed() -> None:
    code = (
        "import sys, poems, poems.nn.decoder; "
        "sys.exit(bool({'numba', 'triton'} & set(sys.modules)))"
    )
    run("-c", code)
