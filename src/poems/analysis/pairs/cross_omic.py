"""Cross-omic associations: pairs of features of different views that share factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.pairs.cis import cis_pairs
from poems.analysis.pairs.data import pair_data
from poems.analysis.pairs.null import PairNull, permutation_null
from poems.analysis.pairs.scores import responses
from poems.analysis.pairs.support import pair_support
from poems.analysis.pairs.table import COLUMNS, describe_pairs, significant_pairs
from poems.analysis.pairs.universe import all_pairs, positions_of, single_pairs
from poems.data import MultiOmics, read
from poems.errors import DataError, SettingsError
from poems.findings import Finding, count, name_some
from poems.notebook import Shown
from poems.settings.arguments import MOST_REPEATS, require_whole
from poems.settings.rates import FDR
from poems.wording import p_text, whole

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems
    from poems.resampling.result import Stability

# Pairs times samples of a universe, at most; a few seconds.
MOST_WORK: Final = 4_000_000_000
# Pairs in the table, at most.
MOST_PAIRS: Final = 5_000


@dataclass(frozen=True, eq=False, repr=False)
class CrossOmic(Shown):
    """Pairs of features of different views that share factors and vary together.

    Parameters
    ----------
    table
        One row per pair, by decreasing size of the score. Columns:

        ``view_a``, ``feature_a``, ``view_b``, ``feature_b``
            The pair; views in the order of the model's.
        ``factors``
            The factors that drive both, as in ``"factor_1+factor_4"``.
        ``score``
            The correlation that these factors give the two, from -1 to 1, noise
            counted: see :func:`poems.analysis.pairs.scores.responses`.
        ``predicted_correlation``
            The correlation of their predicted values over the posterior of the
            training samples, from all factors, noise not counted.
        ``correlation``, ``n_samples``
            Pearson's correlation of the preprocessed values, and over how many samples:
            those on which both were measured.
        ``p``, ``q``
            The share of all pairs under permutation that correlate as much, and the
            false discovery rate of the pairs that do (see :func:`cross_omic`).
        ``group_a``, ``group_b``
            The feature that stands for each of the two: of those of its view that say the same
            (correlated at 0.8 or more, as copy numbers along a chromosome arm are), the one of
            the highest score. :func:`poems.analysis.pairs.alike.said_once` keeps one pair of each.
        ``support``
            With a stability result: the share of refits in which one factor drives both.
    n_tested
        Pairs in the universe over which the multiple testing is.
    n_significant
        Pairs in it that share a factor and have q of at most ``fdr``; the
        table holds the best of them, of pairs that say the same one before any other.
    overall_p
        The p-value that any two views have anything to do with one another.
    views
        The model's views, in their order.
    findings
        What was left out, and what there is to say.
    """

    table: pd.DataFrame
    n_tested: int
    n_significant: int
    overall_p: float
    views: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The table of pairs and one of their numbers, by the names of their files."""
        numbers = {
            "n_tested": self.n_tested,
            "n_significant": self.n_significant,
            "n_listed": len(self.table),
            "overall_p": self.overall_p,
        }
        return {"cross_omic": self.table, "cross_omic_numbers": pd.DataFrame([numbers])}


def cross_omic(
    model: FittedPoems,
    cohort: MultiOmics | Mapping[str, Any],
    *,
    fdr: float = FDR,
    n_permutations: int = 49,
    feature: str | Sequence[str] | None = None,
    factor: str | None = None,
    cis: pd.DataFrame | Literal["names"] | None = None,
    stability: Stability | None = None,
    most: int = MOST_PAIRS,
    work: int = MOST_WORK,
    seed: int = 0,
) -> CrossOmic:
    """Find pairs of features of different views that share factors, at a false discovery rate.

    A pair is reported if a factor drives both and their values correlate more than
    chance has it. Chance is measured by permuting the samples of each view on its own, over all
    pairs of features and not just those that the model picked, since it picked them on the
    same data: q is the mean number of pairs that reach a correlation over the permutations,
    over the number that there is. It is at least the p-value of the hypothesis that the views have
    nothing to do with one another, for which each permutation is treated as if it were the
    data, so that where nothing is to be found something is reported with a probability of
    ``fdr`` at most, however strongly features depend on one another within a view.

    Parameters
    ----------
    model
        The fitted model.
    cohort
        The cohort that it was fitted on, which a model does not keep, in memory or on disk.
    fdr
        False discovery rate of what is reported, up to 1 for all candidates.
    n_permutations
        Permutations; q is at least 1 / (n_permutations + 1).
    feature
        Names of features: only pairs that hold one of them are tested.
    factor
        Name of a factor: only pairs that it drives are reported. The tests stay those of
        all pairs, because the model chose which it drives.
    cis
        Pairs that belong together: only these are tested, see
        :func:`poems.analysis.pairs.cis.cis_pairs`.
    stability
        Refits of the cohort, for ``support``.
    most
        Pairs in the table at most: of pairs that say the same the one of the highest score,
        then others, by their scores.
    work
        Pairs times samples (400 more counted for each) that are tested at most.
        Where there are more, each view keeps the features that its own leading
        principal components explain best, which a finding says.
    seed
        Of permutations and draws.

    Raises
    ------
    DataError
        If a view, feature, factor or cis pair is unknown, or a sample has nothing measured.
    SettingsError
        If a number is out of range.

    Examples
    --------
    >>> import poems
    >>> truth = poems.simulate(60, 40, 3, n_views=2, density=0.2, effect=1.5, seed=0)
    >>> model = poems.fit(truth.cohort, seed=0, epochs=30, progress=False)
    >>> found = cross_omic(model, truth.cohort)
    >>> found.n_tested, len(found.table) > 50
    (1600, True)
    """
    _check(model, fdr, factor)
    require_whole("n_permutations", n_permutations, 1, MOST_REPEATS)
    require_whole("most", most, 1)
    require_whole("work", work, 1)
    given = cohort if isinstance(cohort, MultiOmics) else read(cohort)
    features = {view: model.features(view) for view in model.view_names}
    chosen, pairs, noticed = _restrictions(features, feature, cis)
    data = pair_data(model, given, chosen, None if pairs is None else pairs, work, seed)
    parts = all_pairs(data.kept, chosen) if pairs is None else single_pairs(pairs, features)
    parts = [part for part in parts if (part.view_a, part.view_b) in data.shared]
    findings = [*data.findings, *noticed]
    if not parts or not model.n_active:
        findings.append(_nothing_to_test(model))
        return _empty(model, stability, findings)
    null = permutation_null(
        parts, data.shared, data.n_samples, n_permutations=n_permutations, seed=seed
    )
    predicted = responses(model, seed=seed)
    column = None if factor is None else model.factor_names.index(factor)
    found, n_significant = significant_pairs(
        parts, data, null, predicted, fdr=fdr, factor=column, most=most
    )
    table = describe_pairs(model, data, null, predicted, found)
    if stability is not None:
        table["support"] = pair_support(stability, table)
        if stability.selected is None:
            findings.append(_no_support())
    findings += _said(model, null, n_significant, len(table), fdr, pairs, chosen, factor)
    return CrossOmic(
        table, null.n_pairs, n_significant, null.overall_p(), model.view_names, tuple(findings)
    )


def _check(model: FittedPoems, fdr: float, factor: str | None) -> None:
    if not 0 < fdr <= 1:
        raise SettingsError(f"fdr must be above 0 and at most 1, not {fdr}")
    if factor is not None and factor not in model.factor_names:
        raise DataError(f"no factor '{factor}'; there are {name_some(model.factor_names, 20)}")


def _like(absent: Sequence[str], features: Mapping[str, pd.Index]) -> str:
    """Name features that hold a name asked for, as groups of proteins do, or else some feature."""
    parts = [str(name).casefold() for name in absent if str(name).strip()]
    names = [str(name) for index in features.values() for name in index]
    near = [name for name in dict.fromkeys(names) if any(p in name.casefold() for p in parts)]
    if near:
        return f"did you mean {name_some(near, 5)}?"
    return f"names are as in the tables, such as {', '.join(str(i[0]) for i in features.values())}"


def _restrictions(
    features: Mapping[str, pd.Index],
    feature: str | Sequence[str] | None,
    cis: pd.DataFrame | Literal["names"] | None,
) -> tuple[dict[str, npt.NDArray[np.intp]] | None, pd.DataFrame | None, tuple[Finding, ...]]:
    """Find the features one of which each pair must hold, and the cis pairs."""
    chosen = None
    wanted = [feature] if isinstance(feature, str) else list(feature or ())
    if feature is not None:
        chosen = positions_of(wanted, features)
        there = {str(features[view][at]) for view, own in chosen.items() for at in own}
        absent = [name for name in wanted if str(name) not in there]
        if absent or not wanted:
            raise DataError(
                f"no view has the feature {name_some(absent, 5)} among those that the model uses; "
                f"{_like(absent, features)}"
            )
    if cis is None:
        return chosen, None, ()
    pairs, noticed = cis_pairs(cis, features)
    if feature is not None:
        held = pairs["feature_a"].isin(wanted) | pairs["feature_b"].isin(wanted)
        pairs = pairs[held].reset_index(drop=True)
        if not len(pairs):
            raise DataError(f"no cis pair holds the feature {name_some(wanted, 5)}")
    return chosen, pairs, noticed


def _empty(
    model: FittedPoems, stability: Stability | None, findings: Sequence[Finding]
) -> CrossOmic:
    columns = COLUMNS + (["support"] if stability is not None else [])
    table = pd.DataFrame(columns=columns)
    return CrossOmic(table, 0, 0, np.nan, model.view_names, tuple(findings))


def _nothing_to_test(model: FittedPoems) -> Finding:
    if not model.n_active:
        why = "the model has no factor"
    elif len(model.view_names) < 2:
        why = f"there is one view, {model.view_names[0]}"
    else:
        why = "no two views were measured on the same samples"
    return Finding("note", "cross-omic-none", f"no cross-omic pairs were tested: {why}")


def _no_support() -> Finding:
    text = (
        "this stability result does not say which refits selected what, so there is no support; "
        "repeat poems stability with this version"
    )
    return Finding("warning", "cross-omic-support", text)


def _said(
    model: FittedPoems,
    null: PairNull,
    n_significant: int,
    n_shown: int,
    fdr: float,
    pairs: pd.DataFrame | None,
    chosen: Mapping[str, Any] | None,
    factor: str | None,
) -> list[Finding]:
    which = "all pairs of features of two views"
    if chosen is not None:
        which = "all pairs that hold a feature asked for"
    if pairs is not None:
        which = "the cis pairs" if chosen is None else "the cis pairs of the features asked for"
    p = p_text(null.overall_p(), floor=1 / (null.n_permutations + 1))
    text = (
        f"{whole(null.n_pairs)} pairs were tested, {which}, by {null.n_permutations} permutations "
        f"of the samples of each view (that the views have to do with one another: {p}); "
        f"{count(n_significant, 'pair')} that {'shares' if n_significant == 1 else 'share'} "
        f"{'a factor' if factor is None else factor} reached a false discovery rate of {fdr:.0%}"
    )
    found = [Finding("note", "cross-omic-tested", text)]
    if fdr < 1 / (null.n_permutations + 1):
        text = (
            f"{null.n_permutations} permutations cannot show a false discovery rate of {fdr:g}; "
            f"ask for at least {int(np.ceil(1 / fdr)) - 1} (n_permutations)"
        )
        found.append(Finding("warning", "cross-omic-permutations", text))
    if n_shown < n_significant:
        text = (
            f"the table holds {whole(n_shown)} of {whole(n_significant)} pairs: of those that say "
            "the same the one of the highest score, then others by their scores"
        )
        found.append(Finding("note", "cross-omic-cut", text))
    return found
