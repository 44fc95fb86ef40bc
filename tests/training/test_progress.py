from __future__ import annotations

import pytest

from poems.training.loop import Epoch
from poems.training.progress import describe_terms, progress_bar


def test_the_bar_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    terms = {"objective": 12.34, "kl": 5.67, "nonzero": 89.0}
    with progress_bar() as on_epoch:
        on_epoch(Epoch(1, 2, terms))
        on_epoch(Epoch(2, 2, terms))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "2/2" in captured.err
    assert "objective 12.3" in captured.err


def test_the_bar_closes_when_training_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), progress_bar():
        raise ZeroDivisionError
    with progress_bar() as on_epoch:
        on_epoch(Epoch(1, 1, {"objective": 1.0, "kl": 1.0, "nonzero": 1.0}))
    assert "1/1" in capsys.readouterr().err


def test_the_terms_fit_on_a_line() -> None:
    terms = {"objective": 123456.789, "kl": 1234.5, "nonzero": 1_000_000.0, "nll_rna": 3.0}
    assert len(describe_terms(Epoch(10, 10, terms))) < 60
