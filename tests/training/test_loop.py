from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from poems.errors import TrainingError
from poems.nn.model import POEMS
from poems.nn.objective import Terms, elbo_terms
from poems.scaling.batch import Batch
from poems.settings.schema import Settings
from poems.training.adam import FlatAdamW
from poems.training.loop import Epoch, Status, evaluate, train
from poems.training.optimizer import REVISIT, Optimizer
from poems.training.proximal import ProximalAdam


@pytest.fixture
def data() -> Batch:
    z = torch.randn(40, 2)
    values = {"a": z @ torch.randn(2, 6) + 0.3 * torch.randn(40, 6), "b": torch.randn(40, 4)}
    return Batch(values, {"a": None, "b": None}, torch.ones(40, 2, dtype=torch.bool))


def make(**changes: object) -> tuple[POEMS, Settings]:
    torch.manual_seed(1)
    base = {
        "n_latent": 3,
        "encoder_layers": (8,),
        "decoder_hidden": 8,
        "epochs": 6,
        "batch_size": 16,
    }
    settings = Settings().updated(**(base | changes))
    return POEMS({"a": torch.ones(6), "b": torch.ones(4)}, settings), settings


def interrupt_at(epoch: int) -> Callable[[Epoch], None]:
    def callback(row: Epoch) -> None:
        if row.epoch == epoch:
            raise KeyboardInterrupt

    return callback


def test_an_epoch_is_told_of_with_all_its_terms(data: Batch) -> None:
    model, settings = make()
    rows: list[Epoch] = []
    training = train(model, data, settings, callbacks=(rows.append,))
    assert training.status is Status.ALL_EPOCHS
    assert [row.epoch for row in rows] == [1, 2, 3, 4, 5, 6]
    assert training.history == rows
    for row in rows:
        assert row.n_epochs == 6
        assert row.terms.keys() >= {
            "objective", "kl", "penalty", "nll_a", "nll_b", "kl_weight", "spike_ramp", "nonzero",
        }  # fmt: skip
    assert not model.training


def test_training_lowers_the_objective(data: Batch) -> None:
    model, settings = make(epochs=40, kl_warmup=0.0, ramp_start=0.0, ramp_end=0.0, stopping="none")
    history = train(model, data, settings).history
    assert history[-1].terms["objective"] < history[0].terms["objective"] - 1


def test_weights_follow_their_schedules(data: Batch) -> None:
    model, settings = make(epochs=10, kl_weight=2.0, kl_warmup=0.4, ramp_start=0.2, ramp_end=0.6)
    terms = [row.terms for row in train(model, data, settings).history]
    assert [row["kl_weight"] for row in terms] == pytest.approx(
        [0, 0.5, 1, 1.5] + [2] * 6, abs=1e-6
    )
    ramp = [0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1]
    assert [row["spike_ramp"] for row in terms] == pytest.approx(ramp)


@pytest.mark.parametrize("likelihood", ["gaussian", {"b": "student_t"}])
def test_the_gate_of_views_of_several_kinds_comes_in_with_the_kl_term(
    likelihood: object, data: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, settings = make(epochs=10, kl_warmup=0.4, batch_size=40, likelihood=likelihood)
    shares: list[float] = []

    def watched(*given: object, gate_share: float, **others: object) -> Terms:
        shares.append(gate_share)
        return elbo_terms(*given, gate_share=gate_share, **others)  # type: ignore[arg-type]

    monkeypatch.setattr("poems.training.loop.elbo_terms", watched)
    train(model, data, settings)
    waiting = [0, 0.25, 0.5, 0.75] if likelihood != "gaussian" else [1] * 4
    assert shares == pytest.approx([*waiting, *[1] * 6])


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_numbers_that_are_not_finite_stop_training(
    where: str, data: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, settings = make()
    if where == "loss":
        data.values["a"][3, 1] = torch.nan
        expected = (
            r"the objective is not finite in epoch 1 \(objective, kl, nll_a, nll_b\)\. Try a "
            "smaller learning_rate, and look for extreme values in the views"
        )
    else:
        next(model.gate.parameters()).register_hook(lambda grad: grad * torch.nan)
        expected = "a gradient is not finite in epoch 1, though the objective is"
    with pytest.raises(TrainingError, match=expected):
        train(model, data, settings)


@pytest.mark.parametrize("epoch", [1, 4])
def test_an_interrupt_keeps_the_state_of_its_epoch(epoch: int, data: Batch) -> None:
    model, settings = make()
    training = train(model, data, settings, callbacks=(interrupt_at(epoch),))
    assert training.status is Status.INTERRUPTED_EARLY
    assert len(training.history) == training.best_epoch == epoch
    assert not model.training

    # The same as training that was meant to end there.
    states: list[dict[str, torch.Tensor]] = []
    other, _ = make()

    def copy_state(row: Epoch) -> None:
        states.append({name: value.clone() for name, value in other.state_dict().items()})

    torch.manual_seed(1)
    _ = make()
    train(other, data, settings, callbacks=(copy_state,))
    for name, value in model.state_dict().items():
        assert torch.equal(value, states[epoch - 1][name])


def test_an_interrupt_amid_an_epoch_goes_back_to_the_last_whole_one(
    data: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, settings = make()
    states: list[dict[str, torch.Tensor]] = []
    calls = 0
    original = FlatAdamW.step

    def step(self: FlatAdamW, learning_rate: float) -> None:
        nonlocal calls
        calls += 1
        original(self, learning_rate)
        if calls == 8:  # In the third epoch of three batches.
            raise KeyboardInterrupt

    monkeypatch.setattr(FlatAdamW, "step", step)

    def copy_state(row: Epoch) -> None:
        states.append({name: value.clone() for name, value in model.state_dict().items()})

    training = train(model, data, settings, callbacks=(copy_state,))
    assert training.status is Status.INTERRUPTED_EARLY
    assert len(training.history) == training.best_epoch == len(states) == 2
    for name, value in model.state_dict().items():
        assert torch.equal(value, states[1][name])


def test_an_interrupt_before_the_first_epoch_leaves_the_start(
    data: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, settings = make()
    start = {name: value.clone() for name, value in model.state_dict().items()}

    def step(self: FlatAdamW, learning_rate: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FlatAdamW, "step", step)
    training = train(model, data, settings)
    assert training.history == []
    assert training.status is Status.INTERRUPTED_EARLY
    assert all(torch.equal(value, start[name]) for name, value in model.state_dict().items())


def test_other_errors_of_a_callback_are_not_swallowed(data: Batch) -> None:
    def callback(row: Epoch) -> None:
        raise RuntimeError("disk full")

    model, settings = make()
    with pytest.raises(RuntimeError, match="disk full"):
        train(model, data, settings, callbacks=(callback,))


@pytest.mark.parametrize("stopping", ["plateau", "none"])
def test_a_plateau_ends_training_once_schedules_are_at_full_strength(
    stopping: str, data: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A step size of nearly nothing: the objective changes by its noise alone.
    model, settings = make(
        epochs=20, learning_rate=1e-12, patience=2, stopping=stopping, ramp_end=0.5, kl_warmup=0.1
    )
    monkeypatch.setattr("poems.training.loop.Plateau", lambda patience: FixedPatience(patience))
    training = train(model, data, settings)
    if stopping == "none":
        assert training.status is Status.ALL_EPOCHS
        assert len(training.history) == 20
    else:
        assert training.status is Status.CONVERGED
        # Ten epochs of ramp, then as many as the rule waits.
        assert len(training.history) == 10 + 2


class FixedPatience:
    def __init__(self, patience: int) -> None:
        self.left = patience

    def stops(self, value: float) -> bool:
        self.left -= 1
        return self.left == 0


def test_held_out_stopping_restores_the_best_epoch(
    data: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, settings = make(
        epochs=20, patience=3, stopping="held_out", ramp_start=0.0, ramp_end=0.0, kl_warmup=0.0
    )
    series = iter([9.0, 5.0, 7.0, 6.0, 8.0, 1.0])
    monkeypatch.setattr("poems.training.loop.evaluate", lambda *args: next(series))
    states: list[dict[str, torch.Tensor]] = []

    def copy_state(row: Epoch) -> None:
        states.append({name: value.clone() for name, value in model.state_dict().items()})

    training = train(model, data, settings, held_out=data, callbacks=(copy_state,))
    assert training.status is Status.STOPPED_EARLY
    assert [row.terms["held_out"] for row in training.history] == [9.0, 5.0, 7.0, 6.0, 8.0]
    assert training.best_epoch == 2
    for name, value in model.state_dict().items():
        assert torch.equal(value, states[1][name])


def test_before_full_strength_the_latest_epoch_is_kept(data: Batch) -> None:
    model, settings = make(epochs=5, ramp_end=1.0)
    assert train(model, data, settings).best_epoch == 5


def test_evaluating_switches_dropout_off_and_back_on(data: Batch) -> None:
    model, settings = make(encoder_dropout=0.5, decoder_dropout=0.5)
    model.train()
    values = []
    for _ in range(2):
        torch.manual_seed(0)
        values.append(evaluate(model, data, settings))
        torch.rand(1)
    assert values[0] == values[1]
    assert model.training


def test_the_paper_s_held_out_objective_has_the_priors_in_it(data: Batch) -> None:
    def values(**options: object) -> tuple[float, Terms]:
        model, settings = make(**options)
        model.eval()
        torch.manual_seed(0)
        found = evaluate(model, data, settings)
        model.eval()
        torch.manual_seed(0)
        terms = elbo_terms(model, data, settings, n_samples=len(data), kl_weight=1.0)
        return found, terms

    found, terms = values(reduction="mean", proximal=False)
    assert found == pytest.approx(terms.objective.item())
    found, terms = values(reduction="sum")
    assert found == pytest.approx(sum(v.item() for v in terms.nll.values()) + terms.kl.item())
    assert found != pytest.approx(terms.objective.item())


@pytest.mark.parametrize("proximal", [True, False])
def test_weight_decay_reaches_encoders_and_gate_alone(
    proximal: bool, data: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, settings = make(weight_decay=0.1, learning_rate=1.0, proximal=proximal)
    optimizer = Optimizer(model, settings)
    optimizer.set_progress(0.0)
    terms = elbo_terms(model, data, settings, n_samples=len(data), kl_weight=1.0)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    # Without a gradient, Adam does nothing and the decay shrinks by a tenth.
    still = replace(terms, loss=0.0 * terms.loss, rates=0.0 * terms.rates)
    assert optimizer.step(still) == 0.0
    for name, parameter in model.named_parameters():
        factor = 0.9 if name.startswith(("encoders.", "gate.")) else 1.0
        torch.testing.assert_close(parameter.detach(), factor * before[name])


def test_gradients_are_scaled_down_to_the_largest_norm(data: Batch) -> None:
    model, settings = make(max_grad_norm=0.5)
    optimizer = Optimizer(model, settings)
    terms = elbo_terms(model, data, settings, n_samples=len(data), kl_weight=1.0)
    norm = optimizer.step(terms)
    assert norm > 0.5
    norms = [p.grad.norm() for p in model.parameters() if p.grad is not None]
    torch.testing.assert_close(torch.stack(norms).norm(), torch.tensor(0.5), rtol=1e-4, atol=0)


def test_zero_loadings_rest_until_the_spike_and_take_turns_after(data: Batch) -> None:
    model, settings = make(ramp_start=0.5, ramp_end=0.8)
    optimizer = Optimizer(model, settings)
    zeros = torch.zeros(10, 3)
    seen = []
    for progress in (0.0, 0.4, 0.5, 0.6, 0.7, 0.9):
        optimizer.set_progress(progress)
        seen.append(optimizer.turns.visited(zeros)[:, 0])
        optimizer.step(elbo_terms(model, data, settings, n_samples=40, kl_weight=1.0))
    assert not any(visited.any() for visited in seen[:2])
    assert torch.equal(torch.stack(seen[2:]).sum(dim=0), torch.ones(10, dtype=torch.long))
    assert len(seen[2:]) == REVISIT


def test_zeros_are_exact_with_a_proximal_step_alone(data: Batch) -> None:
    for proximal in (True, False):
        model, settings = make(
            proximal=proximal, lambda_spike=200.0, epochs=30, ramp_start=0.0, ramp_end=0.3
        )
        nonzero = train(model, data, settings).history[-1].terms["nonzero"]
        assert nonzero < 30 if proximal else nonzero == 30


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_proximal_step_uses_the_rate_of_the_objective(
    reduction: str, data: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, settings = make(reduction=reduction, epochs=1, lambda_spike=4.0, lambda_slab=4.0)
    seen: list[float] = []
    monkeypatch.setattr(
        ProximalAdam, "step", lambda self, gradient, rate, **rest: seen.append(rate.max().item())
    )
    train(model, data, settings)
    # Batches of 14, 13 and 13 samples.
    expected = [4 / 40] * 3 if reduction == "sum" else [4 / n for n in (14, 13, 13)]
    assert seen == pytest.approx(expected)


def test_every_sample_is_seen_once_an_epoch(data: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    model, settings = make(epochs=3)
    seen: list[torch.Tensor] = []
    take = Batch.take
    monkeypatch.setattr(Batch, "take", lambda self, rows: seen.append(rows) or take(self, rows))
    train(model, data, settings)
    assert [len(rows) for rows in seen] == [14, 13, 13] * 3
    orders = [torch.cat(seen[3 * epoch : 3 * epoch + 3]) for epoch in range(3)]
    assert all(torch.equal(order.sort().values, torch.arange(40)) for order in orders)
    assert not torch.equal(orders[0], orders[1])


def test_an_interrupt_at_full_strength_is_no_early_one(data: Batch) -> None:
    model, settings = make(ramp_start=0.0, ramp_end=0.0, kl_warmup=0.0)
    training = train(model, data, settings, callbacks=(interrupt_at(2),))
    assert training.status is Status.INTERRUPTED


def test_terms_of_an_epoch_are_means_over_samples_and_not_over_batches(
    data: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def terms_of(model: POEMS, batch: Batch, *rest: object, **options: object) -> Terms:
        sizes.append(len(batch))
        found = elbo_terms(model, batch, *rest, **options)
        return replace(found, kl=torch.tensor(float(len(batch))))

    monkeypatch.setattr("poems.training.loop.elbo_terms", terms_of)
    model, settings = make(epochs=1)
    history = train(model, data, settings).history
    assert len(set(sizes)) > 1
    assert history[0].terms["kl"] == pytest.approx(sum(n * n for n in sizes) / 40, rel=1e-6)
