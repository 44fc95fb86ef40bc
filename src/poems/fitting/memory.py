"""How much memory a fit takes, estimated before any of it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from poems.data import MultiOmics
from poems.data.disk.view import BackedCohort
from poems.data.stored.memory import memory_left
from poems.errors import DataError
from poems.fitting.after_training import LARGEST_NETWORK
from poems.settings.schema import Settings

# Copies of the parameters: they, their gradients, two moments, the best state, the model that is
# kept, and what is laid out anew in a step.
_COPIES = 8
# Arrays of the size of all values in memory, in single precision: scaled ones, where they are
# missing, and what the start, the estimates and the diagnosis hold beside them.
_OF_VALUES = 10
# The same of one mini-batch, and of all pairs of samples (networks).
_OF_BATCH, _OF_PAIRS = 8, 6
# The libraries themselves, and what they compile.
_BASE = 500e6


def fit_memory(cohort: MultiOmics, kept: Mapping[str, int], settings: Settings) -> int:
    """Estimate the bytes that a fit takes beside the cohort's own tables.

    Parameters
    ----------
    cohort
        The cohort.
    kept
        Features of each view that are fitted.
    settings
        Of the fit.
    """
    n, d = cohort.n_samples, sum(kept.values())
    in_batch = min(n, settings.training.batch_size)
    in_memory = in_batch if isinstance(cohort, BackedCohort) else n
    parameters = sum(_parameters(features, settings) for features in kept.values())
    pairs = n * n if n <= LARGEST_NETWORK else 0
    values = _OF_VALUES * in_memory * d + _OF_BATCH * in_batch * d
    return int(_BASE + 4 * (_COPIES * parameters + values + _OF_PAIRS * pairs * len(kept)))


def require_fit_memory(
    cohort: MultiOmics, kept: Mapping[str, int], settings: Settings, left: int | None = None
) -> None:
    """Refuse a fit that memory does not suffice for, before any of it is taken.

    Parameters
    ----------
    left
        Bytes; by default what the system says is left, and where it does not, nothing is refused.

    Raises
    ------
    DataError
        If it does not; the text says what takes most.
    """
    left = memory_left() if left is None else left
    needed = fit_memory(cohort, kept, settings)
    if left is None or needed <= left:
        return
    parameters = _COPIES * 4 * sum(_parameters(features, settings) for features in kept.values())
    layers = ", ".join(map(str, settings.model.encoder_layers))
    text = (
        f"the fit would take some {_gigabytes(needed)} GB of memory, and {_gigabytes(left)} GB are "
        "left. "
    )
    if parameters > needed / 2:
        text += (
            f"Most of it are parameters ({_gigabytes(parameters)} GB, with n_latent "
            f"{settings.model.n_latent}, encoder_layers {layers} and decoder_hidden "
            f"{settings.model.decoder_hidden}): lower these, or keep fewer features (most_variable)"
        )
    else:
        text += (
            "Most of it are the values: leave them on disk (backed=True, --backed), or keep fewer "
            "features (most_variable)"
        )
    raise DataError(text)


def _parameters(n_features: int, settings: Settings) -> int:
    """Count the parameters of a view's encoder, decoder and likelihood."""
    model = settings.model
    layers = [n_features, *model.encoder_layers, 2 * model.n_latent]
    encoder = sum(n * m for n, m in pairwise(layers))
    decoder = n_features * (model.n_latent + model.decoder_hidden + 6)
    return encoder + decoder + model.decoder_hidden * model.n_latent


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.3g}"
