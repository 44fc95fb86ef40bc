"""Companions: further fits from other starts, whose latents steady the network of samples.

One fit's latents depend on where it started. The network in which samples are
clustered takes the similarities of several fits, of which the first is the model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from torch import Tensor

from poems.config import Settings
from poems.errors import TrainingError
from poems.estimates import estimate_samples
from poems.findings import Finding, count
from poems.model import POEMS
from poems.nn.batch import Batch, SampleSource
from poems.training.loop import Callback, Status, train
from poems.training.progress import progress_bar

# Epochs of a companion, as a share of the model's: what separates samples settles early, what
# still changes then are loadings near the threshold.
_EPOCHS_SHARE = 0.5

Start = Callable[[Settings], tuple[POEMS, SampleSource, Batch | None]]


def companion_settings(settings: Settings, n_samples: int, number: int) -> Settings:
    """Return the settings of a fit's companion: half the epochs, no dropout in the encoders.

    Dropout helps to find the true loadings and blurs where samples lie. The
    model is for the former, its companions for the latter. Every second one has
    a dense decoder, which errs in other ways than a sparse one.

    Parameters
    ----------
    settings
        Those of the model.
    n_samples
        Number of training samples, which the number of epochs depends on.
    number
        Which companion, counted from 0.

    Examples
    --------
    >>> [companion_settings(Settings(), 1000, number).model.decoder for number in range(3)]
    ['sparse', 'dense', 'sparse']
    """
    epochs = max(1, round(_EPOCHS_SHARE * settings.training.n_epochs(n_samples)))
    decoder = "dense" if number % 2 else settings.model.decoder
    return settings.updated(epochs=epochs, encoder_dropout=0.0, decoder=decoder)


def companion_latents(
    start: Start, data: SampleSource, settings: Settings, *, progress: bool
) -> tuple[list[Tensor], list[Finding]]:
    """Fit the companions one after the other; return their latents of all samples.

    An interrupt, or a training that fails, leaves out this companion and those
    after it, and is a finding: the model itself stands.

    Parameters
    ----------
    start
        Builds a model with a companion's settings at a start of its own, with
        its training and held-out samples; draws from torch's generator.
    data
        All samples, preprocessed.
    settings
        Those of the model, from which its companions' follow.
    progress
        Whether to show a progress bar for each.

    Returns
    -------
    A tensor of shape (n_samples, n_active) a companion, and what was noticed.
    """
    latents: list[Tensor] = []
    for number in range(settings.training.companions):
        own = companion_settings(settings, len(data), number)
        try:
            module, training_part, held_out = start(own)
            what = f"companion {number + 1} of {settings.training.companions}"
            with progress_bar(what) if progress else contextlib.nullcontext() as bar:
                callbacks: tuple[Callback, ...] = () if bar is None else (bar,)
                training = train(module, training_part, own, held_out=held_out, callbacks=callbacks)
        except (TrainingError, KeyboardInterrupt) as error:
            return latents, [_cut_short(len(latents), settings, str(error) or "interrupted")]
        if training.status in (Status.INTERRUPTED, Status.INTERRUPTED_EARLY):
            return latents, [_cut_short(len(latents), settings, "interrupted")]
        module = module.cpu()
        loc = estimate_samples(module, data).loc
        latents.append(loc[:, module.driving()])
    return latents, []


def _cut_short(n_done: int, settings: Settings, reason: str) -> Finding:
    wanted = settings.training.companions
    return Finding(
        "warning",
        "companions-cut-short",
        f"{n_done} of {count(wanted, 'companion')} done ({reason}): the network of samples rests "
        "on fewer fits, and subtypes depend more on the seed; fit again to have them all",
    )
