"""A fit as its file tells it: its tables, and the model itself where that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from poems.diagnosis.check import Diagnosis
from poems.fitting.fit_tables import FitArrays, FitTables, Singles, told_by
from poems.fitting.record import (
    Arrays,
    Record,
    read_record,
    take,
    unreadable,
)
from poems.fitting.sensible import require_sensible
from poems.settings.effect_scale import OF_LIKELIHOODS, EffectScale
from poems.settings.schema import Metric

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems


@dataclass(frozen=True, eq=False)
class StoredFit(FitTables):
    """The tables of a fit that was saved, without torch, which takes a second to load.

    Made by :func:`read_fit`. What takes the networks is asked of :attr:`model`.

    Parameters
    ----------
    path
        The model file.
    stored
        Its arrays.
    diagnosis
        Its diagnosis; ``None`` in older files and checkpoints.
    """

    path: Path
    stored: FitArrays
    diagnosis: Diagnosis | None = None

    @property
    def arrays(self) -> FitArrays:
        """What the tables are made from."""
        return self.stored

    @cached_property
    def model(self) -> FittedPoems:
        """The model itself, loaded when first asked for.

        Raises
        ------
        StorageError
            If its parts do not fit together.
        """
        from poems.fitting.result import load

        return load(self.path)

    @cached_property
    def effect_scales(self) -> dict[str, EffectScale]:
        """In which units :attr:`loadings` of each view are, and in which words they are said."""
        kinds = self.settings.model.likelihoods_of(self.view_names)
        if any(kind not in OF_LIKELIHOODS for kind in kinds):
            return self.model.effect_scales
        return {
            view: OF_LIKELIHOODS[kind] for view, kind in zip(self.view_names, kinds, strict=True)
        }

    def embedding(self, metric: Metric | None = None) -> pd.DataFrame:
        """Return what :meth:`FittedPoems.embedding` does."""
        wanted = self.default_metric if metric is None else metric
        found = self.stored_embedding(wanted)
        return self.model.embedding(wanted) if found is None else found

    def diagnose(self) -> Diagnosis:
        """Return what :meth:`FittedPoems.diagnose` does without held-out samples."""
        return self.model.diagnose() if self.diagnosis is None else self.diagnosis


def read_fit(path: str | Path) -> StoredFit:
    """Read the tables of a model file.

    Raises
    ------
    StorageError
        If the file is missing, damaged, or its parts do not fit together.

    Examples
    --------
    >>> import tempfile, poems
    >>> cohort = poems.simulate(n_samples=40, n_features=20, seed=0).cohort
    >>> model = poems.fit(cohort, seed=0, epochs=5, progress=False)
    >>> path = Path(tempfile.mkdtemp()) / "model.poems"
    >>> model.save(path)
    >>> read_fit(path).latent.equals(model.latent)
    True
    """
    record, arrays = read_record(path)
    try:
        require_sensible(record, arrays)
        return StoredFit(**told_by(record), path=Path(path), stored=_arrays(record, arrays))
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise unreadable(path, error) from error


def _arrays(record: Record, arrays: Arrays) -> FitArrays:
    """Take the arrays by their names in the file; their shapes are checked."""
    n_samples, n_latent = len(record.samples), record.settings.model.n_latent
    widths = {view.name: len(view.features) for view in record.views}

    def of(name: str, *shape: int) -> Singles:
        return take(arrays, name, shape, np.float32)

    def of_samples(name: str, width: int | None = None) -> Singles | None:
        if f"samples.{name}" not in arrays:
            return None
        columns = arrays[f"samples.{name}"].shape[-1] if width is None else width
        return of(f"samples.{name}", n_samples, columns)

    def of_features(name: str) -> dict[str, Singles]:
        # Checkpoints have no scores, nor have files of before loadings were scored.
        each = {view: f"features.{name}.{i}" for i, view in enumerate(widths)}
        return {
            view: of(key, widths[view], n_latent)
            for view, key in each.items()
            if name != "score" or key in arrays
        }

    return FitArrays(
        features={view.name: pd.Index(view.features) for view in record.views},
        loc=of("samples.loc", n_samples, n_latent),
        variance=of("samples.variance", n_samples, n_latent),
        gates=of("samples.gates", n_samples, len(widths)),
        components=of_samples("components", record.settings.model.n_components),
        background=of_samples("background"),
        shares=of_samples("shares", len(widths)),
        network=of_samples("network"),
        slope=of_features("slope"),
        size=of_features("size"),
        score=of_features("score"),
        gram=of("features.gram", n_latent, n_latent),
        r2={view.name: view.r2 for view in record.views},
        total={view.name: view.total for view in record.views if view.total is not None},
        values={view.name: view.values for view in record.views if view.values is not None},
        background_loadings=_background(widths, arrays),
        own_scale=frozenset(view.name for view in record.views if view.own is not None),
    )


def _background(widths: Mapping[str, int], arrays: Arrays) -> dict[str, Any]:
    """Return the loadings of the background by view; of older files there are none."""
    n_features = sum(widths.values())
    loadings = arrays.get("module.background.loadings", np.zeros((n_features, 0), np.float32))
    if loadings.shape != (n_features, loadings.shape[-1]):
        raise ValueError(f"the background has loadings of shape {loadings.shape}")
    ends = np.cumsum([*widths.values()])[:-1]
    return dict(zip(widths, np.split(loadings, ends), strict=True))
