from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.analysis.subtypes.numbers import other_criteria, subtype_numbers


def blobs(k: int, n: int = 25, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.repeat(8.0 * np.eye(k, max(k, 4)), n, axis=0)
    return centres + rng.normal(size=centres.shape)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_clear_groups_are_counted_by_every_criterion(k: int) -> None:
    found = subtype_numbers(blobs(k), k, candidates=range(2, 8))
    assert found.best == {"silhouette": k, "gap": k, "pac": k}
    told = f"would choose {k} (silhouette, gap statistic, consensus)."
    assert other_criteria(found) == f"Other criteria, which do not decide, {told}"


def test_one_blob_is_one_group_by_the_gap() -> None:
    found = subtype_numbers(blobs(1, 80), 3, candidates=range(2, 6))
    assert found.best["gap"] == 1
    assert "would choose 1 (gap statistic)" in other_criteria(found)


def test_the_gap_is_about_the_latents() -> None:
    points = blobs(4)
    found = subtype_numbers(points, 4, latent=blobs(2, 50), candidates=range(2, 7))
    assert found.best == {"silhouette": 4, "gap": 2, "pac": 4}


def test_gap_is_what_its_formula_says() -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform(size=(300, 2)) * [1.0, 9.0]
    found = subtype_numbers(points, 1, candidates=[2, 3])
    # Points that are drawn as the references are have none.
    assert found.table["gap"].abs().max() < 0.1
    assert (found.table["gap_se"] > 0).all()
    assert found.best["gap"] == 1


def test_components_of_a_mixture_are_counted_by_their_samples() -> None:
    points = blobs(3)
    weights = np.zeros((75, 4))
    weights[np.arange(75), np.repeat([0, 1, 3], 25)] = 1.0
    weights[0] = [0, 0, 1, 0]
    found = subtype_numbers(points, 3, candidates=[2, 3, 4], components=pd.DataFrame(weights))
    assert found.best["mixture"] == 3
    assert found.table["mixture_weight"].round(3).tolist() == [0.333, 0.667, 0.987, 1.0]
    assert "mixture prior" in other_criteria(found)


@pytest.mark.parametrize("points", [np.zeros((12, 3)), np.zeros((12, 0)), np.ones((2, 2))])
def test_points_at_one_place_have_no_criteria(points: np.ndarray) -> None:
    found = subtype_numbers(points, 1)
    assert found.table["n_subtypes"].tolist() == [1]
    assert found.best == {}
    assert other_criteria(found) == ""
