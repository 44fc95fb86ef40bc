"""Batch: the tensors of some samples, the model's only input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

# Samples that go through a model at once; bounds memory, not the result.
CHUNK_ROWS = 2048


class SampleSource(Protocol):
    """What training and estimates need of samples, in memory or on disk.

    A :class:`Batch` fulfils it, and so does
    :class:`poems.scaling.disk.batches.BackedBatches`.
    """

    @property
    def measured(self) -> Tensor:
        """Was the view measured on the sample? Booleans of shape (n_samples, n_views)."""
        ...

    @property
    def n_features(self) -> Mapping[str, int]:
        """View name to its number of features, in the order of the views."""
        ...

    def __len__(self) -> int: ...

    def take(self, rows: Tensor) -> SampleSource:
        """Return the samples at positions ``rows``."""
        ...

    def to(self, device: torch.device) -> SampleSource:
        """Return samples whose batches are on ``device``."""
        ...

    def n_measured(self, name: str) -> Tensor:
        """Count the samples in which each feature of a view was measured: (n_features,)."""
        ...

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Pass over the samples once, shuffled into mini-batches by torch's generator."""
        ...

    def chunks(self, most: int = CHUNK_ROWS) -> Iterator[Batch]:
        """Pass over the samples in their order, a bounded number at a time."""
        ...


@dataclass(frozen=True)
class Batch:
    """Preprocessed values of some samples.

    Parameters
    ----------
    values
        View name to tensor of shape (n_samples, n_features). Entries that were
        not measured hold any number: they are never read where ``observed``
        or ``measured`` is false, except that the encoder is given the values
        of missing entries in measured rows, which preprocessing sets to the
        feature's mean.
    observed
        View name to a boolean tensor of the same shape, or ``None`` if every
        entry of every measured row is there.
    measured
        Boolean tensor of shape (n_samples, n_views), in the order of
        ``values``: was the view measured on the sample?
    targets
        View name to what the likelihood is given, like ``values``, for views
        where that is another thing: values as they were measured, of which
        ``values`` are residuals (:mod:`poems.scaling.own_scale`).
    log_sizes
        View name to the logarithm of each sample's size, (n_samples,), for the
        same views: it is added to what is predicted.
    """

    values: Mapping[str, Tensor]
    observed: Mapping[str, Tensor | None]
    measured: Tensor
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    log_sizes: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.measured.shape[0])

    @property
    def n_features(self) -> dict[str, int]:
        """View name to its number of features, in the order of the views."""
        return {name: x.shape[1] for name, x in self.values.items()}

    @cached_property
    def _complete(self) -> list[bool]:
        """Whether every sample has the view, for each of them."""
        complete: list[bool] = self.measured.all(dim=0).tolist()
        return complete

    def rows(self, view: int) -> Tensor | None:
        """Positions of the samples that a view was measured on, or ``None`` for all of them."""
        if self._complete[view]:
            return None
        return self.measured[:, view].nonzero().squeeze(1)

    def joined(self) -> Tensor:
        """Values of all views, the views' features one after the other."""
        views = list(self.values.values())
        return views[0] if len(views) == 1 else torch.cat(views, dim=1)

    def joined_targets(self) -> Tensor:
        """What the likelihoods of all views are given, one view's features after the other's."""
        if not self.targets:
            return self.joined()
        return torch.cat([self.targets.get(name, x) for name, x in self.values.items()], dim=1)

    def shifted(self, eta: Tensor) -> Tensor:
        """Add the samples' log sizes to predictions of all views, (n_samples, n_features)."""
        return eta if self.shifts is None else eta + self.shifts

    def shifted_view(self, name: str, eta: Tensor, rows: Tensor | None = None) -> Tensor:
        """Do the same to predictions of one view, (n_rows, n_features), of some samples."""
        if name not in self.log_sizes:
            return eta
        sizes = self.log_sizes[name]
        return eta + (sizes if rows is None else sizes[rows])[:, None]

    @cached_property
    def shifts(self) -> Tensor | None:
        """Log sizes by entry, (n_samples, n_features), or ``None`` if no view has any."""
        if not self.log_sizes:
            return None
        none = self.measured.new_zeros(len(self), dtype=torch.float32)
        parts = [
            self.log_sizes.get(name, none)[:, None].expand(x.shape)
            for name, x in self.values.items()
        ]
        return torch.cat(parts, dim=1)

    def observed_jointly(self) -> Tensor | None:
        """Tell which entries of the measured rows of all views are there.

        Booleans of shape (n_samples, n_features), the views' features one after the other, or
        ``None`` if all are.
        """
        if all(mask is None for mask in self.observed.values()):
            return None
        parts = [
            self.measured[:, i, None].expand(x.shape) if mask is None else mask
            for i, (x, mask) in enumerate(
                zip(self.values.values(), self.observed.values(), strict=True)
            )
        ]
        return torch.cat(parts, dim=1)

    def entries(self) -> Tensor:
        """Tell which entries of all rows are there, those of unmeasured views are not.

        Booleans of shape (n_samples, n_features), the views' features one after the other.
        """
        # Some times as fast as to repeat columns by their counts.
        columns = zip(torch.split(self.measured, 1, dim=1), self.values.values(), strict=True)
        measured = torch.cat([own.expand(x.shape) for own, x in columns], dim=1)
        observed = self.observed_jointly()
        return measured if observed is None else measured & observed

    def present(self) -> Tensor | None:
        """Tell which features, of all views, belong to a view that any sample has.

        Booleans of shape (n_features,), or ``None`` if all do.
        """
        if all(self._complete):
            return None
        views = self.measured.any(dim=0)
        if bool(views.all()):
            return None
        sizes = torch.tensor([x.shape[1] for x in self.values.values()])
        return views.repeat_interleave(sizes.to(views.device))

    def take(self, rows: Tensor) -> Batch:
        """Return the samples at positions ``rows``."""
        return Batch(
            {name: x.index_select(0, rows) for name, x in self.values.items()},
            {
                name: None if mask is None else mask.index_select(0, rows)
                for name, mask in self.observed.items()
            },
            self.measured.index_select(0, rows),
            {name: x.index_select(0, rows) for name, x in self.targets.items()},
            {name: x.index_select(0, rows) for name, x in self.log_sizes.items()},
        )

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Shuffle the samples into batches of nearly equal size, by torch's generator."""
        order = torch.randperm(len(self)).to(self.measured.device)
        for rows in order.tensor_split(math.ceil(len(self) / batch_size)):
            yield self.take(rows)

    def chunks(self, most: int = CHUNK_ROWS) -> Iterator[Batch]:
        """Pass over the samples in their order, some at a time."""
        for rows in torch.split(torch.arange(len(self)), most):
            yield self.take(rows.to(self.measured.device))

    def to(self, device: torch.device) -> Batch:
        """Return the batch on ``device``."""
        return Batch(
            {name: x.to(device) for name, x in self.values.items()},
            {name: None if m is None else m.to(device) for name, m in self.observed.items()},
            self.measured.to(device),
            {name: x.to(device) for name, x in self.targets.items()},
            {name: x.to(device) for name, x in self.log_sizes.items()},
        )

    def n_measured(self, name: str) -> Tensor:
        """Count the samples in which each feature of a view was measured: (n_features,)."""
        rows = self.measured[:, list(self.values).index(name)]
        mask = self.observed[name]
        if mask is None:
            return rows.sum().to(torch.float32).expand(self.values[name].shape[1])
        return (mask & rows[:, None]).sum(dim=0).to(torch.float32)
