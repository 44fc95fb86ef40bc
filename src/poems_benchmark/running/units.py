"""Units of a benchmark, a method on a cohort with a seed: what they are called and their files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from poems.files.atomic import write_json
from poems_benchmark.cohorts import CohortSpec, data_digest
from poems_benchmark.digest import source_digest
from poems_benchmark.methods.interface import Method, require

_FORMAT = "poems-benchmark-unit"
_SCORING = "poems_benchmark.scores.scoring"


@dataclass(frozen=True)
class Unit:
    """A method on a cohort with a seed.

    Parameters
    ----------
    key
        Short name of the method.
    method
        The method.
    cohort
        The cohort.
    seed
        The seed.
    data
        Digest of the cohort's files and description.
    """

    key: str
    method: Method
    cohort: CohortSpec
    seed: int
    data: str

    @cached_property
    def versions(self) -> dict[str, str]:
        """Versions of the distributions that the method needs."""
        return require(self.method.name, self.method.requires)

    @cached_property
    def settings(self) -> str:
        """Digest of the method's options, its distributions' versions, and the scores' code."""
        told = [self.method.options, self.versions, source_digest(_SCORING)]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]

    def path(self, out: Path) -> Path:
        """Return the file of the unit's result in the folder ``out``."""
        name = f"{self.key}-seed{self.seed}-{self.settings}-{self.data}.json"
        return out / "units" / quote(self.cohort.name, safe=" ") / name

    def head(self) -> dict[str, Any]:
        """Return what identifies the unit, as its file holds it."""
        return {
            "format": _FORMAT,
            "method": self.key,
            "name": self.method.name,
            "cohort": self.cohort.name,
            "seed": self.seed,
            "settings_digest": self.settings,
            "data_digest": self.data,
            "options": self.method.options,
            "versions": self.versions,
        }


def plan_units(
    cohorts: Iterable[CohortSpec], methods: Mapping[str, Method], n_seeds: int
) -> list[Unit]:
    """Return the units of a benchmark, cohort by cohort; deterministic methods have one seed.

    Raises
    ------
    SettingsError
        If a method needs a distribution that is not installed.
    ReadError
        If a table of a cohort is not there.
    """
    units = []
    for cohort in cohorts:
        digest = data_digest(cohort)
        for key, method in methods.items():
            for seed in range(1 if method.deterministic else n_seeds):
                units.append(Unit(key, method, cohort, seed, digest))
    return units


def write_record(unit: Unit, out: Path, contents: Mapping[str, Any]) -> None:
    """Write a unit's result, atomically; numbers that are not finite become null."""
    write_json(unit.path(out), _jsonable({**unit.head(), **contents}))


def read_record(unit: Unit, out: Path) -> dict[str, Any] | None:
    """Return a unit's finished result, or ``None`` if there is none, or it failed or is damaged."""
    try:
        found = json.loads(unit.path(out).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    sound = isinstance(found, dict) and found.get("format") == _FORMAT
    return found if sound and found.get("status") == "done" else None


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
