"""What can be said of paths, columns and folders before anything heavy is imported."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from poems.errors import DataError
from poems.files.locks import require_unlocked
from poems.files.markers import read_marker
from poems.files.output_folder import require_free
from poems.findings import name_some

if TYPE_CHECKING:
    from poems.files.markers import Kind


def require_run(path: Path) -> None:
    """Refuse what is no folder of a complete run.

    Raises
    ------
    ReadError, StorageError
        As :func:`poems.files.markers.read_marker`.
    """
    read_marker(path, "run")


def require_run_or_model(path: Path) -> None:
    """Refuse what is neither a run nor a file.

    Raises
    ------
    ReadError, StorageError
        If there is no such folder or file, or the run is not complete.
    """
    if path.is_dir():
        require_run(path)
        return
    from poems.files.tensors import require_file

    require_file(path)


def require_stability(path: Path | None) -> None:
    """Refuse what is no result of ``poems stability``.

    Raises
    ------
    ReadError, StorageError
        As :func:`poems.files.markers.read_marker`.
    """
    if path is not None:
        read_marker(path, "stability")


def require_files(paths: Iterable[Path | None]) -> None:
    """Refuse a file that is not there.

    Raises
    ------
    ReadError
        If a path leads to nothing, or to a folder.
    """
    from poems.data.files import existing_file

    for path in paths:
        if path is not None:
            existing_file(path)


def require_output(out: Path | None, kind: Kind, *, overwrite: bool) -> None:
    """Refuse a folder that could not be claimed.

    Raises
    ------
    SettingsError
        As :func:`poems.files.output_folder.claim_folder`.
    """
    if out is not None:
        require_free(out, kind, overwrite=overwrite)


def require_no_writer(folder: Path) -> None:
    """Refuse a folder that another process is writing into.

    Raises
    ------
    SettingsError
        As :func:`poems.files.locks.require_unlocked`.
    """
    if folder.is_dir():
        require_unlocked(folder)


def require_rate(fdr: float, *, one: bool = False) -> None:
    """Refuse a false discovery rate of 0 or, unless it says all of them, 1.

    Raises
    ------
    typer.BadParameter
        If it is out of range.
    """
    if not 0 < fdr < 1 and not (one and fdr == 1):
        limits = "above 0 and at most 1" if one else "between 0 and 1"
        raise typer.BadParameter(f"--fdr must be {limits}, not {fdr:g}")


def require_columns(run: Path, obs: Path | None, named: Mapping[str, Sequence[str]]) -> None:
    """Refuse columns that the obs table lacks.

    Parameters
    ----------
    run
        The run, whose own table it is unless another is given.
    obs
        The other table.
    named
        Flag to the columns that it names, one text each; at commas it may be split.

    Raises
    ------
    DataError
        If a column is not there; the text names those that are.
    ReadError
        If the other table cannot be read.
    """
    if not any(named.values()):
        return
    columns = _own_columns(run) if obs is None else _columns(obs)
    if columns is not None:
        require_among(columns, run, obs, named)


def require_among(
    columns: Sequence[str], run: Path, obs: Path | None, named: Mapping[str, Sequence[str]]
) -> None:
    """Refuse columns that are not among those of the obs table; for the rest see above.

    Raises
    ------
    DataError
        If a column is not there.

    Examples
    --------
    >>> require_among(["age", "stage"], Path("run"), None, {"--labels": ["sex"]})
    Traceback (most recent call last):
    poems.errors.DataError: the obs table of run has no column 'sex'; there are: age, stage
    """
    for flag, texts in named.items():
        for text in texts:
            parts = [text] if flag != "--covariates" or text in columns else text.split(",")
            for name in map(str.strip, parts):
                if name and name not in columns and text not in columns:
                    raise DataError(_no_column(run, obs, name, flag, columns))


def _no_column(run: Path, obs: Path | None, name: str, flag: str, columns: Sequence[str]) -> str:
    of = f" of {run}" if obs is None else f" {obs}"
    uses = {"--labels": "", "--covariates": " to adjust for (--covariates)"}
    use = uses.get(flag, f" for {flag}")
    there = f"there are: {name_some(columns, 20)}" if columns else "it has none"
    remedy = ""
    if obs is None and flag == "--labels":
        remedy = "" if columns else "; fit with --obs"
    elif obs is None:
        remedy = "; give another table with --obs"
    return f"the obs table{of} has no column '{name}'{use}; {there}{remedy}"


def _own_columns(run: Path) -> list[str] | None:
    """Return the columns of the run's table; ``None`` if it cannot be read, which is said later."""
    try:
        with (run / "obs.csv").open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file), [""])[1:]
    except (OSError, ValueError, csv.Error):
        return None


def _columns(obs: Path) -> list[str] | None:
    """Return the columns of a table that is text; ``None`` of others, which take longer to open."""
    from poems.data.formats import table_suffix
    from poems.data.text.tables import DELIMITERS, read_text_table

    if table_suffix(obs) not in DELIMITERS:
        return None
    return [name.strip() for name in read_text_table(obs).columns]
