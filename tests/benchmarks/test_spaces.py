"""The comparison of spaces starts from the default one, and chooses without what it judges on."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import poems
from poems.clustering.agreement import nmi
from poems.clustering.distances import pairwise_distances
from poems.clustering.networks import coordinates_from_distances
from poems.data.container import View


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("spaces"), importlib.import_module("studies")


def test_every_space_is_a_table_and_the_first_is_the_default(
    scripts: tuple[ModuleType, ModuleType],
) -> None:
    rng = np.random.default_rng(0)
    x, there = rng.normal(size=(2, 24, 8)), np.ones((2, 24, 8), dtype=bool)
    there[1, :6] = False
    distances = np.stack([pairwise_distances(*each) for each in zip(x, there, strict=True)])
    fit = {
        "latent": rng.normal(size=(24, 3)),
        "variance": rng.random((24, 3)),
        "background": rng.normal(size=(24, 2)),
        "weighted": distances,
        "plain": distances,
    }
    points = {name: space(fit) for name, space in scripts[0].SPACES.items()}
    assert all(len(each) == 24 and np.isfinite(each).all() for each in points.values())
    expected = coordinates_from_distances(fit["latent"], distances, variances=fit["variance"])
    np.testing.assert_allclose(points[scripts[0].DEFAULT], expected)


def test_groups_far_apart_are_found_by_every_clustering_whatever_has_no_label(
    scripts: tuple[ModuleType, ModuleType],
) -> None:
    rng = np.random.default_rng(0)
    points = 10 * np.eye(2)[[0, 1, 0] * 8] + rng.normal(size=(24, 2))
    labels = pd.Series(["a", "b", None] * 8)
    for name in ("network", *scripts[0].CLUSTERINGS):
        found = scripts[0].score(name, points, labels)
        assert found == pytest.approx({"nmi": 1.0, "ari": 1.0, "knn": 1.0}), name


@pytest.mark.skipif(find_spec("snf") is None, reason="snf is not installed")
def test_nemo_finds_what_was_planted_where_samples_lack_an_omic(
    scripts: tuple[ModuleType, ModuleType],
) -> None:
    made = poems.simulate(
        90, 60, 4, n_views=3, density=0.3, n_subtypes=3, separation=8, missing_views=0.3, seed=0
    )
    found = scripts[0].tool("nemo").fit(made.cohort, 0)
    assert found.own_clusters is not None
    assert nmi(made.subtypes, found.own_clusters(3, 0)) > 0.9
    assert found.embedding.index.equals(made.cohort.samples)


def test_a_similarity_is_relative_to_the_neighbours_of_both(
    scripts: tuple[ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    nemo = importlib.import_module("nemo")
    affinity = np.array([[9.0, 4.0, 1.0], [4.0, 9.0, 2.0], [1.0, 2.0, 9.0]])
    monkeypatch.setattr(nemo.Snf, "affinity", lambda self, view: affinity)
    view = View(np.zeros((3, 1), np.float32), pd.Index(["f"]), np.ones(3, dtype=bool))
    # One neighbour each: 0 and 1 are each other's, and 1 is that of 2.
    expected = [[0.0, 2.0, 0.0], [2.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    np.testing.assert_allclose(nemo.relative_similarity(view), expected)


def test_a_study_is_judged_by_what_the_others_choose(
    scripts: tuple[ModuleType, ModuleType],
) -> None:
    # On two of three studies "good" is best, on the third "odd" by far.
    rows = [
        ("c1", "one", {"default": 0.4, "good": 0.5, "odd": 0.3}),
        ("c2", "one", {"default": 0.4, "good": 0.7, "odd": 0.1}),
        ("c3", "two", {"default": 0.5, "good": 0.6, "odd": 0.1}),
        ("c4", "three", {"default": 0.3, "good": 0.2, "odd": 0.9}),
    ]
    scores = pd.DataFrame(
        [
            {"cohort": cohort, "label": "x", "space": space, "nmi": value}
            for cohort, _, values in rows
            for space, value in values.items()
        ]
    )
    table = scripts[1].by_study(scores, "nmi", {cohort: study for cohort, study, _ in rows})
    assert table.loc["one"].to_dict() == pytest.approx({"default": 0.4, "good": 0.6, "odd": 0.2})
    found = scripts[1].leave_one_out(table, "rank", "default")
    assert found.loc["three", "chosen"] == "good"
    assert found.loc["three", "gain"] == pytest.approx(-0.1)
    by_mean = scripts[1].leave_one_out(table, "mean", "default")
    assert by_mean.loc["one", "chosen"] == "odd"
