from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from poems.nn.decoder import DenseDecoder, SparseDecoder
from poems.settings.groups import ModelSettings, SparsitySettings
from poems.settings.parts import DECODERS

f64 = torch.float64


def sparse(
    n_features: int = 9,
    n_latent: int = 3,
    normalise: bool = True,
    dropout: float = 0.0,
    **sparsity: float,
) -> SparseDecoder:
    settings = ModelSettings(decoder_hidden=5, normalise=normalise, decoder_dropout=dropout)
    return SparseDecoder(n_features, n_latent, settings, SparsitySettings(**sparsity))


def scale_weights(decoder: SparseDecoder) -> None:
    with torch.no_grad():
        decoder.mixing *= torch.tensor([3.0, 0.1, 40.0])
        decoder.heads *= torch.rand(9, 1) + 0.5


def test_the_scale_of_normalised_weights_changes_nothing() -> None:
    decoder, z = sparse(), torch.randn(6, 3)
    before = decoder(z), *decoder.jacobian(z)
    scale_weights(decoder)
    for old, new in zip(before, (decoder(z), *decoder.jacobian(z)), strict=True):
        torch.testing.assert_close(new, old)


def test_without_normalising_the_scale_matters() -> None:
    decoder, z = sparse(normalise=False), torch.randn(6, 3)
    before = decoder(z)
    scale_weights(decoder)
    assert not torch.allclose(decoder(z), before)
    A, u = decoder.weights()
    assert A is decoder.mixing
    assert u is decoder.heads


def test_a_loading_bounds_the_effect_of_its_factor() -> None:
    decoder = sparse(n_features=30)
    # |d eta_j / d z_k| <= |u_j| |A_k| |w_jk|, with both norms held.
    bound = 1.5 * math.sqrt(2.0) * decoder.loadings.detach().abs()
    for scale in (0.01, 1.0, 100.0):
        for row in scale * torch.randn(50, 1, 3):
            _, size, _ = decoder.jacobian(row)
            assert (size <= bound * (1 + 1e-5)).all()
    z = torch.randn(20, 3)
    change = (decoder(z) - decoder.bias).abs()
    assert (change <= z.abs() @ bound.T * (1 + 1e-5)).all()


def test_dropout_is_off_in_evaluation() -> None:
    decoder, z = sparse(dropout=0.5), torch.randn(6, 3)
    assert not torch.equal(decoder(z), decoder(z))
    decoder.eval()
    assert torch.equal(decoder(z), decoder(z))


@pytest.mark.parametrize("normalise", [True, False])
def test_the_sparse_jacobian_is_that_of_torch(normalise: bool) -> None:
    decoder, z = sparse(normalise=normalise).double().eval(), torch.randn(8, 3, dtype=f64)
    A, u = (value.detach() for value in decoder.weights())
    W = decoder.loadings.detach()

    def one(row: Tensor) -> Tensor:
        return (torch.relu((A[None] * W[:, None]) @ row) * u).sum(dim=1)

    check_jacobian(decoder, torch.func.vmap(torch.func.jacrev(one))(z), z)


def test_the_dense_jacobian_is_that_of_torch() -> None:
    decoder = DenseDecoder(9, 3, ModelSettings(decoder_hidden=5), SparsitySettings()).double()
    z = torch.randn(8, 3, dtype=f64)
    exact = torch.func.vmap(torch.func.jacrev(decoder))(z)
    check_jacobian(decoder, exact.detach(), z)
    assert torch.equal(decoder.inclusion(), torch.ones(9, 3, dtype=f64))


def check_jacobian(decoder: SparseDecoder | DenseDecoder, exact: Tensor, z: Tensor) -> None:
    mean, mean_abs, gram = decoder.jacobian(z)
    torch.testing.assert_close(mean, exact.mean(dim=0))
    torch.testing.assert_close(mean_abs, exact.abs().mean(dim=0))
    torch.testing.assert_close(gram, torch.einsum("njk,njl->kl", exact, exact) / len(z))


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_predicts_every_feature(name: str) -> None:
    decoder = DECODERS[name](4, 2, ModelSettings(), SparsitySettings())
    assert decoder(torch.randn(3, 2)).shape == (3, 4)
    assert decoder.inclusion().shape == (4, 2)


def start(hidden: int, **options: bool) -> tuple[SparseDecoder, Tensor]:
    settings = ModelSettings(decoder_hidden=hidden, **options)
    decoder = SparseDecoder(30, 4, settings, SparsitySettings())
    effects = torch.randn(30, 4) * (torch.rand(30, 4) < 0.5)
    effects[0] = 0.0
    decoder.start_from(effects)
    return decoder, effects


def test_the_linear_part_of_the_start_predicts_linearly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poems.nn.decoder._DRAWN_PART", 1e-7)
    decoder, effects = start(8)
    z = torch.randn(20, 4)
    torch.testing.assert_close(decoder(z), z @ effects.T, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("hidden", [1, 2, 5, 8, 32])
@pytest.mark.parametrize("normalise", [True, False])
def test_every_start_points_along_the_effects_and_can_be_trained(
    hidden: int, normalise: bool
) -> None:
    decoder, effects = start(hidden, normalise=normalise)
    assert torch.equal(decoder.loadings != 0, effects != 0)
    z = torch.randn(200, 4)
    predicted = decoder(z)
    assert torch.isfinite(predicted).all()
    predicted.square().sum().backward()
    for parameter in (decoder.mixing, decoder.heads, decoder.loadings):
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
    if normalise and hidden >= 8:
        agreement = (predicted * (z @ effects.T)).sum() / (
            predicted.norm() * (z @ effects.T).norm()
        )
        assert agreement > 0.3
