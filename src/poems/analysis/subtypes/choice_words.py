"""How many subtypes, in words and as a table: what each number tried has for it and against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from poems.clustering.close_calls import close_calls
from poems.clustering.kmeans import FEWEST_SAMPLES
from poems.clustering.tried import MOST_CHANCE, NEARLY, NumberTried, number_to_report
from poems.findings import count

# Factors are called by their place.
_FACTOR: Final = "factor_"


def choice_table(tried: Sequence[NumberTried]) -> pd.DataFrame:
    """Return one row per number tried.

    Parameters
    ----------
    tried
        The numbers.

    Returns
    -------
    DataFrame with the columns ``n_subtypes``, ``smallest`` and ``sizes`` (samples of the
    smallest subtype and of each, of those drawn from), ``least_jaccard`` and
    ``needed_jaccard`` (of the subtype that is found again least for its size), ``jaccard`` (of each
    subtype, S1 first, as text),
    ``separation``, ``without_groups`` (what it must exceed), ``chance``, ``along`` (factors by
    which they differ most, as ``"factor_1 factor_3"``), ``mean_jaccard``, ``again_without_groups``
    (what it must exceed where there is no gap), ``clearest``, ``holds`` and ``verdict``.

    Examples
    --------
    >>> choice_table([NumberTried(2, (40, 30), (0.95, 0.91), 5.1, 3.8)])["verdict"].tolist()
    ['holds']
    """
    rows = [
        {
            "n_subtypes": each.n_clusters,
            "smallest": each.smallest,
            "sizes": " ".join(map(str, each.sizes)),
            "least_jaccard": each.least_jaccard,
            "needed_jaccard": each.needed,
            "jaccard": " ".join(f"{value:.4f}" for value in each.jaccard),
            "separation": np.nan if each.separation is None else each.separation,
            "without_groups": np.nan if each.without_groups is None else each.without_groups,
            "chance": np.nan if each.chance is None else each.chance,
            "along": " ".join(f"{_FACTOR}{factor}" for factor in each.along),
            "mean_jaccard": each.mean_jaccard,
            "again_without_groups": each.again_without_groups,
            "clearest": each.clearest,
            "holds": each.holds,
            "verdict": verdict(each),
        }
        for each in tried
    ]
    names = ["n_subtypes", "smallest", "sizes", "least_jaccard", "needed_jaccard", "jaccard"]
    names += ["separation", "without_groups", "chance", "along"]
    names += ["mean_jaccard", "again_without_groups", "clearest", "holds", "verdict"]
    return pd.DataFrame(rows, columns=names).astype({"again_without_groups": float})


def numbers_from_table(table: pd.DataFrame) -> tuple[NumberTried, ...]:
    """Return the numbers that :func:`choice_table` was made of.

    Tables of before ``chance`` and the columns after it were known are read without.

    Raises
    ------
    ValueError
        If an entry is no number.
    KeyError
        If a column is absent.

    Examples
    --------
    >>> two = NumberTried(2, (40, 30), (0.95, 0.91), 5.1, 3.8, 0.002, (1, 3))
    >>> numbers_from_table(choice_table([two])) == (two,)
    True
    """
    absent = pd.Series(np.nan, index=table.index)
    chances, alongs, agains, clearest = (
        table.get(name, absent) for name in ("chance", "along", "again_without_groups", "clearest")
    )
    columns = (table[name] for name in ("n_subtypes", "sizes", "jaccard"))
    found = []
    for row, (number, sizes, jaccard) in enumerate(zip(*columns, strict=True)):
        apart, limit = (table[name].iloc[row] for name in ("separation", "without_groups"))
        found.append(
            NumberTried(
                int(number),
                tuple(int(float(size)) for size in str(sizes).split()),
                tuple(float(value) for value in str(jaccard).split()),
                _known(apart),
                _known(limit),
                _known(chances.iloc[row]),
                _factors_named(alongs.iloc[row]),
                _known(agains.iloc[row]),
                str(clearest.iloc[row]) == "True",
            )
        )
    return tuple(found)


def _known(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _factors_named(text: object) -> tuple[int, ...]:
    if not isinstance(text, str):
        return ()
    return tuple(int(name.removeprefix(_FACTOR)) for name in text.split())


def verdict(each: NumberTried) -> str:
    """Say in a few words whether a number holds, and why not.

    Examples
    --------
    >>> verdict(NumberTried(3, (30, 20, 20), (0.9, 0.4, 0.5), 4.0, 3.6))
    'S2, S3 not found again'
    >>> verdict(NumberTried(2, (30, 20), (0.9, 0.9), 3.2, 3.6))
    'no farther apart than without groups'
    >>> verdict(NumberTried(2, (30, 20), (0.9, 0.9), 3.9, 4.0, 0.03))
    'hardly farther apart than without groups'
    >>> verdict(NumberTried(2, (30, 20), (0.9, 0.9), 3.9, 4.0, 0.03, (), 0.8, clearest=True))
    'holds, without a gap'
    """
    if each.holds:
        return "holds" if each.apart else "holds, without a gap"
    lost = [f"S{at + 1}" for at in each.not_found_again]
    said = []
    if lost:
        # More names would hide what they say.
        some = ", ".join(lost) if len(lost) <= 3 else f"{len(lost)} of {each.n_clusters}"
        said.append(f"{some} not found again")
    if not each.apart:
        said.append(f"{'hardly' if _nearly(each) else 'no'} farther apart than without groups")
    if each.smallest < FEWEST_SAMPLES:
        said.append(f"one has fewer than {FEWEST_SAMPLES} samples")
    return "; ".join(said)


def explain_choice(tried: Sequence[NumberTried], chosen: int, *, asked: bool) -> str:
    """Say why there are so many subtypes, which other numbers hold, and if it is a close call.

    Parameters
    ----------
    tried
        The numbers; none where they were not judged.
    chosen
        The reported number.
    asked
        Whether it was given rather than chosen.

    Examples
    --------
    >>> two = NumberTried(2, (40, 30), (0.95, 0.91), 5.1, 3.8)
    >>> three = NumberTried(3, (30, 20, 20), (0.9, 0.4, 0.5), 2.4, 3.8)
    >>> explain_choice([two, three], 2, asked=False)
    '2 subtypes: each is found again when samples are drawn anew (Jaccard index at least 0.91), and
    the nearest two are 5.1 standard deviations apart, where up to 3.8 may be chance.
    Of the other numbers tried, 3 does not hold.'
    """
    several = [each for each in tried if each.n_clusters > 1]
    own = next((each for each in several if each.n_clusters == chosen), None)
    if asked:
        return _asked(several, own, chosen)
    if chosen == 1:
        return f"{_none(several)} {close_call(tried)}".strip()
    if own is None:
        return f"{count(chosen, 'subtype')}; how well the number holds is not known."
    last = own is max(several, key=lambda each: each.n_clusters) and len(several) > 1
    most = " There may be more: it is the largest number tried." if last else ""
    said = [f"{count(chosen, 'subtype')}: {_for_it(own)}.{most}", _others(several, chosen)]
    return " ".join(filter(None, [*said, close_call(tried)]))


def close_call(tried: Sequence[NumberTried]) -> str:
    """Say that another fit might report another number, and which; nothing if that is unlikely.

    Examples
    --------
    >>> close_call([NumberTried(2, (40, 30), (0.95, 0.91), 4.0, 3.9, 0.03)])
    'The number is a close call: with another seed, or in another order, the same samples may have
    another, such as 1 (poems stability fits them again).'
    """
    others = close_calls(tried)
    if not others:
        return ""
    *first, last = map(str, others)
    may = f"{', '.join(first)} or {last}" if first else last
    return (
        "The number is a close call: with another seed, or in another order, the same samples may "
        f"have another, such as {may} (poems stability fits them again)."
    )


def _for_it(own: NumberTried) -> str:
    again = "each is found again when samples are drawn anew (Jaccard index at least "
    again += f"{min(own.jaccard):.2f})"
    if own.apart:
        return f"{again}, and {_distance(own)}"
    return (
        f"{again}, better than parts of a continuum (on average {_on_average(own)}), though they "
        f"pass into one another: {_distance(own)}"
    )


def _on_average(each: NumberTried) -> str:
    limit = each.again_without_groups or 0.0
    return f"{each.mean_jaccard:.2f}, where up to {limit:.2f} may be chance"


def _distance(each: NumberTried) -> str:
    apart, limit = each.separation or 0.0, each.without_groups or 0.0
    return (
        f"the nearest two are {apart:.1f} standard deviations apart, where up to {limit:.1f} may "
        "be chance"
    )


def _nearly(each: NumberTried) -> bool:
    """Whether clusters are nearly far enough apart."""
    return not each.apart and each.chance is not None and each.chance < NEARLY


def _none(several: Sequence[NumberTried]) -> str:
    again = _only_found_again(several)
    if not again:
        head = "No distinct groups: the samples form one group or a continuum."
        if not several:
            return f"{head} No larger number can be told apart."
        lost = [each.n_clusters for each in several if not each.found_again]
        tiny = [each.n_clusters for each in several if each.found_again]
        if lost:
            head += (
                f" Of {_listed(lost)} groups none are all found again when samples are drawn anew."
            )
        if tiny:
            head += f" Of {_listed(tiny)} groups one has fewer than {FEWEST_SAMPLES} samples."
        return head
    # The largest, or what is hardly short of a gap: that is what a user would take.
    near = [each for each in again if _nearly(each)]
    most = min(near, key=lambda each: each.chance or 0.0) if near else again[-1]
    head = f"No distinct groups: a continuum{_along(most)}."
    if _nearly(most):
        head = f"No distinct groups, though nearly: a continuum{_along(most)}, or groups in it."
    others = [each.n_clusters for each in again if each is not most]
    also = f"; so {'is' if len(others) == 1 else 'are'} {_listed(others)}" if others else ""
    k = most.n_clusters
    asked = most.again_without_groups is not None
    often = f", on average {_on_average(most)}" if asked else ""
    return (
        f"{head} {k} subtypes are found again when samples are drawn anew, as parts of a continuum "
        f"may be (Jaccard index at least {min(most.jaccard):.2f}{often}{also}), but there is no "
        f"gap between them: {_distance(most)}{_how_often(most)}. To take them all the same: "
        f"--n-subtypes {k}, in Python n_subtypes={k}."
    )


def _only_found_again(several: Sequence[NumberTried]) -> list[NumberTried]:
    """Numbers that are found again but not far enough apart, the largest last."""
    lacking = [each for each in several if each.sound and not each.holds]
    return sorted(lacking, key=lambda each: each.n_clusters)


def _along(each: NumberTried) -> str:
    if not each.along:
        return ""
    word = "factor" if len(each.along) == 1 else "factors"
    return f" along {word} {_listed(sorted(each.along))}"


def _how_often(each: NumberTried) -> str:
    if each.chance is None:
        return ""
    if each.chance < MOST_CHANCE:
        # The limit is not that of chance then, but the least that may be called a gap.
        return " (the halves of an even spread are 3.5 apart, and vary)"
    return f" ({100 * each.chance:.0f} of 100 cohorts without groups have as much)"


def _asked(several: Sequence[NumberTried], own: NumberTried | None, chosen: int) -> str:
    head = f"{count(chosen, 'subtype')}, as asked for"
    if own is None:
        tail = "" if chosen == 1 else "; whether they are found again is not known"
    elif own.holds:
        tail = f": {_for_it(own)}"
    else:
        tail = f": {verdict(own)}"
        if not own.apart:
            tail += f" ({_distance(own)})"
    others = [each for each in several if each.n_clusters != chosen]
    if not others:
        return f"{head}{tail}."
    best = number_to_report(several)
    told = f"{best} has most to speak for it" if best > 1 else "no number above 1 holds"
    return f"{head}{tail}. Of the numbers tried, {told}."


def _others(several: Sequence[NumberTried], chosen: int) -> str:
    others = [each for each in several if each.n_clusters != chosen]
    again = {each.n_clusters for each in _only_found_again(others)}
    kinds = {
        ("holds as well", "hold as well"): [each.n_clusters for each in others if each.holds],
        ("is found again, but without a gap", "are found again, but without a gap"): sorted(again),
        ("does not hold", "do not hold"): [
            each.n_clusters for each in others if not each.holds and each.n_clusters not in again
        ],
    }
    parts = [
        f"{_listed(numbers)} {words[len(numbers) > 1]}"
        for words, numbers in kinds.items()
        if numbers
    ]
    if len(parts) > 1:
        parts = [", ".join(parts[:-1]), parts[-1]]
    return f"Of the other numbers tried, {', and '.join(parts)}." if parts else ""


def _listed(numbers: Sequence[int]) -> str:
    """List numbers, runs of three or more by their ends.

    >>> _listed([2, 3, 5, 6, 7, 8])
    '2, 3 and 5 to 8'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [
        text
        for run in runs
        for text in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(each) for each in run])
    ]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
