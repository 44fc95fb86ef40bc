"""How sure the place of each sample is, and each subtype: from clusterings made again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.subtypes.result import Subtypes
from poems.analysis.subtypes.subsampling import mean_consensus

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

# A sample is uncertain if its own subtype has less than this share of the probability, or of the
# consensus.
CERTAIN: Final = 0.75
# Hennig (2007): below, a cluster is dissolved rather than found again; above, it is stable.
UNSTABLE: Final = 0.6
STABLE: Final = 0.75


@dataclass(frozen=True, eq=False)
class Evidence:
    """How samples are put together again and again, by subsamples or by refits; made by :meth:`of`.

    Parameters
    ----------
    matrix
        Consensus of every two samples, (n_samples, n_samples).
    jaccard
        Of each subtype, how well it is found again, (n_subtypes,).
    own, other
        Each sample's mean consensus with its own subtype, and with that of the others
        with which it is largest, (n_samples,).
    following
        Which subtype that is, by its place.
    """

    matrix: Floats
    jaccard: Floats
    own: Floats
    following: Codes
    other: Floats

    @classmethod
    def of(cls, matrix: Floats, jaccard: Floats, codes: Codes) -> Evidence:
        """Compare each sample's consensus with its own subtype and with the others."""
        mean = mean_consensus(matrix, codes, len(jaccard))
        at = np.arange(len(codes))
        own = mean[at, codes]
        mean[at, codes] = -1.0
        following = np.where(np.isnan(mean), -1.0, mean).argmax(axis=1)
        other = np.where(len(jaccard) > 1, mean[at, following], np.nan)
        return cls(matrix, jaccard, own, following, other)

    @property
    def certainty(self) -> Floats:
        """Consensus with the own subtype, or its share of that with it and the next, if larger.

        A sample between two subtypes has little of both. Where a whole subtype
        falls apart, or two become one, the table of subtypes says so.
        """
        # Without another subtype the share is 1; of nothing known it is NaN, which fmax leaves out.
        with np.errstate(divide="ignore", invalid="ignore"):
            share = self.own / (self.own + np.nan_to_num(self.other))
        larger: Floats = np.fmax(self.own, share)
        return larger


def certainty_of_samples(
    subtypes: Subtypes,
    names: list[str],
    rows: Codes,
    evidence: Evidence,
    refits: Evidence | None,
    probability: pd.Series | None,
) -> pd.DataFrame:
    """Return one row per sample, see :class:`poems.analysis.subtypes.assessment.SubtypeAssessment`.

    ``names`` are the subtypes, ``rows`` the positions of the samples that the evidence is of;
    of the others nothing is known.
    """
    index = subtypes.assignment.index
    n_samples = len(index)

    def spread(values: Floats) -> Floats:
        column = np.full(n_samples, np.nan)
        column[rows] = values
        return column

    own = np.full(n_samples, np.nan)
    if probability is not None:
        own = probability.reindex(index).to_numpy(dtype=np.float64)
    following = np.full(n_samples, "", dtype=object)
    if len(names) > 1:
        following[rows] = np.array(names, dtype=object)[evidence.following]
    table = pd.DataFrame(
        {
            "sample": index,
            "subtype": subtypes.assignment.to_numpy(),
            "probability": own,
            "consensus": spread(evidence.own),
            "next_subtype": following,
            "next_consensus": spread(evidence.other),
            "silhouette": subtypes.sample_silhouette.to_numpy(dtype=np.float64),
        }
    )
    shares = [own, spread(evidence.certainty)]
    if refits is not None:
        table["refit_consensus"] = spread(refits.own)
        shares.append(spread(refits.certainty))
    stacked = np.stack(shares)
    known = ~np.isnan(stacked)
    doubtful = (known & (stacked < CERTAIN)).any(axis=0)
    table["uncertain"] = pd.array(doubtful, dtype="boolean")
    table.loc[~known.any(axis=0), "uncertain"] = pd.NA
    return table


def certainty_of_subtypes(
    samples: pd.DataFrame, names: list[str], evidence: Evidence, refits: Evidence | None
) -> pd.DataFrame:
    """Return one row per subtype: means over its samples, and how well it is found again."""
    groups = samples.groupby("subtype")
    means = groups[["consensus", "silhouette", "probability"]].mean().loc[names]
    table = pd.DataFrame(
        {
            "subtype": names,
            "n_samples": groups.size().loc[names].to_numpy(),
            "consensus": means["consensus"].to_numpy(),
            "jaccard": evidence.jaccard,
            "silhouette": means["silhouette"].to_numpy(),
            "probability": means["probability"].to_numpy(),
            "n_uncertain": groups["uncertain"].sum().loc[names].to_numpy(dtype=np.int64),
        }
    )
    if refits is not None:
        table["refit_consensus"] = groups["refit_consensus"].mean().loc[names].to_numpy()
        table["refit_jaccard"] = refits.jaccard
    return table
