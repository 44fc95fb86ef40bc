"""A part of a cohort on disk that fits into memory: a random subset of samples and of features."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from poems.findings import Finding
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches

# Samples of the subset, at most.
MOST_SAMPLES: Final = 10_000
# Entries of the subset, at most; what is computed from them takes some 30 bytes per entry.
MOST_ENTRIES: Final = 24_000_000
# Bytes of held-out samples that are kept in memory, at most.
MOST_HELD_BYTES: Final = 1 << 28


def random_rows(n_samples: int, most: int, seed: int) -> Tensor:
    """Draw at most ``most`` positions of samples, in increasing order.

    >>> random_rows(3, 5, seed=0).tolist()
    [0, 1, 2]
    """
    if n_samples <= most:
        return torch.arange(n_samples)
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(n_samples, generator=generator)[:most].sort().values


def bounded(
    data: Batch | BackedBatches,
    seed: int,
    what: str,
    samples: str = "held-out samples",
    code: str = "held-out-subset",
) -> tuple[Batch, tuple[Finding, ...]]:
    """Return samples in memory: all of them if they fit, a random subset with a finding if not.

    Parameters
    ----------
    data
        The samples.
    seed
        Of the subset.
    what
        What is computed from them, for the finding.
    samples
        What they are, for it too.
    code
        Of the finding.
    """
    if isinstance(data, Batch):
        return data, ()
    most = max(1, min(MOST_SAMPLES, MOST_HELD_BYTES // data.sample_bytes))
    if len(data) <= most:
        return data.load(), ()
    text = (
        f"{what} rests on a random subset of {most} of {len(data)} {samples}, which fit into memory"
    )
    rows = random_rows(len(data), most, seed)
    return data.take(rows).load(), (Finding("note", code, text),)


def feature_subset(data: BackedBatches, n_samples: int, seed: int) -> dict[str, Tensor] | None:
    """Draw the features of each view that fit in beside so many samples; ``None`` for all.

    Half of the room is shared evenly, so that a small view keeps all it has; the
    rest goes by how many features a view has beyond that.
    """
    room = MOST_ENTRIES // max(1, n_samples)
    if sum(data.n_features.values()) <= room:
        return None
    fewest = room // (2 * len(data.n_features))
    left = room - sum(min(width, fewest) for width in data.n_features.values())
    # What a view wants beyond its even share: none that is within it wants less than nothing.
    wanting = sum(max(width - fewest, 0) for width in data.n_features.values())
    found = {}
    for i, (name, width) in enumerate(data.n_features.items()):
        # As above.
        more = left * max(width - fewest, 0) // wanting
        found[name] = random_rows(width, min(width, fewest) + more, seed + i)
    return found


def load_features(data: BackedBatches, features: dict[str, Tensor] | None) -> Batch:
    """Read samples into memory, with some of the features of each view."""
    if features is None:
        return data.load()
    values: dict[str, list[Tensor]] = {name: [] for name in features}
    observed: dict[str, list[Tensor | None]] = {name: [] for name in features}
    targets: dict[str, list[Tensor]] = {name: [] for name in features if name in data.own}
    log_sizes: dict[str, list[Tensor]] = {name: [] for name in targets}
    for chunk in data.chunks():
        for name, columns in features.items():
            mask = chunk.observed[name]
            values[name].append(chunk.values[name][:, columns])
            observed[name].append(None if mask is None else mask[:, columns])
            if name in targets:
                targets[name].append(chunk.targets[name][:, columns])
                log_sizes[name].append(chunk.log_sizes[name])
    return Batch(
        {name: torch.cat(parts) for name, parts in values.items()},
        {
            name: torch.cat([part for part in parts if part is not None])
            if all(part is not None for part in parts)
            else None
            for name, parts in observed.items()
        },
        data.measured,
        {name: torch.cat(parts) for name, parts in targets.items()},
        {name: torch.cat(parts) for name, parts in log_sizes.items()},
    )
