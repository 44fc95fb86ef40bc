"""All tables of a run in one folder of CSV files, with a page that says what is in them."""

from __future__ import annotations

import csv
import glob
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from poems._version import __version__
from poems.errors import SettingsError
from poems.files.atomic import atomic_path, write_text
from poems.files.markers import write_marker
from poems.files.output_folder import replaced_folder
from poems.files.placing import is_inside
from poems.runs.export.tables import COLUMNS, describe, run_tables

# A spreadsheet takes a cell that begins so for a formula.
_STARTS = ("=", "+", "-", "@", "\t", "\r")


def export_csv(
    run: str | Path,
    out: str | Path,
    *,
    neutralise: bool = False,
    also: Iterable[str | Path] = (),
    overwrite: bool = False,
) -> list[str]:
    """Copy the tables of a run into a folder, with a ``README.md`` of their columns.

    Parameters
    ----------
    run
        The run folder.
    out
        The folder to write.
    neutralise
        By default cells stay as they are, so that names match those of the data; a spreadsheet
        may then take one such as ``=cmd()`` for a formula. With this, an apostrophe is put before
        every cell, names of columns among them, that begins with ``= + - @``, a tab or a carriage
        return and is no number.
    also
        Folders of other commands whose tables are to be there as well.
    overwrite
        Replace an earlier export.

    Returns
    -------
    Names of the tables.

    Raises
    ------
    ReadError
        If the run is none, or another folder holds no table.
    SettingsError
        If ``out`` lies in the run, holds something else, or holds an export and ``overwrite`` is
        not asked for.
    """
    tables = run_tables(run, also)
    if Path(out).resolve().is_relative_to(Path(run).resolve()):
        raise SettingsError(
            f"{out} lies in the run's own folder, whose tables are exported; choose another --out"
        )
    # Of exports of before there were lists of what was written, what such a list would have held.
    older = _tables_of_older(Path(out))
    with replaced_folder(out, "export", overwrite=overwrite, older=older) as fresh:
        for name, source in tables.items():
            with atomic_path(fresh / f"{name}.csv") as temporary:
                if neutralise:
                    _neutralised(source, temporary)
                else:
                    shutil.copyfile(source, temporary)
        write_text(fresh / "README.md", readme(tables, neutralised=neutralise))
        about = {"poems": __version__, "run": str(run), "neutralised": neutralise}
        write_marker(fresh, "export", {**about, "tables": list(tables)})
    return list(tables)


def _tables_of_older(out: Path) -> list[str]:
    try:
        tables = json.loads((out / "export.json").read_text(encoding="utf-8"))["tables"]
        names = [f"{each}.csv" for each in tables]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    return [glob.escape(name) for name in names if is_inside(name)]


def neutral(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula.

    >>> neutral("=cmd()"), neutral("-1.5e-3"), neutral("+1"), neutral("-HLA-A"), neutral("a=b")
    ("'=cmd()", '-1.5e-3', '+1', "'-HLA-A", 'a=b')
    """
    return f"'{cell}" if cell.startswith(_STARTS) and not _is_number(cell) else cell


def readme(tables: dict[str, Path], *, neutralised: bool) -> str:
    """Write what each file holds, and what its columns mean."""
    cells = (
        "Cells that a spreadsheet would take for a formula begin with an apostrophe, which is not "
        "part of the name."
        if neutralised
        else "Cells are as in the data; one that begins with = + - or @ may be taken for a formula "
        "by a spreadsheet (`poems export --neutralise` prevents that)."
    )
    lines = [
        "# Tables of a POEMS run",
        "",
        f"Comma-separated, UTF-8, an empty cell where there is no value. {cells}",
    ]
    for name, path in tables.items():
        lines += ["", f"## {_code(name + '.csv')}", ""]
        about = describe(name)
        if about:
            lines += [about[0].upper() + about[1:] + ".", ""]
        # What the columns of the samples' own table mean their owner knows.
        lines += _columns(path, {} if name == "obs" else COLUMNS)
    return "\n".join(lines) + "\n"


def _columns(path: Path, meanings: Mapping[str, str]) -> list[str]:
    """Return a line for each column that is known, and one that counts the others."""
    with path.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file), [])
    known = [name for name in header if name in meanings]
    others = [name for name in header if name not in meanings]
    lines = [f"- {_code(name)}: {meanings[name]}" for name in known]
    if others:
        shown = ", ".join(_code(name) for name in others[:20])
        more = f" and {len(others) - 20} more" if len(others) > 20 else ""
        lines.append(f"- {'other columns' if known else 'columns'}: {shown}{more}")
    return lines


def _code(text: str) -> str:
    """Write a name as code of Markdown, whatever is in it.

    >>> print(_code("a`b"))
    ``a`b``
    """
    text = " ".join(text.split())
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{ticks}{text}{ticks}"


def _neutralised(source: Path, target: Path) -> None:
    with (
        source.open(encoding="utf-8", newline="") as file,
        target.open("w", encoding="utf-8", newline="") as copy,
    ):
        writer = csv.writer(copy, lineterminator="\n")
        for row in csv.reader(file):
            writer.writerow([neutral(cell) for cell in row])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
