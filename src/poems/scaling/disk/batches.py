"""BackedBatches: the samples of a cohort on disk, as training and estimates ask for them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from poems.scaling.batch import CHUNK_ROWS, Batch
from poems.scaling.disk.prefetch import prefetched
from poems.scaling.disk.scaled import ScaledView

# Bytes of values in a buffer of shuffled blocks. Two are held: one in use, one on its way.
BUFFER_BYTES = 1 << 28
# Bytes of values that go through the model at once where the order does not matter.
CHUNK_BYTES = 1 << 27
# A block is read in one go: long enough for a disk, and many to a buffer, so that the samples of
# a mini-batch come from many places.
_BLOCK_BYTES = 1 << 20
_BLOCKS_PER_BUFFER = 16
_FEWEST_BLOCKS = 4


@dataclass(frozen=True, eq=False)
class BackedBatches:
    """Preprocessed samples that are read when they are needed.

    Fulfils :class:`poems.scaling.batch.SampleSource`, as a :class:`Batch` does.

    Parameters
    ----------
    views
        View name to the view on disk, ``None`` for one that the cohort lacks.
    n_features
        View name to the number of features of the model.
    measured
        Boolean tensor of shape (n_samples, n_views).
    rows
        Position of each sample in the cohort, of shape (n_samples,).
    gaps
        View name to the number of missing entries of each feature over the
        samples of the cohort on which it was measured, (n_features,).
    own
        Views whose likelihood is given values as they were measured.
    device
        Where batches are put.
    buffer_bytes
        Size of a buffer of shuffled blocks.
    """

    views: Mapping[str, ScaledView | None]
    n_features: Mapping[str, int]
    measured: Tensor
    rows: npt.NDArray[np.int64]
    gaps: Mapping[str, npt.NDArray[np.int64]]
    own: frozenset[str] = frozenset()
    device: torch.device = field(default=torch.device("cpu"))
    buffer_bytes: int = BUFFER_BYTES

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample in memory."""
        twice = sum(width for name, width in self.n_features.items() if name in self.own)
        return 4 * (sum(self.n_features.values()) + twice)

    @property
    def block_rows(self) -> int:
        """Samples that are read together in training."""
        chunks = (view.view.matrix.chunk_rows for view in self.views.values() if view is not None)
        # Whole chunks of the file, unless a buffer would then hold hardly any blocks.
        chunk = min(max(chunks, default=1), self.buffer_rows // _FEWEST_BLOCKS)
        wanted = min(_BLOCK_BYTES // self.sample_bytes, self.buffer_rows // _BLOCKS_PER_BUFFER)
        return max(1, chunk, wanted)

    @property
    def buffer_rows(self) -> int:
        """Samples that are shuffled together in training."""
        return max(1, self.buffer_bytes // self.sample_bytes)

    def take(self, rows: Tensor) -> BackedBatches:
        """Return the samples at positions ``rows``, still on disk."""
        at = rows.cpu().numpy().astype(np.int64)
        return replace(self, measured=self.measured[rows.cpu()], rows=self.rows[at])

    def alone(self, name: str) -> BackedBatches:
        """Return the samples with one of the views alone."""
        return replace(
            self,
            views={name: self.views[name]},
            n_features={name: self.n_features[name]},
            measured=self.measured[:, [list(self.n_features).index(name)]],
            gaps={name: self.gaps[name]},
            own=self.own & {name},
        )

    def to(self, device: torch.device) -> BackedBatches:
        """Return samples whose batches are put on ``device``."""
        return replace(self, device=device)

    def load(self) -> Batch:
        """Read all samples into memory."""
        return self._read(np.arange(len(self)))

    def n_measured(self, name: str) -> Tensor:
        """Count the samples in which each feature of a view was measured: (n_features,)."""
        n_rows = int(self.measured[:, list(self.n_features).index(name)].sum())
        gaps, view = self.gaps[name], self.views[name]
        if view is not None and gaps.any() and len(self) < len(view.view.position):
            gaps = np.zeros_like(gaps)
            for chunk in self.chunks():
                observed = chunk.observed[name]
                if observed is not None:
                    measured = chunk.measured[:, list(self.n_features).index(name)]
                    gaps += (~observed & measured[:, None]).sum(dim=0).cpu().numpy()
        return torch.from_numpy(n_rows - gaps).to(torch.float32).to(self.device)

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Shuffle the samples into batches of nearly equal size, by torch's generator.

        Blocks of neighbouring samples are read in random order into a buffer,
        which is shuffled and cut into batches, while the next one is read. Where
        everything fits into one buffer, batches are those of :meth:`Batch.batches`.
        """
        sizes = _sizes(len(self), batch_size)
        per_buffer = max(1, self.buffer_rows // sizes[0])
        if len(self) <= self.buffer_rows:
            per_buffer = len(sizes)
        groups = [sizes[at : at + per_buffer] for at in range(0, len(sizes), per_buffer)]
        buffers = self._shuffled([sum(group) for group in groups])
        for group, buffer in zip(groups, prefetched(self._read, buffers), strict=True):
            start = 0
            for size in group:
                yield _slice(buffer, start, start + size).to(self.device)
                start += size
            del buffer

    def chunks(self, most: int = CHUNK_ROWS) -> Iterator[Batch]:
        """Pass over the samples in their order, a bounded number at a time."""
        size = max(1, min(most, CHUNK_BYTES // self.sample_bytes))
        parts = [
            np.arange(start, min(start + size, len(self))) for start in range(0, len(self), size)
        ]
        for batch in prefetched(self._read, parts):
            yield batch.to(self.device)

    def columns(self, name: str) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Pass over a view some features at a time.

        Yields values of shape (n_samples, n_some), the feature's mean in gaps
        and on samples on which the view was not measured, and which entries
        these are, ``None`` if there are none.
        """
        view = self.views[name]
        if view is None:
            return
        width = max(1, CHUNK_BYTES // (4 * len(view.view.position)))
        straight = len(self.rows) == len(view.view.position) and bool(
            (self.rows == np.arange(len(self.rows))).all()
        )
        for start in range(0, self.n_features[name], width):
            values, gaps = view.columns(start, min(start + width, self.n_features[name]))
            if not straight:
                values, gaps = values[self.rows], None if gaps is None else gaps[self.rows]
            yield torch.from_numpy(values), None if gaps is None else torch.from_numpy(gaps)

    def _shuffled(self, lengths: list[int]) -> list[npt.NDArray[np.int64]]:
        """Draw the order of the samples, cut into buffers of these lengths."""
        if len(lengths) == 1:
            return [torch.randperm(len(self)).numpy()]
        size = self.block_rows
        blocks = torch.randperm(math.ceil(len(self) / size)).numpy()
        rows = (blocks[:, None] * size + np.arange(size)).ravel()
        rows = rows[rows < len(self)]
        parts = np.split(rows, np.cumsum(lengths)[:-1])
        return [part[torch.randperm(len(part)).numpy()] for part in parts]

    def _read(self, at: npt.NDArray[np.int64]) -> Batch:
        """Read the samples at positions ``at``, in that order."""
        values: dict[str, Tensor] = {}
        observed: dict[str, Tensor | None] = {}
        targets: dict[str, Tensor] = {}
        log_sizes: dict[str, Tensor] = {}
        for i, (name, view) in enumerate(self.views.items()):
            if view is None:
                values[name] = torch.zeros(len(at), self.n_features[name])
                observed[name] = None
                if name in self.own:
                    targets[name] = torch.zeros(len(at), self.n_features[name])
                    log_sizes[name] = torch.zeros(len(at))
                continue
            found = view.rows(self.rows[at])
            values[name] = torch.from_numpy(found.values)
            if found.targets is not None and view.log_sizes is not None:
                targets[name] = torch.from_numpy(found.targets)
                sizes = view.log_sizes[self.rows[at]].astype(np.float32)
                log_sizes[name] = torch.from_numpy(sizes)
            # Where any entry of a view is missing, its mask is always there, as in memory.
            mask: Tensor | None = None
            if self.gaps[name].any():
                measured = self.measured[torch.from_numpy(at), i, None]
                mask = measured.expand(found.values.shape)
                if found.missing is not None:
                    mask = mask & ~torch.from_numpy(found.missing)
            observed[name] = mask
        return Batch(values, observed, self.measured[torch.from_numpy(at)], targets, log_sizes)


def _sizes(n_samples: int, batch_size: int) -> list[int]:
    """Sizes of the batches: those of :meth:`Batch.batches`."""
    parts = torch.arange(n_samples).tensor_split(math.ceil(n_samples / batch_size))
    return [len(part) for part in parts]


def _slice(batch: Batch, start: int, stop: int) -> Batch:
    """Some consecutive samples, without copying them."""
    return Batch(
        {name: x[start:stop] for name, x in batch.values.items()},
        {name: None if m is None else m[start:stop] for name, m in batch.observed.items()},
        batch.measured[start:stop],
        {name: x[start:stop] for name, x in batch.targets.items()},
        {name: x[start:stop] for name, x in batch.log_sizes.items()},
    )
