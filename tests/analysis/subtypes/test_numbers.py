from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.analysis.subtypes.numbers import SubtypeNumbers, explain_number, subtype_numbers


def blobs(k: int, n: int = 25, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.repeat(8.0 * np.eye(k, max(k, 4)), n, axis=0)
    return centres + rng.normal(size=centres.shape)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_clear_groups_are_counted_by_every_criterion(k: int) -> None:
    found = subtype_numbers(blobs(k), k, candidates=range(2, 8))
    assert found.best == {"silhouette": k, "gap": k, "pac": k}
    text = explain_number(found, "kmeans", asked=False)
    assert text.startswith(f"{k} subtypes: the best mean silhouette, 0.")
    assert text.endswith("All criteria agree (silhouette, gap statistic, consensus).")


def test_one_blob_is_one_group_by_the_gap() -> None:
    found = subtype_numbers(blobs(1, 80), 3, candidates=range(2, 6))
    assert found.best["gap"] == 1
    text = explain_number(found, "kmeans", asked=True)
    assert text.startswith("3 subtypes, as asked for. Criteria disagree: it would be 1 by the gap")
    assert "continuum" in text


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
    assert "the components of the mixture prior" in explain_number(found, "mixture", asked=True)


def test_a_smaller_number_within_a_standard_error_is_explained() -> None:
    table = pd.DataFrame(
        {
            "n_subtypes": [1, 2, 3],
            "silhouette": [np.nan, 0.40, 0.41],
            "smallest": [40, 10, 9],
            "chosen": [False, True, False],
        }
    )
    found = SubtypeNumbers(table, {"silhouette": 2, "gap": 3, "pac": 3})
    assert explain_number(found, "kmeans", asked=False) == (
        "2 subtypes: the smallest number whose mean silhouette, 0.40, is within a standard error "
        "of the best, 0.41 with 3. Criteria disagree: it would be 3 by the gap statistic and the "
        "consensus."
    )


@pytest.mark.parametrize("points", [np.zeros((12, 3)), np.zeros((12, 0)), np.ones((2, 2))])
def test_points_at_one_place_have_no_criteria(points: np.ndarray) -> None:
    found = subtype_numbers(points, 1)
    assert found.table["n_subtypes"].tolist() == [1]
    assert found.best == {}
    assert explain_number(found, "kmeans", asked=False).startswith("1 subtype: no more can be told")
