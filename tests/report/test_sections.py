"""Every section does what the page takes for granted, and one from outside is written."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from html_pages import Page
from pictures import unrendered

from poems.errors import SettingsError
from poems.report import write_report
from poems.report.blocks import Section, Text
from poems.report.sections import CLOSING, SECTIONS, in_order, register_section
from poems.report.sections.subtypes import subtypes_section
from poems.report.source import Source, read_source
from poems.runs.folder import read_run

# What refits said, and sections that are there only where they were asked for.
REFITS = {
    "stability_factors": pd.DataFrame(
        {"factor": ["factor_1", "factor_2"], "found": [1.0, 0.2], "similarity": 0.9, "chance": 0.1}
    )
}
ONLY_IF_ASKED = ("labels", "stability")


def drugs(source: Source) -> Section | None:
    """A section as another package would write it."""
    n = len(source.model.samples)
    return Section("toy", "Drugs", [Text(f"None of {n} samples was treated.")])


def only_with_labels(source: Source) -> Section | None:
    return None if source.labels is None else Section("named", "Named", [Text(source.labels)])


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SECTIONS, "_parts", dict(SECTIONS._parts))


def section_ids(page: Path) -> list[str]:
    return [e.attributes["id"] for e in Page(page.read_text("utf-8")).all("section")]


@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.parametrize("asked", [False, True])
def test_a_section_has_its_name_a_title_and_something_to_show(
    name: str, asked: bool, source: Source
) -> None:
    wishes = {"labels": "label", "time": "time", "survival": ()} if asked else {}
    if asked:
        source = replace(source, tables={**source.tables, **REFITS})
    section = SECTIONS.find(name)(replace(source, **wishes))
    if name in ONLY_IF_ASKED and not asked:
        assert section is None
        return
    assert section is not None
    assert section.id == name
    assert section.title
    assert section.blocks


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_can_be_built_of_a_run_without_tables(name: str, old_run: Path) -> None:
    section = SECTIONS.find(name)(read_source(read_run(old_run)))
    assert section is None or section.id == name


def test_a_section_from_outside_is_on_the_page_before_the_closing_ones(
    full_run: Path, tmp_path: Path
) -> None:
    register_section("toy", drugs)
    register_section("named", only_with_labels)
    with unrendered():
        report = write_report(full_run, tmp_path / "page.html")
        named = write_report(full_run, tmp_path / "named.html", labels="label")
    assert section_ids(report.path)[-3:] == ["toy", *CLOSING]
    page = Page(report.path.read_text("utf-8"))
    assert "None of 60 samples was treated." in report.path.read_text("utf-8")
    assert "#toy" in {e.attributes["href"] for e in page.all("a")}
    assert section_ids(named.path)[-4:] == ["toy", "named", *CLOSING]


def test_an_installed_package_adds_a_section_by_an_entry_point(
    full_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "elsewhere-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[poems.report_section]\ntoy = test_sections:drugs\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(Path(__file__).parent), *sys.path])
    assert "toy" in [*in_order()]
    with unrendered():
        assert "toy" in section_ids(write_report(full_run, tmp_path / "page.html").path)


def test_a_section_that_fails_to_load_is_named(full_run: Path, tmp_path: Path) -> None:
    SECTIONS.register("absent", "poems_elsewhere:absent")  # type: ignore[arg-type]
    with unrendered():
        page = write_report(full_run, tmp_path / "page.html").path.read_text("utf-8")
    assert "The section on absent was left out of the report: ModuleNotFoundError" in page


def test_a_name_is_not_taken_twice() -> None:
    with pytest.raises(SettingsError, match="there is a report section 'cohort' already"):
        register_section("cohort", drugs)


def test_columns_that_survival_is_read_from_are_in_its_section_alone(source: Source) -> None:
    asked = replace(source, time="time", event="event", survival=())
    for stem in ("factor_obs", "background_obs", "subtype_obs", "contributions_by_group"):
        table = pd.DataFrame({"column": ["time", "event", "label"], "p": 0.01})
        changed = replace(asked, tables={stem: table})
        assert list(changed.get(stem)["column"]) == ["label"]
        assert list(replace(changed, time=None, event=None).get(stem)["column"]) == [
            *table["column"]
        ]
        assert replace(asked, tables={stem: table[:2]}).get(stem) is None


@pytest.mark.parametrize("metric", ["network", "latent"])
def test_networks_made_anew_are_spoken_of_where_there_is_a_network(
    metric: str, source: Source
) -> None:
    summary = source.run.summary
    summary = {**summary, "subtypes": {**summary["subtypes"], "metric": metric}}
    asked = replace(source, run=replace(source.run, summary=summary))
    (table,) = (
        each
        for each in subtypes_section(asked).blocks
        if getattr(each, "id", "") == "subtype-sizes"
    )
    assert "of the embedding as it is." in table.note
    assert ("a network is made anew" in table.note) is (metric == "network")
