"""Cohorts of a benchmark: described in a TOML file or found in a folder, and read."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from poems.data.container import MultiOmics
from poems.data.readers import read
from poems.errors import DataError, ReadError, SettingsError
from poems.findings import name_some

_ENDINGS = (".csv.gz", ".tsv.gz", ".csv", ".tsv")
_KEYS = ("folder", "views", "labels", "log1p", "time", "event", "note", "study")


@dataclass(frozen=True)
class CohortSpec:
    """Where a cohort is and what of it is scored.

    Parameters
    ----------
    name
        How tables call it.
    folder
        The folder that holds a table per view and ``obs.csv``.
    labels
        Columns of ``obs.csv`` that clusters and neighbours are scored against.
    views
        Views to use, by the names of their files; all by default.
    log1p
        Views to transform by log(1 + x) for every method, for raw counts.
    time, event
        Columns with the time of follow-up and whether the event was seen then,
        for cohorts with survival.
    note
        What a reader should know.
    study
        Where the samples are from, for cohorts that share some; by default
        those of one folder do. What is chosen on a study is not judged on it.
    """

    name: str
    folder: Path
    labels: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    log1p: tuple[str, ...] = ()
    time: str | None = None
    event: str | None = None
    note: str = ""
    study: str = ""

    def files(self) -> dict[str, Path]:
        """Return the table of each view that is used.

        Raises
        ------
        ReadError
            If the folder or a view is not there.
        """
        there = view_files(self.folder)
        if not there:
            raise ReadError(
                f"cohort '{self.name}': there is no table in {self.folder}; it should hold one "
                f"a view ({', '.join(_ENDINGS)}) and obs.csv"
            )
        absent = [view for view in self.views if view not in there]
        if absent:
            raise ReadError(
                f"cohort '{self.name}': no table of the view {name_some(absent)} in {self.folder}; "
                f"there are {name_some(there, 20)}"
            )
        return {view: there[view] for view in self.views or there}

    @property
    def source(self) -> str:
        """The study, or else the folder."""
        return self.study or str(self.folder)

    @property
    def obs(self) -> Path:
        """The table of samples."""
        return self.folder / "obs.csv"


def view_files(folder: Path) -> dict[str, Path]:
    """Return the tables of a folder by the name of their view, in alphabetical order."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        for ending in _ENDINGS:
            if path.name.endswith(ending) and path.name != "obs.csv":
                found[path.name.removesuffix(ending)] = path
                break
    return found


def read_cohort_specs(path: Path, data: Path) -> tuple[CohortSpec, ...]:
    """Read the descriptions of cohorts from a TOML file.

    A table per cohort, ``[cohort.NAME]``, with the keys of :class:`CohortSpec`;
    ``folder`` is a sub-folder of ``data`` and NAME by default.

    Raises
    ------
    SettingsError
        If the file cannot be read, is not TOML, or says something unknown.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read cohorts from {path}: {error.strerror}") from None
    # Whole numbers of thousands of digits are a ValueError, brackets in brackets a RecursionError.
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is not a TOML file: {error}") from None
    tables = found.pop("cohort", {})
    if found or not isinstance(tables, dict) or not tables:
        raise SettingsError(
            f"{path} must hold tables called [cohort.NAME] and nothing else"
            + (f", not {name_some(found)}" if found else "")
        )
    return tuple(_spec(path, name, table, data) for name, table in tables.items())


def discover_cohorts(data: Path, labels: Sequence[str]) -> tuple[CohortSpec, ...]:
    """Find the cohorts of a folder: sub-folders with tables and ``obs.csv``, or the folder itself.

    A cohort without any of the columns ``labels`` is left out.

    Raises
    ------
    SettingsError
        If no column is given.
    ReadError
        If there is no cohort, or none has such a column.
    """
    if not labels:
        raise SettingsError(
            f"there is no {data / 'benchmark.toml'} to say which columns of obs.csv hold labels; "
            "name them with --labels COLUMN, or describe the cohorts in a file for --cohorts"
        )
    folders = [data] if (data / "obs.csv").is_file() else sorted(data.glob("*/"))
    cohorts = [
        folder for folder in folders if (folder / "obs.csv").is_file() and view_files(folder)
    ]
    if not cohorts:
        raise ReadError(
            f"no cohort in {data}: none of its sub-folders holds obs.csv and a table a view"
        )
    specs = []
    for folder in cohorts:
        columns = pd.read_csv(folder / "obs.csv", nrows=0, dtype=str).columns
        own = tuple(label for label in labels if label in columns)
        if own:
            specs.append(CohortSpec(folder.resolve().name, folder, own))
    if not specs:
        raise ReadError(
            f"none of the {len(cohorts)} cohorts in {data} has a column {name_some(labels)} in its "
            "obs.csv"
        )
    return tuple(specs)


def read_benchmark_cohort(spec: CohortSpec) -> MultiOmics:
    """Read a cohort and check that its columns are there.

    Raises
    ------
    DataError
        If tables cannot be read, a column is not in ``obs.csv``, a label has
        fewer than two classes, or log1p meets a value below zero.
    """
    cohort = read(spec.files(), obs=spec.obs)
    wanted = [*spec.labels, *(column for column in (spec.time, spec.event) if column)]
    absent = [column for column in wanted if column not in cohort.obs]
    if absent:
        raise DataError(
            f"cohort '{spec.name}': no column {name_some(absent)} in {spec.obs}; there are "
            f"{name_some(cohort.obs.columns, 20)}"
        )
    for label in spec.labels:
        if cohort.obs[label].nunique() < 2:
            raise DataError(f"cohort '{spec.name}': '{label}' has fewer than 2 classes")
    return _log1p(cohort, spec)


def data_digest(spec: CohortSpec) -> str:
    """Return twelve hexadecimal digits that change with a cohort's files or description."""
    digest = hashlib.sha256()
    told = (spec.labels, spec.log1p, spec.time, spec.event)
    digest.update(repr(told).encode())
    for name, path in {**spec.files(), "obs": spec.obs}.items():
        digest.update(name.encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _spec(path: Path, name: str, table: Any, data: Path) -> CohortSpec:
    if not isinstance(table, Mapping):
        raise SettingsError(f"{path}: 'cohort.{name}' must be a table")
    unknown = [key for key in table if key not in _KEYS]
    if unknown:
        raise SettingsError(
            f"{path}: [cohort.{name}] has the unknown key {name_some(unknown)}; there are "
            f"{', '.join(_KEYS)}"
        )
    lists = {key: _texts(path, name, key, table.get(key, [])) for key in _KEYS[1:4]}
    singles = {key: table.get(key) for key in ("folder", "time", "event", "note", "study")}
    wrong = [key for key, value in singles.items() if not isinstance(value, str | None)]
    if wrong:
        raise SettingsError(f"{path}: [cohort.{name}] {wrong[0]} must be a text")
    if (singles["time"] is None) != (singles["event"] is None):
        raise SettingsError(f"{path}: [cohort.{name}] needs both time and event, or neither")
    if not lists["labels"] and singles["time"] is None:
        raise SettingsError(f"{path}: [cohort.{name}] needs labels, or time and event, to score")
    return CohortSpec(
        name=name,
        folder=data / (singles["folder"] or name),
        time=singles["time"],
        event=singles["event"],
        note=singles["note"] or "",
        study=singles["study"] or "",
        **lists,
    )


def _texts(path: Path, name: str, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise SettingsError(f"{path}: [cohort.{name}] {key} must be a list of texts")
    return tuple(value)


def _log1p(cohort: MultiOmics, spec: CohortSpec) -> MultiOmics:
    unknown = [view for view in spec.log1p if view not in cohort.views]
    if unknown:
        raise DataError(f"cohort '{spec.name}': log1p names the view {name_some(unknown)}")
    views = dict(cohort.views)
    for name in spec.log1p:
        values = views[name].values
        if (values < 0).any():
            raise DataError(
                f"cohort '{spec.name}': log1p is for counts, but the view '{name}' has values "
                "below zero"
            )
        views[name] = replace(views[name], values=np.log1p(values).astype(np.float32))
    return replace(cohort, views=views)
