"""Tasks spread over processes, one thread each; results do not depend on how many there are."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from poems.errors import TrainingError

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")

# What the processes of a pool work with; set once in each, never in the parent.
_process: dict[str, Any] = {}


def run_tasks(
    work: Callable[[Shared, Task], Result],
    shared: Shared,
    tasks: Sequence[Task],
    *,
    n_jobs: int = 1,
    on_done: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Compute ``work(shared, task)`` for every task, in their order.

    Processes are started afresh ("spawn"), so a script that asks for more than
    one must guard its entry by ``if __name__ == "__main__":``. An interrupt, or
    an error in a task, ends the processes at once.

    Parameters
    ----------
    work
        A function of a module, which the processes can import.
    shared
        What all tasks need; sent to each process once.
    tasks
        One call each.
    n_jobs
        Processes; with 1 the tasks run here.
    on_done
        Called when a task is done, in whatever order they end.

    Raises
    ------
    TrainingError
        If a process ends without a result.

    Examples
    --------
    >>> run_tasks(divmod, 17, [5, 3])
    [(3, 2), (5, 2)]
    """
    if n_jobs == 1 or len(tasks) <= 1:
        results = []
        for task in tasks:
            results.append(_alone(work, shared, task))
            on_done()
        return results
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(
        min(n_jobs, len(tasks)), mp_context=context, initializer=_start, initargs=(work, shared)
    )
    try:
        with _interrupts_ignored():
            futures = [executor.submit(_do, task) for task in tasks]
        for future in as_completed(futures):
            future.result()
            on_done()
    except BaseException as error:
        # Raised again, or with its cause, once no process is left behind.
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        # Its thread waits for the processes. No one else may: of two that wait for
        # one process, only one is told of its end, and the other counts it as alive.
        executor.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise TrainingError(
                "a process ended without a result: it may have run out of memory (try a smaller "
                "n_jobs), or the script that called lacks `if __name__ == '__main__':`"
            ) from error
        raise
    executor.shutdown()
    return [future.result() for future in futures]


def _alone(work: Callable[[Shared, Task], Result], shared: Shared, task: Task) -> Result:
    """Work with one thread, so that sums are added in the same order everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            return work(shared, task)
    finally:
        torch.set_num_threads(before)


def _start(work: Callable[..., Any], shared: object) -> None:
    # The parent answers an interrupt: it ends the processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _process.update(work=work, shared=shared)


def _do(task: Any) -> Any:
    return _alone(_process["work"], _process["shared"], task)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Let processes that start in this block ignore interrupts from their first instant."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
