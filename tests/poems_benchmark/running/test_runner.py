from __future__ import annotations

import json
import mmap
import multiprocessing
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from poems.errors import SettingsError
from poems.files.csv_tables import write_csv
from poems.settings.schema import Settings
from poems.simulation.cohort import simulate
from poems_benchmark.cohorts import CohortSpec
from poems_benchmark.methods.autoencoder import Autoencoder
from poems_benchmark.methods.interface import Method
from poems_benchmark.methods.pca import Pca
from poems_benchmark.running.memory import forget_peak_memory, memory_mb, peak_memory_mb
from poems_benchmark.running.runner import Finished, run_unit, run_units
from poems_benchmark.running.units import Unit, plan_units, read_record, write_record

BRIEF = Autoencoder(Settings().updated(epochs=2, n_latent=3, encoder_layers=(4,)))
WRONG = Pca(0, name="Wrong")


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> CohortSpec:
    folder = tmp_path_factory.mktemp("data") / "tiny"
    folder.mkdir()
    simulation = simulate(40, 15, 3, n_views=2, n_subtypes=3, missing_views=0.2, seed=0)
    for name in simulation.cohort:
        measured = simulation.cohort[name].measured
        write_csv(folder / f"{name}.csv", simulation.cohort.frame(name)[measured])
    write_csv(folder / "obs.csv", simulation.subtypes.rename("subtype").to_frame())
    return CohortSpec("tiny", folder, ("subtype",))


@pytest.fixture
def count() -> tuple[list[Finished], Callable[[Finished], None]]:
    seen: list[Finished] = []
    return seen, seen.append


def test_units_are_methods_by_cohorts_by_seeds(spec: CohortSpec) -> None:
    units = plan_units([spec, replace(spec, name="other")], {"pca": Pca(), "ae": BRIEF}, 3)
    assert [(unit.cohort.name, unit.key, unit.seed) for unit in units] == [
        (cohort, *rest)
        for cohort in ("tiny", "other")
        for rest in (("pca", 0), ("ae", 0), ("ae", 1), ("ae", 2))
    ]
    assert len({unit.path(Path()) for unit in units}) == len(units)


def test_a_changed_method_or_file_is_another_unit(spec: CohortSpec, tmp_path: Path) -> None:
    def path_of(method: Method, data: str = "d") -> Path:
        return Unit("m", method, spec, 0, data).path(tmp_path)

    assert path_of(Pca()) == path_of(Pca(name="Another name"))
    assert len({path_of(Pca()), path_of(Pca(5)), path_of(Pca(), "e"), path_of(BRIEF)}) == 4


@pytest.mark.slow
def test_results_are_those_of_the_method_and_are_reused(
    spec: CohortSpec, tmp_path: Path, count: tuple[list[Finished], Callable[[Finished], None]]
) -> None:
    units = plan_units([spec], {"pca": Pca(), "ae": BRIEF, "wrong": WRONG}, 1)
    threads = os.environ.get("MKL_NUM_THREADS")
    finished = run_units(units, tmp_path, jobs=2, report=count[1])
    assert count[0] == finished
    assert os.environ.get("MKL_NUM_THREADS") == threads
    assert not multiprocessing.active_children()
    assert [each.unit.key for each in finished if each.error] == ["wrong"]
    # In this process the numbers are the same.
    here = tmp_path / "here"
    for unit in units[:2]:
        run_unit(unit, here)
        first, second = read_record(unit, tmp_path), read_record(unit, here)
        assert first is not None
        assert second is not None
        assert first["scores"] == second["scores"]
        assert first["seconds"] > 0
    # Only the failed one is tried again, and what changed is computed.
    changed = plan_units([spec], {"pca": Pca(5)}, 1)
    again = run_units([*units, *changed], tmp_path)
    assert [(each.unit.key, each.error is None) for each in again] == [
        ("wrong", False),
        ("pca", True),
    ]


def test_a_failed_unit_says_why(spec: CohortSpec, tmp_path: Path) -> None:
    (unit,) = plan_units([spec], {"wrong": WRONG}, 1)
    finished = run_unit(unit, tmp_path)
    assert finished.error == "SettingsError: n_components must be at least 1, not 0"
    record = json.loads(unit.path(tmp_path).read_text())
    assert record["status"] == "failed"
    assert "pca_embedding" in record["traceback"]
    assert read_record(unit, tmp_path) is None


def test_a_record_keeps_what_is_needed_to_judge_it(spec: CohortSpec, tmp_path: Path) -> None:
    (unit,) = plan_units([spec], {"pca": Pca(4)}, 1)
    run_unit(unit, tmp_path)
    record = read_record(unit, tmp_path)
    assert record is not None
    assert record["options"]["n_components"] == 4
    assert (record["method"], record["name"], record["n_factors"]) == ("pca", "PCA", 4)
    assert record["peak_mb"] is None or record["peak_mb"] > 50
    assert record["scores"][0]["n_scored"] == 40


def test_damaged_results_do_not_count(spec: CohortSpec, tmp_path: Path) -> None:
    (unit,) = plan_units([spec], {"pca": Pca()}, 1)
    write_record(unit, tmp_path, {"status": "done", "scores": [{"nmi": float("nan")}]})
    assert read_record(unit, tmp_path) is not None
    assert json.loads(unit.path(tmp_path).read_text())["scores"] == [{"nmi": None}]
    whole = unit.path(tmp_path).read_text()
    unit.path(tmp_path).write_text(whole[: len(whole) // 2])
    assert read_record(unit, tmp_path) is None


def test_a_method_that_is_not_installed_is_named(spec: CohortSpec) -> None:
    absent = Pca(requires=("no-such-package",))
    with pytest.raises(SettingsError, match="PCA needs no-such-package"):
        _ = Unit("pca", absent, spec, 0, "").settings


@pytest.mark.slow
def test_a_process_that_dies_costs_its_own_unit_only(
    spec: CohortSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text(
        "import os\n"
        "from poems_benchmark.methods.pca import Pca\n"
        "class Deadly(Pca):\n"
        "    def fit(self, cohort, seed):\n"
        "        os._exit(9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("deadly", None)
    deadly = import_module("deadly")

    # Each unit has a process of its own, which takes seconds to start; both run at once.
    methods = {"deadly": deadly.Deadly(), "pca": Pca()}
    finished = run_units(plan_units([spec], methods, 1), tmp_path / "out", jobs=2)
    errors = {each.unit.key: each.error for each in finished}
    assert errors == {
        "deadly": "the process that computed it died, perhaps for lack of memory",
        "pca": None,
    }


def test_memory_is_told_where_the_system_tells_it() -> None:
    forget_peak_memory()
    before, now = peak_memory_mb(), memory_mb()
    if before is None or now is None:
        pytest.skip("this system does not tell")
    # Memory fresh from the system: an array may be given some that was resident already.
    with mmap.mmap(-1, 20 * 2**20) as block:
        block.write(b"1" * len(block))
        assert (peak_memory_mb() or 0) >= before
        assert (memory_mb() or 0) >= now + 10
