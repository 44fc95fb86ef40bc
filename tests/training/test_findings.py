from __future__ import annotations

from poems.training.findings import training_findings
from poems.training.loop import Epoch, Status, Training


def training(objectives: list[float], status: Status = Status.ALL_EPOCHS) -> Training:
    n = len(objectives)
    rows = [
        Epoch(i + 1, n, {"objective": value, "spike_ramp": min(1.0, 2 * i / n)})
        for i, value in enumerate(objectives)
    ]
    return Training(status, n, rows)


def codes(*arguments: object) -> list[str]:
    return [finding.code for finding in training_findings(*arguments)]  # type: ignore[arg-type]


GOOD = {"rna": 0.5}


def test_a_flat_end_is_convergence() -> None:
    assert codes(training([1000.0 - i for i in range(50)] + [950.0] * 50), GOOD, 100) == []


def test_a_steady_fall_is_not() -> None:
    falling = training([1000.0 - i for i in range(100)])
    (finding,) = training_findings(falling, GOOD, 100)
    assert finding.code == "not-converged"
    assert "still fell by 10 over the last 10 epochs" in finding.message
    assert "epochs above 100" in finding.message
    # The same fall is little for many features.
    assert codes(falling, GOOD, 100_000) == []
    assert codes(training([1000.0 - i for i in range(100)], Status.CONVERGED), GOOD, 100) == []


def test_noise_is_not_a_fall() -> None:
    assert codes(training([500.0 + (-1) ** i * 50 for i in range(100)]), GOOD, 100) == []


def test_held_out_values_are_what_counts() -> None:
    falling = training([1000.0 - i for i in range(100)])
    for row in falling.history:
        row.terms["held_out"] = 3.0
    assert codes(falling, GOOD, 100) == []


def test_an_early_interrupt_is_told() -> None:
    early = training([5.0] * 3, Status.INTERRUPTED_EARLY)
    (finding,) = training_findings(early, GOOD, 100)
    assert finding.code == "interrupted-early"
    assert "not yet sparse" in finding.message


def test_a_ramp_that_never_ended_is_told() -> None:
    short = training([5.0, 4.0])
    short.history[-1].terms["spike_ramp"] = 0.9
    assert codes(short, GOOD, 100) == ["sparsity-incomplete"]


def test_a_model_of_nothing_is_told() -> None:
    assert codes(training([5.0] * 3), {"rna": 0.01, "protein": -0.2}, 10) == ["explains-nothing"]
    assert codes(training([5.0] * 3), {"rna": 0.01, "protein": 0.2}, 10) == []
