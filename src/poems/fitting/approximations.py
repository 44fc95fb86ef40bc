"""What is said of a fit to a cohort on disk: in what it differs from one in memory."""

from __future__ import annotations

from collections.abc import Iterator

from poems.findings import Finding
from poems.scaling.batch import Batch
from poems.scaling.disk.batches import BackedBatches
from poems.scaling.disk.subset import MOST_SAMPLES
from poems.settings.schema import Settings
from poems.training.starts.on_disk import is_exact


def approximations(data: BackedBatches, settings: Settings) -> Iterator[Finding]:
    """Say in what a fit to a cohort on disk differs from one in memory."""
    batch = min(settings.training.batch_size, len(data))
    # Blocks of one sample are no blocks: the order is then as random as in memory.
    if len(data) > max(batch, data.buffer_rows) and data.block_rows > 1:
        held = max(batch, data.buffer_rows // batch * batch)
        text = (
            f"mini-batches are shuffled within buffers of {held} samples, read as blocks of "
            f"{data.block_rows} neighbours in random order, not over all {len(data)} samples. If "
            "neighbours in the file are alike, shuffle its rows once"
        )
        yield Finding("note", "shuffled-in-blocks", text)
    if settings.model.start == "sparse_linear" and not is_exact(data):
        text = (
            "the start's principal components were found by randomised subspace iteration, for "
            f"{len(data)} samples and {sum(data.n_features.values())} features are too many to "
            "decompose exactly"
        )
        yield Finding("note", "start-randomised", text)
    if len(data) > MOST_SAMPLES:
        text = (
            f"loadings are derivatives averaged over a random subset of {MOST_SAMPLES} of "
            f"{len(data)} samples; latents and R² are of all"
        )
        yield Finding("note", "loadings-subset", text)


def unwatched(n_held_out: int, held_out: Batch | None) -> Iterator[Finding]:
    """Say if some of the samples held out do not fit in memory, and are not watched."""
    if held_out is not None and len(held_out) < n_held_out:
        text = (
            f"the held-out objective is that of a random subset of {len(held_out)} of "
            f"{n_held_out} held-out samples, which fit into memory"
        )
        yield Finding("note", "held-out-subset", text)
