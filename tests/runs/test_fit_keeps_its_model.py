"""What fails, or is interrupted, after training costs what it is, and not the model."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name

import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.runs.analysis import PARTS
from poems.runs.folder import read_run
from poems.training.interrupts import hold_again, interrupts_held, interrupts_let_through

pytestmark = pytest.mark.usefixtures("unrendered")

QUICK = ["--epochs", 12, "--n-latent", 4]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("tables")
    sizes = {"rna": 24, "protein": 16}
    cohort = poems.simulate(36, sizes, 2, n_subtypes=2, density=0.3, seed=0).cohort
    for name in cohort:
        cohort.frame(name).to_csv(folder / f"{name}.csv")
    return [folder / f"{name}.csv" for name in cohort]


def _codes(run: Path) -> dict[str, str]:
    found = pd.read_csv(run / "findings.csv")
    return dict(zip(found["code"], found["message"], strict=True))


def _fail(error: Exception) -> object:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def _usable(run: Path, tables: list[Path], tmp_path: Path) -> None:
    assert json.loads((run / "run.json").read_text())["complete"] is True
    assert read_run(run).model.n_active == poems.load(run / "model.poems").n_active
    assert poems_here("info", run) == 0
    assert poems_here("transform", run, *tables, "--out", tmp_path / "projection") == 0
    assert poems_here("report", run, "--quiet") == 0


FAULTS = {
    "poems.analysis.contributions.tables.view_contributions": ValueError("cannot reshape\narray"),
    "poems.runs.additions.pattern_findings": MemoryError(),
    "poems.evaluation.baselines.pca_embedding": OSError(28, "No space left"),
    "poems.plots.plot_gates": KeyError(3),
}


def test_analyses_that_fail_are_findings_and_the_rest_goes_on(
    tables: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        for place, error in FAULTS.items():
            patch.setattr(place, _fail(error))
        assert poems_here("fit", *tables, "--out", run, *QUICK, "--quiet") == 0
    printed = capsys.readouterr().err
    findings = pd.read_csv(run / "findings.csv")
    messages = findings.loc[findings["code"] == "analysis-failed", "message"]
    assert all(message in printed for message in messages)
    assert messages.str.startswith("contributions of the views left out: ").sum() == 1
    # Of these there is something to report; that memory or a disk is full is no fault of POEMS.
    reported = messages[messages.str.contains("report it to the issue tracker of POEMS")]
    assert reported.str.contains("KeyError").sum() == reported.str.contains("ValueError").sum() == 1
    assert (len(messages), len(reported)) == (4, 2)
    assert "Traceback (most recent call last)" in (run / "run.log").read_text()
    stems = {path.stem for path in (run / "analysis").iterdir()}
    assert {"factor_effects", "cross_omic", "markers"} <= stems
    assert not [stem for stem in stems if stem.startswith("contributions")]
    assert "analysis-missing" not in _codes(run)
    _usable(run, tables, tmp_path)


# Analyses that write nothing that another reads fail in the test above, in one run.
@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("poems.fitting.after_training.diagnosed", "diagnosis-failed"),
        ("poems.fitting.after_training.network_embedding", "network-failed"),
        ("poems.analysis.subtypes.finding.form_subtypes", "subtypes-failed"),
        ("poems.analysis.subtypes.result.learn_subtypes", "analysis-failed"),
        ("poems.plots.saving.save_figure", "analysis-failed"),
    ],
)
def test_whatever_fails_after_training_the_model_is_kept_and_the_failure_said(
    place: str,
    code: str,
    tables: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(place, _fail(ZeroDivisionError("by zero")))
        options = [*QUICK, "--no-analysis", "--quiet"]
        assert poems_here("fit", *tables, "--out", run, *options) == 0
    assert "ZeroDivisionError (by zero)" in _codes(run)[code]
    assert "ZeroDivisionError (by zero)" in capsys.readouterr().err
    _usable(run, tables, tmp_path)


def test_a_number_of_subtypes_that_the_embedding_does_not_allow_costs_the_subtypes_alone(
    tables: list[Path], tmp_path: Path
) -> None:
    table = pd.read_csv(tables[0], index_col=0)
    table[:] = table.iloc[[0, 1] * 18].to_numpy()
    table.to_csv(tmp_path / "rna.csv")
    run = tmp_path / "run"
    options = [*QUICK, "--n-subtypes", 20, "--no-analysis", "--quiet"]
    assert poems_here("fit", tmp_path / "rna.csv", "--out", run, *options) == 0
    found = _codes(run).get("subtypes-failed", "")
    distinct = pd.read_csv(run / "network.csv", index_col=0).drop_duplicates()
    assert ("distinct points" in found) == (len(distinct) < 20)


SIGINT, SIGTERM = 2, 15
Interrupted = Callable[..., tuple[int, str]]


@pytest.fixture
def interrupted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Interrupted]:
    """Run a command that is sent a signal whenever one of the functions named is called.

    In this process: that others answer signals alike is tested in ``cli/test_main.py``.
    """

    def signalled(does: Callable[..., object], number: int) -> Callable[..., object]:
        def first(*given: object, **named: object) -> object:
            os.kill(os.getpid(), number)
            return does(*given, **named)

        return first

    def run(places: list[str], number: int, *arguments: object) -> tuple[int, str]:
        capfd.readouterr()
        with monkeypatch.context() as patch:
            for place in places:
                patch.setattr(place, signalled(resolve_name(place), number))
            code = poems_here(*arguments)
        said = capfd.readouterr().err
        assert "Traceback" not in said
        return code, said

    before = {number: signal.getsignal(number) for number in (SIGINT, SIGTERM)}
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
def test_an_interrupt_during_the_analyses_keeps_the_model_and_what_was_finished(
    number: int, tables: list[Path], tmp_path: Path, interrupted: Interrupted
) -> None:
    run = tmp_path / "run"
    at = ["poems.analysis.contributions.tables.view_contributions"]
    code, said = interrupted(at, number, "fit", *tables, "--out", run, *QUICK, "-q")
    assert code == 128 + number
    titles = list(PARTS)
    assert f"interrupted: the model, its subtypes and its tables are whole in {run}" in said
    assert f"before these were there: {titles[1]}, {titles[2]}" in said
    assert titles[0] not in said
    assert f"`poems contributions {run} …`" in said
    assert "figures/latent.png" in said
    assert _codes(run)["analysis-missing"] in said
    stems = {path.stem for path in (run / "analysis").iterdir()}
    assert "factor_effects" in stems
    assert "markers" not in stems
    if number == SIGTERM:
        return  # what follows does not ask which signal it was
    _usable(run, tables, tmp_path)
    # A fit that runs to its end takes its place, and nothing is missing any more.
    assert poems_here("fit", *tables, "--out", run, *QUICK, "-q", "--overwrite") == 0
    assert "analysis-missing" not in _codes(run)


@pytest.mark.slow
@pytest.mark.parametrize(
    "places",
    [
        ["poems.fitting.fit._finish"],
        ["poems.fitting.after_training.diagnosed"],
        ["poems.runs.writing.write_findings"],
    ],
)
def test_an_interrupt_after_training_waits_for_the_model(
    places: list[str], tables: list[Path], tmp_path: Path, interrupted: Interrupted
) -> None:
    run = tmp_path / "run"
    code, said = interrupted(places, SIGINT, "fit", *tables, "--out", run, *QUICK, "-q")
    assert code == 130
    assert f"the model, its subtypes and its tables are whole in {run}" in said
    _usable(run, tables, tmp_path)


@pytest.mark.slow
def test_two_interrupts_that_nothing_answers_end_the_fit_at_once_and_leave_the_earlier_run(
    tables: list[Path], tmp_path: Path, interrupted: Interrupted
) -> None:
    run = tmp_path / "run"
    assert poems_here("fit", *tables, "--out", run, *QUICK, "-q", "--no-analysis") == 0
    before = (run / "model.poems").read_bytes()
    twice = ["poems.fitting.fit._finish", "poems.fitting.fit.estimate_samples"]
    options = [*QUICK, "-q", "--overwrite", "--seed", 1]
    code, said = interrupted(twice, SIGINT, "fit", *tables, "--out", run, *options)
    assert code == 130
    assert "finishing the model first; interrupt again to end at once" in said
    assert f"nothing was kept; the earlier run in {run} is as it was" in said
    assert (run / "model.poems").read_bytes() == before
    assert poems_here("info", run) == 0


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_held_interrupt_is_raised_where_the_next_part_lets_it_through() -> None:
    with interrupts_held():
        _interrupt()
        with pytest.raises(KeyboardInterrupt), interrupts_let_through():
            pytest.fail("the part has begun")
        with interrupts_let_through():
            pass


def test_an_interrupt_that_is_caught_can_be_held_again() -> None:
    assert not hold_again()
    again: list[bool] = []

    def work() -> None:
        with interrupts_held():
            try:
                with interrupts_let_through():
                    _interrupt()
            except KeyboardInterrupt:
                again.append(hold_again())

    with pytest.raises(KeyboardInterrupt):
        work()
    assert again == [True]


def test_the_second_of_two_held_interrupts_is_raised_at_once() -> None:
    told: list[int] = []
    with interrupts_held(lambda: told.append(1)):
        _interrupt()
        with pytest.raises(KeyboardInterrupt):
            _interrupt()
    assert told == [1]


def test_without_a_hold_an_interrupt_is_what_it_always_was() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_let_through():
        _interrupt()
