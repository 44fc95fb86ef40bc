"""The values of a cohort that pairs of features are correlated on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.pairs.null import SharedSamples, share_samples
from poems.analysis.pairs.universe import fitting_cap, most_coherent
from poems.data import MultiOmics
from poems.data.disk.view import BackedCohort
from poems.findings import Finding, count
from poems.scaling.disk.subset import MOST_ENTRIES, MOST_SAMPLES, random_rows

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

# Pairs that are correlated at once.
_CORRELATED: Final = 1000
# Samples below which two views share too few to be correlated.
FEWEST_SHARED: Final = 5
# What a pair costs beside its samples, in samples: to compare and to count.
_OVERHEAD: Final = 400

_Floats = npt.NDArray[np.float64]
_Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class PairData:
    """Preprocessed values, and what is shared by each two views.

    Parameters
    ----------
    values, there
        By view, values of shape (n_samples, n_features), and which were measured.
    shared
        By pair of views, their common samples; pairs with too few are left out.
    kept
        By view, the features that are tested.
    findings
        What was absent, unknown, or left out.
    """

    values: Mapping[str, npt.NDArray[np.float32]]
    there: Mapping[str, npt.NDArray[np.bool_]]
    shared: Mapping[tuple[str, str], SharedSamples]
    kept: Mapping[str, npt.NDArray[np.intp]]
    n_samples: int
    findings: tuple[Finding, ...]

    def correlations(
        self, view_a: str, first: _Positions, view_b: str, second: _Positions
    ) -> tuple[_Floats, npt.NDArray[np.int64]]:
        """Correlate features pair by pair over the samples that have both, and count these."""
        r, n = np.full(len(first), np.nan), np.zeros(len(first), dtype=np.int64)
        for start in range(0, len(first), _CORRELATED):
            piece = slice(start, start + _CORRELATED)
            j, k = first[piece], second[piece]
            both = self.there[view_a][:, j] & self.there[view_b][:, k]
            n[piece] = both.sum(axis=0)
            x = _centred(self.values[view_a][:, j], both)
            y = _centred(self.values[view_b][:, k], both)
            length = np.sqrt(np.square(x).sum(axis=0) * np.square(y).sum(axis=0))
            product = (x * y).sum(axis=0)
            r[piece] = np.divide(product, length, out=r[piece], where=length > 0)
        return r, n


def _centred(x: npt.NDArray[np.float32], there: npt.NDArray[np.bool_]) -> _Floats:
    values = np.where(there, x, 0.0).astype(np.float64)
    # Of a feature never measured: the mean of no values is not used, all of it is 0 below.
    mean = values.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return np.where(there, values - mean, 0.0)


def pair_data(
    model: FittedPoems,
    cohort: MultiOmics,
    chosen: Mapping[str, Any] | None,
    pairs: pd.DataFrame | None,
    work: int,
    seed: int,
) -> PairData:
    """Preprocess a cohort as the model does, and choose the features that are tested.

    Parameters
    ----------
    model
        The fitted model.
    cohort
        In memory or on disk; of very many samples a random subset is taken.
    chosen, pairs
        Restrictions; with either all features are kept.
    work
        Pairs times samples, at most.
    seed
        Of the subset.
    """
    samples, findings = _in_memory(cohort, seed)
    batch, noticed = model.preprocessing.apply(samples)
    findings += [*cohort.findings, *noticed]
    values, there = {}, {}
    for i, view in enumerate(model.view_names):
        values[view] = batch.values[view].numpy()
        mask = np.repeat(batch.measured[:, i].numpy()[:, None], values[view].shape[1], axis=1)
        observed = batch.observed[view]
        there[view] = mask if observed is None else mask & observed.numpy()
    shared: dict[tuple[str, str], SharedSamples] = {}
    for a, b in combinations(model.view_names, 2):
        if pairs is not None and not ((pairs["view_a"] == a) & (pairs["view_b"] == b)).any():
            continue
        both = share_samples(values[a], values[b], (there[a], there[b]))
        if len(both.rows) < FEWEST_SHARED:
            text = (
                f"{a} and {b} were both measured on {count(len(both.rows), 'sample')}, fewer than "
                f"{FEWEST_SHARED}: no pairs of the two were tested"
            )
            findings.append(Finding("warning", "cross-omic-few-shared", text))
            continue
        shared[a, b] = both
    kept = {view: np.arange(x.shape[1]) for view, x in values.items()}
    costs = {views: len(both.rows) + _OVERHEAD for views, both in shared.items()}
    sizes = {view: len(own) for view, own in kept.items()}
    if chosen is None and pairs is None and shared:
        cap = fitting_cap(sizes, costs, work)
        for view, size in sizes.items():
            if size > cap and any(view in views for views in shared):
                both = share_samples(values[view], values[view], (there[view], there[view]))
                n_components = model.settings.model.n_latent
                kept[view] = most_coherent(both.a, cap, n_components, seed)
                text = (
                    f"{cap} of {size} features were tested for cross-omic pairs, those that the "
                    "view's own principal components explain best (a choice that knows nothing of "
                    "the other views), for all would take too long; raise work, or restrict to "
                    "features or cis pairs"
                )
                findings.append(Finding("note", "cross-omic-universe", text, view))
    return PairData(values, there, shared, kept, samples.n_samples, tuple(findings))


def _in_memory(cohort: MultiOmics, seed: int) -> tuple[MultiOmics, list[Finding]]:
    """Return the cohort, or a part of it that fits into memory, with a finding."""
    n_features = sum(view.n_features for view in cohort.views.values())
    most = min(MOST_SAMPLES, max(FEWEST_SHARED, 4 * MOST_ENTRIES // max(1, n_features)))
    findings = []
    if cohort.n_samples > most:
        text = (
            f"cross-omic pairs were tested on a random subset of {most} of {cohort.n_samples} "
            "samples"
        )
        findings.append(Finding("note", "cross-omic-subset", text))
        rows = random_rows(cohort.n_samples, most, seed).numpy()
        cohort = cohort.take(rows)
    return (cohort.load() if isinstance(cohort, BackedCohort) else cohort), findings
