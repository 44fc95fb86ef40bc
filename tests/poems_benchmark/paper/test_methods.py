from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from poems.data.container import MultiOmics
from poems.errors import SettingsError
from poems.evaluation.baselines import pca_embedding
from poems.evaluation.paper.experiments import paper_task
from poems.simulation.cohort import simulate
from poems_benchmark.paper.methods import (
    PAPER_METHODS,
    compare_paper_methods,
    paper_table,
    pca_projection,
)


@pytest.fixture(scope="module")
def cohort() -> MultiOmics:
    return simulate(n_samples=100, n_features=20, n_subtypes=3, seed=0).cohort


def test_a_method_that_does_not_exist_is_refused(cohort: MultiOmics) -> None:
    with pytest.raises(SettingsError, match=r"no method umap; there are poems-paper, "):
        compare_paper_methods(paper_task(cohort, "subtype"), methods=["umap"])


def test_every_method_is_given_the_same_split(cohort: MultiOmics) -> None:
    task = paper_task(cohort, "subtype")
    told: list[str] = []
    results = compare_paper_methods(
        task, methods=["poem-dense", "pca"], epochs=2, progress=told.append
    )
    assert told == ["poem-dense", "pca"]
    assert all(result.embedding.index.equals(task.split.test) for result in results.values())
    assert results["poem-dense"].model.settings.model.decoder == "dense"
    assert results["poem-dense"].model.settings.training.epochs == 2
    table = paper_table(results)
    assert table.index.tolist() == [
        ("poem-dense", "draw"),
        ("poem-dense", "mean"),
        ("pca", "scores"),
    ]
    assert set(PAPER_METHODS) == {
        "poems-paper",
        "poem-dense",
        "equal-gate",
        "poems-default",
        "pca",
    }


def test_principal_components_of_the_cohort_itself_are_the_baseline_s(cohort: MultiOmics) -> None:
    projected = pca_projection(cohort, cohort, 5).to_numpy()
    expected = pca_embedding(cohort, 5).to_numpy()
    np.testing.assert_allclose(np.abs(projected), np.abs(expected), atol=1e-4)


def test_an_unmeasured_view_adds_nothing_to_a_projection(cohort: MultiOmics) -> None:
    name = next(iter(cohort.views))
    view = cohort[name]
    measured = np.ones(100, dtype=bool)
    measured[90:] = False
    tables = []
    for garbage in (np.nan, 1e9):
        values = view.values.copy()
        values[90:] = garbage
        views = {**cohort.views, name: replace(view, values=values, measured=measured)}
        tables.append(pca_projection(cohort, replace(cohort, views=views), 5))
    pd.testing.assert_frame_equal(*tables)
    assert np.isfinite(tables[0]).all(axis=None)
