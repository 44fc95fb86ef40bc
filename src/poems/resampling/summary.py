"""From refits to a Stability: everything matched, averaged, counted and calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from poems.data.container import MultiOmics
from poems.fitting.result import FittedPoems
from poems.resampling.alignment import Alignment, align, aligned_loadings, chance_similarity
from poems.resampling.consensus import consensus_latent, ensemble
from poems.resampling.draws import Draw, Resample
from poems.resampling.error_control import JudgedScores, judged_scores, pair_scores, q_values
from poems.resampling.permutation import has_own_scale
from poems.resampling.refits import Refit, all_features
from poems.resampling.result import Stability


def summarise(
    cohort: MultiOmics,
    reference: FittedPoems,
    draws: Sequence[Draw],
    refits: Sequence[Refit],
    repetitions: Sequence[Sequence[Refit]],
    sizes: Sequence[int],
    *,
    resample: Resample,
    seed: int,
) -> Stability:
    """Match all refits to the reference, and average, count and calibrate.

    Parameters
    ----------
    cohort, reference
        The cohort, and its fit on all samples.
    draws, refits
        What was drawn, and what came of it.
    repetitions
        By repetition on permuted data, its reference followed by its refits.
    sizes
        Numbers of clusters that the refits formed.
    resample, seed
        Kept in the result.
    """
    loadings = all_features(reference, cohort.views)
    latent = reference.latent.to_numpy()
    alignments = [align(loadings, latent, each.loadings, each.latent) for each in refits]
    aligned = [
        aligned_loadings(each.loadings, alignment)
        for each, alignment in zip(refits, alignments, strict=True)
    ]
    scores = pair_scores(aligned)
    mean = {name: np.mean([each[name] for each in aligned], axis=0) for name in loadings}
    frequency = {name: np.mean([each[name] != 0 for each in aligned], axis=0) for name in loadings}
    if repetitions:
        truth = {name: table.to_numpy() for name, table in reference.loadings.items()}
        judged = [_judged(truth, each) for each in repetitions]
        q = q_values(scores, judged, by_share=has_own_scale(reference))
    else:
        q = {name: np.full(table.shape, np.nan) for name, table in scores.items()}

    factors = reference.factor_names

    def table(values: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
        return {
            name: pd.DataFrame(values[name], index=view.features, columns=factors)
            for name, view in cohort.views.items()
        }

    return Stability(
        reference=reference,
        resample=resample,
        n_permutations=len(repetitions),
        seed=seed,
        factor_stability=_factor_stability(reference, loadings, refits, alignments, seed),
        selection_frequency=table(frequency),
        mean_loadings=table(mean),
        q_values=table(q),
        consensus_latent=pd.DataFrame(
            consensus_latent(latent, refits, alignments), index=cohort.samples, columns=factors
        ),
        ensemble=pd.DataFrame(
            ensemble(refits),
            index=cohort.samples,
            columns=[
                f"run_{run}_factor_{factor + 1}"
                for run, each in enumerate(refits, start=1)
                for factor in range(each.n_factors)
            ],
        ),
        clusterings={k: np.stack([each.clusters[k] for each in refits]) for k in sizes},
        runs=_runs(draws, refits, alignments),
        held_out_r2=_held_out_r2(refits),
        selected={name: np.stack([each[name] != 0 for each in aligned]) for name in loadings},
    )


def _judged(truth: Mapping[str, Any], repetition: Sequence[Refit]) -> JudgedScores:
    """Return the scores of a repetition's pairs; its first fit is its reference."""
    own, *refits = repetition
    aligned = [
        aligned_loadings(each.loadings, align(own.loadings, own.latent, each.loadings, each.latent))
        for each in refits
    ]
    return judged_scores(truth, own.loadings, pair_scores(aligned))


def _factor_stability(
    reference: FittedPoems,
    loadings: Mapping[str, Any],
    refits: Sequence[Refit],
    alignments: Sequence[Alignment],
    seed: int,
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    chance = np.stack([chance_similarity(loadings, each.loadings, rng) for each in refits])
    return pd.DataFrame(
        {
            "similarity": np.mean([each.similarity for each in alignments], axis=0),
            "chance": chance.mean(axis=0),
            "chance_95": np.quantile(chance, 0.95, axis=0),
            "found": np.mean([each.found for each in alignments], axis=0),
        },
        index=pd.Index(reference.factor_names, name="factor"),
    )


def _runs(
    draws: Sequence[Draw], refits: Sequence[Refit], alignments: Sequence[Alignment]
) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "seed": [draw.seed for draw in draws],
            "n_samples": [len(np.unique(draw.rows)) for draw in draws],
            "n_factors": [each.n_factors for each in refits],
            "n_found": [int(each.found.sum()) for each in alignments],
        }
    )
    table.index = pd.RangeIndex(1, len(table) + 1, name="run")
    return table


def _held_out_r2(refits: Sequence[Refit]) -> pd.DataFrame:
    rows = [
        {"run": run, "view": view, "model": value, "pca": each.r2_pca[view]}
        for run, each in enumerate(refits, start=1)
        for view, value in each.r2.items()
    ]
    return pd.DataFrame(rows, columns=["run", "view", "model", "pca"])
