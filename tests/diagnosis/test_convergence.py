from __future__ import annotations

import pandas as pd
import pytest

from poems.diagnosis.check import Check
from poems.diagnosis.convergence import convergence_checks, worth_of
from poems.training.loop import Status

FALLING = [1000.0 - i for i in range(100)]


def history(objective: list[float], **columns: list[float]) -> pd.DataFrame:
    n = len(objective)
    ramp = [min(1.0, 2 * i / n) for i in range(n)]
    return pd.DataFrame({"objective": objective, "spike_ramp": ramp, "kl_weight": 1.0} | columns)


def judged(
    table: pd.DataFrame,
    status: Status = Status.ALL_EPOCHS,
    *,
    n_terms: int = 100,
    sparse: bool = True,
) -> Check:
    (check,) = convergence_checks(
        status.value, table, n_terms=n_terms, kl_weight=1.0, sparse=sparse
    )
    return check


def test_a_flat_end_is_convergence() -> None:
    assert judged(history([1000.0 - i for i in range(50)] + [950.0] * 50)).verdict == "ok"


def test_a_steady_fall_is_not() -> None:
    check = judged(history(FALLING))
    assert (check.signature, check.verdict) == ("not-converged", "warning")
    assert check.value == pytest.approx(0.1)
    assert check.meaning == "the objective still fell by 10 over the last 10 epochs"
    assert "epochs=200" in check.remedy
    # The same fall is little for many features.
    assert judged(history(FALLING), n_terms=100_000).verdict == "ok"


@pytest.mark.parametrize("status", [Status.CONVERGED, Status.INTERRUPTED, Status.STOPPED_EARLY])
def test_a_stopping_rule_knows_better(status: Status) -> None:
    assert judged(history(FALLING), status).verdict == "not judged"


def test_who_trained_long_already_is_not_told_to_train_longer() -> None:
    table = history(FALLING)
    told = {
        usual: convergence_checks(
            Status.ALL_EPOCHS.value, table, n_terms=100, kl_weight=1.0, sparse=True,
            usual_epochs=usual,
        )[0].remedy
        for usual in (50, 51)
    }  # fmt: skip
    assert "train twice as long (epochs=200)" in told[51]
    assert "train" not in told[50]
    assert "another seed" in told[50]


def test_a_fall_that_is_little_of_what_the_factors_are_worth_is_the_end() -> None:
    """0.1 nats a feature are most of what 16 % explained are worth, and little of 99 %."""
    told = {
        r2: convergence_checks(
            Status.ALL_EPOCHS.value, history(FALLING), n_terms=100, kl_weight=1.0, sparse=True,
            worth=worth_of({"rna": r2}, {"rna": 100}),
        )[0]
        for r2 in (-0.1, 0.0, 0.16, 0.99, 1.0)
    }  # fmt: skip
    assert [check.verdict for check in told.values()] == [*["warning"] * 3, "ok", "ok"]
    assert told[0.16].threshold == told[0.0].threshold == 0.01
    assert told[0.99].threshold == pytest.approx(0.05 * 2.303, abs=1e-3)


def test_noise_is_not_a_fall() -> None:
    assert judged(history([500.0 + (-1) ** i * 50 for i in range(100)])).verdict == "ok"


def test_held_out_values_are_what_counts() -> None:
    assert judged(history(FALLING, held_out=[3.0] * 100)).verdict == "ok"
    assert judged(history([3.0] * 100, held_out=FALLING)).verdict == "warning"


def test_only_epochs_at_full_strength_count() -> None:
    late = [0.1] * 99 + [1.0]
    assert judged(history(FALLING, kl_weight=late)).verdict == "not judged"
    settled = [0.1] * 85 + [1.0] * 15
    assert judged(history(FALLING, kl_weight=settled)).verdict == "warning"
    before = [1000.0 - i for i in range(85)] + [5.0] * 15
    assert judged(history(before, kl_weight=settled)).verdict == "ok"


def test_an_early_interrupt_is_told_in_the_decoders_words() -> None:
    table = history([5.0] * 3)
    sparse = judged(table, Status.INTERRUPTED_EARLY)
    assert (sparse.signature, sparse.verdict) == ("interrupted-early", "warning")
    assert "not yet sparse" in sparse.meaning
    dense = judged(table, Status.INTERRUPTED_EARLY, sparse=False)
    assert (dense.signature, dense.verdict) == ("interrupted-early", "warning")
    told = dense.meaning + dense.remedy + Status.INTERRUPTED_EARLY.value
    assert "spars" not in told
    assert "loading" not in told


def test_a_ramp_that_never_ended_is_told_of_sparse_decoders() -> None:
    table = history([5.0, 4.0], spike_ramp=[0.0, 0.9])
    check = judged(table)
    assert (check.signature, check.verdict) == ("sparsity-incomplete", "warning")
    assert check.value == 0.9
    assert judged(table, sparse=False).signature == "not-converged"
