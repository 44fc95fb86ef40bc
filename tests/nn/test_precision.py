from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import poems
from poems.errors import SettingsError
from poems.nn import precision as module
from poems.nn.dropout import Dropout
from poems.nn.model import POEMS
from poems.nn.precision import matmul_precision_kept, products_in, require_precision
from poems.scaling.batch import Batch
from poems.settings.schema import Settings
from poems.simulation.cohort import Simulation


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


def variances(batch: Batch) -> dict[str, Tensor]:
    return {name: torch.ones(x.shape[1]) for name, x in batch.values.items()}


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


def test_dropout_hits_its_share_in_bfloat16() -> None:
    # Of numbers that are multiples of 1 / 256 a share of 0.2031 is below 0.2.
    dropped = Dropout(0.2)(torch.ones(2_000_000, dtype=torch.bfloat16)) == 0.0
    assert float(dropped.double().mean()) == pytest.approx(0.2, abs=1.5e-3)


@pytest.mark.parametrize("precision", ["bf16", "tf32"])
@pytest.mark.parametrize("kernel", ["sparse", "blockwise"])
def test_sparse_decoders_stay_in_single_precision(
    batch: Batch, precision: str, kernel: str
) -> None:
    settings = Settings().updated(n_latent=3, kernel=kernel)
    model = POEMS(variances(batch), settings)
    z = torch.randn(len(batch), 3, requires_grad=True)

    def results() -> list[Tensor]:
        eta = torch.cat(list(model.decode(z).values()), dim=1)
        wanted = [z, *(decoder.loadings for _, decoder in model.sparse_decoders())]
        return [eta, *torch.autograd.grad(eta.square().sum(), wanted)]

    expected = results()
    model.precision = precision  # type: ignore[assignment]
    for low, exact in zip(results(), expected, strict=True):
        assert torch.equal(low, exact)


def test_dense_decoders_have_less_precision_while_training(batch: Batch) -> None:
    model = POEMS(variances(batch), Settings().updated(precision="bf16", decoder="dense"))
    z = torch.randn(len(batch), model.n_latent)
    low = torch.cat(list(model.decode(z).values()), dim=1)
    exact = torch.cat(list(model.eval().decode(z).values()), dim=1)
    assert low.dtype == torch.float32
    assert 1e-4 < relative(low, exact) < 0.02


def test_encoders_have_less_precision_while_training(batch: Batch) -> None:
    settings = Settings().updated(precision="bf16", n_latent=3, encoder_dropout=0.0)
    model = POEMS(variances(batch), settings)
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
            precision=precision,
            progress=False,
        )
        values = model.latent.to_numpy()
        return values - values.mean(axis=0)

    exact, low = latents("float32"), latents("bf16")
    # Factors come in any order and sign: what no linear map explains, as a share of the variance.
    rest = exact - low @ np.linalg.lstsq(low, exact, rcond=None)[0]
    assert 0.0 < (rest**2).sum() / (exact**2).sum() < 0.01
