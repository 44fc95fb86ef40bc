"""Markers of subtypes: features that tell a subtype from the others, tested without circularity.

Subtypes are formed from the very features that are then compared between them, so
that a test of any feature against them finds differences in pure noise (double
dipping; Kriegeskorte et al. 2009, Nature Neuroscience 12:535). Holding some
samples out does not help: they are assigned by the feature that is tested. Here
features are held out. Each is tested against subtypes that were formed without it
(cross-fitting): if it is independent of the features of the other half, it is
independent of those subtypes, and the p-value holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from poems.analysis.subtypes.finding import Subtypes
from poems.analysis.subtypes.half_subtypes import HalfSubtypes, half_subtypes
from poems.analysis.subtypes.marker_tests import COLUMNS, marker_table
from poems.analysis.subtypes.markers_alike import markers_alike
from poems.analysis.subtypes.patterns import find_patterns
from poems.data import MultiOmics, read
from poems.errors import DataError
from poems.findings import Finding, name_some
from poems.notebook import Shown
from poems.scaling.batch import Batch
from poems.scaling.disk.subset import random_rows
from poems.scaling.preprocessing import prepare
from poems.settings.arguments import require_whole
from poems.settings.rates import FDR

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

# Beyond this many samples a random subset is tested: networks of samples grow with their square,
# and so many find all that matters.
_MOST_SAMPLES: Final = 1500
_MOST_BYTES: Final = 1 << 28
# Below this adjusted Rand index the subtypes formed from a half are called other subtypes than the
# reported ones; below this Jaccard index a single subtype is called lost.
_OTHER_SUBTYPES: Final = 0.5
_LOST_SUBTYPE: Final = 0.5
# Of a table with more rows than this, a file holds those near to being markers, and some more.
_MOST_ROWS: Final = 200_000
_ROWS_KEPT: Final = 200
_NEAR_MARKER: Final = 0.25

_Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False, repr=False)
class Markers(Shown):
    """Tests of every feature in every subtype against all other samples.

    Parameters
    ----------
    table
        One row per view, feature and subtype; by subtype, then p-value, then size
        of the effect. Columns:

        ``view``, ``feature``, ``subtype``
            What was tested.
        ``effect``, ``direction``
            Mean in the reported subtype less that outside it, in standard
            deviations of the feature over all samples tested, on the scale of the
            fit (limits and log(1 + x) applied); ``"up"`` or ``"down"``.
        ``auc``
            Probability that a sample of the subtype has a higher value than one
            outside it, ties counted half.
        ``mean_in``, ``mean_out``, ``n_in``, ``n_out``
            Means in the units of the input (of log(1 + x) where the fit takes
            it), and numbers of samples that have a value.
        ``p``, ``q``
            Cross-fitted p-value, see :func:`subtype_markers`, and the false
            discovery rate at which it is significant, by Benjamini and Hochberg
            (1995) over all rows.
        ``p_alike``, ``q_alike``
            The same among the samples that have one set of omics, the most frequent; only where
            subtypes were left out because they go with which omics were measured.
    agreement
        One row per split, half of the features and subtype: ``split``, ``half``,
        ``ari`` of all subtypes formed from the half with the reported ones,
        ``subtype`` and ``jaccard``, its samples in common with its match among
        those in either. How well subtypes are found again from half of the
        features is a measure of their stability, too.
    findings
        What is to be said of the tests.
    """

    table: pd.DataFrame
    agreement: pd.DataFrame
    findings: tuple[Finding, ...] = ()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by the stems of their files.

        Of more than 200,000 rows those are left out that are far from being
        markers: q above 0.25, and not among the 200 smallest p of their view and
        subtype. A finding says so.
        """
        return {"markers": _to_write(self.table), "marker_agreement": self.agreement}

    def significant(self, fdr: float = FDR) -> pd.DataFrame:
        """Return the rows that are markers at a false discovery rate."""
        return self.table[self.table["q"] <= fdr]

    def top(self, n: int = 5, fdr: float = FDR) -> pd.DataFrame:
        """Return, of each subtype and view, the ``n`` markers with the largest effects."""
        markers = self.significant(fdr)
        order = np.argsort(-markers["effect"].abs().to_numpy(), kind="stable")
        kept = markers.iloc[order].groupby(["subtype", "view"], sort=False).head(n)
        return markers.loc[markers.index.isin(kept.index)]


def subtype_markers(
    model: FittedPoems,
    cohort: MultiOmics | Mapping[str, Any],
    subtypes: Subtypes,
    *,
    n_splits: int = 3,
    seed: int = 0,
) -> Markers:
    """Find the features that tell each subtype from the other samples.

    Each view's features are split into two halves at random. From either half,
    and without the fitted model, which has seen all of them, as many subtypes are
    formed as were reported (:func:`poems.analysis.subtypes.half_subtypes.half_subtypes`),
    and the features of the other half are tested against them, each subtype
    against all other samples (Mann and Whitney, two-sided;
    :func:`poems.analysis.testing.rank_tests.one_vs_rest`). Where the feature differs
    the other way than in the reported subtype, p is 1. Of several splits, twice the
    median p is taken (Meinshausen, Meier & Buehlmann 2009, JASA 104:1671, with
    gamma = 1/2), and of that and the same test against the reported subtypes the
    larger p: a marker differs between the reported subtypes, which alone proves
    nothing, and between those that were formed without it. Effects and means are
    those of the reported subtypes.

    Subtypes that go with which omics were measured
    (:func:`poems.analysis.subtypes.patterns.find_patterns`) are left out with their samples; the
    others are then tested once more among samples that have the same omics.

    What is tested of a feature is whether it has to do with groups that the other
    features form, not whether the groups are distinct: on a continuum they
    have markers, too.

    Parameters
    ----------
    model
        The fitted model, of which the preprocessing is used.
    cohort
        The cohort that it was fitted on, in memory or on disk. Of more than
        1,500 samples a random subset is tested.
    subtypes
        The reported subtypes.
    n_splits
        Random splits of the features, odd, so that a median is one of them.
    seed
        Of the splits and of k-means.

    Raises
    ------
    DataError
        If samples of the cohort have no subtype, or it lacks the model's views.
    SettingsError
        If ``n_splits`` is below 1.

    Examples
    --------
    >>> import poems
    >>> from poems.analysis.subtypes.finding import find_subtypes
    >>> cohort = poems.simulate(90, 40, 3, n_views=2, density=0.3, n_subtypes=3, seed=0).cohort
    >>> model = poems.fit(cohort, epochs=20, progress=False)
    >>> markers = subtype_markers(model, cohort, find_subtypes(model, 3))
    >>> len(markers.table), len(markers.significant()) > 0
    (240, True)
    """
    require_whole("n_splits", n_splits, 1)
    given = cohort if isinstance(cohort, MultiOmics) else read(cohort)
    measured = model.gates > 0
    patterns = find_patterns(subtypes.assignment, measured)
    left_out = [each.subtype for each in patterns]
    names = [str(name) for name in subtypes.sizes.index if name not in left_out]
    reported = _codes(subtypes.assignment, given.samples, names, left_out)
    if len(names) < 2:
        text = (
            f"there is one subtype only, beside {name_some(left_out, 8)}, which "
            f"{'goes' if len(left_out) == 1 else 'go'} with which omics were measured, so that "
            "nothing can tell it from others: no markers"
            if left_out
            else "all samples are in one group: there are no subtypes, and no markers of them"
        )
        return _nothing(Finding("note", "one-subtype", text))
    data, codes, findings = _in_memory(model, given, reported, seed)
    if sum(data.n_features.values()) < 2:
        text = "there is one feature only, and no other to form subtypes from: no markers"
        return _nothing(Finding("note", "one-feature", text))
    weighted = model.settings.model.redundancy != "none"
    halves = [
        half
        for split in range(n_splits)
        for half in half_subtypes(data, codes, len(names), seed=seed + split, weighted=weighted)
    ]
    agreement = _agreement(halves, names)
    table = marker_table(model, data, codes, names, halves)
    if left_out:
        table, said = markers_alike(model, data, codes, names, halves, table, left_out)
        findings = (*findings, said)
    return Markers(
        table=table,
        agreement=agreement,
        findings=(*findings, *_long_table_findings(table), *_agreement_findings(agreement)),
    )


def _to_write(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out what is far from being a marker, of a table that is too long for a file."""
    if len(table) <= _MOST_ROWS:
        return table
    # The table is in order of p.
    first = table.groupby(["view", "subtype"], sort=False).cumcount() < _ROWS_KEPT
    return table[first | (table["q"] <= _NEAR_MARKER)].reset_index(drop=True)


def _long_table_findings(table: pd.DataFrame) -> tuple[Finding, ...]:
    kept = len(_to_write(table))
    if kept == len(table):
        return ()
    text = (
        f"the file of markers holds {kept} of {len(table)} tests: those with q of at most "
        f"{_NEAR_MARKER:g}, and the {_ROWS_KEPT} with the smallest p of each view and subtype"
    )
    return (Finding("note", "markers-abridged", text),)


def _nothing(finding: Finding) -> Markers:
    return Markers(
        pd.DataFrame(columns=COLUMNS),
        pd.DataFrame(columns=["split", "half", "ari", "subtype", "jaccard"]),
        (finding,),
    )


def _codes(
    assignment: pd.Series, samples: pd.Index, names: list[str], left_out: list[str]
) -> _Codes:
    """Return the place of each sample's subtype among the names; -1 for those left out."""
    own = assignment.reindex(samples)
    if own.isna().any():
        bare = samples[own.isna().to_numpy()]
        raise DataError(
            f"{len(bare)} of the cohort's {len(samples)} samples have no subtype: "
            f"{name_some(bare)}; give the cohort that the model was fitted on"
        )
    places = {name: at for at, name in enumerate(names)} | dict.fromkeys(left_out, -1)
    return np.asarray([places[str(name)] for name in own], dtype=np.intp)


def _in_memory(
    model: FittedPoems, cohort: MultiOmics, reported: _Codes, seed: int
) -> tuple[Batch, _Codes, tuple[Finding, ...]]:
    """Bring the samples that are tested to the model's scale, in memory."""
    data, _ = prepare(model.preprocessing, cohort)
    most = max(2, min(_MOST_SAMPLES, _MOST_BYTES // (4 * sum(data.n_features.values()))))
    compared = torch.from_numpy(np.flatnonzero(reported >= 0))
    rows = compared[random_rows(len(compared), most, seed)]
    findings: tuple[Finding, ...] = ()
    if len(rows) < len(compared):
        text = (
            f"markers of subtypes were tested on a random subset of {len(rows)} of {len(compared)} "
            "samples; effects and means are of these"
        )
        findings = (Finding("note", "markers-subset", text),)
    if len(rows) < len(data):
        data = data.take(rows)
    return (
        data if isinstance(data, Batch) else data.load(),
        reported[rows.numpy()],
        findings,
    )


def _agreement(halves: Sequence[HalfSubtypes], names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "split": at // 2 + 1,
                "half": at % 2 + 1,
                "ari": half.ari,
                "subtype": name,
                "jaccard": jaccard,
            }
            for at, half in enumerate(halves)
            for name, jaccard in zip(names, half.jaccard, strict=True)
        ]
    )


def _agreement_findings(agreement: pd.DataFrame) -> tuple[Finding, ...]:
    """Say how far the subtypes that the tests rest on are the reported ones."""
    ari = float(agreement.groupby(["split", "half"])["ari"].first().mean())
    n_halves = agreement.groupby(["split", "half"]).ngroups
    how = "every feature was tested against subtypes formed without it, from half of the features"
    jaccard = agreement.groupby("subtype", sort=False)["jaccard"].mean()
    lost = jaccard[jaccard < _LOST_SUBTYPE]
    # What is wrong comes first: a report's first screen shows the beginning alone.
    if ari < _OTHER_SUBTYPES:
        text = (
            "the markers say little of the reported subtypes: half of the features form other ones "
            f"(adjusted Rand index {ari:.2f}, mean over {n_halves} halves). {how.capitalize()}"
        )
        return (Finding("warning", "markers-of-other-subtypes", text),)
    if len(lost):
        listed = name_some([f"{name} ({value:.2f})" for name, value in lost.items()], 8)
        text = (
            f"the markers of {listed} are hardly to be trusted: half of the features do not find "
            f"{'it' if len(lost) == 1 else 'them'} again (mean Jaccard index over {n_halves} "
            f"halves). {how.capitalize()}"
        )
        return (Finding("warning", "markers-of-lost-subtypes", text, items=tuple(lost.index)),)
    text = (
        f"{how}; they agree with the reported ones by an adjusted Rand index of {ari:.2f} (mean "
        f"over {n_halves} halves)"
    )
    return (Finding("note", "markers-cross-fitted", text),)
