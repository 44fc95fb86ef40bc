"""The first screen says what the tests say: a cohort for each verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from poems.clustering.tried import NumberTried
from poems.diagnosis.check import Check, Diagnosis
from poems.findings import Finding
from poems.report.blocks import Cautions, SideBySide, Verdict
from poems.report.harm import HARMS, harm_of, in_full, in_short, most_harmful
from poems.report.sections.summary import summary_section
from poems.report.source import FINDING_COLUMNS, Source
from poems.runs.folder import run_subtypes

Changed = Callable[..., Source]
HOLDS = NumberTried(3, (20, 20, 20), (0.95, 0.91, 0.9), 5.1, 3.8)
FAILED = Check("gate-collapsed", "weight", 0.99, 0.95, "warning", meaning="one view is all")


@pytest.fixture
def calm(source: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A run of three subtypes that hold, of a fit that passed its diagnosis."""
    tried(monkeypatch, HOLDS)
    stable = source.tables["subtype_stability"].assign(jaccard=0.9)
    return diagnosed(replace(source, tables={**source.tables, "subtype_stability": stable}))


def tried(monkeypatch: pytest.MonkeyPatch, number: NumberTried) -> None:
    """As if this had been found of the number of subtypes."""
    monkeypatch.setattr(
        "poems.report.verdict.run_subtypes",
        lambda run: replace(run_subtypes(run), tried=(number,)),
    )


def diagnosed(source: Source, *checks: Check) -> Source:
    model = replace(source.model, diagnosis=Diagnosis(checks))
    return replace(source, run=replace(source.run, fit=model))


def found(source: Source, *findings: tuple[str, str]) -> Source:
    rows = [("warning", code, "", message) for code, message in findings]
    return replace(source, findings=pd.DataFrame(rows, columns=FINDING_COLUMNS))


def survived(source: Source, *, differ: bool, n_events: int = 41) -> Source:
    """As if survival had been analysed."""
    p = 1e-5 if differ else 0.34
    tests = pd.DataFrame(
        {"test": ["log-rank", "Cox"], "what": "subtype", "adjusted_for": "", "p": [p, 1.2 * p]}
    ).assign(q=p, reported=differ)
    logrank = pd.DataFrame({"comparison": ["overall"], "n_events": [n_events], "p": [p]})
    tables = {**source.tables, "survival_tests": tests, "survival_logrank": logrank}
    return replace(source, tables=tables, survival=())


def first_screen(source: Source) -> tuple[Verdict, list[str]]:
    """The verdict, and the cautions that are seen first."""
    blocks = summary_section(source).blocks
    (verdict,) = (each for each in blocks if isinstance(each, Verdict))
    (cautions,) = (each for each in blocks if isinstance(each, Cautions))
    (pictures,) = (each for each in blocks if isinstance(each, SideBySide))
    assert pictures.pictures[0].id == "overview-map"
    assert len(cautions.first) <= 3
    return verdict, [each.text for each in cautions.first]


def test_subtypes_that_hold(calm: Source) -> None:
    verdict, _ = first_screen(calm)
    assert (verdict.level, verdict.text) == ("found", "3 subtypes, each found again.")


def test_they_differ_in_survival_or_they_do_not(calm: Source) -> None:
    verdict, _ = first_screen(survived(calm, differ=True))
    assert verdict.text == (
        "3 subtypes, each found again; they differ in survival (log-rank p = 1 × 10⁻⁵, Cox p = "
        "1.2 × 10⁻⁵, 41 events; unadjusted)."
    )
    verdict, _ = first_screen(survived(calm, differ=False))
    assert "; they do not differ in survival (log-rank p = 0.34, Cox p = 0.41" in verdict.text


def test_survival_that_could_not_be_tested_is_said(calm: Source) -> None:
    verdict, _ = first_screen(replace(calm, survival=()))
    assert "whether they differ in survival could not be tested" in verdict.text


def test_no_groups(calm: Source) -> None:
    table = calm.run.subtypes.assign(subtype="S1")
    verdict, _ = first_screen(replace(calm, run=replace(calm.run, subtypes=table)))
    assert (verdict.level, verdict.text) == (
        "none",
        "No distinct groups: do not report subtypes.",
    )


def test_subtypes_that_are_not_found_again(calm: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, replace(HOLDS, jaccard=(0.95, 0.4, 0.9)))
    verdict, cautions = first_screen(calm)
    assert verdict.level == "doubtful"
    assert "3 groups, of which 1 is not found again when samples are drawn anew: S2 (0.40)." in (
        verdict.text
    )
    assert cautions[0].startswith("S2 (0.40) is not found again")


def test_parts_of_a_continuum(calm: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(monkeypatch, replace(HOLDS, separation=3.0))
    verdict, _ = first_screen(calm)
    assert verdict.level == "doubtful"
    assert "3 groups, as asked for, no farther apart than parts of a continuum." in verdict.text


def test_subtypes_without_a_gap_are_called_so(
    calm: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried(monkeypatch, replace(HOLDS, separation=3.0, again_without_groups=0.8, clearest=True))
    verdict, _ = first_screen(calm)
    assert (verdict.level, verdict.label) == ("doubtful", "No gap between them")
    assert "3 subtypes, each found again better than parts of a continuum" in verdict.text
    assert "without a gap between them" in verdict.text


def test_the_largest_number_tried_is_called_so(
    calm: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = NumberTried(2, (30, 30), (0.95, 0.9), 5.1, 3.8)
    told = {}
    for name, tried in (("most", (two, HOLDS)), ("not", (two, HOLDS, replace(two, n_clusters=4)))):
        monkeypatch.setattr(
            "poems.report.verdict.run_subtypes",
            lambda run, tried=tried: replace(run_subtypes(run), tried=tried, asked=False),
        )
        told[name] = first_screen(calm)[0].text
    assert told["most"] == "3 subtypes, the largest number tried, each found again."
    assert told["not"] == "3 subtypes, each found again."


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("subtypes-follow-missingness", "which omics were measured: they may be missing data"),
        ("subtypes-of-missing-omics", "which omics were measured: they may be missing data"),
        ("subtypes-follow-batch", "the batches: they may be technical"),
        ("subtypes-follow-depth", "something else than the disease"),
    ],
)
def test_subtypes_that_are_something_else(code: str, said: str, calm: Source) -> None:
    source = found(calm, ("rare-features", "2 are rare"), (code, "subtypes follow it: 19 of 20"))
    verdict, cautions = first_screen(source)
    assert verdict.level == "doubtful"
    assert f"3 groups that follow {said}" in verdict.text
    assert cautions == ["Subtypes follow it: 19 of 20.", "2 are rare."]


def test_a_fit_that_failed(calm: Source) -> None:
    verdict, cautions = first_screen(survived(diagnosed(calm, FAILED), differ=True))
    assert verdict.level == "failed"
    assert verdict.text == (
        "The fit failed its diagnosis: one omic speaks for all others. Do not report subtypes."
    )
    assert cautions[0] == "One omic is all."
    told = str(summary_section(survived(diagnosed(calm, FAILED), differ=True)).blocks)
    assert "What marks each subtype" not in told


def test_refits_have_a_say(calm: Source) -> None:
    subtypes = pd.DataFrame({"subtype": ["S1", "S2", "S3"], "jaccard": [0.9, 0.8, 0.85]})
    again = replace(calm, tables={**calm.tables, "stability_subtypes": subtypes})
    assert (
        "each found again, by refits, too (overlap at least 0.80)." in first_screen(again)[0].text
    )
    lost = subtypes.assign(jaccard=[0.9, 0.3, 0.85])
    again = replace(calm, tables={**calm.tables, "stability_subtypes": lost})
    verdict, _ = first_screen(again)
    assert (verdict.level, "but by refits S2 is not" in verdict.text) == ("doubtful", True)


def test_cautions_come_by_harm_one_of_each(calm: Source) -> None:
    codes = (
        "gate-against-effect",
        "gate-against-subtypes",
        "extreme-outliers",
        "names-nearly-match",
        "rare-features",
        "subtypes-tiny",
    )
    _, cautions = first_screen(found(calm, *((code, f"it is {code}") for code in codes)))
    assert cautions == [
        "It is names-nearly-match.",
        "It is subtypes-tiny.",
        "It is extreme-outliers.",
    ]


def test_the_order_of_harm_is_total_and_every_code_has_one_place() -> None:
    beginnings = [each for _, codes in HARMS for each in codes]
    assert len(set(beginnings)) == len(beginnings)
    for place, (_, codes) in enumerate(HARMS):
        assert {harm_of(code) for code in codes} == {place}
    assert most_harmful([Finding("warning", "of-another-package", "")])[0].code


@pytest.mark.parametrize(
    ("message", "short"),
    [
        ("short enough; do this", "Short enough; do this."),
        ("x" * 60 + " (a, b; c): " + "y" * 90, "X" + "x" * 59 + " (a, b; c)."),
        ("z" * 50 + " (" + "name, " * 20 + ") is; " + "y" * 90, "Z" + "z" * 49 + " is."),
        ("w" * 200, "W" + "w" * 199 + "."),
    ],
)
def test_a_caution_is_shortened_at_the_end_of_a_clause(message: str, short: str) -> None:
    finding = Finding("warning", "x", message)
    assert in_short(finding) == short
    assert in_full(finding).lower().startswith(message[:40])
