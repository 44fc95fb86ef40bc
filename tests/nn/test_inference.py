from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from poems.nn.background import Background
from poems.nn.inference import infer
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.settings.schema import Settings

SIZES = {"a": 12, "b": 7}


def a_model(n_latent: int = 3, *, seed: int = 0, **settings: object) -> POEMS:
    torch.manual_seed(seed)
    variances = {name: torch.ones(size) for name, size in SIZES.items()}
    model = POEMS(variances, Settings().updated(n_latent=n_latent, **settings)).eval()
    for i in range(2):
        likelihood = model.likelihood(i)
        likelihood.start(0.3 + torch.rand(likelihood.n_features))
    return model


def linear(model: POEMS, *, seed: int = 0) -> list[Tensor]:
    """Let the decoders be linear: hidden units B and -B, heads v and -v; return the slopes."""
    generator = torch.Generator().manual_seed(seed)
    slopes = []
    for _, decoder in model.sparse_decoders():
        decoder.normalise = False
        half = decoder.mixing.shape[0] // 2
        with torch.no_grad():
            rows = torch.randn(half, model.n_latent, generator=generator)
            heads = torch.randn(len(decoder.loadings), half, generator=generator) / half**0.5
            decoder.mixing.copy_(torch.cat([rows, -rows]))
            decoder.heads.copy_(torch.cat([heads, -heads], dim=1))
            decoder.loadings.copy_(
                torch.randn(decoder.loadings.shape, generator=generator)
                * (torch.rand(decoder.loadings.shape, generator=generator) < 0.6)
            )
            decoder.bias.normal_(generator=generator)
        # As relu(t) - relu(-t) = t, of both halves one counts.
        slopes.append((decoder.heads @ decoder.mixing * decoder.loadings).detach() / 2)
    return slopes


def a_background(model: POEMS, n_background: int = 2, *, seed: int = 3) -> None:
    generator = torch.Generator().manual_seed(seed)
    background = Background(list(SIZES.values()), n_background, model.n_latent)
    background.loadings.normal_(generator=generator)
    background.weak.normal_(generator=generator)
    background.offset.normal_(generator=generator)
    background.precision.uniform_(0.5, 3.0, generator=generator)
    width = model.n_latent + n_background
    roots = torch.randn(2, width, width, generator=generator)
    background.uncertainty.copy_(roots @ roots.mT)
    model.background = background


def samples(n: int = 6, *, seed: int = 1) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    values = {name: torch.randn(n, size, generator=generator) for name, size in SIZES.items()}
    measured = torch.ones(n, 2, dtype=torch.bool)
    measured[0, 0] = measured[1, 1] = False
    observed = {"a": torch.rand(n, SIZES["a"], generator=generator) > 0.3, "b": None}
    return Batch(values, observed, measured)


@pytest.mark.parametrize("with_background", [False, True])
def test_where_decoders_are_linear_the_posterior_is_that_of_a_gaussian_model(
    with_background: bool,
) -> None:
    model = a_model()
    linear_slopes = linear(model)
    J = torch.cat(linear_slopes)
    bias = torch.cat([decoder.bias.detach() for _, decoder in model.sparse_decoders()])
    precision = torch.cat([model.likelihood(i).information(torch.zeros(1, n))[0]
                           for i, n in enumerate(SIZES.values())]).detach()  # fmt: skip
    doubt = torch.zeros(2, 3, 3)
    if with_background:
        a_background(model)
        J = torch.cat([J, torch.zeros(len(J), 2)], dim=1) + model.background.joint
        bias, precision = bias + model.background.offset, model.background.precision
        doubt = model.background.uncertainty
    batch = samples()
    found = infer(model, batch, covariance=True, moments=True)
    assert found.moments is not None
    sums = [torch.zeros_like(part).double() for part in
            (found.moments.scatter, found.moments.slopes, found.moments.spread)]  # fmt: skip
    slopes = torch.cat(linear_slopes).double()
    view = torch.tensor([0] * SIZES["a"] + [1] * SIZES["b"])
    there = batch.measured[:, view] & batch.observed_jointly()
    for n in range(len(batch)):
        own = (there[n] * precision).double()
        share = torch.stack([there[n, view == v].double().mean() for v in range(2)])
        width = J.shape[1]
        total = torch.eye(width).double() + J.double().T @ (own[:, None] * J)
        total += torch.einsum("v,vab->ab", share, doubt[:, :width, :width].double())
        x = batch.joined()[n].masked_fill(~there[n], 0.0) - bias
        expected = torch.linalg.solve(total, J.double().T @ (own * x))
        covariance = torch.linalg.inv(total)
        torch.testing.assert_close(found.loc[n].double(), expected[:3], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(found.background[n].double(), expected[3:], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(
            found.variance[n].double(), covariance.diagonal()[:3], rtol=1e-3, atol=1e-5
        )
        assert found.covariance is not None
        torch.testing.assert_close(found.covariance[n].double(), covariance, rtol=1e-3, atol=1e-4)
        sums[0][batch.measured[n]] += covariance
        along = there[n].double()[:, None] * (slopes @ covariance[:3])
        sums[1] += along
        sums[2] += (along[:, :3] * slopes).sum(dim=1)
    for name, expected in zip(("scatter", "slopes", "spread"), sums, strict=True):
        of_model = getattr(found.moments, name).double()
        torch.testing.assert_close(of_model, expected, rtol=1e-3, atol=1e-3)
    assert found.settled.all()


@pytest.mark.parametrize("prior", ["normal", "mixture"])
@pytest.mark.parametrize("seed", range(5))
def test_no_step_loses_and_the_end_does_not_hang_on_the_number_of_steps(
    prior: str, seed: int
) -> None:
    model = a_model(4, seed=seed, prior=prior)
    batch = samples(20, seed=seed)
    values = []
    found = None
    for steps in (0, 1, 2, 5, 50):
        found = infer(model, batch, steps=steps)
        values.append(density(model, batch, found.loc))
    for before, after in itertools.pairwise(values):
        assert (after >= before - 1e-3).all()
    rest = found.settled
    assert rest.float().mean() > 0.9
    again = infer(model, batch, found.loc)
    torch.testing.assert_close(again.loc[rest], found.loc[rest], rtol=0, atol=0.05)


def density(model: POEMS, batch: Batch, z: Tensor) -> Tensor:
    total = model.prior.log_prob(z)
    for i, (name, x) in enumerate(batch.values.items()):
        rows = batch.measured[:, i, None].expand_as(x)
        observed = batch.observed[name]
        mask = rows if observed is None else rows & observed
        total = total - model.likelihood(i).nll(x, model.decode(z)[name], mask)
    return total.detach()


@pytest.mark.parametrize("with_background", [False, True])
def test_what_was_not_measured_changes_nothing(with_background: bool) -> None:
    model = a_model()
    if with_background:
        a_background(model)
    batch = samples()
    there = {
        name: batch.measured[:, i, None].expand_as(x)
        for i, (name, x) in enumerate(batch.values.items())
    }
    values = {name: x.masked_fill(~there[name], torch.nan) for name, x in batch.values.items()}
    found, other = infer(model, batch), infer(model, Batch(values, batch.observed, batch.measured))
    for name in ("loc", "variance", "background"):
        torch.testing.assert_close(getattr(found, name), getattr(other, name), rtol=0, atol=0)


def test_a_sample_does_not_depend_on_the_others() -> None:
    model = a_model()
    a_background(model)
    batch = samples(8)
    rows = torch.tensor([5, 2])
    whole, part = infer(model, batch), infer(model, batch.take(rows))
    torch.testing.assert_close(whole.loc[rows], part.loc, rtol=1e-3, atol=5e-4)


def test_more_views_say_more() -> None:
    model = a_model()
    linear(model)
    batch = samples(10)
    both = replace(batch, measured=torch.ones_like(batch.measured))
    one = replace(both, measured=torch.tensor([[True, False]]).expand(10, 2))
    assert (infer(model, both).variance <= infer(model, one).variance + 1e-6).all()
    shares = infer(model, one).shares
    torch.testing.assert_close(shares, torch.tensor([[1.0, 0.0]]).expand(10, 2))


def test_latents_that_no_feature_depends_on_stay_at_the_prior() -> None:
    model = a_model(4)
    with torch.no_grad():
        for _, decoder in model.sparse_decoders():
            decoder.loadings[:, 2] = 0.0
    found = infer(model, samples())
    torch.testing.assert_close(found.loc[:, 2], torch.zeros(6), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.variance[:, 2], torch.ones(6), rtol=0, atol=1e-5)


@pytest.mark.parametrize("prior", ["normal", "mixture"])
@pytest.mark.parametrize("with_background", [False, True])
def test_latents_that_drive_nothing_change_no_answer(
    with_background: bool, prior: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        small = a_model(3, seed=seed, prior=prior)
        # Where a posterior has kinks, rounding decides at which of them the steps end.
        linear(small, seed=seed)
        if with_background:
            a_background(small, seed=seed)
        if prior == "mixture":
            small.prior.loc.normal_()
            small.prior.variance.uniform_(0.5, 2.0)
        padded, places = padded_with_idle(small, 70, seed=seed)
        batch, start = samples(9, seed=seed), torch.randn(9, 70)
        begin = start[:, places[:3]]
        expected = infer(small, batch, begin, covariance=True, moments=True)
        found = infer(padded, batch, start, covariance=True, moments=True)
        monkeypatch.setattr("poems.nn.model._MANY", 70)
        of_all = infer(padded, batch, start, covariance=True, moments=True)
        monkeypatch.undo()
        assert expected.covariance is not None
        assert expected.moments is not None
        for other in (found, of_all):
            assert other.covariance is not None
            assert other.moments is not None
            idle = torch.ones(70, dtype=torch.bool).index_fill(0, places[:3], 0)
            if prior == "normal":
                assert (other.loc[:, idle] == 0).all()
                assert (other.variance[:, idle] == 1).all()
            assert bool((other.covariance[:, :70][:, idle][:, :, places] == 0).all())
            for mine, theirs in (
                (other.loc[:, places[:3]], expected.loc),
                (other.variance[:, places[:3]], expected.variance),
                (other.background, expected.background),
                (other.shares, expected.shares),
                (other.covariance[:, places[:, None], places], expected.covariance),
                (other.moments.scatter[:, places[:, None], places], expected.moments.scatter),
                (other.moments.slopes[:, places], expected.moments.slopes),
                (other.moments.spread, expected.moments.spread),
            ):
                torch.testing.assert_close(mine, theirs, rtol=2e-3, atol=2e-3)
        for name in ("loc", "variance", "covariance"):
            mine, theirs = getattr(found, name), getattr(of_all, name)
            torch.testing.assert_close(mine, theirs, rtol=2e-3, atol=2e-3)


def padded_with_idle(small: POEMS, n_latent: int, *, seed: int) -> tuple[POEMS, Tensor]:
    """Return the model among latents that drive nothing, and where its (z, b) are in those."""
    places = torch.randperm(n_latent, generator=torch.Generator().manual_seed(seed))
    places = places[: small.n_latent].sort().values
    settings = Settings().updated(
        n_latent=n_latent, prior="mixture" if small.prior.learns else "normal"
    )
    model = POEMS({name: torch.ones(size) for name, size in SIZES.items()}, settings).eval()
    model.likelihoods = small.likelihoods
    for (_, mine), (_, theirs) in zip(
        model.sparse_decoders(), small.sparse_decoders(), strict=True
    ):
        mine.normalise = theirs.normalise
        with torch.no_grad():
            for name in ("heads", "bias"):
                getattr(mine, name).copy_(getattr(theirs, name))
            mine.mixing[:, places] = theirs.mixing
            mine.loadings.zero_()
            mine.loadings[:, places] = theirs.loadings
    if small.prior.learns:
        for name in ("loc", "variance"):
            getattr(model.prior, name)[:, places] = getattr(small.prior, name)
        model.prior.log_weights.copy_(small.prior.log_weights)
    own, dense = small.background, Background(list(SIZES.values()), 0, n_latent)
    places_of_y = torch.cat([places, n_latent + torch.arange(own.n_background)])
    if own.n_background:
        dense = Background(list(SIZES.values()), own.n_background, n_latent)
        for name in ("loadings", "offset", "precision", "carried"):
            setattr(dense, name, getattr(own, name))
        dense.weak[:, places], dense.moments[places] = own.weak, own.moments
        dense.uncertainty[:, places_of_y[:, None], places_of_y] = own.uncertainty
    model.background = dense
    return model, places_of_y


@pytest.mark.parametrize("decoder", ["sparse", "dense"])
@pytest.mark.parametrize("kernel", ["sparse", "blockwise"])
def test_slopes_are_the_derivatives_of_the_predictions(decoder: str, kernel: str) -> None:
    model = a_model(3, decoder=decoder, kernel=kernel)
    z = torch.randn(5, 3)
    for i in range(2):
        driven, slopes = model.decoder(i).slopes(z)
        one = model.decoders[i]
        expected = torch.stack(
            [torch.autograd.functional.jacobian(lambda at, of=one: of(at[None])[0], x) for x in z]
        )
        torch.testing.assert_close(slopes, expected[:, driven], rtol=1e-4, atol=1e-5)
