"""Markers of subtypes: features that tell a subtype from the others, tested without circularity.

Subtypes are formed from the very features that are then compared between them, so
that a test of any feature against them finds differences in pure noise (double
dipping; Kriegeskorte et al. 2009, Nature Neuroscience 12:535). To hold some
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

from poems.analysis.associations import false_discovery_rates
from poems.analysis.half_subtypes import HalfSubtypes, half_subtypes
from poems.analysis.rank_tests import RankedFeatures, one_vs_rest, rank_features
from poems.analysis.subtypes import Subtypes
from poems.arguments import require_whole
from poems.backed.subset import random_rows
from poems.data import MultiOmics, read
from poems.errors import DataError
from poems.findings import Finding, name_some
from poems.nn.batch import Batch
from poems.preprocessing import prepare

if TYPE_CHECKING:
    from poems.fitted import FittedPoems

COLUMNS: Final = [
    "view",
    "feature",
    "subtype",
    "effect",
    "direction",
    "auc",
    "mean_in",
    "mean_out",
    "n_in",
    "n_out",
    "p",
    "q",
]
# Beyond this many samples a random subset is tested: networks of samples grow with their square,
# and so many find all that matters.
_MOST_SAMPLES: Final = 1500
_MOST_BYTES: Final = 1 << 28
# Entries that are ranked at once.
_BLOCK_ENTRIES: Final = 1 << 21
# Adjusted Rand index below which the subtypes without a half are said to be others.
_OTHER_SUBTYPES: Final = 0.5
_OTHER_SUBTYPE: Final = 0.5

_Floats = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Markers:
    """Tests of every feature in every subtype against all other samples.

    Parameters
    ----------
    table
        One row a view, feature and subtype; by subtype, then p-value, then size
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
    agreement
        One row a split, half of the features and subtype: ``split``, ``half``,
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
        """Return the tables by the stems of their files."""
        return {"markers": self.table, "marker_agreement": self.agreement}

    def significant(self, fdr: float = 0.1) -> pd.DataFrame:
        """Return the rows that are markers at a false discovery rate."""
        return self.table[self.table["q"] <= fdr]

    def top(self, n: int = 5, fdr: float = 0.1) -> pd.DataFrame:
        """Return, of each subtype and view, the ``n`` markers with the largest effects."""
        found = self.significant(fdr)
        order = np.argsort(-found["effect"].abs().to_numpy(), kind="stable")
        kept = found.iloc[order].groupby(["subtype", "view"], sort=False).head(n)
        return found.loc[found.index.isin(kept.index)]


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
    formed as were reported (:func:`poems.analysis.half_subtypes.half_subtypes`),
    and the features of the other half are tested against them, each subtype
    against all other samples (Mann and Whitney, two-sided;
    :func:`poems.analysis.rank_tests.one_vs_rest`). Where the feature differs
    the other way than in the reported subtype, p is 1. Of several splits, twice the
    median p is taken (Meinshausen, Meier & Buehlmann 2009, JASA 104:1671, with
    gamma = 1/2), and of that and the same test against the reported subtypes the
    larger p: a marker differs between the reported subtypes, which alone proves
    nothing, and between those that were formed without it. Effects and means are
    those of the reported subtypes.

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
    >>> from poems.analysis.subtypes import find_subtypes
    >>> cohort = poems.simulate(90, 40, 3, n_views=2, density=0.3, n_subtypes=3, seed=0).cohort
    >>> model = poems.fit(cohort, epochs=20, companions=0, progress=False)
    >>> markers = subtype_markers(model, cohort, find_subtypes(model, 3))
    >>> len(markers.table), len(markers.significant()) > 0
    (240, True)
    """
    require_whole("n_splits", n_splits, 1)
    given = cohort if isinstance(cohort, MultiOmics) else read(cohort)
    names = [str(name) for name in subtypes.sizes.index]
    reported = _codes(subtypes.assignment, given.samples, names)
    if len(names) < 2:
        text = "there is one subtype only, so that nothing can tell it from others: no markers"
        return _nothing(Finding("note", "one-subtype", text))
    data, codes, findings = _in_memory(model, given, reported, seed)
    if sum(data.n_features.values()) < 2:
        text = "there is one feature only, and no other to form subtypes from: no markers"
        return _nothing(Finding("note", "one-feature", text))
    halves = [
        half
        for split in range(n_splits)
        for half in half_subtypes(data, codes, len(names), seed=seed + split)
    ]
    agreement = _agreement(halves, names)
    return Markers(
        table=marker_table(model, data, codes, names, halves),
        agreement=agreement,
        findings=(*findings, *_agreement_findings(agreement)),
    )


def marker_table(
    model: FittedPoems,
    data: Batch,
    reported: _Codes,
    names: Sequence[str],
    halves: Sequence[HalfSubtypes],
) -> pd.DataFrame:
    """Test every feature against the subtypes formed without it; see :class:`Markers`.

    Parameters
    ----------
    model
        Whose features these are.
    data
        The samples on the model's scale.
    reported
        Reported subtype of each sample, its place among ``names``.
    names
        Names of the subtypes.
    halves
        Subtypes formed from halves of the features, the two halves of a split one
        after the other.
    """
    parts = [_test_view(model, data, view, reported, names, halves) for view in model.view_names]
    table = pd.concat(parts, ignore_index=True)
    table["q"] = false_discovery_rates(table["p"].to_numpy(dtype=np.float64))
    place = pd.Categorical(table["subtype"], list(names)).codes
    order = np.lexsort((-table["effect"].abs().to_numpy(), table["p"].to_numpy(), place))
    return table.iloc[order][COLUMNS].reset_index(drop=True)


def _nothing(finding: Finding) -> Markers:
    return Markers(
        pd.DataFrame(columns=COLUMNS),
        pd.DataFrame(columns=["split", "half", "ari", "subtype", "jaccard"]),
        (finding,),
    )


def _codes(assignment: pd.Series, samples: pd.Index, names: list[str]) -> _Codes:
    """Return the place of each sample's subtype among the names."""
    own = assignment.reindex(samples)
    if own.isna().any():
        bare = samples[own.isna().to_numpy()]
        raise DataError(
            f"{len(bare)} of the cohort's {len(samples)} samples have no subtype: "
            f"{name_some(bare)}; give the cohort that the model was fitted on"
        )
    return np.asarray([names.index(str(name)) for name in own], dtype=np.intp)


def _in_memory(
    model: FittedPoems, cohort: MultiOmics, reported: _Codes, seed: int
) -> tuple[Batch, _Codes, tuple[Finding, ...]]:
    """Bring the samples that are tested to the model's scale, in memory."""
    data, _ = prepare(model.preprocessing, cohort)
    most = max(2, min(_MOST_SAMPLES, _MOST_BYTES // (4 * sum(data.n_features.values()))))
    rows = random_rows(len(data), most, seed)
    findings: tuple[Finding, ...] = ()
    if len(rows) < len(data):
        text = (
            f"markers of subtypes were tested on a random subset of {len(rows)} of {len(data)} "
            "samples; effects and means are of these"
        )
        findings = (Finding("note", "markers-subset", text),)
        data = data.take(rows)
    return (
        data if isinstance(data, Batch) else data.load(),
        reported[rows.numpy()],
        findings,
    )


def _test_view(
    model: FittedPoems,
    data: Batch,
    view: str,
    reported: _Codes,
    names: Sequence[str],
    halves: Sequence[HalfSubtypes],
) -> pd.DataFrame:
    """Test the features of one view, a bounded number at a time."""
    values, mask = data.values[view], data.observed[view]
    there = data.measured[:, list(data.values).index(view), None].expand_as(values)
    there = there if mask is None else there & mask
    scaling = model.preprocessing.views[view]
    width = max(1, _BLOCK_ENTRIES // len(data))
    parts = []
    for start in range(0, values.shape[1], width):
        columns = np.arange(start, min(start + width, values.shape[1]))
        some = torch.from_numpy(columns)
        block = values[:, some].double().numpy()
        known = there[:, some].numpy()
        ranked = rank_features(block, known)
        found = _effects(block, known, reported, len(names))
        circular = one_vs_rest(ranked, reported, len(names))
        tested = [(np.isin(columns, half.features[view]), half.codes) for half in halves]
        fitted = _cross_fitted(ranked, tested, np.sign(found["effect"]))
        found |= {"auc": circular.auc, "p": np.fmax(fitted, circular.p)}
        for column in ("mean_in", "mean_out"):
            found[column] = (
                found[column] * scaling.scale[columns, None] + scaling.offset[columns, None]
            )
        parts.append(
            pd.DataFrame(
                {
                    "view": view,
                    "feature": np.repeat(scaling.features[columns], len(names)),
                    "subtype": np.tile(np.array(names, dtype=object), len(columns)),
                    **{name: array.ravel() for name, array in found.items()},
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    sign = np.sign(table["effect"].to_numpy())
    table["direction"] = np.select([sign > 0, sign < 0], ["up", "down"], "none")
    return table


def _effects(
    values: _Floats, there: npt.NDArray[np.bool_], codes: _Codes, n_groups: int
) -> dict[str, npt.NDArray[Any]]:
    """Compare each reported subtype with the other samples: arrays (n_features, n_groups)."""
    member = (codes[:, None] == np.arange(n_groups)).astype(np.float64)
    x = np.where(there, values, 0.0)
    inside = there.T.astype(np.float64) @ member
    total = there.sum(axis=0).astype(np.float64)[:, None]
    sums = x.T @ member
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = x.sum(axis=0) / total[:, 0]
        spread = np.sqrt((np.where(there, values - mean, 0.0) ** 2).sum(axis=0) / total[:, 0])
        mean_in = sums / inside
        mean_out = (x.sum(axis=0)[:, None] - sums) / (total - inside)
        effect = np.where(spread[:, None] > 0, (mean_in - mean_out) / spread[:, None], np.nan)
    return {
        "effect": effect,
        "mean_in": mean_in,
        "mean_out": mean_out,
        "n_in": inside.astype(np.int64),
        "n_out": (total - inside).astype(np.int64),
    }


def _cross_fitted(
    ranked: RankedFeatures, tested: Sequence[tuple[npt.NDArray[np.bool_], _Codes]], sign: _Floats
) -> _Floats:
    """Combine the tests over splits, (n_features, n_groups).

    ``tested`` holds, of each half, which features are tested and the subtypes.
    """
    splits = []
    for at in range(0, len(tested), 2):
        p = np.ones(sign.shape)
        for own, codes in tested[at : at + 2]:
            tests = one_vs_rest(ranked, codes, sign.shape[1])
            # A subtype that was not found again has no p: nothing speaks for a marker.
            agrees = np.sign(tests.auc - 0.5) == sign
            found = np.where(agrees, np.nan_to_num(tests.p, nan=1.0), 1.0)
            p[own] = found[own]
        splits.append(p)
    combined = splits[0] if len(splits) == 1 else 2.0 * np.median(np.stack(splits), axis=0)
    return np.where(ranked.squares[:, None] > 0, np.minimum(combined, 1.0), np.nan)


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
    text = (
        "every feature was tested against subtypes formed without it, from half of the features; "
        f"they agree with the reported ones by an adjusted Rand index of {ari:.2f} (mean over "
        f"{agreement.groupby(['split', 'half']).ngroups} halves)"
    )
    jaccard = agreement.groupby("subtype", sort=False)["jaccard"].mean()
    lost = jaccard[jaccard < _OTHER_SUBTYPE]
    if ari < _OTHER_SUBTYPES:
        text += (
            ". That is little: the markers are those of a clustering that half of the features "
            "gives, and say less of the reported subtypes"
        )
        return (Finding("warning", "markers-of-other-subtypes", text),)
    if len(lost):
        said = ", ".join(f"{name} ({value:.2f})" for name, value in lost.items())
        text += (
            f". Not found again by half of the features, so with markers of their own hardly to "
            f"be trusted: {said} (mean Jaccard index)"
        )
        return (Finding("warning", "markers-of-lost-subtypes", text, items=tuple(lost.index)),)
    return (Finding("note", "markers-cross-fitted", text),)
