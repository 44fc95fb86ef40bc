"""Sentences follow from the numbers, in good grammar for none, one and many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hostile_names import SCRIPT

from poems.diagnosis.check import Check, Diagnosis
from poems.findings import Finding
from poems.report.blocks import Sentence, Table
from poems.report.sections import cautions, summary
from poems.report.sections.drawn import obs_by_subtype
from poems.report.source import Source
from poems.runs.folder import run_subtypes

Changed = Callable[..., Source]


def text(sentences: Iterable[Sentence]) -> str:
    return " ".join(each.text for each in sentences)


def test_the_cohort_in_a_sentence(source: Source) -> None:
    assert text(summary.cohort_sentences(source)) == (
        f"60 samples measured with 2 omics: {SCRIPT} and pro`tein. Every sample has every omic."
    )


def test_factors_kept(source: Source) -> None:
    said = text(summary.factor_sentences(source))
    n = source.model.n_active
    assert said.startswith(f"{n} of 5 possible factors were kept; together they explain ")
    assert said.count("% of the variance of") == 2


@pytest.mark.parametrize(
    ("n_unsure", "expected"),
    [
        (0, "No sample is flagged as uncertain."),
        (1, "1 of 60 samples lies between subtypes and is flagged as uncertain."),
        (7, "7 of 60 samples lie between subtypes and are flagged as uncertain."),
    ],
)
def test_uncertain_samples(n_unsure: int, expected: str, source: Source, without: Changed) -> None:
    table = source.tables["subtype_samples"].assign(uncertain=np.arange(60) < n_unsure)
    changed = sound(without(subtype_samples=table))
    assert expected in text(summary.subtype_sentences(changed))


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (0, "No pair of features from different omics is associated at"),
        (1, "1 pair of features from different omics is associated at a false discovery "
            "rate of 10%. It is "),
        (3, "3 pairs of features from different omics are associated at a false "
            "discovery rate of 10%. Highest scores: "),
    ],
)  # fmt: skip
def test_pairs(n: int, expected: str, source: Source, without: Changed) -> None:
    table = source.tables["cross_omic"].assign(q=lambda t: np.where(np.arange(len(t)) < n, 0, 1))
    said = text(summary.pair_sentences(without(cross_omic=table)))
    assert said.startswith(expected)
    if n:
        assert "through Factors 1 and 2 (correlation −0.40, q < 10⁻³⁰⁰)" in said


def test_pairs_that_were_not_looked_for_are_not_spoken_of(source: Source, without: Changed) -> None:
    assert text(summary.pair_sentences(without("cross_omic"))) == ""
    empty = source.tables["cross_omic"].iloc[:0]
    assert "No pair" in text(summary.pair_sentences(without(cross_omic=empty)))


def test_markers(source: Source, without: Changed) -> None:
    markers = pd.DataFrame(
        {
            "view": "pro`tein",
            "feature": ["a", "b", "c"],
            "subtype": ["S1", "S1", "S2"],
            "effect": [2.0, -1.0, 0.5],
            "q": [0.01, 0.02, 0.9],
        }
    )
    said = text(summary.marker_sentences(without(markers=markers)))
    assert "S1 has higher a (pro`tein); lower b (pro`tein) (2 markers)." in said
    assert "S2: no feature marks it at a false discovery rate of 10%." in said


def test_weight_and_effect_are_named_apart(source: Source, without: Changed) -> None:
    said = text(summary.contribution_sentences(source))
    assert said == (
        f"By weight: the gate weighs {SCRIPT} most (70% on average). By effect: samples move "
        "farthest when pro`tein is withheld (shift 0.90), and without pro`tein 25% of them would "
        "be in another subtype, the most of any omic. Weight and effect differ; neither stands "
        "for the other."
    )
    table = source.tables["contributions_by_view"].assign(mean_shift=[0.9, 0.1])
    said = text(summary.contribution_sentences(without(contributions_by_view=table)))
    assert f"when {SCRIPT} is withheld (shift 0.90), and without pro`tein 25%" in said
    assert "differ" not in said
    assert "weighs most" in text(summary.contribution_sentences(without("contributions_by_view")))


def test_of_two_subtypes_one_sentence_says_both(source: Source, without: Changed) -> None:
    run = source.run.subtypes.assign(subtype=["S1", "S2"] * 30)
    markers = pd.DataFrame(
        {"view": "pro`tein", "feature": ["a", "b", "a", "b"], "subtype": ["S1", "S1", "S2", "S2"]}
    ).assign(effect=[2.0, -1.0, -2.0, 1.0], q=0.01)
    changed = without(markers=markers)
    changed = replace(changed, run=replace(changed.run, subtypes=run))
    said = text(summary.marker_sentences(changed))
    assert said == "Against S2, S1 has higher a (pro`tein); lower b (pro`tein) (2 markers)."


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([], "No factor goes with any of 1 column of the obs table that was tested, at"),
        (["a"], "The one column of the obs table that was tested goes with a factor. Closest: "),
        (["a", "b", "c", "d"], "; 1 more column goes with a factor."),
        (["a", "b", "c", "d", "e"], "; 2 more columns go with a factor."),
    ],
)
def test_columns(columns: list[str], expected: str, without: Changed) -> None:
    rows = [("factor_1", name, "rho", 0.5, 0.001, 0.01) for name in columns]
    rows = rows or [("factor_1", "a", "rho", 0.0, 0.9, 0.9)]
    names = ["factor", "column", "measure", "effect", "p", "q"]
    table = pd.DataFrame(rows, columns=names)
    assert expected in text(summary.obs_sentences(without(factor_obs=table)))


def test_gene_sets(without: Changed) -> None:
    table = pd.DataFrame(
        {"factor": "factor_1", "view": "rna", "gene_set": ["A", "B"], "direction": "up"}
    ).assign(p=[1e-6, 0.5], q=[1e-5, 0.6])
    said = text(summary.gene_set_sentences(without(gene_sets=table)))
    assert said == (
        "Gene sets are enriched in 1 factor. Strongest: A (up with Factor 1, rna, q = 1 × 10⁻⁵)."
    )
    none = text(summary.gene_set_sentences(without(gene_sets=table.assign(q=1.0))))
    assert none == "No gene set is enriched in a factor at a false discovery rate of 10%."


def test_survival_speaks_for_itself() -> None:
    said = [
        Finding("note", "survival-factors", "1 factor with survival: factor_12 2.0"),
        Finding("note", "survival-zero", "a detail of the data"),
    ]
    assert text(summary.survival_sentences(said)) == "1 factor with survival: Factor 12 2.0."


def sound(source: Source) -> Source:
    """As if the fit had passed its diagnosis."""
    model = replace(source.model, diagnosis=Diagnosis(()))
    return replace(source, run=replace(source.run, fit=model))


def warned(
    source: Source, *messages: str, survival: tuple[Finding, ...] | None = None, code: str = "x"
) -> str:
    rows = [("warning", code, "rna", message) for message in messages]
    findings = pd.DataFrame(rows, columns=["severity", "code", "view", "message"])
    return text(cautions.caution_sentences(replace(source, findings=findings, survival=survival)))


def test_cautions(source: Source, without: Changed, monkeypatch: pytest.MonkeyPatch) -> None:
    # As of a run that does not say what numbers were tried.
    monkeypatch.setattr(
        "poems.report.verdict.run_subtypes", lambda run: replace(run_subtypes(run), tried=())
    )
    assert "In rna: it is odd." in warned(source, "it is odd")
    said = warned(source, survival=(Finding("warning", "survival-x", "too few events"),))
    assert "Too few events." in said
    assert "S1 (0.50) is not found again when samples are drawn anew" in said
    stable = source.tables["subtype_stability"].assign(jaccard=[0.5, 0.5, 0.9])
    assert "is not found again when" not in warned(source, "it is odd", code="subtypes-unstable")
    assert "S1 (0.50) and S2 (0.50) are not found again" in warned(
        without(subtype_stability=stable)
    )
    calm = stable.assign(jaccard=0.9)
    assert "found again when samples" not in warned(without(subtype_stability=calm))


@pytest.mark.parametrize("mean", [0.1, 0.9])
def test_a_silhouette_is_no_reason_to_praise_subtypes_or_to_doubt_them(
    mean: float, source: Source
) -> None:
    """The network's coordinates set groups apart by the way they are made."""
    table = source.run.subtypes.assign(silhouette=mean)
    changed = sound(replace(source, run=replace(source.run, subtypes=table)))
    assert "set apart" not in text(summary.subtype_sentences(changed)) + warned(changed)


def test_of_a_fit_that_failed_no_subtypes_are_told(source: Source) -> None:
    check = Check("not-converged", "fall a feature", 0.1, 0.01, "warning", meaning="It fell.")
    model = replace(source.model, diagnosis=Diagnosis((check,)))
    failed = replace(source, run=replace(source.run, fit=model))
    said = text(summary.subtype_sentences(failed))
    assert said.startswith("The fit failed its diagnosis (not-converged), so that no subtypes")


def test_one_group_is_no_subtype(source: Source) -> None:
    table = source.run.subtypes.assign(subtype="S1")
    changed = sound(replace(source, run=replace(source.run, subtypes=table)))
    assert text(summary.subtype_sentences(changed)) == run_subtypes(changed.run).explanation
    assert text(summary.marker_sentences(changed)) == ""


def test_labels_of_another_number_are_compared_by_purity(without: Changed) -> None:
    row = {"n_samples": 60, "purity": 0.5, "accuracy": np.nan, "nmi": 0.4, "ari": 0.3}
    counts = pd.DataFrame({"subtype": ["S1"], "a": [30], "b": [30]})
    changed = without("label_scores", label_counts=counts, label_agreement=pd.DataFrame([row]))
    said = text(summary.label_sentences(changed, "grade"))
    assert said.startswith("50% of 60 labelled samples have the commonest value of 'grade'")
    assert "one to one" not in said
    # Finer labels: each in one subtype is all that can be.
    counts = pd.DataFrame({"subtype": ["S1", "S2"], "a": [20, 0], "b": [20, 0], "c": [0, 20]})
    changed = without("label_scores", label_counts=counts, label_agreement=pd.DataFrame([row]))
    said = text(summary.label_sentences(changed, "grade"))
    assert said.startswith("100% of 60 labelled samples are in the subtype that most of their")


@pytest.mark.parametrize(
    ("own", "pca", "said"),
    [
        (0.01, 0.00, "neither the model's network embedding nor plain principal components find"),
        (0.15, 0.14, "finds them about as well as plain principal components do"),
        (0.30, 0.14, "finds them better than plain principal components do"),
        (0.14, 0.30, "finds them less well than plain principal components do"),
    ],
)
def test_embeddings_are_compared_by_what_is_more_than_luck(
    own: float, pca: float, said: str, without: Changed
) -> None:
    row = {"n_samples": 60, "purity": 0.5, "accuracy": np.nan, "nmi": 0.4, "ari": 0.3}
    scores = pd.DataFrame({"embedding": ["network", "PCA"], "nmi": [own, pca]})
    changed = without("label_counts", label_scores=scores, label_agreement=pd.DataFrame([row]))
    assert said in text(summary.label_sentences(changed, "grade"))


def test_a_column_of_many_groups_does_not_drown_the_others(source: Source) -> None:
    table = pd.DataFrame(
        {"column": ["site"] * 40 + ["age"], "group": [f"g{at}" for at in range(41)]}
    )
    table = table.assign(**{"S1": "1 (2 %)", "all": "1", "test": "", "p": 0.5, "q": 0.5})
    (block,) = obs_by_subtype(replace(source, tables={**source.tables, "subtype_obs": table}))
    assert isinstance(block, Table)
    assert [row[0].text for row in block.rows] == ["site"] * 10 + ["age"]
    assert "30 more groups of columns of many are in the file" in block.note
