"""Shares of what other views tell: where the loss is least."""

from __future__ import annotations

import pytest
import torch

from poems.training.carried import _PARTS, _PASSES, _Left, _most_probable

SHARES = [i / _PARTS for i in range(_PARTS + 1)]


def left_over(of_z: float, of_b: float) -> _Left:
    """Entries of which other views tell these shares of two parts."""
    generator = torch.Generator().manual_seed(0)

    def normal() -> torch.Tensor:
        return torch.randn(200, 50, generator=generator)

    z_part, b_part, ones = normal(), normal(), torch.ones(200, 50)
    # Of the parts that they tell a share is so; the remainder of their variance is news.
    news = (1.0 - of_z**2) ** 0.5 * normal() + (1.0 - of_b**2) ** 0.5 * normal()
    error = (of_z - 1.0) * z_part + (of_b - 1.0) * b_part + news + 0.3 * normal()
    nothing = torch.zeros(200, 50)
    return _Left(
        error=error,
        parts=(z_part, b_part),
        known=(nothing, nothing),
        both=nothing,
        prior=(ones, ones),
        noise=0.09 * ones,
        weights=ones,
    )


def by_whole_lines(left: _Left) -> list[float]:
    """Go to the best of all places along each share in turn."""
    at = [1.0, 1.0]
    for which in (0, 1) * _PASSES:
        lines = [[share if i == which else at[i] for i in range(2)] for share in SHARES]
        at = min(lines, key=lambda line: left.loss(*line))
    return at


@pytest.mark.parametrize("shares", [(0.0, 0.0), (0.3, 0.9), (1.0, 0.55), (0.75, 0.2)])
def test_strides_find_the_shares_that_whole_lines_have(shares: tuple[float, float]) -> None:
    left = left_over(*shares)
    found = _most_probable([left])
    torch.testing.assert_close(found, torch.tensor(by_whole_lines(left)))
    torch.testing.assert_close(found, torch.tensor(shares), atol=0.16, rtol=0.0)
