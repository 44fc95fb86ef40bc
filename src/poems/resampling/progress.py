"""How many refits are done, on standard error: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from poems.steps import alone

Progress = Callable[[int, int], object]


@contextmanager
def refit_counter(progress: bool | Progress, total: int) -> Iterator[Callable[[], None]]:
    """Yield a function to call when a refit is done.

    Parameters
    ----------
    progress
        Whether to show it, or a function of the number done and the total.
    total
        Number of refits.
    """
    done = 0

    def counting(show: Progress) -> Callable[[], None]:
        def count() -> None:
            nonlocal done
            done += 1
            show(done, total)

        return count

    if callable(progress):
        yield counting(progress)
        return
    if not progress:
        yield counting(lambda done, total: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    if not (console.is_terminal or console.is_jupyter):
        # Plain lines in all.
        every = max(1, total // 10)

        def print_some(done: int, total: int) -> None:
            if done in (1, total) or not done % every:
                console.print(f"fits done: {done} of {total}")

        yield counting(print_some)
        return
    columns = (TextColumn("fits"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with alone(), Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield counting(lambda done, total: bar.update(task, completed=done))
