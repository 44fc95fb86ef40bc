from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import poems
from poems.config import Settings
from poems.errors import SettingsError
from poems.model import POEMS
from poems.nn import precision as module
from poems.nn.batch import Batch
from poems.nn.kernels.blockwise import blockwise_decode
from poems.nn.precision import matmul_precision_kept, products_in, require_precision
from poems.simulation import Simulation


class Noted(torch.autograd.Function):
    """The identity, which notes PyTorch's precision of products in both directions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, name: str, notes: list[tuple[str, bool]]) -> Tensor:
        ctx.name, ctx.notes = name, notes
        notes.append((f"{name}, forwards", is_tf32()))
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        ctx.notes.append((f"{ctx.name}, backwards", is_tf32()))
        return grads[0], None, None


def is_tf32() -> bool:
    return module._matmul_precision() in ("tf32", True)


@pytest.fixture(autouse=True)
def _precision_kept() -> Iterator[None]:
    with matmul_precision_kept():
        yield


def relative(x: Tensor, y: Tensor) -> float:
    return float(((x - y).norm() / y.norm()).detach())


def test_tf32_is_on_within_and_off_around_in_both_directions() -> None:
    notes: list[tuple[str, bool]] = []
    z = Noted.apply(torch.randn(3, 2, requires_grad=True), "before", notes)
    weight = torch.randn(2, 4, requires_grad=True)
    (eta,) = products_in("tf32", lambda: (Noted.apply(z @ weight, "within", notes),), z)
    Noted.apply(eta, "after", notes).sum().backward()
    assert notes == [
        ("before, forwards", False),
        ("within, forwards", True),
        ("after, forwards", False),
        ("after, backwards", False),
        ("within, backwards", True),
        ("before, backwards", False),
    ]
    assert not is_tf32()


def test_the_precision_is_put_back_after_an_error() -> None:
    def failing() -> tuple[Tensor, ...]:
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        products_in("tf32", failing, torch.ones(1))
    assert not is_tf32()


def test_hooks_do_not_pile_up_on_parameters() -> None:
    weight = torch.randn(2, 4, requires_grad=True)
    kept = weight.view_as(weight).grad_fn
    assert kept is not None
    accumulate = kept.next_functions[0][0]
    (eta,) = products_in("tf32", lambda: (torch.ones(3, 2) @ weight,), torch.ones(1))
    assert accumulate not in module._nodes((eta,), ())


def test_bfloat16_is_in_the_products_and_not_in_the_results() -> None:
    x, weight = torch.randn(20, 50), torch.randn(50, 30, requires_grad=True)
    exact = x @ weight
    (low,) = products_in("bf16", lambda: (x @ weight,), x)
    assert low.dtype == torch.float32
    assert 1e-4 < relative(low, exact) < 1e-2
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_blockwise_kernel_takes_bfloat16(dropout: float) -> None:
    shapes = [(40, 6), (30, 6), (16, 6), (30, 16), (30,)]
    inputs = [torch.randn(shape) for shape in shapes]
    inputs[1][3] = 0.0
    inputs = [x.requires_grad_() for x in inputs]
    weights = torch.randn(40, 30)

    def results(precision: str) -> tuple[Tensor, ...]:
        torch.manual_seed(0)
        (eta,) = products_in(
            precision,  # type: ignore[arg-type]
            lambda: (blockwise_decode(*inputs, dropout=dropout),),
            inputs[0],
        )
        return (eta, *torch.autograd.grad((eta * weights).sum(), inputs))

    for low, exact in zip(results("bf16"), results("float32"), strict=True):
        assert low.dtype == torch.float32
        # Dropout masks are drawn in the format of the products, and differ.
        assert relative(low, exact) < (0.03 if dropout == 0.0 else 2.0)
        assert bool(low.isfinite().all())


@pytest.mark.parametrize("decoder", ["sparse", "dense"])
def test_only_training_has_less_precision(batch: Batch, decoder: str) -> None:
    settings = Settings().updated(precision="bf16", decoder=decoder, n_latent=3)
    variances = {name: torch.ones(x.shape[1]) for name, x in batch.values.items()}
    model = POEMS(variances, settings.updated(encoder_dropout=0.0))
    training = model.encode(batch).posterior.mean
    model.eval()
    evaluated = model.encode(batch).posterior.mean
    model.precision = "float32"
    assert torch.equal(evaluated, model.encode(batch).posterior.mean)
    assert 1e-4 < relative(training, evaluated) < 0.02


def test_devices_without_a_precision_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    processor, gpu = torch.device("cpu"), torch.device("cuda")
    require_precision("float32", processor)
    require_precision("bf16", processor)
    with pytest.raises(SettingsError, match=r"'tf32' needs a GPU .*, and the device is 'cpu'"):
        require_precision("tf32", processor)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    for precision in ("tf32", "bf16"):
        with pytest.raises(SettingsError, match=r"capability 8\.0 or later, and 'cuda' has 7\.5"):
            require_precision(precision, gpu)  # type: ignore[arg-type]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    require_precision("tf32", gpu)


def test_fits_on_the_processor_refuse_tf32(simulation: Simulation) -> None:
    with pytest.raises(SettingsError, match="'tf32' needs a GPU"):
        poems.fit(simulation.cohort, precision="tf32", progress=False)


def test_latents_of_a_fit_in_bfloat16_are_close(simulation: Simulation) -> None:
    def latents(precision: str) -> np.ndarray:
        model = poems.fit(
            simulation.cohort,
            seed=0,
            epochs=40,
            n_latent=6,
            companions=0,
            precision=precision,
            progress=False,
        )
        values = model.latent.to_numpy()
        return values - values.mean(axis=0)

    exact, low = latents("float32"), latents("bf16")
    # Factors come in any order and sign: what no linear map explains, as a share of the variance.
    rest = exact - low @ np.linalg.lstsq(low, exact, rcond=None)[0]
    assert 0.0 < (rest**2).sum() / (exact**2).sum() < 0.01
