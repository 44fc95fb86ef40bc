"""What takes long says what it does: in a terminal a line that comes and goes, else nothing."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.cli.printing import aside, steps
from poems.cli.printing.console import before_printing
from poems.cli.printing.steps import StepLine
from poems.steps import Step, alone, heard_by, step, steps_of


class Terminal:
    """What a terminal shows in its last line, and a clock."""

    def __init__(self) -> None:
        self.now, self.line = 0.0, ""

    def write(self, text: str) -> None:
        self.line = text.rpartition("\r\x1b[2K")[2]

    def clock(self) -> float:
        return self.now


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def line(terminal: Terminal) -> StepLine:
    return StepLine("report", terminal.write, terminal.clock)


def test_the_line_names_what_takes_over_a_second_and_what_is_left(
    terminal: Terminal, line: StepLine
) -> None:
    line.draw()
    assert terminal.line == ""
    terminal.now = 2.0
    line.draw()
    assert terminal.line == "report, 2 s"
    line.hear((Step("analysis", 1, 4), Step("markers\x1b[2J")))
    terminal.now = 4.0
    line.draw()
    assert terminal.line == "analysis 1 of 4 done, 2 s, about 6 s left – markers\ufffd[2J, 2 s"


def test_the_line_makes_room_for_what_is_printed(terminal: Terminal, line: StepLine) -> None:
    terminal.now = 5.0
    line.draw()
    line.hide()
    assert terminal.line == ""
    line.draw()
    assert terminal.line == "", "not at once"
    line.hear((Step("refits"), Step("")))
    terminal.now = 9.0
    line.draw()
    assert terminal.line == "", "a bar shows how far it is"


def test_steps_are_told_as_they_come_and_go_and_end_with_an_error() -> None:
    told: list[list[tuple[str, int, int]]] = []
    with heard_by(lambda steps: told.append([(x.name, x.done, x.of) for x in steps])):
        for _ in steps_of("omics", ("rna", "protein")):
            with step("reading"):
                pass
        with pytest.raises(ValueError, match="lost"), step("reading"), alone():
            raise ValueError("lost")
    assert told[0] == [("omics", 0, 2)]
    assert [("omics", 1, 2), ("reading", 0, 0)] in told
    assert told[-1] == []
    assert max(map(len, told)) == 2
    # Nobody listens: nothing is told, and items come as they are.
    assert list(steps_of("omics", iter("ab"))) == ["a", "b"]


def test_a_fit_and_its_report_name_their_steps(tmp_path: Path) -> None:
    made = poems.simulate(40, 12, 3, n_views=2, seed=0)
    paths = []
    for name, view in made.cohort.views.items():
        paths.append(tmp_path / f"{name}.csv")
        pd.DataFrame(view.values, made.cohort.samples, view.features).to_csv(paths[-1])
    names: set[str] = set()
    with heard_by(lambda steps: names.update(x.name for x in steps)):
        run = tmp_path / "run"
        assert poems_here("fit", *paths, "--out", run, "--epochs", 3, "--quiet") == 0
        assert poems_here("report", run) == 0
    assert {"reading the tables", "how many subtypes there are", "analysis", "pages"} <= names


def test_the_line_is_drawn_on_a_terminal_alone_and_not_if_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "_WORTH", 0.0)
    monkeypatch.setattr(steps, "_TICK", 0.001)
    made = tmp_path / "made"
    assert poems_here("simulate", "--out", made, "--n-samples", 30) == 0
    assert "\x1b" not in capfd.readouterr().err
    table = made / "view1.csv.gz"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert poems_here("check", table) == 0
    assert "\x1b" in capfd.readouterr().err
    assert poems_here("fit", table, "--out", tmp_path / "run", "--dry-run", "-q") == 0
    assert "\x1b" not in capfd.readouterr().err


def test_what_is_told_aside_has_a_line_of_its_own(
    terminal: Terminal, line: StepLine, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.now = 2.0
    line.draw()
    with before_printing(line.hide):
        aside("note: a lock")
    assert terminal.line == ""
    assert capsys.readouterr().err == "note: a lock\n"


def test_a_terminal_that_is_closed_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def closed(file: int, _: bytes) -> None:
        tried.append(file)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(steps, "_WORTH", 0.0)
    monkeypatch.setattr(steps, "_TICK", 0.001)
    monkeypatch.setattr(os, "write", closed)
    with steps.steps_shown("report"):
        time.sleep(0.1)
    assert set(tried) == {2}
