"""What a model file says of its model in JSON, and what that and a few arrays tell of it.

Reading it takes no torch, so that ``poems info`` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from poems.clustering.tried import NumberTried
from poems.diagnosis.check import Check, Diagnosis
from poems.errors import StorageError
from poems.files.tensors import read_state
from poems.findings import Finding
from poems.scaling.own_scale import Kind
from poems.scaling.sizes import column_of
from poems.settings.parts import SIZES
from poems.settings.schema import Settings
from poems.wording import r_squared

Arrays = dict[str, npt.NDArray[Any]]
# How the names begin of arrays that a checkpoint has for training to go on.
TRAINING: Final = "training."


class OwnRecord(BaseModel):
    """What a likelihood is given of a view on its own scale (:class:`OwnScale`)."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind
    sizes: str = "none"
    ends: float
    reference: float = Field(1.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _as_before_there_were_rules(cls, raw: Any) -> Any:
        """Files of before say whether samples have sizes, which were totals."""
        match raw:
            case {"sized": bool(sized), **rest}:
                return {"sizes": "totals" if sized else "none", **rest}
        return raw

    @field_validator("sizes")
    @classmethod
    def _known(cls, sizes: str) -> str:
        if not column_of(sizes) and not SIZES.has(sizes):
            raise ValueError(
                f"no size factor '{sizes}' (one of another package has to be registered first)"
            )
        return sizes


class ViewRecord(BaseModel):
    """A view: its features and how it was explained."""

    model_config = ConfigDict(extra="forbid")
    name: str
    features: list[str]
    log1p: bool
    r2: float
    total: float | None = None
    values: float | None = None
    own: OwnRecord | None = None


class TrainingRecord(BaseModel):
    """Of a checkpoint: where training stands, and what its owner wrote beside."""

    model_config = ConfigDict(extra="forbid")
    epoch: int
    best_epoch: int
    settled: bool
    history: list[dict[str, float]]
    about: dict[str, Any] = {}


class Record(BaseModel):
    """The JSON part of a model file."""

    model_config = ConfigDict(extra="forbid")
    settings: Settings
    seed: int
    status: str
    versions: dict[str, str]
    samples: list[str]
    views: list[ViewRecord]
    findings: list[Finding]
    history: dict[str, list[float]]
    diagnosis: list[Check] | None = None
    cluster_numbers: list[NumberTried] | None = None
    training: TrainingRecord | None = None


@dataclass(frozen=True)
class ViewSummary:
    """A view of a model: sizes, share of variance explained, mean gate where it was measured.

    ``total`` is the share that factors and background explain together. Of a view on its
    ``own_scale`` both are shares of deviance, and ``values`` is that of the values' variance.
    """

    name: str
    n_features: int
    n_nonzero: int
    r2: float
    mean_gate: float
    total: float | None = None
    own_scale: bool = False
    values: float | None = None

    def __str__(self) -> str:
        more = "" if self.total is None else f" ({self.total:.2f} with the background)"
        share = "deviance explained" if self.own_scale else "R²"
        if self.values is not None:
            more = f" (R² {r_squared(self.values)})"
        return (
            f"{self.name}: {self.n_features} features, {self.n_nonzero} non-zero loadings, "
            f"{share} {self.r2:.2f}{more}, mean gate where measured {self.mean_gate:.2f}"
        )


@dataclass(frozen=True)
class ModelSummary:
    """A model in a few lines; its text is that of a :class:`poems.FittedPoems`.

    Examples
    --------
    >>> print(ModelSummary(60, 2, 16, "Ran for all epochs.", (ViewSummary("rna", 40, 9, 0.5, 1),)))
    FittedPoems: 60 samples, 2 active factors of 16. Ran for all epochs.
      rna: 40 features, 9 non-zero loadings, R² 0.50, mean gate where measured 1.00
    """

    n_samples: int
    n_active: int
    n_latent: int
    status: str
    views: tuple[ViewSummary, ...]

    def __str__(self) -> str:
        lines = [
            f"FittedPoems: {self.n_samples} samples, {self.n_active} active factors of "
            f"{self.n_latent}. {self.status}"
        ]
        lines += [f"  {view}" for view in self.views]
        return "\n".join(lines)


@dataclass(frozen=True)
class StoredModel:
    """A model file without the model: its record and its summary."""

    record: Record
    summary: ModelSummary

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What was measured at the end of the fit; ``None`` in older files and checkpoints."""
        checks = self.record.diagnosis
        return None if checks is None else Diagnosis(tuple(checks))


def read_record(path: str | Path) -> tuple[Record, Arrays]:
    """Read the record and the arrays of a model file; its checksum is verified.

    Raises
    ------
    StorageError
        If the file is missing, damaged, or its record is not one of a model.
    """
    arrays, raw = read_state(path)
    try:
        record = Record.model_validate(_with_settings_of_then(raw))
    except ValidationError as error:
        raise unreadable(path, error) from error
    return record, arrays


# What a model does whose file is older than the setting: not what is the default now.
_BEFORE_THERE_WAS = {"redundancy": "none", "inference": "amortised", "likelihood": "gaussian"}


def _with_settings_of_then(raw: Any) -> Any:
    """Return the record with all of the model's settings; one of another shape as it is."""
    match raw:
        case {"settings": {"model": dict(model), **others}, **rest}:
            return {**rest, "settings": {**others, "model": {**_BEFORE_THERE_WAS, **model}}}
    return raw


def read_stored(path: str | Path) -> StoredModel:
    """Read what a model file says of its model.

    Raises
    ------
    StorageError
        If the file is missing, damaged, or its parts do not fit together.
    """
    record, arrays = read_record(path)
    try:
        return StoredModel(record, _summary(record, arrays))
    except (KeyError, IndexError, ValueError) as error:
        raise unreadable(path, error) from error


def require_distinct(what: str, names: list[str]) -> None:
    """Refuse an empty list of names, and one that names something twice."""
    if not names or len(set(names)) < len(names):
        raise ValueError(f"the {what} are none, or one is named twice")


def take(
    arrays: Arrays, name: str, shape: tuple[int, ...], dtype: type[np.floating[Any]]
) -> npt.NDArray[Any]:
    """Return an array of the expected shape and type."""
    value = arrays[name]
    if value.shape != shape or value.dtype != dtype:
        raise ValueError(
            f"'{name}' has shape {value.shape} and type {value.dtype}, expected {shape} and "
            f"{np.dtype(dtype)}"
        )
    return value


def unreadable(path: str | Path, error: Exception) -> StorageError:
    """Return the error that says why a file is no model that can be read."""
    return StorageError(
        f"{path} is not a model that this version can read: {_first_line(error)}. "
        "Use the version of POEMS that wrote it, or fit again."
    )


def _first_line(error: Exception) -> str:
    """The gist of an error whose text may be long."""
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        return f"{'.'.join(map(str, first['loc']))}: {said}"
    return str(error).strip().splitlines()[0]


def _summary(record: Record, arrays: Arrays) -> ModelSummary:
    sizes = [arrays[f"features.size.{i}"] for i in range(len(record.views))]
    active = np.any([(size != 0).any(axis=0) for size in sizes], axis=0)
    spread = arrays["samples.loc"].std(axis=0)
    gates = arrays["samples.gates"]
    views = tuple(
        ViewSummary(
            view.name,
            len(size),
            int(np.count_nonzero((size * spread)[:, active])),
            view.r2,
            _mean_of_measured(gates[:, i]),
            view.total,
            view.own is not None,
            view.values,
        )
        for i, (view, size) in enumerate(zip(record.views, sizes, strict=True))
    )
    return ModelSummary(
        len(record.samples),
        int(active.sum()),
        record.settings.model.n_latent,
        record.status,
        views,
    )


def _mean_of_measured(gates: npt.NDArray[Any]) -> float:
    measured = gates[gates > 0]
    return float(measured.mean()) if measured.size else float("nan")
