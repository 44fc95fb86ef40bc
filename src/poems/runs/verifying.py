"""Whether a run can be repeated: its inputs, its files, and a second fit beside it."""

from __future__ import annotations

import csv
import hashlib
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd

from poems._version import __version__
from poems.errors import StorageError
from poems.files.markers import read_marker
from poems.files.placing import read_manifest
from poems.findings import Finding, name_some
from poems.runs.fitting import RECORDED, FitRequest, fit_run
from poems.runs.inputs import RunInputs, read_inputs
from poems.runs.writing import KIND, MODEL

if TYPE_CHECKING:
    from poems.data import MultiOmics

Verdict = Literal["same", "differs", "missing", "new"]

# What says where it was made, pictures, whose bytes depend on fonts, and what came later.
_NOT_COMPARED: Final = ("run.json", "figures/")


@dataclass(frozen=True)
class Recorded:
    """What a run says of how it came about.

    Parameters
    ----------
    inputs
        The files that it was fitted to.
    request
        What to fit with; its folder is to be replaced.
    versions
        Of POEMS and of what it computes with.
    """

    inputs: RunInputs
    request: FitRequest
    versions: dict[str, str]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs beside each other.

    ``table`` has a row for each file: ``file``, ``verdict``, ``largest_difference`` (of
    numbers; missing where there is none to tell), ``where``.
    """

    table: pd.DataFrame

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return bool((self.table["verdict"] == "same").all())


def recorded(run: Path) -> Recorded:
    """Read how a run came about.

    Raises
    ------
    ReadError
        If it is none, or did not finish.
    StorageError
        If it does not say: it is of an earlier version, or was not made from files.
    """
    from poems.fitting.record import read_record

    summary = read_marker(run, KIND)
    inputs = read_inputs(summary, run)
    request = summary.get("request")
    if inputs is None or not isinstance(request, dict):
        raise StorageError(
            f"{run} does not say what it was fitted to and how: it was made by an earlier version, "
            "or in Python. Fit again to have a run that can be repeated"
        )
    unknown = [name for name in request if name not in RECORDED]
    if unknown:
        raise StorageError(
            f"{run / 'run.json'} asks for what is not known: {name_some(unknown)}; was it edited? "
            "Fit again to have a run that can be repeated"
        )
    record, _ = read_record(run / MODEL)
    made = FitRequest(settings=record.settings, out=run, progress=False, **request)
    return Recorded(inputs, made, record.versions)


def changed_files(run: Path) -> list[str]:
    """Return the files of a run that are no longer as they were written, by its manifest."""
    found = []
    for name, checksum in (read_manifest(run) or {}).items():
        path = run / name
        if not path.is_file():
            found.append(f"{name} is gone")
            continue
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != checksum:
                found.append(f"{name} was changed")
    return found


def repeat(run: Path, cohort: MultiOmics, how: Recorded, *, tolerance: float = 0.0) -> Comparison:
    """Fit again, in a folder of its own, and compare.

    Parameters
    ----------
    run
        The run.
    cohort
        What it was fitted to.
    how
        What :func:`recorded` returned.
    tolerance
        Numbers that differ by no more than this, beside the larger of both and 1, are the same.
    """
    with tempfile.TemporaryDirectory(prefix="poems-verify-") as folder:
        again = Path(folder) / "run"
        fit_run(cohort, replace(how.request, out=again))
        return compare_runs(run, again, tolerance=tolerance)


def compare_runs(run: Path, again: Path, *, tolerance: float = 0.0) -> Comparison:
    """Compare the files of two runs that both have, or that one lacks.

    Tables are compared number by number, what is text and the model byte by byte.
    """
    before, after = (set(_compared(folder)) for folder in (run, again))
    rows = []
    for name in sorted(before | after):
        if name not in after:
            rows.append((name, "new", math.nan, "in the run alone"))
        elif name not in before:
            rows.append((name, "missing", math.nan, "in the repetition alone"))
        else:
            rows.append((name, *_difference(run / name, again / name, tolerance)))
    columns = ["file", "verdict", "largest_difference", "where"]
    return Comparison(pd.DataFrame(rows, columns=columns))


def _compared(run: Path) -> Iterator[str]:
    for name in read_manifest(run) or {}:
        of_report = name.endswith(".html") or Path(name).parts[0].endswith("_tables")
        if (run / name).is_file() and not of_report and not name.startswith(_NOT_COMPARED):
            yield name


def _difference(one: Path, other: Path, tolerance: float) -> tuple[Verdict, float, str]:
    if one.read_bytes() == other.read_bytes():
        return "same", 0.0, ""
    if one.suffix == ".csv":
        try:
            return _difference_of_tables(one, other, tolerance)
        except (UnicodeDecodeError, csv.Error):
            return "differs", math.nan, "it is no table any more"
    # A model holds what its tables say, so that these tell by how much it differs.
    verdict: Verdict = "same" if tolerance > 0 and one.name == MODEL else "differs"
    return verdict, math.nan, "its bytes"


def _difference_of_tables(one: Path, other: Path, tolerance: float) -> tuple[Verdict, float, str]:
    largest, where = 0.0, ""
    with (
        one.open(encoding="utf-8", newline="") as first,
        other.open(encoding="utf-8", newline="") as second,
    ):
        head: list[str] = []
        rows = zip_longest(csv.reader(first), csv.reader(second))
        for at, (left, right) in enumerate(rows):
            if left is None or right is None or len(left) != len(right):
                return "differs", math.nan, f"line {at + 1}: not as many cells"
            head = head or left
            for column, (a, b) in enumerate(zip(left, right, strict=True)):
                if a == b:
                    continue
                apart = _apart(a, b)
                place = f"line {at + 1}, column '{head[column]}'"
                if apart is None:
                    return "differs", math.nan, f"{place}: {a or 'empty'} and {b or 'empty'}"
                if apart > largest:
                    largest, where = apart, f"{place}: {a} and {b}"
    return ("same" if largest <= tolerance else "differs"), largest, where


def _apart(a: str, b: str) -> float | None:
    """Return the difference of two numbers, as a share of the larger if that is above 1."""
    try:
        x, y = float(a), float(b)
    except ValueError:
        return None
    if not (math.isfinite(x) and math.isfinite(y)):
        return None
    return abs(x - y) / max(abs(x), abs(y), 1.0)


def other_versions(versions: dict[str, str], summary: dict[str, Any]) -> tuple[Finding, ...]:
    """Return what differs of the software and the machine, which may change the last digits."""
    from poems.fitting.fit import recorded_versions

    now = {"poems": __version__, **recorded_versions()}
    said = [
        f"{name} {then} (now {now.get(name, 'none')})"
        for name, then in versions.items()
        if now.get(name) != then
    ]
    made = FitRequest.machine()
    of_then = summary.get("machine")
    if isinstance(of_then, dict):
        said += [
            f"{name} {then} (now {made.get(name)})"
            for name, then in of_then.items()
            if made.get(name) != then
        ]
    if not said:
        return ()
    text = (
        f"the run was made with {', '.join(said)}: the last digits may differ for that; "
        "--tolerance says by how much they may"
    )
    return (Finding("warning", "other-versions", text),)
