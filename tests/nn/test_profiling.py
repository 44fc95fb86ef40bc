from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import poems_here

import poems
from poems.nn.profiling import NO_PROFILE, WallTimes

PARTS = {
    *["preprocessing", "start", "data", "prior", "encoder", "decoder", "likelihood", "backward"],
    *["decoder, backward", "optimiser", "estimates", "diagnosis", "network"],
}


def test_rows_add_up_to_the_total() -> None:
    profile = WallTimes()
    for _ in range(3):
        with profile.span("a"):
            time.sleep(0.002)
        with profile.span("b"):
            pass
    table = profile.table()
    assert list(table.index) == ["a", "b", "other", "total"]
    assert table.loc["a", "calls"] == 3
    assert table.loc["a", "seconds"] >= 0.006
    parts = table.drop(index="total")
    assert parts["seconds"].sum() == pytest.approx(table.loc["total", "seconds"])
    assert parts["share"].sum() == pytest.approx(1.0)
    assert (table["seconds"] >= 0).all()


def test_time_within_a_backward_pass_is_taken_from_it() -> None:
    class Slow(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
            time.sleep(0.02)
            return grads[0]

    profile = WallTimes()
    into = torch.ones(3, requires_grad=True).clone()
    out = Slow.apply(into)
    profile.watch_backward("decoder, backward", into, [out])
    with profile.span("backward"):
        (2 * out).sum().backward()
    table = profile.table()
    assert table.loc["decoder, backward", "seconds"] > 0.015
    assert table.loc["backward", "seconds"] < 0.015


def test_a_profile_changes_nothing_and_names_the_parts(simulation: Any) -> None:
    options = {"epochs": 4, "n_latent": 4, "progress": False}
    plain = poems.fit(simulation.cohort, **options)
    profile = WallTimes()
    told = poems.fit(simulation.cohort, profile=profile, **options)
    table = profile.table()
    assert told.latent.equals(plain.latent)
    assert told.embedding().equals(plain.embedding())
    assert set(table.index) > PARTS
    steps = table.loc["encoder", "calls"]
    assert steps == 4
    assert (table.loc[["decoder", "decoder, backward", "optimiser"], "calls"] == steps).all()
    assert table.loc["other", "share"] < 0.5


def test_without_a_profile_nothing_is_kept() -> None:
    with NO_PROFILE.span("encoder"):
        pass
    x = torch.ones(2, requires_grad=True)
    NO_PROFILE.watch_backward("decoder, backward", x, [x])
    assert not x._backward_hooks


def test_the_command_prints_where_the_time_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert poems_here("simulate", "--out", "made", "--n-samples", "40", "--n-features", "30") == 0
    tables = [str(path) for path in sorted(Path("made").glob("view*.csv*"))]
    assert tables
    capsys.readouterr()
    assert (
        poems_here("fit", *tables, "--out", "run", "--epochs", "3", "--no-analysis", "--profile")
        == 0
    )
    shown = capsys.readouterr().out
    assert "Where the time went" in shown
    for part in (*PARTS, "reading", "subtypes", "writing", "other", "total"):
        assert part in shown
    assert poems_here("fit", *tables, "--out", "plain", "--epochs", "1", "--no-analysis") == 0
    assert "Where the time went" not in capsys.readouterr().out
