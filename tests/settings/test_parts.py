"""Every registered part does what its interface says, and parts from outside are used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from toy_parts import CurvedDecoder, LogisticPrior, LoudestGate, first_feature, gated_average

import poems
from poems.data.container import MultiOmics
from poems.errors import SettingsError
from poems.nn.decoder import SparseDecoder
from poems.nn.distributions.posteriors import GaussianPosterior
from poems.scaling.batch import Batch
from poems.settings.groups import ModelSettings, SparsitySettings
from poems.settings.parts import DECODERS, FUSIONS, GATES, LIKELIHOODS, PRIORS, STARTS
from poems.settings.registry import Registry

REGISTRIES = {
    registry.kind: registry for registry in (LIKELIHOODS, FUSIONS, GATES, PRIORS, DECODERS, STARTS)
}
OUTSIDE: dict[str, Any] = {
    "fusion": gated_average,
    "gate": LoudestGate,
    "prior": LogisticPrior,
    "decoder": CurvedDecoder,
    "start": first_feature,
}
f64 = torch.float64


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, part in OUTSIDE.items():
        monkeypatch.setattr(REGISTRIES[kind], "_parts", dict(REGISTRIES[kind]._parts))
        REGISTRIES[kind].register("outside", part)


def names(registry: Registry[Any]) -> list[str]:
    """All that POEMS has, and the one of these tests."""
    return [*registry, "outside"]


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_name_leads_to_a_part(kind: str) -> None:
    assert all(callable(REGISTRIES[kind].find(name)) for name in REGISTRIES[kind])


@pytest.mark.parametrize("name", names(GATES))
def test_gates_share_out_one_among_the_measured_views(name: str) -> None:
    measured = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 0, 1]], dtype=torch.bool)
    loc = torch.randn(3, 3, 4) * measured.T[..., None]
    weights = GATES.find(name)(3, 4, 8)(loc, measured)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))
    assert (weights[~measured] == 0).all()
    assert (weights[measured] > 0).all()


@pytest.mark.parametrize("name", names(FUSIONS))
def test_fusions_know_no_order_and_no_expert_of_weight_zero(name: str) -> None:
    fuse, order = FUSIONS.find(name), [2, 0, 1]
    loc, log_precision = torch.randn(2, 3, 5, 2, dtype=f64)
    gates = torch.tensor([[0.3, 0.0, 0.7]], dtype=f64).expand(5, 3)
    loc[1], log_precision[1] = 1e30, 300.0
    fused = fuse(loc, log_precision, gates)
    for other in (
        fuse(loc[order], log_precision[order], gates[:, order]),
        fuse(loc[[0, 2]], log_precision[[0, 2]], gates[:, [0, 2]]),
    ):
        torch.testing.assert_close(other.mean, fused.mean)
        torch.testing.assert_close(other.variance, fused.variance)
    draws, weights = fused.rsample()
    assert torch.isfinite(draws).all()
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(5, dtype=f64))


@pytest.mark.parametrize("name", names(PRIORS))
def test_priors_are_densities_and_their_kl_is_that_of_draws(name: str) -> None:
    prior = PRIORS.find(name)(1, 3)
    grid = torch.linspace(-40, 40, 80_001)[:, None]
    assert torch.trapezoid(prior.log_prob(grid).exp(), grid[:, 0]) == pytest.approx(1.0, abs=1e-4)
    n = 40_000
    posterior = GaussianPosterior(torch.full((n, 1), 0.5), torch.full((n, 1), 0.7))
    draws, weights = posterior.rsample()
    expected = (posterior.log_prob(draws) - prior.log_prob(draws)).mean()
    kl = prior.kl(posterior, draws, weights).mean()
    torch.testing.assert_close(kl, expected, atol=0.02, rtol=0)
    components = prior.component_probabilities(torch.randn(7, 1))
    assert (components is None) == (prior.n_components is None)
    if components is not None:
        torch.testing.assert_close(components.sum(dim=1), torch.ones(7))


@pytest.mark.parametrize("name", names(DECODERS))
def test_decoders_know_their_derivatives_and_whom_they_drive(name: str) -> None:
    decoder = DECODERS.find(name)(6, 3, ModelSettings(decoder_hidden=8), SparsitySettings())
    decoder = decoder.double().eval()
    if isinstance(decoder, SparseDecoder):
        with torch.no_grad():
            decoder.loadings[:4, 0] = 0.0
    z = torch.randn(20, 3, dtype=f64)

    def one(row: Tensor) -> Tensor:
        return decoder(row[None])[0]  # type: ignore[no-any-return]

    exact = torch.stack([torch.autograd.functional.jacobian(one, row) for row in z])
    mean, size, gram = decoder.jacobian(z)
    torch.testing.assert_close(mean, exact.mean(dim=0))
    torch.testing.assert_close(size, exact.abs().mean(dim=0))
    torch.testing.assert_close(gram, torch.einsum("njk,njl->kl", exact, exact) / len(z))
    for dimension in range(3):
        driven = torch.zeros(6, dtype=torch.bool)
        driven[decoder.driven_by(dimension)] = True
        assert (exact[:, ~driven, dimension] == 0).all()
    some = torch.tensor([5, 1])
    torch.testing.assert_close(decoder.some(z, some), decoder(z)[:, some])
    torch.testing.assert_close(decoder.at_zero(), decoder(torch.zeros(1, 3, dtype=f64))[0])
    inclusion = decoder.inclusion()
    assert inclusion.shape == (6, 3)
    assert ((inclusion >= 0) & (inclusion <= 1)).all()


@pytest.mark.parametrize("name", names(STARTS))
def test_starts_say_effects_and_what_they_leave_of_every_feature(name: str, batch: Batch) -> None:
    weights = {view: torch.rand(width) + 0.1 for view, width in batch.n_features.items()}
    for view, found in STARTS.find(name)(batch, 3, weights).items():
        width = batch.n_features[view]
        assert found.effects.shape == (width, 3)
        assert found.residual.shape == (width,)
        assert torch.isfinite(found.effects).all()
        assert (found.residual >= 0).all()


@pytest.mark.parametrize("kind", OUTSIDE)
def test_a_part_from_outside_is_what_is_fitted_and_loaded(
    kind: str, incomplete: MultiOmics, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"n_latent": 3, "epochs": 6, "seed": 0, "progress": False}
    model = poems.fit(incomplete, **options, **{kind: "outside"})
    default = poems.fit(incomplete, **options)
    assert not model.latent.equals(default.latent)
    parts = {
        "fusion": model.module.fuse,
        "gate": type(model.module.gate),
        "prior": type(model.module.prior),
        "decoder": type(model.module.decoder(0)),
    }
    assert parts.get(kind, OUTSIDE[kind]) is OUTSIDE[kind]
    model.save(tmp_path / "model.poems")
    loaded = poems.load(tmp_path / "model.poems")
    assert getattr(loaded.settings.model, kind) == "outside"
    for one, two in ((model.latent, loaded.latent), (model.gates, loaded.gates)):
        assert one.equals(two)
    assert loaded.transform(incomplete).latent.equals(model.transform(incomplete).latent)
    assert loaded.diagnose().table.equals(model.diagnose().table)


def test_a_start_from_outside_is_where_training_begins(incomplete: MultiOmics) -> None:
    begun: list[int] = []

    def start(data: Any, n_latent: int, weights: Any) -> Any:
        begun.append(len(data))
        assert {name: len(own) for name, own in weights.items()} == data.n_features
        return first_feature(data, n_latent, weights)

    STARTS.register("counted", start)
    model = poems.fit(incomplete, start="counted", epochs=1, n_latent=3, progress=False)
    assert begun == [incomplete.n_samples]
    # Zero loadings rest until the spike, so after an epoch they are the start's.
    assert all((table != 0).sum(axis=0).eq(1).all() for table in model.weights.values())


@pytest.mark.parametrize("kind", REGISTRIES)
def test_an_unknown_name_is_refused_with_the_known_ones(kind: str) -> None:
    known = ", ".join(REGISTRIES[kind])
    with pytest.raises(SettingsError, match=f"no {kind} 'nope'; there are {known} "):
        poems.Settings().updated(**{kind: "nope"})


def test_a_name_is_not_taken_twice() -> None:
    GATES.register("outside", LoudestGate)
    with pytest.raises(SettingsError, match="there is a gate 'outside' already"):
        GATES.register("outside", GATES["equal"])
    with pytest.raises(SettingsError, match="there is a gate 'equal' already"):
        GATES.register("equal", LoudestGate)
    with pytest.raises(SettingsError, match="a gate needs a name"):
        GATES.register("", LoudestGate)


def test_an_installed_package_offers_parts_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "elsewhere-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[poems.gate]\nloudest = toy_parts:LoudestGate\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert poems.Settings().updated(gate="loudest").model.gate == "loudest"
    assert GATES.find("loudest") is LoudestGate
