"""What commands say of folders, disks and signals."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path

import pytest
from command_line import poems_here
from killing import in_copy

from poems.files.locks import LOCK
from poems.files.output_folder import claim_folder

SMALL = ["--n-samples", 8, "--n-features", 4, "--n-views", 1, "--n-factors", 3]


def test_a_full_disk_is_told_with_the_file_and_costs_nothing_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert poems_here("simulate", "--out", out, *SMALL) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    capsys.readouterr()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pandas.DataFrame.to_csv", full)
    assert poems_here("simulate", "--out", out, *SMALL, "--seed", 1, "--overwrite") == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {out / 'view1.csv.gz'}: No space left on device. ")
    assert "what was there before is as it was; make room" in said
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_lock_that_was_left_behind_is_taken_over_with_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def die() -> None:
        claim_folder(tmp_path, "simulation")
        os.kill(os.getpid(), signal.SIGKILL)

    in_copy(die)
    assert poems_here("simulate", "--out", tmp_path, *SMALL) == 0
    assert capsys.readouterr().err.startswith(f"note: the lock of {tmp_path} was left behind by ")
    assert not (tmp_path / LOCK).exists()


def test_an_interrupted_command_says_that_the_earlier_result_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert poems_here("simulate", "--out", out, *SMALL) == 0
    before = json.loads((out / "manifest.json").read_text())
    capsys.readouterr()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("poems.cli.commands.simulate._write_simulation", interrupted)
    assert poems_here("simulate", "--out", out, *SMALL, "--seed", 1, "--overwrite") == 130
    assert json.loads((out / "manifest.json").read_text()) == before
    assert not [path for path in out.iterdir() if path.name.startswith(".poems-")]


def test_a_signal_that_the_parent_ignores_stays_ignored() -> None:
    from poems.training.interrupts import answer_interrupts, raise_interrupt

    if not hasattr(signal, "SIGHUP"):
        pytest.skip("takes SIGHUP")
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        answer_interrupts()
        answers = [signal.getsignal(number) for number in numbers]
    finally:
        for number, answer in zip(numbers, before, strict=True):
            signal.signal(number, answer)
    assert answers == [raise_interrupt, raise_interrupt, signal.SIG_IGN]
