"""What was found in plain words: sentences, each made from a number that a section shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from poems.analysis.pairs.alike import said_once, strongest_first
from poems.analysis.subtypes.patterns import pattern_findings
from poems.findings import Finding, count
from poems.report.blocks import Sentence
from poems.report.sections.cohort import view_table
from poems.report.sections.contributions import leading, weight_text
from poems.report.sections.cross_omic import NO_PAIR, pair_floor, pair_text
from poems.report.sections.factors import closest_column
from poems.report.sections.subtypes import subtype_sizes, top_markers, truths
from poems.report.sections.survival import RESULTS, spoken
from poems.report.source import Source
from poems.report.standing import of_sound_factors, weak_factors
from poems.report.wording import (
    factor_title,
    listing,
    number,
    p_text,
    percent,
    sentence,
    verb,
    whole,
)
from poems.runs.folder import run_subtypes
from poems.settings.rates import FDR, FDR_OBS

# Share of samples that change subtype below which no omic is said to decide.
_SWITCHED = 0.03
_MARKERS, _PAIRS, _COLUMNS, _SETS = 3, 3, 3, 3


def cohort_sentences(source: Source) -> Iterable[Sentence]:
    """Say how many samples and omics there are, and what is missing."""
    model = source.model
    views = [str(name) for name in model.view_names]
    n = len(model.samples)
    text = f"{count(n, 'sample')} measured with {count(len(views), 'omic')}: {listing(views)}."
    lacking = int((source.gates == 0).any(axis=1).sum())
    if lacking:
        text += (
            f" {lacking} of them {verb(lacking, 'lacks', 'lack')} at least one omic and "
            f"{verb(lacking, 'is', 'are')} used all the same."
        )
    elif len(views) > 1:
        text += " Every sample has every omic."
    yield Sentence("Cohort", text, target="cohort")


def factor_sentences(source: Source) -> Iterable[Sentence]:
    """Say how many factors were kept and what they explain."""
    model = source.model
    kept, asked = model.n_active, model.settings.model.n_latent
    text = f"{kept} of {count(asked, 'possible factor')} {verb(kept, 'was', 'were')} kept"
    if not kept:
        yield Sentence(
            "Factors", f"{text}: nothing was found that the omics have in common.", target="factors"
        )
        return
    table = view_table(source)
    shares = [
        f"{percent(row.r2)} of the {model.share_of[str(row.view)]} of {row.view}"
        for row in table.itertuples()
    ]
    pronoun = "it explains" if kept == 1 else "together they explain"
    yield Sentence("Factors", f"{text}; {pronoun} {listing(shares)}.", target="factors")
    weak = weak_factors(source)
    if weak:
        named = listing((f"{factor_title(name)} ({why})" for name, why in weak.items()), 6)
        yield Sentence(
            "Factors",
            f"Not to be built on: {named}. What follows of factors leaves "
            f"{verb(len(weak), 'it', 'them')} out.",
            target="factors",
        )
    n = len(model.background.columns)
    if n:
        more = [f"{percent(row.background)} of {row.view}" for row in table.itertuples()]
        yield Sentence(
            "Factors",
            f"{count(n, 'background factor')}, dense and no biomarkers, {verb(n, 'adds', 'add')} "
            f"{listing(more)}.",
            target="background",
        )


def subtype_sentences(source: Source) -> Iterable[Sentence]:
    """Say how many subtypes there are, and how sure they are."""
    sizes = subtype_sizes(source.subtypes)
    n = len(sizes)
    failed = source.model.diagnose().signatures
    if failed:
        yield Sentence(
            "Subtypes",
            f"The fit failed its diagnosis ({listing(failed)}), so that no subtypes are reported "
            f"here; {count(n, 'group')} {verb(n, 'was', 'were')} formed, as the section shows.",
            target="diagnostics",
        )
        return
    found = run_subtypes(source.run)
    if n < 2:
        yield Sentence("Subtypes", found.explanation, target="subtype-number")
        return
    kept = found.apart_from_patterns
    if len(kept) > 1:
        told = listing(f"{name} with {count(int(sizes[name]), 'sample')}" for name in kept)
        yield Sentence("Subtypes", f"{len(kept)} subtypes: {told}.", target="subtypes")
    for each in pattern_findings(found.patterns):
        yield Sentence("Subtypes", sentence(each.message), target="subtype-sizes")
    reason = found.reason.removeprefix(f"{count(n, 'subtype')}: ")
    yield Sentence("Subtypes", f"{reason[:1].upper()}{reason[1:]}", target="subtype-number")
    stability = source.get("subtype_stability")
    if stability is not None and "jaccard" in stability.columns:
        known = stability[stability["subtype"].isin(kept)].dropna(subset=["jaccard"])
        if len(known) > 1:
            best = known.loc[known["jaccard"].idxmax()]
            worst = known.loc[known["jaccard"].idxmin()]
            high, low = number(best["jaccard"]), number(worst["jaccard"])
            told = (
                f"all are found again alike (overlap {low}"
                if high == low
                else f"{best['subtype']} is found again best and {worst['subtype']} least well "
                f"(overlap {high} and {low}"
            )
            yield Sentence(
                "Subtypes",
                f"In subsamples of the embedding {told}; 1 is the same samples).",
                target="subtype-sizes",
            )
    samples = source.get("subtype_samples")
    if samples is not None and "uncertain" in samples.columns:
        unsure = int(truths(samples["uncertain"]).sum())
        text = (
            f"{unsure} of {count(len(samples), 'sample')} "
            f"{verb(unsure, 'lies', 'lie')} between subtypes and {verb(unsure, 'is', 'are')} "
            "flagged as uncertain."
            if unsure
            else "No sample is flagged as uncertain."
        )
        yield Sentence("Subtypes", text, target="subtype-samples")


def marker_sentences(source: Source) -> Iterable[Sentence]:
    """Say what marks each subtype."""
    markers = source.get("markers")
    kept = run_subtypes(source.run).apart_from_patterns
    if markers is None or len(kept) < 2:
        return
    topic, target = "What marks each subtype", "subtype-markers"
    names = list(kept)
    if len(names) == 2:
        # What is higher in the one is lower in the other: one sentence says it.
        names, head = names[:1], f"Against {names[1]}, {names[0]} has"
    else:
        head = ""
    for name in names:
        own = top_markers(markers, name)
        if not len(own):
            yield Sentence(
                topic,
                f"{name}: no feature marks it at a false discovery rate of {FDR:.0%}.",
                target=target,
            )
            continue
        parts = []
        for up, side in ((True, own[own["effect"] > 0]), (False, own[own["effect"] < 0])):
            said: dict[str, list[str]] = {}
            for row in side.head(_MARKERS).itertuples():
                scale = source.model.effect_scales[str(row.view)]
                word = scale.more if up else scale.less
                said.setdefault(word, []).append(f"{row.feature} ({row.view})")
            parts += [f"{word} {listing(named)}" for word, named in said.items()]
        text = f"{head or f'{name} has'} {'; '.join(parts)} ({count(len(own), 'marker')})."
        yield Sentence(topic, text, target=target)


def contribution_sentences(source: Source) -> Iterable[Sentence]:
    """Say which omic counts most, by the gate and by effect, and whether these agree."""
    if len(source.model.view_names) < 2:
        return
    topic, target = "Omics", "contributions"
    table = source.get("contributions_by_view")
    if table is None:
        weights = source.gates.where(source.gates > 0).mean()
        top = str(weights.idxmax())
        yield Sentence(
            topic,
            f"{top} weighs most in the gate ({percent(weights.max())} on average).",
            target=target,
        )
        return
    by_gate, by_effect = leading(table, "mean_gate"), leading(table, "mean_shift")
    if by_gate is None:
        return
    weight = weight_text(table, by_gate, "mean_gate")
    yield Sentence(
        topic,
        f"By weight: the gate weighs {by_gate} most ({weight} on average).",
        target=target,
    )
    if by_effect is None:
        return
    shift = weight_text(table, by_effect, "mean_shift")
    told = f"By effect: samples move farthest when {by_effect} is withheld (shift {shift})"
    switched = table.get("switched_share", pd.Series(dtype=float)).astype(float)
    if source.subtypes.nunique() > 1 and switched.max() >= _SWITCHED:
        most = table.loc[switched.idxmax()]
        told += (
            f", and without {most['view']} {percent(most['switched_share'])} of them would be in "
            "another subtype, the most of any omic"
        )
    tail = (
        "" if by_gate == by_effect else " Weight and effect differ; neither stands for the other."
    )
    yield Sentence(topic, f"{told}.{tail}", target=target)


def pair_sentences(source: Source) -> Iterable[Sentence]:
    """Name the strongest pairs of features of different omics."""
    table = source.get("cross_omic")
    topic, target = "Cross-omic associations", "cross-omic"
    if table is None:
        if "cross_omic" in source.tables and len(source.model.view_names) > 1:
            yield Sentence(topic, NO_PAIR, target=target)
        return
    own = of_sound_factors(source, table[table["q"] <= FDR], "factors")
    n = len(own)
    if not n:
        yield Sentence(
            topic,
            "No pair of features from different omics is associated at a false discovery rate of "
            f"{FDR:.0%}.",
            target=target,
        )
        return
    top = said_once(strongest_first(own)).head(_PAIRS)
    numbers = source.get("cross_omic_numbers")
    floor = pair_floor(source)
    strongest = "; ".join(pair_text(row, floor) for row in top.itertuples())
    # The table holds the best alone where there are very many.
    if numbers is not None and n == len(table):
        n = int(numbers["n_significant"].iloc[0])
    yield Sentence(
        topic,
        f"{whole(n)} {verb(n, 'pair', 'pairs')} of features from different omics "
        f"{verb(n, 'is', 'are')} associated at a false discovery rate of "
        f"{FDR:.0%}. {'It is' if n == 1 else 'Highest scores:'} {strongest}.",
        target=target,
    )


def obs_sentences(source: Source) -> Iterable[Sentence]:
    """Say which columns of the obs table factors go with."""
    obs = source.get("factor_obs")
    if obs is None:
        return
    topic, target = "Clinical columns", "factors"
    tested = obs.dropna(subset=["p"])
    if not len(tested):
        return
    own = of_sound_factors(source, tested[tested["q"] <= FDR_OBS])
    n_columns = tested["column"].nunique()
    if not len(own):
        yield Sentence(
            topic,
            f"No factor goes with any of {count(n_columns, 'column')} of the obs table that "
            f"{verb(n_columns, 'was', 'were')} tested, at a false discovery rate of "
            f"{FDR_OBS:.0%}.",
            target=target,
        )
        return
    best = own.sort_values("p", kind="stable").drop_duplicates("column")
    shown = [
        f"{factor_title(factor)} with {closest_column(own[own['column'] == column], factor)}"
        for factor, column in zip(best["factor"].head(_COLUMNS), best["column"], strict=False)
    ]
    rest = len(best) - len(shown)
    more = (
        f"; {count(rest, 'more column')} {verb(rest, 'goes', 'go')} with a factor" if rest else ""
    )
    yield Sentence(
        topic,
        f"{_how_many(len(best), n_columns)} with a factor. Closest: {listing(shown)}{more}.",
        target=target,
    )


def _how_many(n: int, of: int) -> str:
    """Say how many columns go with something, up to the verb.

    >>> _how_many(2, 2), _how_many(1, 6)
    ('All 2 columns of the obs table that were tested go', 'Of 6 columns that were tested, 1 goes')
    """
    if n == of:
        return (
            "The one column of the obs table that was tested goes"
            if n == 1
            else f"All {count(of, 'column')} of the obs table that were tested go"
        )
    return f"Of {count(of, 'column')} that were tested, {n} {verb(n, 'goes', 'go')}"


def gene_set_sentences(source: Source) -> Iterable[Sentence]:
    """Name the gene sets that factors come from."""
    table = source.get("gene_sets")
    if table is None:
        return
    topic, target = "Gene sets", "factors"
    own = of_sound_factors(source, table[table["q"] <= FDR])
    if not len(own):
        yield Sentence(
            topic,
            f"No gene set is enriched in a factor at a false discovery rate of {FDR:.0%}.",
            target=target,
        )
        return
    best = own.sort_values("p", kind="stable").drop_duplicates("factor").head(_SETS)
    shown = [
        f"{row.gene_set} ({row.direction} with {factor_title(row.factor)}, {row.view}, "
        f"{p_text(row.q, 'q')})"
        for row in best.itertuples()
    ]
    n_factors = own["factor"].nunique()
    yield Sentence(
        topic,
        f"Gene sets are enriched in {count(n_factors, 'factor')}. Strongest: {listing(shown)}.",
        target=target,
    )


def survival_sentences(findings: Sequence[Finding]) -> Iterable[Sentence]:
    """Repeat what the survival analysis found, which it says itself."""
    for each in findings:
        if each.code in RESULTS:
            yield Sentence("Survival", spoken(each), target="survival")
