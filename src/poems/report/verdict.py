"""The verdict: one line, made from the tests of the diagnosis, the subtypes and survival."""

from __future__ import annotations

from typing import Final

import pandas as pd

from poems.analysis.subtypes.certainty import UNSTABLE
from poems.findings import count
from poems.report.blocks import Verdict
from poems.report.sections.factors import closest_column
from poems.report.source import Source
from poems.report.standing import of_sound_factors
from poems.report.wording import factor_title, listing, number, p_text, verb
from poems.runs.folder import run_subtypes
from poems.settings.rates import FDR_OBS

# What the failure signatures mean for who reads the first line alone.
_PLAIN: Final = {
    "no-factors": "nothing was found that samples have in common",
    "explains-nothing": "it explains next to nothing of any omic",
    "posterior-collapsed": "its factors say next to nothing of any sample",
    "posterior-overconfident": "it is far surer of its factors than the data allow",
    "gate-collapsed": "one omic speaks for all others",
    "not-converged": "training had not come to its end",
    "sparsity-incomplete": "training ended before the factors were sparse",
    "interrupted-early": "training was interrupted",
    "loadings-dense": "its factors name no short lists of features",
    "badly-reconstructed": "an omic is hardly explained",
}
_MISSING: Final = "which omics were measured: they may be missing data"
# Findings that say the subtypes are something else than the disease, by their beginning.
_FOLLOWS: Final = ("subtypes-follow", "subtypes-of-missing")
_INSTEAD: Final = {
    "subtypes-follow-missingness": _MISSING,
    "subtypes-of-missing-omics": _MISSING,
    "subtypes-follow-batch": "the batches: they may be technical",
}


def verdict_of(source: Source) -> Verdict:
    """Return the verdict on a run.

    In this order: a fit that failed its diagnosis; no distinct groups; subtypes that follow
    which omics were measured, or batches; subtypes that are not found again, or are no farther
    apart than without groups; subtypes that pass into one another; subtypes that hold.
    """
    failed = source.model.diagnose().signatures
    if failed:
        why = listing(_PLAIN.get(name, name.replace("-", " ")) for name in failed[:2])
        more = f" (and {len(failed) - 2} more)" if len(failed) > 2 else ""
        text = f"The fit failed its diagnosis: {why}{more}. Do not report subtypes."
        return Verdict("failed", "Fit failed", text, "diagnostics")
    n = source.subtypes.nunique()
    if n < 2:
        told = f"{_factor_and_labels(source)}{_factors_and_survival(source)}"
        text = f"No distinct groups: do not report subtypes.{told}"
        return Verdict("none", "No subtypes", text, "subtype-number")
    instead = [code for code in map(str, source.findings["code"]) if code.startswith(_FOLLOWS)]
    if instead:
        what = _INSTEAD.get(instead[0], "something else than the disease; see the cautions")
        text = f"{n} groups that follow {what}. Rule that out before they are called subtypes."
        return Verdict("doubtful", "Doubtful", f"{text}{_survival(source)}", "cautions")
    doubt = _doubt(source)
    if doubt:
        return Verdict("doubtful", "Doubtful", f"{doubt}{_survival(source)}", "subtype-number")
    gap = _without_gap(source)
    lead = f"{n} subtypes{_most_tried(source)}, each found again{gap}"
    refits = _by_refits(source)
    if refits:
        lead += f", {refits}"
    joined = _survival(source)
    if refits.startswith("but"):
        return Verdict("doubtful", "Doubtful", f"{lead}.{joined}", "stability")
    text = f"{lead}; {joined[1:2].lower()}{joined[2:]}" if joined else f"{lead}."
    # The colour goes with the weaker half of the sentence: parts of a continuum are no kinds.
    if gap:
        return Verdict("doubtful", "No gap between them", text, "subtype-number")
    return Verdict("found", "Subtypes found", text, "subtype-number")


def _doubt(source: Source) -> str:
    """Say why subtypes are not to be relied on; empty if there is no reason."""
    found = run_subtypes(source.run)
    n = found.n_subtypes
    own = found.judged
    lost = lost_subtypes(source)
    if lost:
        named = listing((f"{name} ({number(value)})" for name, value in lost.items()), 4)
        return (
            f"{n} groups, of which {len(lost)} {verb(len(lost), 'is', 'are')} not found again when "
            f"samples are drawn anew: {named}."
        )
    if own is not None and not own.apart and not own.clearest:
        asked = ", as asked for" if found.asked else ""
        return f"{n} groups{asked}, no farther apart than parts of a continuum."
    return ""


def _most_tried(source: Source) -> str:
    """Say that there may be more subtypes; empty where more were tried."""
    found = run_subtypes(source.run)
    tried = [each.n_clusters for each in found.tried]
    most = len(tried) > 1 and found.n_subtypes == max(tried) and not found.asked
    return ", the largest number tried" if most else ""


def _without_gap(source: Source) -> str:
    """Say that subtypes pass into one another; empty where they are apart, or it is not known."""
    own = run_subtypes(source.run).judged
    known = own is not None and own.clearest
    return " better than parts of a continuum, though without a gap between them" if known else ""


def lost_subtypes(source: Source) -> dict[str, float]:
    """Return the subtypes that are not found again, with the Jaccard index of each."""
    own = run_subtypes(source.run).judged
    if own is not None:
        return {f"S{at + 1}": float(own.jaccard[at]) for at in own.not_found_again}
    # Older runs, and components of a mixture: by subsamples in the embedding as it is.
    table = source.get("subtype_stability")
    if table is None or "jaccard" not in table.columns:
        return {}
    loose = table[table["jaccard"] < UNSTABLE]
    return dict(zip(loose["subtype"].astype(str), loose["jaccard"].astype(float), strict=True))


def _by_refits(source: Source) -> str:
    table = source.get("stability_subtypes")
    if table is None:
        return ""
    runs = source.get("stability_runs")
    refits = "refits" if runs is None else count(len(runs), "refit")
    least = float(table["jaccard"].min())
    lost = table.loc[table["jaccard"] < UNSTABLE, "subtype"].astype(str)
    if len(lost):
        return f"but by {refits} {listing(lost, 4)} {verb(len(lost), 'is', 'are')} not"
    return f"by {refits}, too (overlap at least {number(least)})"


def _survival(source: Source) -> str:
    """Say whether subtypes differ in survival, with the tests; empty if it was not asked."""
    if source.survival is None:
        return ""
    tests, logrank = source.get("survival_tests"), source.get("survival_logrank")
    of_subtypes = None if tests is None else tests[tests["what"] == "subtype"]
    if of_subtypes is None or not len(of_subtypes):
        return " Whether they differ in survival could not be tested."
    told = [
        f"{test} {p_text(p)}" + (f" beside {beside}" if beside else "")
        for test, p, beside in zip(
            of_subtypes["test"],
            of_subtypes["p"],
            of_subtypes["adjusted_for"].fillna(""),
            strict=True,
        )
    ]
    if logrank is not None and len(logrank):
        told.append(count(int(logrank["n_events"].iloc[0]), "event"))
    if not of_subtypes["adjusted_for"].fillna("").any():
        told[-1] += "; unadjusted"
    differ = bool(of_subtypes["reported"].astype(bool).any())
    return f" They {'differ' if differ else 'do not differ'} in survival ({', '.join(told)})."


def _factor_and_labels(source: Source) -> str:
    """Without subtypes: which factor goes with the labels, if any does."""
    obs = source.get("factor_obs")
    if source.labels is None or obs is None:
        return ""
    own = of_sound_factors(source, obs[obs["column"].astype(str) == source.labels])
    own = own[own["q"] <= FDR_OBS]
    if not len(own):
        return ""
    factor = str(own.loc[own["p"].idxmin(), "factor"])
    return f" {factor_title(factor)} goes with {closest_column(own, factor)}."


def _factors_and_survival(source: Source) -> str:
    """Without subtypes: whether any factor goes with survival."""
    tests = source.get("survival_tests")
    if source.survival is None or tests is None:
        return ""
    factors: pd.DataFrame = tests[tests["what"] != "subtype"]
    own = factors[factors["reported"].astype(bool)].sort_values("q", kind="stable")
    if len(own):
        names = [factor_title(name).removeprefix("Factor ") for name in own["what"]]
        told = f"{listing(names, 3)}, {'smallest ' if len(own) > 1 else ''}"
        n = len(own)
        return (
            f" {count(n, 'factor')} {verb(n, 'goes', 'go')} with survival ({told}"
            f"{p_text(own['q'].iloc[0], 'q')})."
        )
    known = factors["p"].dropna()
    closest = f" (smallest {p_text(known.min())})" if len(known) else ""
    return f" No factor goes with survival{closest}."
