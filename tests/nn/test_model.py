from __future__ import annotations

import itertools

import pytest
import torch

from poems.nn.decoder import SparseDecoder
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.settings.schema import Settings


def build(**changes: object) -> POEMS:
    settings = Settings().updated(n_latent=3, encoder_layers=(8,), encoder_dropout=0.0, **changes)
    return POEMS({"a": torch.ones(6), "b": torch.ones(4)}, settings)


@pytest.mark.parametrize("gate", ["learned", "linear", "equal"])
@pytest.mark.parametrize("fusion", ["poe", "poe_prior", "moe"])
def test_what_unmeasured_rows_hold_does_not_reach_the_posterior(
    gate: str, fusion: str, batch: Batch
) -> None:
    model = build(gate=gate, fusion=fusion)
    reference = model.encode(batch)
    for garbage in (torch.nan, torch.inf, 1e30):
        values = dict(batch.values)
        values["b"] = values["b"].clone()
        values["b"][:3] = garbage
        other = model.encode(Batch(values, batch.observed, batch.measured))
        assert torch.equal(other.gates, reference.gates)
        assert torch.equal(other.posterior.mean, reference.posterior.mean)
        assert torch.equal(other.posterior.variance, reference.posterior.variance)


@pytest.mark.parametrize("gate", ["learned", "linear", "equal"])
def test_a_sample_with_one_view_has_that_experts_posterior(gate: str, batch: Batch) -> None:
    model = build(gate=gate)
    encoded = model.encode(batch)
    loc, log_precision = model.encoders[0](batch.values["a"][:3])
    torch.testing.assert_close(encoded.posterior.mean[:3], loc)
    torch.testing.assert_close(encoded.posterior.variance[:3], torch.exp(-log_precision))
    assert torch.equal(encoded.gates[:3], torch.tensor([[1.0, 0.0]]).expand(3, 2))
    torch.testing.assert_close(encoded.gates.sum(dim=1), torch.ones(10))


@pytest.mark.parametrize("fusion", ["poe", "poe_prior", "moe"])
def test_a_view_that_the_gate_shuts_out_learns_where_its_share_is_partial(
    fusion: str, batch: Batch
) -> None:
    model = build(gate="linear", fusion=fusion)
    with torch.no_grad():
        model.gate.network.bias.copy_(torch.tensor([100.0, -100.0]))
    slopes = {}
    for share in (1.0, 0.5):
        encoded = model.encode(batch, share)
        model.zero_grad()
        encoded.posterior.mean.square().sum().backward()
        slopes[share] = float(model.encoders[1].loc.weight.grad.abs().sum())
    assert slopes[1.0] < 1e-6
    assert slopes[0.5] > 1e-3


def test_samples_are_encoded_one_by_one(batch: Batch) -> None:
    model = build()
    mean = model.encode(batch).posterior.mean
    for n in range(len(batch)):
        single = model.encode(batch.take(torch.tensor([n]))).posterior.mean
        torch.testing.assert_close(single, mean[n : n + 1])
    twice = model.encode(batch.take(torch.tensor([5, 5, 2]))).posterior.mean
    # Not to the bit: on some processors the rows of a product are summed in different orders.
    torch.testing.assert_close(twice[0], twice[1], rtol=1e-6, atol=1e-6)


def test_a_view_that_no_sample_has_is_skipped(batch: Batch) -> None:
    batch.measured[:, 1] = False
    encoded = build().encode(batch)
    assert torch.isfinite(encoded.posterior.mean).all()
    assert (encoded.gates[:, 1] == 0).all()


def test_decoding_names_the_views() -> None:
    decoded = build().decode(torch.randn(5, 3))
    assert {name: tuple(eta.shape) for name, eta in decoded.items()} == {"a": (5, 6), "b": (5, 4)}


def test_a_view_may_have_any_name() -> None:
    names = ("a.b", "encoders", "", "ω/π")
    model = POEMS(dict.fromkeys(names, torch.ones(3)), Settings())
    assert model.views == names
    assert tuple(model.decode(torch.randn(2, 16))) == names


@pytest.mark.parametrize(
    ("decoder", "prior"),
    list(itertools.product(["sparse", "dense"], ["normal", "mixture"])),
)
def test_only_sparse_decoders_have_loadings(decoder: str, prior: str) -> None:
    model = build(decoder=decoder, prior=prior)
    expected = ["a", "b"] if decoder == "sparse" else []
    assert [name for name, _ in model.sparse_decoders()] == expected
    assert all(isinstance(part, SparseDecoder) for _, part in model.sparse_decoders())
    assert model.decoder(1)(torch.randn(2, 3)).shape == (2, 4)
    assert model.likelihood(0).scale.shape == (6,)


def test_factors_with_few_loadings_are_dropped_and_counted() -> None:
    model = build()
    counts = torch.zeros(3, dtype=torch.int64)
    with torch.no_grad():
        for _, decoder in model.sparse_decoders():
            decoder.loadings.zero_()
        first, second = (decoder.loadings for _, decoder in model.sparse_decoders())
        # One factor of three features over both views, one of two; the last has none already.
        first[:2, 0], second[0, 0] = 1.0, -1.0
        first[3, 1], second[1, 1] = 2.0, 2.0
    assert model.driving().tolist() == [True, True, False]
    assert model.drop_factors(3) == 1
    for _, decoder in model.sparse_decoders():
        counts += (decoder.loadings != 0).sum(dim=0)
    assert counts.tolist() == [3, 0, 0]
    assert model.driving().tolist() == [True, False, False]
    assert model.drop_factors(3) == 0
