"""A subtype model to and from a JSON file; every field is checked on the way in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from poems.analysis.subtypes.assignment import NONE_OF_THESE, SubtypeModel
from poems.errors import StorageError
from poems.files.atomic import write_text

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _SubtypeRecord(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1)]
    size: Annotated[int, Field(ge=1)]
    agreement: Share | None
    centre: list[Finite]


class _Record(BaseModel):
    """The JSON file of a subtype model."""

    model_config = ConfigDict(extra="forbid")
    format: Literal["poems-subtypes"] = "poems-subtypes"
    format_version: Literal[1] = 1
    factors: list[str]
    subtypes: Annotated[list[_SubtypeRecord], Field(min_length=1)]
    covariance: list[list[Finite]]
    variance: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    limit: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        width = len(self.factors)
        if len(set(self.factors)) < width:
            raise ValueError("two factors have the same name")
        names = [subtype.name for subtype in self.subtypes]
        if len(set(names)) < len(names) or NONE_OF_THESE in names:
            raise ValueError(f"two subtypes have the same name, or one is called '{NONE_OF_THESE}'")
        lengths = {len(self.variance), len(self.covariance), *map(len, self.covariance)}
        lengths |= {len(subtype.centre) for subtype in self.subtypes}
        if lengths - {width} and (width or lengths - {0}):
            raise ValueError(f"there are {width} factors, but arrays of lengths {sorted(lengths)}")
        covariance = np.array(self.covariance, dtype=np.float64).reshape(width, width)
        if not np.allclose(covariance, covariance.T, rtol=1e-9, atol=0):
            raise ValueError("the covariance is not symmetric")
        if width and np.linalg.eigvalsh(covariance).min() <= 0:
            raise ValueError("the covariance is not positive definite")
        return self


def save_subtype_model(model: SubtypeModel, path: str | Path) -> None:
    """Write a subtype model as JSON, whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from poems.analysis.subtypes.assignment import learn_subtypes
    >>> latent = pd.DataFrame({"factor_1": [0.0, 0.2, 5.0, 5.2]})
    >>> model = learn_subtypes(latent, pd.Series(["S1", "S1", "S2", "S2"]))
    >>> path = Path(tempfile.mkdtemp()) / "subtype_model.json"
    >>> save_subtype_model(model, path)
    >>> load_subtype_model(path).assign(latent).equals(model.assign(latent))
    True
    """
    record = _Record(
        factors=list(model.factors),
        subtypes=[
            _SubtypeRecord(
                name=name,
                size=size,
                agreement=_number(model.agreement[name]),
                centre=centre.tolist(),
            )
            for (name, size), centre in zip(model.sizes.items(), model.centres, strict=True)
        ],
        covariance=model.covariance.tolist(),
        variance=model.variance.tolist(),
        limit=_number(model.limit),
    )
    write_text(path, record.model_dump_json(indent=2) + "\n")


def load_subtype_model(path: str | Path) -> SubtypeModel:
    """Read a subtype model that :func:`save_subtype_model` wrote.

    Raises
    ------
    StorageError
        If the file is missing or damaged, or its parts do not fit together.
    """
    try:
        record = _Record.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise StorageError(f"cannot read the subtype model {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise StorageError(
            f"{path} is not a subtype model that this version can read: "
            f"{f'{where}: ' if where else ''}{first['msg']}. "
            "Delete it, and subtypes are learnt from the run again"
        ) from error
    width = len(record.factors)
    return SubtypeModel(
        factors=tuple(record.factors),
        sizes={subtype.name: subtype.size for subtype in record.subtypes},
        centres=np.array([each.centre for each in record.subtypes], dtype=np.float64),
        covariance=np.array(record.covariance, dtype=np.float64).reshape(width, width),
        variance=np.array(record.variance, dtype=np.float64),
        limit=np.inf if record.limit is None else record.limit,
        agreement={
            subtype.name: np.nan if subtype.agreement is None else subtype.agreement
            for subtype in record.subtypes
        },
    )


def _number(value: float) -> float | None:
    # JSON has no name for a number that is not finite.
    return float(value) if np.isfinite(value) else None
