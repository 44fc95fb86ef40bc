from __future__ import annotations

import pytest
import torch

from poems.nn.encoder import Encoder, encode_views


@pytest.mark.parametrize("layers", [(), (7,), (7, 5)])
def test_an_encoder_gives_location_and_precision_of_each_latent(layers: tuple[int, ...]) -> None:
    loc, log_precision = Encoder(4, 3, layers, 0.2)(torch.randn(6, 4))
    assert loc.shape == log_precision.shape == (6, 3)


def test_precisions_stay_finite_for_extreme_inputs() -> None:
    encoder = Encoder(4, 3, (8,), 0.0)
    _, log_precision = encoder(1e12 * torch.randn(50, 4))
    assert log_precision.abs().max() <= 12.0
    assert torch.isfinite(log_precision.exp()).all()


def test_small_precisions_pass_the_bound_unchanged() -> None:
    encoder = Encoder(4, 3, (), 0.0)
    x = 0.1 * torch.randn(20, 4)
    torch.testing.assert_close(encoder(x)[1], encoder.log_precision(x), rtol=0.02, atol=1e-4)


def test_samples_do_not_influence_each_other() -> None:
    encoder = Encoder(4, 3, (8,), 0.5).eval()
    x = torch.randn(6, 4)
    torch.testing.assert_close(encoder(x)[0][2:3], encoder(x[2:3])[0])


def test_dropout_acts_in_training_alone() -> None:
    encoder, x = Encoder(4, 3, (50,), 0.5), torch.randn(6, 4)
    assert not torch.equal(encoder(x)[0], encoder(x)[0])
    encoder.eval()
    assert torch.equal(encoder(x)[0], encoder(x)[0])


@pytest.mark.parametrize("layers", [(), (7,), (7, 5)])
def test_experts_of_views_that_a_sample_lacks_are_zero(layers: tuple[int, ...]) -> None:
    encoders = [Encoder(width, 3, layers, 0.0) for width in (4, 6)]
    for encoder in encoders:
        torch.nn.init.ones_(encoder.loc.bias)  # which alone would say something of any sample
        torch.nn.init.ones_(encoder.log_precision.bias)
    measured = torch.tensor([[True, True], [False, True], [True, False], [True, True]])
    rows = [measured[:, at].nonzero()[:, 0] for at in range(2)]
    inputs = [torch.randn(3, 4), torch.randn(3, 6)]
    loc, log_precision = encode_views(encoders, inputs, rows, measured)
    for found, own in ((loc, 0), (log_precision, 1)):
        assert not found.transpose(1, 2)[~measured.T[:, None].expand(2, 3, 4)].any()
        for view, encoder in enumerate(encoders):
            torch.testing.assert_close(found[view, rows[view]], encoder(inputs[view])[own])
