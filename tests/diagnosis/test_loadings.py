from __future__ import annotations

import numpy as np
import pytest

from poems.diagnosis.loadings import factor_checks, loading_checks


def mask(n_features: int, n_active: int, share: float) -> np.ndarray:
    found = np.zeros((n_features, n_active), dtype=bool)
    found[: round(share * n_features)] = True
    return found


@pytest.mark.parametrize(
    ("n_features", "n_active", "share", "verdict"),
    [
        (100, 4, 0.4, "ok"),
        (100, 4, 0.6, "warning"),
        # Dense, but most of W was pruned.
        (100, 1, 0.9, "ok"),
        # Each feature of a small panel may follow several factors.
        (7, 4, 0.9, "note"),
    ],
)
def test_most_of_a_views_w_is_non_zero(
    n_features: int, n_active: int, share: float, verdict: str
) -> None:
    masks = {"rna": mask(n_features, n_active, share)}
    (check,) = loading_checks(masks, 4, exact=True, finished=True)
    assert check.verdict == verdict
    assert check.quantity == "share non-zero"


def test_the_remedy_is_to_finish_first() -> None:
    masks = {"rna": mask(100, 4, 1.0)}
    (check,) = loading_checks(masks, 4, exact=False, finished=False)
    assert check.remedy.startswith("train to the end")
    assert check.quantity == "share with inclusion above 0.5"


@pytest.mark.parametrize(
    ("numbers", "signature", "verdict"),
    [
        ((8, 8, 16, 8), "factors-unused", "note"),
        ((0, 0, 16, 8), "no-factors", "warning"),
        ((16, 16, 16, 25), "factors-all-used", "note"),
        # Not many more than there was room for, a spare factor, nothing known.
        ((16, 16, 16, 24), "factors-all-used", "ok"),
        ((16, 15, 16, 40), "factors-all-used", "ok"),
        ((16, 16, 16, None), "factors-all-used", "ok"),
    ],
)
def test_factors_are_too_many_or_too_few(
    numbers: tuple[int, int, int, int | None], signature: str, verdict: str
) -> None:
    check, supported = factor_checks(*numbers)
    assert (check.signature, check.verdict) == (signature, verdict)
    assert check.value == 16 - numbers[0]
    assert supported.verdict == "not judged"
