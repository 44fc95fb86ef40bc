"""What a fit takes is said before it begins, and refused where it is too much."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import poems_here

import poems
from poems.errors import DataError, is_out_of_memory, out_of_memory
from poems.fitting.memory import fit_memory, require_fit_memory
from poems.fitting.plan import plan_fit
from poems.settings.schema import Settings

# Reads a wide cohort, fits it for two epochs, and says how much memory that took beside it.
_MEASURE = """
import json
import numpy as np, pandas as pd
import poems
from poems.settings.schema import Settings
n, d = 60, 6000
x = pd.DataFrame(np.random.default_rng(0).normal(size=(n, d)))
cohort = poems.read({"a": x.rename(index="s{}".format, columns="g{}".format)})
from poems_benchmark.running.memory import memory_mb, peak_memory_mb
before = memory_mb()
settings = {"model": {"redundancy": "none"}, "training": {"epochs": 2}}
poems.fit(cohort, settings=settings, progress=False)
# Not that of getrusage, which begins at what the process that started this one takes.
taken = (peak_memory_mb() - before) * 2**20
from poems.fitting.memory import fit_memory
print(json.dumps([fit_memory(cohort, {"a": d}, Settings()), taken]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads what Linux tells")
def test_the_estimate_of_memory_is_within_a_factor_of_two() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE], capture_output=True, text=True, check=True
    )
    estimate, taken = json.loads(done.stdout.splitlines()[-1])
    assert 0.5 < estimate / taken < 2, (estimate, taken)


def test_a_plan_tells_views_epochs_and_time() -> None:
    cohort = poems.simulate(n_samples=40, n_features=20, seed=0).cohort
    plan = plan_fit(cohort, Settings().updated(epochs=50, most_variable=8))
    assert plan.n_epochs == plan.n_steps == 50
    assert plan.views["kept"].tolist() == [8] * len(cohort.views)
    assert plan.seconds > 0


def test_memory_grows_with_what_takes_it() -> None:
    cohort = poems.simulate(n_samples=40, n_features=20, seed=0).cohort
    kept = dict.fromkeys(cohort.views, 20)
    least = fit_memory(cohort, kept, Settings())
    assert fit_memory(cohort, dict.fromkeys(cohort.views, 2000), Settings()) > least
    assert fit_memory(cohort, kept, Settings().updated(encoder_layers=(5000, 5000))) > least


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder_layers": (16_000, 16_000)}, r"are parameters \(.* encoder_layers 16000, 16000"),
        ({}, "are the values"),
    ],
)
def test_a_fit_that_memory_does_not_suffice_for_is_refused(
    changes: dict[str, object], message: str
) -> None:
    cohort = poems.simulate(n_samples=40, n_features=20, seed=0).cohort
    kept = dict.fromkeys(cohort.views, 20)
    with pytest.raises(DataError, match=message):
        require_fit_memory(cohort, kept, Settings().updated(**changes), left=1_000_000)
    require_fit_memory(cohort, kept, Settings(), left=10**12)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_latent": 10**9},
        {"encoder_layers": (10**9,)},
        {"encoder_layers": (10,) * 100},
        {"decoder_hidden": 10**12},
        {"epochs": 10**12},
        {"learning_rate": 1e30},
        {"lambda_slab": 1e300},
        {"batch_size": 10**15},
        {"background": 10**9},
        {"n_components": 10**9},
    ],
)
def test_settings_beyond_all_use_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(poems.SettingsError, match=r"less than or equal|at most"):
        Settings().updated(**changes)


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "rna.csv"
    cohort = poems.simulate(n_samples=30, n_features=15, seed=0).cohort
    cohort.frame(next(iter(cohort.views))).to_csv(table)
    out = tmp_path / "run"
    assert poems_here("fit", table, "--out", out, "--dry-run", "--epochs", 40) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "At most 40 epochs (40 steps)" in text
    assert "GB of memory" in text
    assert not out.exists()
    assert poems_here("fit", table, "--out", out, "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["summary"]["memory_gb"] > 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 7 TiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: can't"),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
    ],
)
def test_a_lack_of_memory_is_told_as_such(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("poems.data.check", fail)
    monkeypatch.setattr("poems.data.files.absent_tables", lambda _: {})
    assert is_out_of_memory(error)
    assert "not enough memory" in out_of_memory(error)
    assert poems_here("check", "rna.csv") == 1
    assert "error: there was not enough memory" in capsys.readouterr().err
