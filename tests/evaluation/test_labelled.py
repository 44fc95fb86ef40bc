from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from poems.evaluation.labelled import compare_embeddings, compare_subtypes


def test_unequal_numbers_have_no_accuracy() -> None:
    known = pd.Series(["a"] * 10 + ["b"] * 10)
    split = pd.Series(["S1"] * 10 + ["S2 (without rna)"] * 6 + ["S10"] * 4)
    counts, scores = compare_subtypes(split, known)
    assert list(counts.index) == ["S1", "S2 (without rna)", "S10"]
    assert np.isnan(scores["accuracy"])
    assert scores["purity"] == 1.0
    assert scores["homogeneity"] == pytest.approx(1.0)
    assert 0 < scores["completeness"] < 1
    _, equal = compare_subtypes(split.replace("S10", "S2 (without rna)"), known)
    assert equal["accuracy"] == equal["completeness"] == pytest.approx(1.0)


def test_neighbours_of_one_patient_do_not_count() -> None:
    # Patients lie together, and their labels are drawn: only copies of a patient tell its label.
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(30), 4)
    points = pd.DataFrame(rng.normal(size=(30, 5))[patients] + 0.01 * rng.normal(size=(120, 5)))
    known = pd.Series(rng.permutation([0, 1] * 15)[patients]).map({0: "a", 1: "b"})
    alone = compare_embeddings({"x": points}, known)
    together = compare_embeddings({"x": points}, known, pd.Series(patients))
    assert alone["knn"].item() > 0.95
    assert together["knn"].item() < 0.7
