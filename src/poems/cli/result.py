"""What a command found: one object, which the driver prints, writes and exports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.console import Console

    from poems.files.markers import Kind
    from poems.findings import Finding

    Drawn = Axes | Figure


@dataclass(frozen=True)
class OutputFolder:
    """A folder that was claimed for what a command will find."""

    path: Path
    kind: Kind


def claim(out: Path | None, kind: Kind, *, overwrite: bool) -> OutputFolder | None:
    """Claim the folder that ``--out`` names; ``None`` where it names none.

    Commands claim before they compute: what cannot be written should be known before.

    Raises
    ------
    SettingsError
        If the folder holds something else, or an earlier result that may not be replaced.
    """
    from poems.files.output_folder import claim_folder

    if out is None:
        return None
    return OutputFolder(claim_folder(out, kind, overwrite=overwrite), kind)


@dataclass(frozen=True, eq=False)
class CommandResult:
    """What a command found, and how it is shown.

    Parameters
    ----------
    show
        Prints it for people, to a console.
    summary
        The few facts that a program would ask for: names, numbers, and lists and
        mappings of them. ``--json`` prints it.
    tables
        Tidy tables by their name, a row per observation. ``--json`` prints them, and the
        folder gets each as CSV. One that is ``None`` is removed from the folder, if an
        earlier result had it.
    matrices
        Tables whose index is written, too; they may be large, so that they only go to
        the folder.
    findings
        What is to be said of the result; in ``--json`` and in ``findings.csv``.
    figures
        Name to what draws it, for ``figures/``; drawn only if they are written.
    folder
        The claimed folder to write to, if any.
    about
        What its marker says beside the version.
    files
        Writes what is neither table nor picture; returns the names of the files.
    exit_code
        Of the command: 1 if what was asked about is not as it should be.
    """

    show: Callable[[Console], None]
    summary: Mapping[str, object] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame | None] = field(default_factory=dict)
    matrices: Mapping[str, pd.DataFrame | None] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    figures: Mapping[str, Callable[[], Drawn]] = field(default_factory=dict)
    folder: OutputFolder | None = None
    about: Mapping[str, object] = field(default_factory=dict)
    files: Callable[[Path], Iterable[str]] | None = None
    exit_code: int = 0
