"""What an embedding and its clusters say about survival."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from poems.analysis.survival.concordance import fold_concordance, fold_rows
from poems.analysis.survival.cox import RIDGE
from poems.analysis.survival.logrank import logrank
from poems.clustering.agreement import Labels, Points, as_codes
from poems.errors import DataError
from poems.files.text_numbers import to_numbers

_Floats = npt.NDArray[np.float64]

FOLDS, REPEATS = 5, 3


@dataclass(frozen=True)
class Concordance:
    """Concordance over the folds of a cross-validation.

    Parameters
    ----------
    mean
        Mean over the folds; 0.5 is chance, 1 the right order throughout.
        ``NaN`` if no fold could be scored.
    sd
        Standard deviation over the folds.
    n_folds
        Folds that were scored.
    n_failed
        Folds on which the model did not converge or no pair could be compared.
    """

    mean: float
    sd: float
    n_folds: int
    n_failed: int


def logrank_p(time: Labels, event: Labels, clusters: Labels) -> float:
    """Compute the p-value of the log-rank test that all clusters survive alike.

    Parameters
    ----------
    time
        Follow-up of each sample; samples without are left out.
    event
        1 or true where the event was seen at that time, 0 where follow-up ended.
    clusters
        Cluster of each sample.

    Raises
    ------
    DataError
        If times or events are not numbers, or no event was seen.

    Examples
    --------
    >>> logrank_p([1, 2, 3, 9, 9, 9], [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]) < 0.05
    True
    """
    known, times, events = _known(time, event)
    return logrank(times, events, as_codes("clusters", clusters)[known]).p


def cox_concordance(
    points: Points,
    time: Labels,
    event: Labels,
    *,
    ridge: float = RIDGE,
    n_folds: int = FOLDS,
    n_repeats: int = REPEATS,
) -> Concordance:
    """Compute the cross-validated concordance of a ridge-penalised Cox model on an embedding.

    Within each fold the embedding is standardised and the model fitted on the
    other folds; folds hold equal shares of events, and are drawn anew in each
    repeat (seeds 0, 1, …).

    Parameters
    ----------
    points
        Embedding of shape (n_samples, n_dimensions).
    time, event
        As in :func:`logrank_p`.
    ridge
        Weight of the squared coefficients beside the mean log partial
        likelihood (the ``penalizer`` of lifelines).
    n_folds, n_repeats
        Of the cross-validation.

    Raises
    ------
    DataError
        If times or events are not numbers, or there are fewer events, or
        fewer samples without, than folds.
    """
    known, times, events = _known(time, event)
    x = np.asarray(points, dtype=np.float64)[known]
    fewest = int(min(events.sum(), (~events).sum()))
    if fewest < n_folds:
        raise DataError(
            f"{n_folds} folds need as many events and as many censored samples; there are "
            f"{int(events.sum())} and {int((~events).sum())}"
        )
    scores = []
    for repeat in range(n_repeats):
        for learn, test in fold_rows(events, n_folds, repeat):
            scores.append(fold_concordance(x, times, events, learn, test, ridge))
    found = np.array([score for score in scores if score is not None])
    if not len(found):
        return Concordance(np.nan, np.nan, 0, len(scores))
    sd = float(found.std(ddof=1)) if len(found) > 1 else np.nan
    return Concordance(float(found.mean()), sd, len(found), len(scores) - len(found))


def _known(
    time: Labels, event: Labels
) -> tuple[npt.NDArray[np.bool_], _Floats, npt.NDArray[np.bool_]]:
    """Return which samples have follow-up, and their times and events."""
    found = {name: to_numbers(cells) for name, cells in (("time", time), ("event", event))}
    for name, numbers in found.items():
        if numbers.wrong.any():
            first = np.asarray(time if name == "time" else event)[numbers.wrong][0]
            raise DataError(f"times and events must be numbers; a value of {name} is {first!r}")
    times, events = found["time"].values, found["event"].values
    if len(times) != len(events):
        raise DataError(f"there are {len(times)} times for {len(events)} events")
    known = np.isfinite(times) & np.isfinite(events)
    if not np.isin(events[known], (0, 1)).all():
        raise DataError("events must be 1 where the event was seen and 0 where it was not")
    if not events[known].any():
        raise DataError("no event was seen on any sample with a time")
    return known, times[known], events[known] == 1
