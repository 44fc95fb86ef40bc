from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

import poems.fitting.fit
from poems.data.container import MultiOmics
from poems.errors import DataError
from poems.evaluation.paper.experiments import (
    SCORES,
    draw_latents,
    paper_task,
    run_paper_protocol,
    run_poems,
    scored,
)
from poems.evaluation.paper.protocol import PAPER_SEEDS, kmeans_scores
from poems.fitting.projection import Projection
from poems.simulation.cohort import simulate

SMALL = {"epochs": 3, "n_latent": 4, "encoder_layers": (8,), "decoder_hidden": 8}


@pytest.fixture(scope="module")
def cohort() -> MultiOmics:
    return simulate(n_samples=100, n_features=20, n_subtypes=3, seed=0).cohort


def embedded(cohort: MultiOmics, seed: int = 0) -> pd.DataFrame:
    """Points of the test samples that lie by their class."""
    task = paper_task(cohort, "subtype")
    labels = task.labels.loc[task.split.test]
    points = pd.get_dummies(labels).astype(float) * 3.0
    return points + np.random.default_rng(seed).standard_normal(points.shape)


def test_a_draw_has_the_posterior_s_mean_and_variance() -> None:
    n = 4000
    index = [f"s{i}" for i in range(n)]
    loc = pd.DataFrame(np.tile([1.0, -2.0], (n, 1)), index=index, columns=["f1", "f2"])
    variance = pd.DataFrame(np.tile([0.1, 4.0], (n, 1)), index=index, columns=["f1", "f2"])
    projection = Projection(loc, variance, pd.DataFrame(), None, ())
    drawn = draw_latents(projection, seed=1)
    np.testing.assert_allclose(drawn.mean(), [1.0, -2.0], atol=0.1)
    np.testing.assert_allclose(drawn.var(), [0.1, 4.0], rtol=0.1)
    assert abs(drawn.corr().iloc[0, 1]) < 0.05
    first = draw_latents(projection, seed=5)
    pd.testing.assert_frame_equal(first, draw_latents(projection, seed=5))
    assert first.index.equals(loc.index)


def test_the_validation_samples_are_watched_and_the_test_samples_not_seen(
    cohort: MultiOmics, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}
    real = poems.fitting.fit.train

    def spy(model: object, data: object, *args: object, **kwargs: object) -> object:
        seen["train"], seen["held_out"] = data, kwargs["held_out"]
        return real(model, data, *args, **kwargs)

    monkeypatch.setattr(poems.fitting.fit, "train", spy)
    result = run_paper_protocol(cohort, "subtype", settings="paper", **SMALL)
    split, model = result.task.split, result.model
    assert set(model.samples) == set(split.fitted)
    for part, names in (("train", split.train), ("held_out", split.validation)):
        batch, _ = model.preprocessing.apply(result.task.part(names))
        for view, values in batch.values.items():
            given = seen[part].values[view]
            assert sorted(map(tuple, given.tolist())) == sorted(map(tuple, values.tolist()))
    run_poems(result.task, settings="default", **SMALL)
    assert seen["held_out"] is None
    assert len(seen["train"]) == 80


def test_labels_are_for_scoring_alone(cohort: MultiOmics) -> None:
    first = run_paper_protocol(cohort, "subtype", **SMALL)
    shuffled = cohort.obs["subtype"].sample(frac=1, random_state=0).set_axis(cohort.samples)
    other = run_paper_protocol(cohort, shuffled, **SMALL)
    for name in ("draw", "mean"):
        pd.testing.assert_frame_equal(first.embeddings[name], other.embeddings[name])
    assert not first.scores.equals(other.scores)


def test_scores_are_those_of_the_paper_s_code(cohort: MultiOmics) -> None:
    task = paper_task(cohort, "subtype")
    points, labels = embedded(cohort), task.labels.loc[task.split.test]
    result = scored(task, {"draw": points}, None, 1.0)
    assert result.stratified
    assert result.scores.columns.tolist() == list(SCORES)
    assert len(result.runs) == len(SCORES) * len(PAPER_SEEDS)
    accuracies = []
    for seed in PAPER_SEEDS:
        x, x_test, y, y_test = train_test_split(
            points, labels, test_size=0.25, random_state=seed, stratify=labels
        )
        accuracies.append(KNeighborsClassifier(3).fit(x, y).score(x_test, y_test))
    knn = result.runs[result.runs["score"] == "knn"]
    assert knn["seed"].tolist() == list(PAPER_SEEDS)
    assert knn["value"].tolist() == pytest.approx(accuracies)
    assert result.scores.loc["draw", "knn"] == pytest.approx(np.mean(accuracies))
    assert result.sd.loc["draw", "knn"] == pytest.approx(np.std(accuracies, ddof=1))
    expected = kmeans_scores(points, labels, n_init=1).mean
    assert result.scores.loc["draw", "nmi"] == pytest.approx(expected["nmi"])
    assert result.scores.loc["draw", "nmi"] > 0.4


def test_clusters_and_neighbours_are_as_many_as_the_cohort_has_classes(
    cohort: MultiOmics,
) -> None:
    task = paper_task(cohort, "subtype")
    # A class that no test sample is of.
    labels = task.labels.copy()
    labels[task.split.train[:3]] = "rare"
    rare = replace(task, labels=labels)
    assert rare.n_classes == 4
    points = embedded(cohort)
    result = scored(rare, {"draw": points}, None, 1.0)
    expected = kmeans_scores(points, result.labels, n_init=1, n_clusters=4).mean
    assert result.scores.loc["draw", "accuracy"] == pytest.approx(expected["accuracy"])


def test_a_class_with_one_test_sample_ends_the_stratification(cohort: MultiOmics) -> None:
    labels = cohort.obs["subtype"].copy()
    task = paper_task(cohort, labels)
    labels[task.split.test[0]] = "alone"
    result = scored(paper_task(cohort, labels), {"draw": embedded(cohort)}, None, 1.0)
    assert not result.stratified
    assert result.scores.notna().all(axis=None)


def test_samples_without_a_label_are_split_but_not_scored(cohort: MultiOmics) -> None:
    labels = cohort.obs["subtype"].copy()
    points = embedded(cohort)
    plain = paper_task(cohort, labels)
    labels[plain.split.test[:4]] = None
    labels[plain.split.train[:4]] = None
    task = paper_task(cohort, labels)
    assert task.split.test.equals(plain.split.test)
    spoiled = points.copy()
    spoiled.iloc[:4] = 1e6
    first, second = (scored(task, {"draw": each}, None, 1.0) for each in (points, spoiled))
    pd.testing.assert_frame_equal(first.runs, second.runs)


def test_patients_stay_together_and_twins_do_not_help(cohort: MultiOmics) -> None:
    samples = pd.Index([f"s{i}" for i in range(200)])
    label = np.random.default_rng(0).integers(0, 2, 100)
    patient = np.repeat(np.arange(100), 2)
    obs = pd.DataFrame({"patient": patient, "label": label[patient]}, index=samples)
    views = {name: view.take(patient) for name, view in cohort.views.items()}
    twins = MultiOmics(views, samples, obs)
    task = paper_task(twins, "label", groups="patient")
    assert not set(obs.loc[task.split.test, "patient"]) & set(obs.loc[task.split.fitted, "patient"])
    assert len(task.split.test) == 40
    # Twins lie on one another, and their label follows from nothing else.
    where = np.random.default_rng(1).standard_normal((100, 3))
    points = pd.DataFrame(where[obs["patient"]], index=samples).loc[task.split.test]
    honest = scored(task, {"draw": points}, None, 1.0)
    assert not honest.stratified
    leaky = scored(replace(task, groups=None), {"draw": points}, None, 1.0)
    assert leaky.scores.loc["draw", "knn"] > honest.scores.loc["draw", "knn"] + 0.1


def test_a_published_split_is_the_test(cohort: MultiOmics) -> None:
    parts = pd.Series(["test", "train"] * 50, index=cohort.samples)
    task = paper_task(cohort, "subtype", published=parts)
    assert task.split.test.tolist() == cohort.samples[::2].tolist()


def test_wrong_input_is_named(cohort: MultiOmics) -> None:
    with pytest.raises(DataError, match="labels: the obs table has no column 'pam50'; it has sub"):
        paper_task(cohort, "pam50")
    with pytest.raises(DataError, match="groups: 99 samples have no entry"):
        paper_task(cohort, "subtype", groups=pd.Series(["a"], index=cohort.samples[:1]))
    with pytest.raises(DataError, match="at least 2 classes; they hold 1"):
        paper_task(cohort, pd.Series("a", index=cohort.samples))
    task = paper_task(cohort, "subtype")
    labels = pd.Series("a", index=cohort.samples)
    labels[task.split.train] = "b"
    with pytest.raises(DataError, match="the 20 test samples are all of one class"):
        scored(paper_task(cohort, labels), {"draw": embedded(cohort)}, None, 1.0)
