"""Units computed in parallel processes, each finished one a file of its own."""

from __future__ import annotations

import multiprocessing
import signal
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from poems.data.container import MultiOmics
from poems_benchmark.cohorts import CohortSpec, read_benchmark_cohort
from poems_benchmark.running.memory import forget_peak_memory, memory_mb, peak_memory_mb
from poems_benchmark.running.threads import threads_of_children
from poems_benchmark.running.units import Unit, read_record, write_record
from poems_benchmark.scores.scoring import score

_DIED = "the process that computed it died, perhaps for lack of memory"


@dataclass(frozen=True)
class Finished:
    """A unit that came to an end.

    ``error`` is ``None``, or a line that says why it failed; ``seconds`` is
    the time of the fit.
    """

    unit: Unit
    seconds: float
    error: str | None = None


def run_units(
    units: Sequence[Unit],
    out: Path,
    *,
    jobs: int = 1,
    report: Callable[[Finished], None] = lambda _: None,
) -> list[Finished]:
    """Compute the units that have no result yet.

    Every process computes one unit at a time, with one thread. A unit's result
    is written when it is finished; a failed one is written with its error, and
    computed again next time. An interrupt ends the processes and keeps what
    was finished.

    Parameters
    ----------
    units
        The units; those with a result in ``out`` are passed over.
    out
        Folder of the results.
    jobs
        Processes.
    report
        Called in this process after each unit.

    Returns
    -------
    The units that were computed, in the order in which they came to an end.
    """
    waiting = deque(unit for unit in units if read_record(unit, out) is None)
    n_wanted, finished = len(waiting), list[Finished]()

    def note(result: Finished) -> None:
        finished.append(result)
        report(result)

    try:
        with threads_of_children(1):
            while waiting:
                suspects = _run_pool(waiting, out, jobs, note)
                # A process died. Where it is not known at which unit, each gets one of its own.
                if len(suspects) > 1:
                    suspects = [
                        u for each in suspects for u in _run_pool(deque([each]), out, 1, note)
                    ]
                for unit in suspects:
                    write_record(unit, out, {"status": "failed", "error": _DIED})
                    note(Finished(unit, 0.0, _DIED))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"{len(finished)} of {n_wanted} units were finished and kept; the same command goes on "
            "from there"
        ) from None
    return finished


def run_unit(unit: Unit, out: Path) -> Finished:
    """Compute one unit here and write its result; an exception becomes a failed result."""
    start = time.perf_counter()
    # All of them, none is lost: they are kept with the result.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            cohort = _read(unit.cohort, unit.data)
            for module in unit.method.modules:
                import_module(module)
            forget_peak_memory()
            before = memory_mb()
            start = time.perf_counter()
            result = unit.method.fit(cohort, unit.seed)
            seconds = time.perf_counter() - start
            peak = peak_memory_mb()
            rows = score(result, cohort, unit.cohort)
        except Exception as error:
            # Whatever a method raises is its result: 'failed', with the text and the trace.
            text = f"{type(error).__name__}: {error}"
            trace = traceback.format_exc()
            write_record(unit, out, {"status": "failed", "error": text, "traceback": trace})
            return Finished(unit, time.perf_counter() - start, text)
    contents = {
        "seconds": seconds,
        "peak_mb": peak,
        "added_mb": None if peak is None or before is None else peak - before,
        "n_factors": result.n_factors,
        "details": dict(result.details),
        "warnings": sorted({f"{each.category.__name__}: {each.message}" for each in caught}),
        "scores": rows,
    }
    write_record(unit, out, {"status": "done", **contents})
    return Finished(unit, seconds)


def _run_pool(
    waiting: deque[Unit], out: Path, jobs: int, note: Callable[[Finished], None]
) -> list[Unit]:
    """Work off ``waiting`` in a pool; return the units in work when a process of it died."""
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker)
    running: dict[Future[Finished], Unit] = {}
    try:
        while waiting or running:
            # No more than can run: what is queued in the pool would die with it.
            while waiting and len(running) < jobs:
                with _interrupts_held():
                    running[pool.submit(run_unit, waiting[0], out)] = waiting[0]
                waiting.popleft()
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                note(future.result())
                del running[future]
    except BrokenProcessPool:
        return list(running.values())
    except BaseException:
        # Raised again once no process is left behind.
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return []


@lru_cache(maxsize=1)
def _read(spec: CohortSpec, digest: str) -> MultiOmics:
    """Read a cohort, unless it is the one that this process has read last."""
    return read_benchmark_cohort(spec)


def _start_worker() -> None:
    """Leave interrupts to the parent, who ends this process: a fit would keep half a result."""
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threadpool_limits(limits=1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold interrupts back where that is possible; a process started meanwhile gets none.

    It would otherwise end with a traceback if it is interrupted before it can
    say that it does not care.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    # Starting this helper would let interrupts through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
