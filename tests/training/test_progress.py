from __future__ import annotations

import pytest

from poems.training.loop import Epoch
from poems.training.progress import describe_epoch, describe_terms, progress_bar

TERMS = {"objective": 12.34, "kl": 5.67, "nonzero": 89.0}


def test_progress_goes_to_standard_error_in_a_few_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bar() as on_epoch:
        for epoch in range(1, 201):
            on_epoch(Epoch(epoch, 200, TERMS))
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 11
    assert lines[0] == describe_epoch(Epoch(1, 200, TERMS))
    assert lines[-1] == "200/200  objective 12.3  KL 5.7  non-zero loadings 89"


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with progress_bar() as on_epoch:
        on_epoch(Epoch(1, 2, TERMS))
        on_epoch(Epoch(2, 2, TERMS))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "\x1b[" in captured.err
    assert "2/2  objective 12.3  KL 5.7  non-zero loadings 89" in captured.err


def test_the_bar_closes_when_training_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(ZeroDivisionError), progress_bar():
        raise ZeroDivisionError
    # A live display that is still open would refuse a second one.
    with progress_bar() as on_epoch:
        on_epoch(Epoch(1, 1, TERMS))
    assert "1/1" in capsys.readouterr().err


def test_the_terms_fit_on_a_line() -> None:
    terms = {"objective": 123456.789, "kl": 1234.5, "nonzero": 1_000_000.0, "nll_rna": 3.0}
    assert len(describe_terms(Epoch(10, 10, terms))) < 60


def test_a_dense_decoder_has_no_loadings_to_tell_of() -> None:
    assert describe_terms(Epoch(1, 1, {"objective": 1.0, "kl": 2.0})) == "objective 1.0  KL 2.0"
