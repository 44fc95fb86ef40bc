from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from poems.errors import TrainingError
from poems.resampling.parallel import run_tasks

SCRIPT = """
import os, sys, time
from poems.resampling.parallel import run_tasks

def work(folder, task):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(60)

if __name__ == "__main__":
    try:
        run_tasks(work, sys.argv[1], [1, 2, 3, 4], n_jobs=2)
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_results_come_in_the_order_of_the_tasks() -> None:
    done: list[int] = []
    results = run_tasks(divmod, 17, [5, 3, 2], n_jobs=2, on_done=lambda: done.append(1))
    assert results == [(3, 2), (5, 2), (8, 1)]
    assert len(done) == 3


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_in_a_task_is_raised_here(n_jobs: int) -> None:
    with pytest.raises(ZeroDivisionError):
        run_tasks(divmod, 17, [1, 0, 1], n_jobs=n_jobs)
    assert not multiprocessing.active_children()


def test_a_process_that_dies_is_no_silence() -> None:
    with pytest.raises(TrainingError, match="a process ended without a result"):
        run_tasks(_die, None, [1, 2], n_jobs=2)


def _die(shared: None, task: int) -> None:
    os._exit(task)


def test_tasks_run_with_one_thread_and_the_callers_threads_come_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert run_tasks(lambda shared, task: torch.get_num_threads(), None, [1]) == [1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_other_threads_may_call() -> None:
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.extend(run_tasks(max, 3, [5, 1], n_jobs=2)))
    thread.start()
    thread.join()
    assert results == [5, 3]


def test_an_interrupt_ends_the_processes_without_a_word_from_them(tmp_path: Path) -> None:
    script, started = tmp_path / "script.py", tmp_path / "started"
    script.write_text(SCRIPT)
    started.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(script), str(started)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 180
    while len(list(started.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    # As a terminal does it: to the whole group.
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (out, err, process.returncode) == ("interrupted\n", "", 0)
    for name in started.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(name.name), 0)
