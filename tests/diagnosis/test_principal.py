from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from poems.diagnosis.principal import fit_principal, noise_shares, predict, structure_alone
from poems.scaling.batch import Batch


def whole(**views: torch.Tensor) -> tuple[Batch, dict[str, torch.Tensor]]:
    n = len(next(iter(views.values())))
    measured = torch.ones(n, len(views), dtype=torch.bool)
    means = {name: x.mean(dim=0) for name, x in views.items()}
    return Batch(views, dict.fromkeys(views), measured), means


def planted(n: int, n_factors: int, n_features: int) -> torch.Tensor:
    signal = torch.randn(n, n_factors) @ torch.randn(n_factors, n_features)
    return signal + torch.randn(n, n_features)


@pytest.mark.parametrize("n", [20, 60], ids=["fewer samples", "more samples"])
def test_it_is_pca_of_the_scaled_blocks(n: int) -> None:
    batch, means = whole(a=planted(n, 3, 30) + 5.0, b=planted(n, 2, 8))
    new, _ = whole(a=planted(7, 3, 30) + 5.0, b=planted(7, 2, 8))
    found = fit_principal(batch, means, 4, seed=0)

    def stacked(given: Batch) -> np.ndarray:
        return np.hstack([x.numpy() / np.sqrt(x.shape[1]) for x in given.values.values()])

    reference = PCA(4).fit(stacked(batch))
    for given in (batch, new):
        expected = reference.inverse_transform(reference.transform(stacked(given)))
        predicted = predict(found.axes, given, means)
        np.testing.assert_allclose(
            predicted["a"] / np.sqrt(30), expected[:, :30], atol=1e-4, rtol=1e-4
        )
        np.testing.assert_allclose(
            predicted["b"] / np.sqrt(8), expected[:, 30:], atol=1e-4, rtol=1e-4
        )


def test_parallel_analysis_finds_the_planted_factors() -> None:
    batch, means = whole(a=planted(100, 3, 60), b=torch.randn(100, 60))
    assert fit_principal(batch, means, 2, seed=0).n_supported == 3
    batch, means = whole(a=torch.randn(100, 60), b=torch.randn(100, 60))
    assert fit_principal(batch, means, 2, seed=1).n_supported <= 1


def test_noise_is_what_components_explain_of_noise() -> None:
    # Data that are noise themselves: permuting changes nothing but the draw.
    batch, means = whole(a=torch.randn(100, 200), b=torch.randn(100, 50))
    found = fit_principal(batch, means, 20, seed=0)
    predicted = predict(found.axes, batch, means)
    for name, x in batch.values.items():
        centred = x - means[name]
        share = 1 - (x - predicted[name]).square().sum() / centred.square().sum()
        assert found.noise[name] == pytest.approx(float(share), abs=0.05)
        assert found.noise[name] > 0.1


def test_what_axes_explain_of_new_noise_is_known_beforehand() -> None:
    batch, means = whole(a=planted(60, 3, 30), b=planted(60, 3, 12))
    axes = fit_principal(batch, means, 6, seed=0).axes
    noise, _ = whole(a=torch.randn(20_000, 30), b=torch.randn(20_000, 12))
    zero = {name: torch.zeros_like(mean) for name, mean in means.items()}
    predicted = predict(axes, noise, zero)
    for name, share in noise_shares(axes).items():
        x = noise.values[name]
        expected = 1 - (x - predicted[name]).square().sum() / x.square().sum()
        assert share == pytest.approx(float(expected), abs=0.01)


def test_unmeasured_rows_do_not_matter_and_seeds_repeat() -> None:
    x = planted(40, 2, 20)
    measured = torch.ones(40, 1, dtype=torch.bool)
    measured[30:] = False
    spoiled = x.clone()
    spoiled[30:] = torch.nan
    mean = {"a": x[:30].mean(dim=0)}
    one = fit_principal(Batch({"a": x}, {"a": None}, measured), mean, 2, seed=0)
    state = torch.get_rng_state()
    batch = Batch({"a": spoiled}, {"a": None}, measured)
    other = fit_principal(batch, mean, 2, seed=0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(one.axes["a"], other.axes["a"])
    assert one.noise == other.noise
    assert torch.isfinite(
        predict(one.axes, Batch({"a": spoiled}, {"a": None}, measured), mean)["a"]
    ).all()


def test_there_are_no_more_axes_than_the_data_have() -> None:
    x = torch.outer(torch.randn(10), torch.randn(6))
    batch, means = whole(a=x)
    assert fit_principal(batch, means, 4, seed=0).axes["a"].shape == (6, 1)


def test_components_of_a_view_alone_find_its_structure_and_none_in_noise() -> None:
    """On the samples that have the view, whatever others lie beside it."""
    n = 120
    x = torch.randn(n, 1) @ torch.ones(1, 10) + torch.randn(n, 10)
    values = {"a": x, "b": torch.randn(n, 30), "c": 50 * torch.randn(n, 400)}
    measured = torch.ones(n, 3, dtype=torch.bool)
    measured[:40, 0] = False
    batch = Batch(values, dict.fromkeys(values), measured)
    means = {name: value[measured[:, i]].mean(dim=0)
             for i, (name, value) in enumerate(values.items())}  # fmt: skip
    assert structure_alone(batch, means, "a", 2, seed=0) > 0.3
    assert abs(structure_alone(batch, means, "b", 2, seed=0)) < 0.05
    spoilt = {**values, "a": torch.where(measured[:, :1], x, torch.nan)}
    found = structure_alone(Batch(spoilt, batch.observed, measured), means, "a", 2, seed=0)
    assert found == structure_alone(batch, means, "a", 2, seed=0)
