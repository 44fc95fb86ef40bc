"""A progress bar on standard error, with the terms of the objective."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from poems.training.loop import Callback, Epoch


@contextmanager
def progress_bar() -> Iterator[Callback]:
    """Show a bar while the block runs; the callback that it yields moves it on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("fitting"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[terms]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("fitting", total=None, terms="")

        def on_epoch(row: Epoch) -> None:
            progress.update(
                task, completed=row.epoch, total=row.n_epochs, terms=describe_terms(row)
            )

        yield on_epoch


def describe_terms(row: Epoch) -> str:
    """Name the main terms of an epoch, short enough for a line.

    >>> describe_terms(Epoch(1, 9, {"objective": 1234.5, "kl": 6.78, "nonzero": 1200.0}))
    'objective 1234.5  KL 6.8  loadings 1200'
    """
    terms = row.terms
    return (
        f"objective {terms['objective']:.1f}  KL {terms['kl']:.1f}  loadings {terms['nonzero']:.0f}"
    )
