"""Control of wrong pairs of feature and factor, by a repetition whose truth is known.

A pair's score is the absolute mean of its loading over the refits, in which
factors are matched to the reference fit and oriented, and zeros count: large
loadings that are always selected score high, and what changes sign or comes
and goes does not. The whole procedure (reference fit, refits, matching) is
repeated on a cohort whose truth is the reference fit and whose residuals were
permuted. What scores there outside that truth says how many wrong pairs to
expect at each score: features of no factor that were selected by chance,
features that belong to another factor, and factors that were mixed or made up.

True pairs that the reference missed are none in the repetition, and where little
is known of the latents, as from values of 0 and 1, many wrong pairs come with
true ones: features of one factor that are taken for another's. A repetition of
fewer true pairs has then too few wrong ones, but their share is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from poems.resampling.alignment import LEAST_SIMILARITY
from poems.resampling.factor_matching import match_factors

_Floats = npt.NDArray[np.float64]
_Tables = Mapping[str, npt.NDArray[np.floating]]


def pair_scores(aligned: Sequence[_Tables]) -> dict[str, _Floats]:
    """Compute the absolute mean of each loading over the refits, by view.

    Parameters
    ----------
    aligned
        One mapping per refit: view to loadings of shape (n_features, n_factors),
        in the reference's order and sign, zeros where the factor was not found.

    Examples
    --------
    >>> pair_scores([{"a": np.array([[1.0, 0.5]])}, {"a": np.array([[2.0, -0.5]])}])
    {'a': array([[1.5, 0. ]])}
    """
    return {name: np.abs(np.mean([each[name] for each in aligned], axis=0)) for name in aligned[0]}


@dataclass(frozen=True, eq=False)
class JudgedScores:
    """Scores of the pairs of a repetition whose truth is known, one axis each."""

    right: _Floats
    wrong: _Floats


def judged_scores(
    truth: Mapping[str, npt.NDArray[np.floating]],
    found: Mapping[str, npt.NDArray[np.floating]],
    scores: Mapping[str, _Floats],
) -> JudgedScores:
    """Part the scores of a repetition whose truth is known into right and wrong pairs'.

    Its reference's factors are matched to the true ones. A pair is right if the
    matched factor truly drives the feature; every pair of a factor that
    resembles no true one is wrong.

    Parameters
    ----------
    truth
        View to true loadings, of shape (n_features, n_true).
    found, scores
        View to loadings of the repetition's reference, and to the scores of its
        pairs, of shape (n_features, n_found).
    """
    match = match_factors(truth, found)
    matched = (match.estimated >= 0) & (match.similarity >= LEAST_SIMILARITY)
    right, wrong = [], []
    for name, values in scores.items():
        true = np.zeros(values.shape, dtype=bool)
        true[:, match.estimated[matched]] = truth[name][:, matched] != 0
        right.append(values[true])
        wrong.append(values[~true])
    return JudgedScores(np.concatenate(right), np.concatenate(wrong))


def q_values(
    scores: Mapping[str, _Floats], repetitions: Sequence[JudgedScores], *, by_share: bool = False
) -> dict[str, _Floats]:
    r"""Estimate, for each pair, the false discovery rate of all pairs that score as high.

    .. math::
        q(s) = \min_{t \le s} \frac{(1 + \sum_b V_b(t)) / B}{R(t)},

    R(t) the number of pairs that score t or more, V_b(t) the number of wrong
    ones among those of repetition b. The one added (as in the target-decoy
    competition of proteomics, and in knockoffs) keeps the estimate from
    promising no errors on the ground of a few scores: with one repetition, a
    rate of 10 % is not reached by fewer than 10 pairs.

    Parameters
    ----------
    scores
        View to scores of shape (n_features, n_factors), from 0.
    repetitions
        Scores of the right and the wrong pairs of each.
    by_share
        Whether the rate is the larger of two estimates: as many wrong pairs as
        in the repetitions, and as large a share. Their mean number of pairs that score t
        or more then stands for R(t) where it is smaller.

    Returns
    -------
    View to q-values of the same shape, at most 1; 1 where the score is 0.

    Examples
    --------
    >>> scores = {"a": np.array([[3.0, 2.0], [1.0, 0.0]])}
    >>> again = JudgedScores(right=np.array([2.5, 0.0]), wrong=np.array([1.5]))
    >>> q_values(scores, [again])
    {'a': array([[0.5       , 0.5       ],
           [0.66666667, 1.        ]])}
    >>> q_values(scores, [again], by_share=True)
    {'a': array([[1., 1.],
           [1., 1.]])}
    """
    pooled = np.concatenate([each.ravel() for each in scores.values()])
    levels = np.unique(pooled[pooled > 0])
    false = np.concatenate([each.wrong for each in repetitions])
    n_false = (1 + _reaching(levels, false)) / len(repetitions)
    n_selected = _reaching(levels, pooled)
    if by_share:
        again = np.concatenate([false, *(each.right for each in repetitions)])
        n_again = _reaching(levels, again) / len(repetitions)
        # Where no pair of a repetition scores as high it tells nothing: a rate of 1.
        n_selected = np.maximum(np.minimum(n_selected, n_again), n_false)
    rate = n_false / n_selected
    # From the lowest level up: a pair has the best rate of all selections that it is part of.
    rate = np.minimum.accumulate(rate)
    q = {}
    for name, values in scores.items():
        q[name] = np.ones(values.shape)
        positive = values > 0
        q[name][positive] = np.minimum(rate[np.searchsorted(levels, values[positive])], 1.0)
    return q


def _reaching(levels: _Floats, scores: _Floats) -> npt.NDArray[np.intp]:
    """Count the scores that are as high as each level or higher."""
    return len(scores) - np.searchsorted(np.sort(scores), levels)
