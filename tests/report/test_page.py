"""The page as it is written: structure, self-containment, hostile names, tables on disk."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hostile_names import END, HOSTILE, SCRIPT
from html_pages import Page
from matplotlib.axes import Axes
from pictures import unrendered

from poems.data.container import MultiOmics
from poems.errors import DataError, SettingsError
from poems.files.csv_tables import read_csv
from poems.plots.style import new_axes
from poems.report import Report, write_report
from poems.report.blocks import Cautions, Section, Sentence
from poems.report.page import render
from poems.report.pictures import picture
from poems.report.sections import SECTIONS
from poems.report.tables import Column, make_table


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(report.path.read_text(encoding="utf-8"))


def test_the_page_is_well_formed(page: Page) -> None:
    assert page.misplaced == []
    ids = page.ids()
    assert not [each for each in set(ids) if ids.count(each) > 1]
    shown = [name for name in SECTIONS if name != "stability"]
    assert [e.attributes["id"] for e in page.all("section")] == shown
    targets = {e.attributes["href"] for e in page.all("a")}
    assert targets <= {f"#{name}" for name in ids}, "links lead somewhere within the page"


def test_headings_come_in_order(page: Page) -> None:
    levels = [int(each.tag[1]) for each in page.all("h1", "h2", "h3", "h4", "h5")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_everything_to_be_seen_is_said(page: Page) -> None:
    for each in page.all("img"):
        assert len(each.attributes["alt"]) > 20
    for each in page.all("svg"):
        assert each.attributes.get("aria-label") or each.attributes.get("aria-hidden") == "true"
    labelled = {e.attributes["id"]: e.text.strip() for e in page.elements if "id" in e.attributes}
    for each in page.all("table"):
        assert labelled[each.attributes["aria-labelledby"]]
    assert page.all("html")[0].attributes["lang"] == "en"


def test_nothing_is_loaded_from_elsewhere(report: Report, page: Page) -> None:
    text = report.path.read_text(encoding="utf-8")
    # The namespace in the script is a name, not an address to load.
    assert set(re.findall(r"https?://[^\s\"'<>)]*", text)) == {"http://www.w3.org/2000/svg"}
    for each in page.elements:
        assert each.tag not in ("link", "iframe", "object", "embed", "base", "form")
        assert each.attributes.get("src", "data:image/").startswith("data:image/")
        assert not [name for name in each.attributes if name.startswith("on") or name == "style"]
    policy = page.all("meta")[1].attributes["content"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert report.path.stat().st_size < 3e6


def test_hostile_names_stay_text(page: Page) -> None:
    scripts = page.all("script")
    assert len(scripts) == 2, "the page's own, and the data of the map"
    assert not [each for each in page.all("img") if each.attributes["src"] == "x"]
    cells = {each.text.strip() for each in page.all("td", "th")}
    assert {name for name in HOSTILE if name in cells} == set(HOSTILE)
    assert "49" not in {each.text.strip() for each in page.all("th")}, "no template was run"
    data = next(each for each in scripts if each.attributes.get("type"))
    assert "<" not in data.text


def test_numbers_come_from_tables_on_disk(report: Report, full_run: Path) -> None:
    folder = report.path.with_name("page_tables")
    assert {path.parent for path in report.tables} == {folder}
    summary = pd.read_csv(folder / "summary.csv")
    assert summary["sentence"].tolist() == report.sentences["sentence"].tolist()
    stems = {path.stem for path in report.tables}
    assert {"label_counts", "label_scores", "survival_km", "survival_cox"} <= stems
    assert not stems & {path.stem for path in (full_run / "analysis").glob("*.csv")}
    assert not list(report.path.parent.glob(".*")), "nothing is left half written"


def test_every_file_that_is_named_is_there(report: Report, page: Page, full_run: Path) -> None:
    named = {e.text for e in page.all("code") if re.search(r"\.csv", e.text)}
    assert len(named) > 15
    for text in named:
        for file in re.findall(r"[\w/]+\.(?:csv|toml)", text):
            places = (report.path.parent / file, full_run / file)
            assert any(place.exists() for place in places), text


def test_a_run_of_an_older_version_says_what_it_lacks(old_run: Path, tmp_path: Path) -> None:
    report = write_report(old_run, tmp_path / "old.html")
    page = Page(report.path.read_text(encoding="utf-8"))
    notices = " ".join(
        each.text for each in page.all("p") if "notice" in each.attributes.get("class", "")
    )
    for stem in ("factor_variance", "contributions_by_view", "cross_omic", "markers"):
        assert f"analysis/{stem}.csv" in notices
    assert "not with --no-analysis (poems fit … --overwrite)" in notices
    assert "Not asked for. poems report RUN --time COLUMN --event COLUMN" in notices
    stems = {path.stem for path in report.tables}
    assert stems == {
        "background_obs",
        "factor_effects",
        "factor_obs",
        "factor_correlations",
        "subtype_obs",
        "summary",
    }
    assert page.misplaced == []


def test_the_same_run_gives_the_same_page(report: Report, full_run: Path, tmp_path: Path) -> None:
    again = write_report(
        full_run, tmp_path / "page.html", labels="label", time="time", event="event"
    )
    assert again.path.read_bytes() == report.path.read_bytes()


def test_other_files_are_not_replaced(full_run: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("<html>mine</html>")
    with pytest.raises(SettingsError, match="is not a POEMS report"):
        write_report(full_run, mine)
    assert mine.read_text() == "<html>mine</html>"
    with pytest.raises(SettingsError, match="is a folder"):
        write_report(full_run, tmp_path)


def test_tables_of_an_earlier_report_go(full_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    kept = tmp_path / "report_tables" / "mine.csv"
    with unrendered():
        write_report(full_run, out, labels="label")
        kept.write_text("a\n")
        write_report(full_run, out)
    names = {path.name for path in kept.parent.iterdir()}
    assert names == {"mine.csv", "subtype_obs.csv", "summary.csv", "manifest.json"}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"labels": "absent"}, DataError, "has no column 'absent'; there are: "),
        ({"labels": END}, DataError, "does not hold labels of groups"),
        ({"time": "time"}, SettingsError, "give both"),
        ({"time": "absent", "event": "event"}, DataError, r"no column 'absent' \(--time\)"),
        ({"covariates": ["label"]}, SettingsError, "give `time` and `event`, too"),
        ({"gene_map": "map.csv"}, SettingsError, "give gene_sets, too"),
    ],
)
def test_what_is_wrong_is_said(
    options: dict[str, str], error: type[Exception], message: str, full_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        write_report(full_run, tmp_path / "report.html", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "report.html").exists()


def test_survival_that_the_data_do_not_allow_is_said_in_its_section(
    full_run: Path, tmp_path: Path
) -> None:
    with unrendered():
        report = write_report(full_run, tmp_path / "report.html", time="time", event=END)
    page = Page(report.path.read_text(encoding="utf-8"))
    section = next(e for e in page.all("section") if e.attributes["id"] == "survival")
    assert "No survival analysis" in section.text
    cautions = report.sentences.loc[report.sentences["caution"], "sentence"]
    assert cautions.str.startswith("No survival analysis").any()


def test_labels_stand_beside_the_baseline(report: Report) -> None:
    scores = pd.read_csv(report.path.with_name("page_tables") / "label_scores.csv")
    assert scores["embedding"].tolist()[0] == "network"
    assert scores["embedding"].tolist()[-1] == "PCA"
    counts = read_csv(report.path.with_name("page_tables") / "label_counts.csv")
    assert set(counts.columns) == {SCRIPT, "other"}
    assert counts.to_numpy().sum() == 60


def test_gene_sets_have_their_place_in_every_factor(
    full_run: Path, hostile_cohort: MultiOmics, tmp_path: Path
) -> None:
    pytest.importorskip("gseapy")
    names = [str(name) for name in next(iter(hostile_cohort.views.values())).features]
    gmt = tmp_path / "sets.gmt"
    lines = [("SET A", names[6:16]), (SCRIPT, names[16:28])]
    text = "\n".join("\t".join([name, "about", *genes]) for name, genes in lines)
    gmt.write_text(text + "\n", encoding="utf-8")
    report = write_report(full_run, tmp_path / "report.html", gene_sets=[gmt])
    assert (tmp_path / "report_tables" / "gene_sets.csv").exists()
    assert report.sentences["topic"].eq("Gene sets").any()
    page = Page(report.path.read_text(encoding="utf-8"))
    captions = [each.text for each in page.all("p")]
    assert "Factor 1: gene sets that its features are enriched for." in captions
    assert not page.misplaced


def test_a_report_is_written_without_torch(full_run: Path, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom poems.report import write_report\nwrite_report(*sys.argv[1:])\n"
        "print(*{'torch', 'numba', 'sklearn'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", program, str(full_run), str(tmp_path / "page.html")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == ""


def test_nor_does_survival_take_the_networks(
    full_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked for, it would fail.
    monkeypatch.setattr("poems.fitting.stored.StoredFit.model", property(lambda _: 1 / 0))
    write_report(full_run, tmp_path / "page.html", time="time", event="event")
    assert (tmp_path / "page_tables" / "survival_cox.csv").exists()


def test_pictures_of_many_points_stay_small_and_their_letters_sharp() -> None:
    rng = np.random.default_rng(0)

    def draw() -> Axes:
        ax = new_axes(6.0, 4.0)
        for at in range(4):
            ax.scatter(*rng.normal(size=(2, 800)), s=9, label=f"group {at}")
        ax.plot(rng.normal(size=2000).cumsum())
        ax.set_title("A title")
        return ax

    made = picture("points", draw, "", "")
    svg = base64.b64decode(made.source.partition(",")[2])
    assert made.source.startswith("data:image/svg+xml")
    assert len(svg) < 150_000
    # Pictures of dots under what is drawn of letters: what is drawn between parts them.
    assert 1 <= svg.count(b"<image") <= 2
    assert svg.count(b"<use") > 15


def test_cautions_that_are_cut_are_not_offered_in_full() -> None:
    caution = Sentence("What to distrust", "It is little.", caution=True, target="cohort")
    for every in ((), (caution,)):
        section = Section("summary", "Summary", [Cautions((caution,), every)], "")
        text = render("A title", "", [section], "")
        assert "It is little." in text
        assert ("in full" in text) is bool(every)


def test_print_says_where_it_leaves_rows_out() -> None:
    """As many as the style sheet hides: print-only words, beside tables that it cuts alone."""
    style = files("poems.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    (hidden,) = re.findall(r"tbody tr:nth-child\(n\+(\d+)\)", style)
    most = int(hidden) - 1
    for n, said in ((most, False), (most + 1, True)):
        rows = pd.DataFrame({"name": [f"row {at}" for at in range(n)]})
        table = make_table("t", "A table", rows, [Column("name", "Name")])
        text = render("A title", "", [Section("cohort", "Cohort", [table], "")], "")
        assert (f"Printed are {most} of these rows." in text) is said
