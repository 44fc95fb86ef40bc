"""How training goes, on standard error: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from poems.steps import alone
from poems.training.loop import Callback, Epoch

# Plain lines in a whole training.
_LINES = 10


@contextmanager
def progress_bar() -> Iterator[Callback]:
    """Show progress while the block runs; the callback that it yields moves it on."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    if not (console.is_terminal or console.is_jupyter):

        def print_some(row: Epoch) -> None:
            if row.epoch in (1, row.n_epochs) or not row.epoch % max(1, row.n_epochs // _LINES):
                console.print(describe_epoch(row))

        yield print_some
        return

    columns = (
        BarColumn(bar_width=8),
        TextColumn("{task.fields[state]}", markup=False),
        TimeElapsedColumn(),
    )
    with alone(), Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None, state="starting")

        def move_on(row: Epoch) -> None:
            progress.update(
                task, completed=row.epoch, total=row.n_epochs, state=describe_epoch(row)
            )

        yield move_on


def describe_epoch(row: Epoch) -> str:
    """Say how far training is, and its main terms, in a line.

    >>> describe_epoch(Epoch(5, 150, {"objective": 1234.5, "kl": 6.78, "nonzero": 1200.0}))
    '  5/150  objective 1234.5  KL 6.8  non-zero loadings 1200'
    """
    width = len(str(row.n_epochs))
    return f"{row.epoch:>{width}d}/{row.n_epochs}  {describe_terms(row)}"


def describe_terms(row: Epoch) -> str:
    """Name the main terms of an epoch, short enough for a line.

    >>> describe_terms(Epoch(1, 9, {"objective": 1234.5, "kl": 6.78, "nonzero": 1200.0}))
    'objective 1234.5  KL 6.8  non-zero loadings 1200'
    """
    terms = row.terms
    told = f"objective {terms['objective']:.1f}  KL {terms['kl']:.1f}"
    if "nonzero" in terms:  # A dense decoder has no loadings.
        told += f"  non-zero loadings {terms['nonzero']:.0f}"
    return told
