from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from poems.nn.inference import infer
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.settings.schema import Settings
from poems.training.background import fit_background

SIZES = {"a": 120, "b": 80}


def a_model() -> POEMS:
    """A model whose factors drive nothing, so that all there is is the background's."""
    torch.manual_seed(0)
    model = POEMS(
        {name: torch.ones(n) for name, n in SIZES.items()}, Settings().updated(n_latent=2)
    )
    with torch.no_grad():
        for _, decoder in model.sparse_decoders():
            decoder.loadings.zero_()
    return model.eval()


def planted(seed: int, *, n: int = 150, missing: float = 0.0) -> tuple[Batch, torch.Tensor]:
    """One shared dense factor, one private to each view; return the samples and the signal."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(n, 3, generator=generator)
    signal = []
    for view, size in enumerate(SIZES.values()):
        loadings = torch.randn(3, size, generator=generator)
        loadings[2 - view] = 0.0
        signal.append(scores @ loadings)
    values = {
        name: part + 0.7 * torch.randn(part.shape, generator=generator)
        for name, part in zip(SIZES, signal, strict=True)
    }
    observed: dict[str, torch.Tensor | None] = dict.fromkeys(SIZES)
    if missing:
        observed["a"] = torch.rand(n, SIZES["a"], generator=generator) > missing
    measured = torch.ones(n, 2, dtype=torch.bool)
    return Batch(values, observed, measured), torch.cat(signal, dim=1)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_dense_factors_are_found_with_their_number_and_views(missing: float) -> None:
    right = private = 0
    for seed in range(5):
        model = a_model()
        batch, signal = planted(seed, missing=missing)
        found = fit_background(model, batch)
        predicted = model.background.predict(found.background)
        explained = 1.0 - (signal - predicted).square().sum() / signal.square().sum()
        assert explained > 0.95
        sizes = torch.stack(
            [
                part.square().mean(dim=0)
                for part in model.background.loadings.split(list(SIZES.values()))
            ]
        )
        # What is left of the others, shrunk to next to nothing, does not matter.
        matter = sizes.sum(dim=0) > 0.02 * sizes.sum(dim=0).max()
        right += int(matter.sum()) == 3
        shares = (sizes / sizes.sum(dim=0))[:, matter]
        private += int((shares.min(dim=0).values < 0.1).sum() >= 2)
    assert right >= 4
    assert private >= 4


def test_what_is_left_in_noise_explains_next_to_nothing() -> None:
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        values = {name: torch.randn(100, n, generator=generator) for name, n in SIZES.items()}
        batch = Batch(values, dict.fromkeys(SIZES), torch.ones(100, 2, dtype=torch.bool))
        model = a_model()
        fit_background(model, batch)
        background = model.background
        assert background.loadings.square().sum(dim=1).mean() < 0.04


def with_a_factor(seed: int, *, weak: float, n: int = 150) -> tuple[POEMS, Batch, torch.Tensor]:
    """A factor that drives ten features of each view, and moves all others a little.

    Its latents are inferred with next to no doubt. The decoders are linear: relu(t) - relu(-t) = t.
    """
    model = a_model()
    with torch.no_grad():
        for _, decoder in model.sparse_decoders():
            half = decoder.mixing.shape[0] // 2
            decoder.mixing[half:] = -decoder.mixing[:half]
            decoder.heads[:, half:] = -decoder.heads[:, :half]
            decoder.loadings[:10, 0] = 3.0
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, 2, generator=generator)
    effects = weak * torch.randn(sum(SIZES.values()), generator=generator)
    eta = model.decode_jointly(z).detach() + z[:, :1] * effects
    values = eta + 0.7 * torch.randn(eta.shape, generator=generator)
    parts = dict(zip(SIZES, torch.split(values, list(SIZES.values()), dim=1), strict=True))
    measured = torch.ones(n, 2, dtype=torch.bool)
    return model, Batch(parts, dict.fromkeys(SIZES), measured), effects


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_features_and_samples_in_blocks_give_what_they_give_at_once(
    missing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch, _ = with_a_factor(0, weak=0.2)
    batch = replace(batch, observed=planted(0, missing=missing)[0].observed)
    expected, background = fit_background(model, batch, 4), model.background
    # A few features, and as many samples as count for the kernel of a wide view.
    monkeypatch.setattr("poems.training.background_rounds._MOST_EFFECTS", 100)
    monkeypatch.setattr("poems.nn.inference._MOST_SLOPES", 32 * sum(SIZES.values()))
    found = fit_background(model, batch, 4)
    for name in ("loc", "variance", "background", "shares"):
        mine, theirs = getattr(found, name), getattr(expected, name)
        torch.testing.assert_close(mine, theirs, rtol=1e-2, atol=1e-2)
    for name in ("loadings", "weak", "offset", "precision", "uncertainty", "carried"):
        mine, theirs = getattr(model.background, name), getattr(background, name)
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)


def test_small_effects_of_a_factor_are_its_own_and_not_the_background_s() -> None:
    model, batch, effects = with_a_factor(0, weak=0.2)
    before = [decoder.loadings.clone() for _, decoder in model.sparse_decoders()]
    fit_background(model, batch)
    background = model.background
    found = background.weak[:, 0]
    assert torch.corrcoef(torch.stack([found, effects]))[0, 1] > 0.8
    # Latent 1 drives nothing; no dense factor was planted, and what is found is that of noise.
    assert not background.weak[:, 1].any()
    assert background.loadings.square().sum(dim=1).mean() < 0.04
    for old, (_, decoder) in zip(before, model.sparse_decoders(), strict=True):
        torch.testing.assert_close(decoder.loadings, old, rtol=0, atol=0)


def test_what_views_do_not_share_is_not_carried_over() -> None:
    """A dense factor of each view: those of the one tell nothing of those of the other."""
    shares = []
    for shared in (True, False):
        generator = torch.Generator().manual_seed(2)
        scores = torch.randn(60, 16, generator=generator)
        own = [scores, scores if shared else torch.randn(60, 16, generator=generator)]
        values = {
            name: b @ torch.randn(16, size, generator=generator)
            + torch.randn(60, size, generator=generator)
            for b, (name, size) in zip(own, SIZES.items(), strict=True)
        }
        model = a_model()
        fit_background(model, Batch(values, dict.fromkeys(SIZES), torch.ones(60, 2).bool()))
        shares.append(model.background.carried[:, 1])
    assert (shares[0] > 0.85).all()
    assert (shares[1] < 0.6).all()


def test_zero_asks_for_none() -> None:
    model = a_model()
    batch, _ = planted(0)
    found = fit_background(model, batch, 0)
    assert model.background.n_background == 0
    assert found.background.shape == (150, 0)


def test_intervals_of_new_entries_cover() -> None:
    model = a_model()
    batch, _ = planted(1)
    training = batch.take(torch.arange(110))
    fit_background(model, training)
    new = batch.take(torch.arange(110, 150))
    hidden = Batch(
        new.values, new.observed, torch.tensor([[True, False]]).expand(40, 2).contiguous()
    )
    found = infer(model, hidden, covariance=True)
    background = model.background
    rows = slice(SIZES["a"], None)
    predicted = background.predict(found.background)[:, rows]
    B = background.loadings[rows]
    assert found.covariance is not None
    of_scores = found.covariance[:, model.n_latent :, model.n_latent :]
    variance = torch.einsum("da,nab,db->nd", B, of_scores, B) + 1.0 / background.precision[rows]
    inside = ((new.values["b"] - predicted).abs() < 1.645 * variance.sqrt()).float().mean()
    assert 0.85 < inside < 0.95
