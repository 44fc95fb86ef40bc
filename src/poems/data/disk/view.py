"""BackedView and BackedCohort: a cohort whose values stay in their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics, View
from poems.data.disk.matrix import Floats, Matrix, Rows, pieces
from poems.data.disk.stamps import Stamp, require_unchanged
from poems.errors import DataError

Positions = npt.NDArray[np.int64]

# Rows that lie no further apart than this are read in one go, and those between dropped.
_GAP = 8


class BackedView(View):
    """One omic whose values are read from a file when they are asked for.

    Parameters
    ----------
    matrix
        The matrix on disk.
    features
        Unique feature names, of length n_features, in the file's order.
    position
        For each sample of the cohort its row in the file, or -1 if it is not
        measured; of shape (n_samples,).

    Examples
    --------
    >>> from poems.data.disk.matrix import DenseArray
    >>> matrix = DenseArray(np.array([[1.0], [2.0]]), "an array")
    >>> view = BackedView(matrix, pd.Index(["g1"]), np.array([1, -1, 0]))
    >>> view.rows(slice(0, 3)).tolist()
    [[2.0], [nan], [1.0]]
    """

    def __init__(self, matrix: Matrix, features: pd.Index, position: Positions) -> None:
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "position", np.asarray(position, dtype=np.int64))
        object.__setattr__(self, "measured", self.position >= 0)
        object.__setattr__(self, "cache", {})
        if len(features) != matrix.shape[1]:
            raise DataError(
                f"{matrix.where} has {matrix.shape[1]} columns for {len(features)} feature names"
            )

    matrix: Matrix
    position: Positions
    # What was computed from the values already, by whatever identifies it.
    cache: dict[Any, Any]

    @property
    def values(self) -> Floats:
        """Not to be had: the values are not in memory.

        Raises
        ------
        DataError
            Always; the text says what to do.
        """
        raise DataError(
            f"the values of {self.matrix.where} stay on disk, and this needs them in memory; call "
            "load() on the cohort (or on cohort.take(rows)), or read it without backed=True"
        )

    def rows(self, which: slice | Sequence[int] | npt.NDArray[np.integer[Any]]) -> Floats:
        """Return the values of some samples, of shape (n, n_features); NaN where unmeasured."""
        wanted = np.arange(len(self.position))[which]
        found: Floats = np.full((len(wanted), self.n_features), np.nan, dtype=self.matrix.dtype)
        where, rows = self.read(wanted)
        found[where] = rows.toarray() if self.matrix.is_sparse else rows
        return found

    def read(self, which: npt.NDArray[np.integer[Any]]) -> tuple[Positions, Rows]:
        """Return the rows of those of some samples that were measured, as they are stored.

        Parameters
        ----------
        which
            Positions in the cohort, of shape (n,).

        Returns
        -------
        where
            Which of ``which`` the rows belong to, of shape (n_measured,).
        rows
            Dense or CSR, of shape (n_measured, n_features).
        """
        there = self.position[which]
        where = np.flatnonzero(there >= 0)
        # In the order of the file: a disk reads forward.
        where = where[np.argsort(there[where], kind="stable")]
        parts = [
            self._run(run) for run in _runs(there[where], max(_GAP, self.matrix.chunk_rows // 2))
        ]
        if self.matrix.is_sparse:
            from scipy import sparse

            rows = parts[0] if len(parts) == 1 else None
            if rows is None:
                empty = sparse.csr_array((0, self.n_features), dtype=self.matrix.dtype)
                rows = sparse.vstack(parts, format="csr") if parts else empty
            return where, rows
        if not parts:
            return where, np.empty((0, self.n_features), dtype=self.matrix.dtype)
        return where, parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _run(self, run: Positions) -> Rows:
        first, last = int(run[0]), int(run[-1]) + 1
        rows = self.matrix.read(first, last)
        return rows if len(run) == last - first else rows[run - first]

    def blocks(self) -> Iterator[tuple[Positions, Rows]]:
        """Pass over the measured samples in the order of the file, a bounded block at a time.

        Yields positions in the cohort, and the rows as they are stored.
        """
        samples = np.flatnonzero(self.measured)
        samples = samples[np.argsort(self.position[samples], kind="stable")]
        for piece in pieces(len(samples), self.n_features, self.matrix.chunk_rows):
            where, rows = self.read(samples[piece])
            yield samples[piece][where], rows

    def columns(self, start: int, stop: int) -> Floats:
        """Return some features of all samples, (n_samples, stop - start); NaN where unmeasured."""
        of_file = self.matrix.columns(start, stop)
        if (
            len(of_file) == len(self.position)
            and (self.position == np.arange(len(self.position))).all()
        ):
            return of_file
        found: Floats = np.full((len(self.position), stop - start), np.nan, dtype=self.matrix.dtype)
        found[self.measured] = of_file[self.position[self.measured]]
        return found

    def take(self, rows: npt.NDArray[np.intp]) -> BackedView:
        """Return the view of the samples at ``rows``."""
        return BackedView(self.matrix, self.features, self.position[rows])

    def load(self) -> View:
        """Return the view in memory."""
        return View(self.rows(slice(None)), self.features, self.measured)

    def cached(self, key: Any, compute: Callable[[], Any]) -> Any:
        """Return what was computed for ``key``, computing it the first time."""
        if key not in self.cache:
            self.cache[key] = compute()
        return self.cache[key]


@dataclass(frozen=True, eq=False, repr=False)
class BackedCohort(MultiOmics):
    """A cohort whose values stay in their files; made by ``poems.read(…, backed=True)``.

    Names and annotations are in memory. :func:`poems.fit` and
    :meth:`FittedPoems.transform` read the values in blocks; what needs them all
    at once says so and names :meth:`load`. ``handles`` are the open files,
    which :meth:`close`, or leaving a ``with`` block, closes.
    """

    handles: tuple[Any, ...] = field(default=())
    stamps: Mapping[Path, Stamp] = field(default_factory=dict)

    def require_unchanged(self) -> None:
        """Refuse files that were written to since they were opened.

        Raises
        ------
        DataError
            If there is one.
        """
        require_unchanged(self.stamps)

    def backed_views(self) -> dict[str, BackedView]:
        """Return the views with the type that they have."""
        return {name: view for name, view in self.views.items() if isinstance(view, BackedView)}

    def load(self) -> MultiOmics:
        """Read all values into memory."""
        views = {name: view.load() for name, view in self.backed_views().items()}
        return MultiOmics(views, self.samples, self.obs, self.findings)

    def take(self, rows: Sequence[int] | npt.NDArray[np.intp]) -> BackedCohort:
        """Return the cohort of the samples at positions ``rows``, still on disk."""
        taken = super().take(rows)
        assert isinstance(taken, BackedCohort)
        # Only the cohort that was read closes the files.
        return replace(taken, handles=())

    def frame(self, name: str) -> pd.DataFrame:
        """Read a view as a DataFrame of shape (n_samples, n_features)."""
        view = self.backed_views()[name]
        return pd.DataFrame(view.rows(slice(None)), index=self.samples, columns=view.features)

    def close(self) -> None:
        """Close the files; values cannot be read any more."""
        for handle in self.handles:
            handle.close()

    def __enter__(self) -> BackedCohort:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def require_in_memory(cohort: MultiOmics, what: str) -> None:
    """Refuse a cohort on disk, before anything is computed.

    Raises
    ------
    DataError
        If the values are not in memory.
    """
    if isinstance(cohort, BackedCohort):
        raise DataError(
            f"{what} needs all values in memory, and the cohort was read with backed=True; call "
            "load() on it, or on cohort.take(rows) for some of the samples"
        )


def _runs(positions: Positions, gap: int) -> list[Positions]:
    """Cut increasing positions into runs with gaps of at most ``gap``.

    >>> [run.tolist() for run in _runs(np.array([1, 2, 3, 9]), 2)]
    [[1, 2, 3], [9]]
    """
    if not len(positions):
        return []
    return np.split(positions, np.flatnonzero(np.diff(positions) > gap) + 1)
