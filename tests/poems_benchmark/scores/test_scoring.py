from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from poems.data.container import MultiOmics, View
from poems.evaluation.paper.protocol import kmeans_scores, knn_accuracy
from poems_benchmark.cohorts import CohortSpec
from poems_benchmark.methods.interface import MethodResult
from poems_benchmark.scores.scoring import score


def truth_of(n: int = 60) -> np.ndarray:
    return np.repeat([0, 1, 2], n // 3)


@pytest.fixture
def cohort() -> MultiOmics:
    rng = np.random.default_rng(0)
    truth = truth_of()
    samples = pd.Index([f"s{at}" for at in range(60)])
    kind = pd.Series([f"k{each}" for each in truth], index=samples)
    kind.iloc[::10] = None
    obs = pd.DataFrame(
        {
            "kind": kind,
            "half": np.where(np.arange(60) < 30, "a", "b"),
            "time": rng.exponential(1.0 + truth * 3),
            "event": (np.arange(60) % 3 > 0).astype(int),
        }
    )
    values = rng.standard_normal((60, 2)).astype(np.float32)
    view = View(values, pd.Index(["f", "g"]), np.ones(60, dtype=bool))
    return MultiOmics({"v": view}, samples, obs)


def spec(labels: tuple[str, ...], *, survival: bool = False) -> CohortSpec:
    columns = ("time", "event") if survival else (None, None)
    return CohortSpec("c", Path(), labels, time=columns[0], event=columns[1])


def embedding(cohort: MultiOmics) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    points = np.eye(3)[truth_of()] * 3 + rng.standard_normal((60, 3))
    return pd.DataFrame(points, index=cohort.samples)


def test_a_row_a_label_column_by_the_papers_protocol(cohort: MultiOmics) -> None:
    points = embedding(cohort)
    first, second = score(MethodResult(points), cohort, spec(("kind", "half")))
    assert (first["label"], second["label"]) == ("kind", "half")
    assert (first["n_scored"], first["n_unlabelled"]) == (54, 6)
    expected = kmeans_scores(points, cohort.obs["kind"]).mean
    for name in ("accuracy", "nmi", "ari"):
        assert first[name] == first[f"kmeans_{name}"] == pytest.approx(expected[name])
    assert first["silhouette"] == pytest.approx(expected["silhouette"])
    neighbours = knn_accuracy(points, cohort.obs["kind"]).mean
    assert first["knn"] == pytest.approx(neighbours["accuracy"])
    assert first["knn_balanced"] == pytest.approx(neighbours["balanced_accuracy"])
    assert "own_nmi" not in first
    assert "logrank_p" not in first


def test_own_clusters_are_scored_beside_or_in_place_of_kmeans(cohort: MultiOmics) -> None:
    def truth(k: int, seed: int) -> np.ndarray:
        assert k == 3
        return truth_of()

    points = embedding(cohort)
    (beside,) = score(MethodResult(points, own_clusters=truth), cohort, spec(("kind",)))
    assert beside["own_nmi"] == pytest.approx(1.0)
    assert beside["nmi"] == beside["kmeans_nmi"] != beside["own_nmi"]
    result = MethodResult(points, own_clusters=truth, headline="own")
    (instead,) = score(result, cohort, spec(("kind",), survival=True))
    assert instead["nmi"] == instead["own_nmi"]
    assert instead["kmeans_nmi"] == beside["kmeans_nmi"]
    (by_kmeans,) = score(MethodResult(points), cohort, spec(("kind",), survival=True))
    assert instead["logrank_p"] != by_kmeans["logrank_p"]


def test_survival_stands_in_every_row_or_alone(cohort: MultiOmics) -> None:
    result = MethodResult(embedding(cohort))
    rows = score(result, cohort, spec(("kind", "half"), survival=True))
    assert rows[0]["logrank_p"] == rows[1]["logrank_p"]
    assert 0.5 < float(rows[0]["concordance"] or 0) <= 1
    (alone,) = score(result, cohort, spec((), survival=True))
    assert alone["label"] == ""
    assert "nmi" not in alone
    assert alone["logrank_p"] == rows[0]["logrank_p"]
