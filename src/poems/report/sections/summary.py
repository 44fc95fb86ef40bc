"""The summary: sentences in plain words, each made from a number that a section shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from poems.analysis.subtypes.patterns import pattern_findings
from poems.findings import Finding, count
from poems.report.blocks import Section, Sentence, Sentences
from poems.report.sections.cautions import caution_sentences
from poems.report.sections.cohort import view_table
from poems.report.sections.contributions import leading, weight_text
from poems.report.sections.cross_omic import pair_text
from poems.report.sections.factors import closest_column
from poems.report.sections.labels import BASELINE
from poems.report.sections.subtypes import subtype_sizes, top_markers, truths
from poems.report.sections.survival import RESULTS, spoken
from poems.report.source import Source
from poems.report.wording import (
    factor_title,
    listing,
    number,
    p_value,
    percent,
    sentence,
    verb,
)
from poems.runs.folder import run_subtypes
from poems.settings.rates import FDR, FDR_OBS

_MARKERS, _PAIRS, _COLUMNS, _SETS = 3, 3, 3, 3


def summary_section(source: Source) -> Section:
    """Return the summary: a sentence for each result, and what to distrust."""
    sentences = [
        *cohort_sentences(source),
        *factor_sentences(source),
        *subtype_sentences(source),
        *marker_sentences(source),
        *contribution_sentences(source),
        *pair_sentences(source),
        *obs_sentences(source),
        *gene_set_sentences(source),
        *survival_sentences(source.survival or ()),
        *(label_sentences(source, source.labels) if source.labels is not None else ()),
    ]
    topics = list(dict.fromkeys(each.topic for each in sentences))
    placed = tuple(replace(each, place=topics.index(each.topic)) for each in sentences)
    cautions = tuple(caution_sentences(source))
    lead = (
        "In plain words, each sentence made from a number; the arrow leads to where it is shown. "
        "The words are explained at the end."
    )
    return Section("summary", "Summary", [Sentences(placed, cautions)], lead)


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
        f"{percent(row.r2)} of the {_explained(source, str(row.view))} of {row.view}"
        for row in table.itertuples()
    ]
    pronoun = "it explains" if kept == 1 else "together they explain"
    yield Sentence("Factors", f"{text}; {pronoun} {listing(shares)}.", target="factors")
    n = len(model.background.columns)
    if n:
        more = [f"{percent(row.background)} of {row.view}" for row in table.itertuples()]
        yield Sentence(
            "Factors",
            f"{count(n, 'background factor')}, dense and no biomarkers, {verb(n, 'adds', 'add')} "
            f"{listing(more)}.",
            target="background",
        )


def _explained(source: Source, view: str) -> str:
    """What is explained of a view: of values on their own scale, deviance."""
    scaling = source.model.preprocessing.views.get(view)
    return "variance" if scaling is None or scaling.own is None else "deviance"


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
            yield Sentence(
                "Subtypes",
                f"When the subtyping is repeated, {best['subtype']} is found again best and "
                f"{worst['subtype']} least well (overlap {number(best['jaccard'])} and "
                f"{number(worst['jaccard'])}; 1 is the same samples).",
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
    for at, name in enumerate(kept):
        own = top_markers(markers, name)
        if len(kept) == 2 and at == 1:
            yield Sentence(topic, f"{name} is the reverse.", target=target)
            continue
        if not len(own):
            yield Sentence(
                topic,
                f"{name}: no feature marks it at a false discovery rate of {FDR:.0%}.",
                target=target,
            )
            continue
        parts = []
        for word, side in (("higher", own[own["effect"] > 0]), ("lower", own[own["effect"] < 0])):
            if len(side):
                top = side.head(_MARKERS)
                parts.append(
                    f"{word} "
                    + listing(
                        f"{feature} ({view})"
                        for feature, view in zip(top["feature"], top["view"], strict=True)
                    )
                )
        yield Sentence(
            topic, f"{name} has {'; '.join(parts)} ({count(len(own), 'marker')}).", target=target
        )


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
    if by_effect is None:
        yield Sentence(
            topic, f"{by_gate} weighs most in the gate ({weight} on average).", target=target
        )
    elif by_gate == by_effect:
        yield Sentence(
            topic,
            f"{by_gate} counts most, by its weight in the gate ({weight} on average) and by what "
            "changes when it is withheld.",
            target=target,
        )
    else:
        yield Sentence(
            topic,
            f"{by_gate} weighs most in the gate ({weight} on average), but samples move most when "
            f"{by_effect} is withheld: gate and effect disagree.",
            target=target,
        )
    several = source.subtypes.nunique() > 1
    if several and "switched_share" in table.columns and table["switched_share"].notna().any():
        most = table.loc[table["switched_share"].idxmax()]
        yield Sentence(
            topic,
            f"Without {most['view']}, {percent(most['switched_share'])} of the samples would be in "
            "another subtype; no other omic changes more."
            if len(table) > 1
            else f"Without it, {percent(most['switched_share'])} would be in another subtype.",
            target=target,
        )


def pair_sentences(source: Source) -> Iterable[Sentence]:
    """Name the strongest pairs of features of different omics."""
    table = source.get("cross_omic")
    topic, target = "Cross-omic associations", "cross-omic"
    if table is None:
        if "cross_omic" in source.tables and len(source.model.view_names) > 1:
            yield Sentence(
                topic, "No pair of features from different omics shares a factor.", target=target
            )
        return
    own = table[table["q"] <= FDR]
    n = len(own)
    if not n:
        yield Sentence(
            topic,
            "No pair of features from different omics is associated at a false discovery rate of "
            f"{FDR:.0%}.",
            target=target,
        )
        return
    top = own.loc[own["score"].abs().sort_values(ascending=False, kind="stable").index[:_PAIRS]]
    strongest = "; ".join(pair_text(row) for row in top.itertuples())
    numbers = source.get("cross_omic_numbers")
    # The table holds the best alone where there are very many.
    if numbers is not None and n == len(table):
        n = int(numbers["n_significant"].iloc[0])
    yield Sentence(
        topic,
        f"{n:,} {verb(n, 'pair', 'pairs')} of features from different omics "
        f"{verb(n, 'is', 'are')} associated at a false discovery rate of "
        f"{FDR:.0%}. {'It is' if n == 1 else 'The strongest:'} {strongest}.",
        target=target,
    )


def obs_sentences(source: Source) -> Iterable[Sentence]:
    """Say which columns of the obs table factors go with."""
    obs = source.get("factor_obs")
    if obs is None:
        return
    topic, target = "Clinical columns", "factors"
    tested = obs.dropna(subset=["p"])
    own = tested[tested["q"] <= FDR_OBS]
    n_columns = tested["column"].nunique()
    if not len(own):
        yield Sentence(
            topic,
            f"No factor goes with any of {count(n_columns, 'column')} of the obs table at a false "
            f"discovery rate of {FDR_OBS:.0%}.",
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
        f"Of {count(n_columns, 'column')} of the obs table, {len(best)} "
        f"{verb(len(best), 'goes', 'go')} with a factor. Closest: {listing(shown)}{more}.",
        target=target,
    )


def gene_set_sentences(source: Source) -> Iterable[Sentence]:
    """Name the gene sets that factors come from."""
    table = source.get("gene_sets")
    if table is None:
        return
    topic, target = "Gene sets", "factors"
    own = table[table["q"] <= FDR]
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
        f"q {p_value(row.q)})"
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


def label_sentences(source: Source, column: str) -> Iterable[Sentence]:
    """Say how the subtypes agree with the labels."""
    agreement = source.get("label_agreement")
    if agreement is None:
        return
    row = agreement.iloc[0]
    n_groups = source.subtypes.nunique()
    counts = source.get("label_counts")
    n_labels = 0 if counts is None else len(counts.columns) - 1
    samples = count(int(row["n_samples"]), "sample")
    between = (
        f"the {count(n_groups, 'subtype')} and the {count(n_labels, 'value')} of '{column}' (NMI "
        f"{number(row['nmi'])}, ARI {number(row['ari'])})."
    )
    # Tables of earlier reports have no purity, and an accuracy whatever the numbers.
    unequal = "purity" in agreement.columns and pd.isna(row["accuracy"])
    text = (
        f"{percent(row['purity'])} of {samples} have the most frequent value of their subtype, "
        f"comparing {between}"
        if unequal
        else f"Under the best matching, {percent(row['accuracy'])} of {samples} agree between "
        f"{between}"
    )
    yield Sentence("Known labels", text, target="labels")
    scores = source.get("label_scores")
    if scores is None or BASELINE not in set(scores["embedding"]):
        return
    own, pca = scores.iloc[0], scores[scores["embedding"] == BASELINE].iloc[0]
    if pd.isna(own["nmi"]):
        return
    words = "better than" if own["nmi"] > pca["nmi"] else "no better than"
    yield Sentence(
        "Known labels",
        f"Clustered into as many groups as there are labels, the model's {own['embedding']} "
        f"embedding finds them {words} plain principal components do (NMI {number(own['nmi'])} "
        f"against {number(pca['nmi'])}).",
        target="labels",
    )
