"""A view on disk as the model sees it: its features in order, scaled, gaps filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from poems.data.disk.view import BackedView
from poems.scaling.disk.own import dense_rows
from poems.scaling.view_scaling import ViewScaling, require_not_negative

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

# Entries that are scaled at once, in double precision: few enough to stay in a core's cache.
_SCALED = 1 << 16


@dataclass(eq=False)
class ScaledRows:
    """Some samples of a view on the model's scale.

    ``values``: (n, n_features), the feature's mean where an entry is missing;
    ``missing``: which entries of the measured samples are, of the same shape,
    or ``None`` if none is; ``n_clipped``: entries beyond the limits. Of a view whose likelihood
    takes values as they were measured ``targets``, like ``values``, are these, 0 where there is
    none.
    """

    values: Floats
    missing: Bools | None = None
    n_clipped: int = 0
    targets: Floats | None = None

    def mark(self, rows: Any, columns: Any, missing: Any = True) -> None:
        """Note that entries are missing."""
        if self.missing is None:
            self.missing = np.zeros(self.values.shape, dtype=bool)
        self.missing[rows, columns] = missing


@dataclass(frozen=True, eq=False)
class ScaledView:
    """A view on disk with the scaling of a model.

    Parameters
    ----------
    name
        The view's, for errors.
    view
        The values.
    scaling
        The model's scaling of the view.
    column
        For each feature of the model its column in the file, -1 if absent.
    log_sizes
        Of the cohort's samples, (n_samples,), where the likelihood takes values as they were
        measured.
    """

    name: str
    view: BackedView
    scaling: ViewScaling
    column: npt.NDArray[np.intp]
    log_sizes: npt.NDArray[np.float64] | None = None

    @property
    def n_features(self) -> int:
        """Number of features of the model."""
        return len(self.column)

    def rows(self, which: npt.NDArray[np.int64]) -> ScaledRows:
        """Return the samples at positions ``which`` of the cohort.

        Bit for bit what :meth:`ViewScaling.apply`, or ``apply_own``, makes of the same values.
        """
        if self.log_sizes is not None:
            return self._own_rows(which, self.log_sizes[which])
        where, stored = self.view.read(which)
        fill = self.scaling.fill.astype(np.float32)
        shape = (len(which), self.n_features)
        if self.view.matrix.is_sparse:
            nought, _ = self.scaling.apply(np.zeros((1, shape[1]), dtype=np.float32), self.name)
            found = ScaledRows(np.broadcast_to(nought, shape).copy())
            if len(where) < len(which):
                found.values[np.setdiff1d(np.arange(len(which)), where)] = fill
            self._spread(stored, where, found)
        else:
            found = ScaledRows(np.empty(shape, dtype=np.float32))
            if len(where) < len(which):
                found.values[:] = fill
            self._scale(stored, where, found)
        absent = np.flatnonzero(self.column < 0)
        if len(absent) and len(where):
            found.values[:, absent] = fill[absent]
            found.mark(where[:, None], absent[None, :])
        return found

    def _own_rows(
        self, which: npt.NDArray[np.int64], log_sizes: npt.NDArray[np.float64]
    ) -> ScaledRows:
        """Return samples whose likelihood is given values as they were measured."""
        shape = (len(which), self.n_features)
        fill = self.scaling.fill.astype(np.float32)
        found = ScaledRows(np.tile(fill, (len(which), 1)), targets=np.zeros(shape, np.float32))
        assert found.targets is not None
        for at, x in dense_rows(self.view, self.column, which):
            given = self.scaling.own_values(x, log_sizes[at], self.name)
            found.n_clipped += given.n_clipped
            missing = np.isnan(given.scaled)
            if missing.any():
                found.mark(at, slice(None), missing)
                found.values[at] = np.where(missing, fill, given.scaled)
                found.targets[at] = np.where(missing, np.float32(0), given.targets)
            else:
                found.values[at], found.targets[at] = given.scaled, given.targets
        return found

    def columns(self, start: int, stop: int) -> tuple[Floats, Bools | None]:
        """Return some features of the model for all samples of the cohort.

        Values of shape (n_samples, stop - start), gaps filled with the means,
        and which are gaps; ``None`` if there is none.
        """
        columns = self.column[start:stop]
        known = columns >= 0
        shape = (len(self.view.position), stop - start)
        raw: Any = np.full(shape, np.nan, dtype=self.view.matrix.dtype)
        if known.any():
            first, last = int(columns[known].min()), int(columns[known].max()) + 1
            raw[:, known] = self.view.columns(first, last)[:, columns[known] - first]
        part = _part(self.scaling, start, stop)
        fill = part.fill.astype(np.float32)
        # In place where the digits are enough: half the memory.
        found: Floats = raw if raw.dtype == np.float32 else np.empty(shape, dtype=np.float32)
        for rows in _few_rows(found.shape):
            if self.log_sizes is None:
                found[rows], _ = part.apply(raw[rows], self.name)
            else:
                found[rows] = part.own_values(raw[rows], self.log_sizes[rows], self.name).scaled
        gaps = np.isnan(found)
        if not gaps.any():
            return found, None
        for rows in _few_rows(found.shape):
            found[rows] = np.where(gaps[rows], fill, found[rows])
        return found, gaps

    def _scale(self, stored: Floats, where: npt.NDArray[np.int64], found: ScaledRows) -> None:
        """Scale dense rows into their places."""
        straight = len(self.column) == stored.shape[1] and bool(
            (self.column == np.arange(len(self.column))).all()
        )
        for rows in _few_rows((len(stored), self.n_features)):
            raw = stored[rows] if straight else stored[rows][:, self.column]
            if (self.column < 0).any():
                raw[:, self.column < 0] = np.nan
            scaled, n_clipped = self.scaling.apply(raw, self.name)
            found.n_clipped += n_clipped
            missing = np.isnan(scaled)
            if missing.any():
                scaled = np.where(missing, self.scaling.fill.astype(np.float32), scaled)
                found.mark(where[rows], slice(None), missing)
            found.values[where[rows]] = scaled

    def _spread(self, stored: Any, where: npt.NDArray[np.int64], found: ScaledRows) -> None:
        """Put the entries that sparse rows store, scaled, among the zeros."""
        scaling, known = self.scaling, self.column >= 0
        of_model = np.full(self.view.n_features, -1, dtype=np.int64)
        of_model[self.column[known]] = np.flatnonzero(known)
        columns = of_model[stored.indices]
        row = np.repeat(where, np.diff(stored.indptr))
        used = columns >= 0
        row, columns, raw = row[used], columns[used], stored.data[used]
        # Zeros are clipped where limits leave them out, and nothing there is stored.
        outside = ((scaling.lower > 0) | (scaling.upper < 0)) & known
        found.n_clipped = int(outside.sum()) * len(where) - int(outside[columns].sum())
        for start in range(0, len(raw), _SCALED):
            some = slice(start, start + _SCALED)
            at, x = columns[some], raw[some].astype(np.float64)
            if scaling.log1p:
                below = x < 0
                require_not_negative(self.name, int(below.sum()), float(x.min(initial=0)))
                x = np.log1p(x)
            # The winsorising that was asked for; how much it moved is counted and told.
            clipped = np.clip(x, scaling.lower[at], scaling.upper[at])
            found.n_clipped += int(np.count_nonzero(clipped != x) - np.count_nonzero(np.isnan(x)))
            scaled = ((clipped - scaling.offset[at]) / scaling.scale[at]).astype(np.float32)
            missing = np.isnan(scaled)
            if missing.any():
                scaled = np.where(missing, scaling.fill[at].astype(np.float32), scaled)
                found.mark(row[some][missing], at[missing])
            found.values[row[some], at] = scaled


def _few_rows(shape: tuple[int, ...]) -> list[slice]:
    """Cut rows so that few entries are in double precision at a time."""
    size = max(1, _SCALED // max(1, shape[1]))
    return [slice(start, min(start + size, shape[0])) for start in range(0, shape[0], size)]


def _part(scaling: ViewScaling, start: int, stop: int) -> ViewScaling:
    """The scaling of some features."""
    some = slice(start, stop)
    return ViewScaling(
        features=scaling.features[some],
        log1p=scaling.log1p,
        lower=scaling.lower[some],
        upper=scaling.upper[some],
        offset=scaling.offset[some],
        scale=scaling.scale[some],
        fill=scaling.fill[some],
        variance=scaling.variance[some],
        own=None if scaling.own is None else scaling.own.take(np.arange(start, stop)),
    )
