"""How training goes: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from poems.cli.console import progress_output, say

if TYPE_CHECKING:
    from poems.training.loop import Epoch

# Plain lines in a whole training.
_LINES = 10


class TrainingProgress:
    """A callback for each epoch, to be used as a context manager around the fit."""

    def __init__(self) -> None:
        self._console = progress_output()
        self._bar: Progress | None = None
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("training", style="bold"),
                BarColumn(bar_width=10),
                TextColumn("{task.fields[state]}", markup=False),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=None, state="starting")

    def __enter__(self) -> TrainingProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, epoch: Epoch) -> None:
        """Show an epoch's terms."""
        state = describe(epoch)
        if self._bar is not None:
            self._bar.update(self._task, total=epoch.n_epochs, completed=epoch.epoch, state=state)
        elif epoch.epoch in (1, epoch.n_epochs) or not epoch.epoch % max(
            1, epoch.n_epochs // _LINES
        ):
            say(self._console, state)


def describe(epoch: Epoch) -> str:
    """Return an epoch in a short line.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> terms = {"objective": 1234.56, "kl": 3.2, "nonzero": 81.0}
    >>> describe(SimpleNamespace(epoch=5, n_epochs=150, terms=terms))
    '  5/150  objective 1234.6  KL 3.2  non-zero 81'
    """
    width = len(str(epoch.n_epochs))
    parts = [f"{epoch.epoch:>{width}d}/{epoch.n_epochs}"]
    for name, text in (("objective", "objective"), ("kl", "KL")):
        if name in epoch.terms:
            parts.append(f"{text} {epoch.terms[name]:.1f}")
    if "nonzero" in epoch.terms:
        parts.append(f"non-zero {epoch.terms['nonzero']:.0f}")
    return "  ".join(parts)
