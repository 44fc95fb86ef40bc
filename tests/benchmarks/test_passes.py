"""benchmarks/speed/passes.py: what it switches off is off, and what takes its place is the same."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import poems
from poems.simulation.cohort import Simulation

FOLDER = Path(__file__).parents[2] / "benchmarks" / "speed"
# Where a pass is imported from when it is called.
KERNELS = {
    "gaussian": ["gaussian.gaussian_terms"],
    "adam": ["adam.adam_step"],
    "proximal": ["adam.proximal_step"],
    "norms": ["sparse.to_norm", "sparse.to_norm_backward"],
}
KERNELS["adam and proximal"] = [*KERNELS["adam"], *KERNELS["proximal"]]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("passes")


def test_every_pass_is_tried_here(passes: ModuleType) -> None:
    assert {*KERNELS, passes.VECTORS} == set(passes.PASSES)


@pytest.mark.parametrize("name", KERNELS)
def test_without_a_pass_it_is_not_called_and_the_fit_is_the_same_to_rounding(
    name: str, passes: ModuleType, simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"epochs": 3, "n_latent": 4, "progress": False, "threads": 1}
    # Passes are of training, whose answers are the encoders'; exact modes lie at kinks of relu.
    options["inference"] = "amortised"
    expected = poems.fit(simulation.cohort, **options).latent
    called = []
    for kernel in KERNELS[name]:
        monkeypatch.setattr(
            f"poems.nn.kernels.{kernel}", lambda *_, kernel=kernel: called.append(kernel)
        )
    with passes.without(name):
        found = poems.fit(simulation.cohort, **options).latent
    assert not called
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.slow
def test_loops_in_the_place_of_vectors_compute_the_same(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r})\n"
        "import passes; passes.plain_vectors()\n"
        "from poems.nn.kernels import halfspaces\n"
        "assert halfspaces.add_sums.__module__ == 'passes'\n"
        "import decoders, kernels\n"
        "kernels.check(decoders.random_weights(40, 6, 9, density=0.5), 11)\n"
    )
    # To compile all kernels anew takes longer than to run so few values through them as they are.
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
