"""Products of slopes by compiled rows are those of whole matrices."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from poems.nn.slopes import Pairs, Slopes


def few_of_many() -> tuple[Slopes, Tensor]:
    """Slopes of few loadings, and as matrices (n_samples, n_features, n_latent)."""
    torch.manual_seed(0)
    there = torch.rand(12, 40) < 0.15
    # A feature that no factor drives, and a factor that drives nothing.
    there[:, 3] = False
    there[5] = False
    factors, features = there.nonzero(as_tuple=True)
    values = torch.randn(len(features), 7)
    whole = torch.zeros(7, 40, 12)
    whole[:, features, factors] = values.T
    return Slopes(Pairs(features, factors, 12), values), whole


@pytest.mark.parametrize("compiled", [True, False])
def test_products_are_those_of_whole_matrices(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poems.nn.slopes.compiled_for", lambda _: compiled)
    slopes, J = few_of_many()
    information = torch.rand(7, 40)
    gram = slopes.gram(slopes.weighted(information))
    torch.testing.assert_close(gram, J.mT @ (information[:, :, None] * J))
    root = torch.randn(7, 12, 12)
    covariance = root @ root.mT
    spread = slopes.spread(covariance, 40)
    expected = (J @ covariance @ J.mT).diagonal(dim1=1, dim2=2).sum(dim=0)
    torch.testing.assert_close(spread, expected, rtol=1e-4, atol=1e-4)
