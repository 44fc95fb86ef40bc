from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import poems
from poems.data.container import MultiOmics
from poems.diagnosis.principal import fit_principal, predict
from poems.errors import DataError
from poems.evaluation.held_out import (
    PrincipalModel,
    cross_view_r2,
    fit_principal_model,
    neighbour_scores,
    predicted_by,
    reconstruction_r2,
    stratified_split,
    views_that_vary,
    withheld,
)
from poems.evaluation.held_out_scores import held_out_scores
from poems.fitting.explaining import training_means
from poems.fitting.result import FittedPoems
from poems.scaling.batch import Batch


def principal(
    model: FittedPoems, cohort: MultiOmics, rank: int = 3
) -> tuple[PrincipalModel, Batch, dict[str, torch.Tensor]]:
    """Principal components of a fitted model's own preprocessed samples."""
    batch, _ = model.preprocessing.apply(cohort)
    means = training_means(model.preprocessing)
    return fit_principal_model(batch, means, rank), batch, means


def test_a_split_holds_out_an_equal_share_of_every_class() -> None:
    labels = pd.Series(["a"] * 50 + ["b"] * 20 + [None] * 10 + ["alone"])
    first, second = stratified_split(labels, seed=3)
    assert sorted([*first, *second]) == list(range(81))
    held_out = labels.iloc[second]
    assert (held_out == "a").sum() == pytest.approx(10, abs=1)
    assert (held_out == "b").sum() == 4
    assert held_out.isna().sum() == 2
    again, other = stratified_split(labels, seed=3)[1], stratified_split(labels, seed=4)[1]
    assert (second == again).all()
    assert not np.array_equal(second, other)


def test_too_few_samples_to_split_are_refused() -> None:
    with pytest.raises(DataError, match="the samples cannot be split"):
        stratified_split(pd.Series(list("aabbcc")), seed=0)


def test_r2_of_the_training_samples_is_that_of_the_fit(
    fitted: FittedPoems, simulation: poems.simulation.cohort.Simulation
) -> None:
    batch, _ = fitted.preprocessing.apply(simulation.cohort)
    found = reconstruction_r2(batch, predicted_by(fitted), training_means(fitted.preprocessing))
    assert found == pytest.approx(fitted.total_r2.to_dict(), abs=1e-4)


def test_a_withheld_view_is_as_good_as_absent(
    fitted: FittedPoems, simulation: poems.simulation.cohort.Simulation
) -> None:
    batch, _ = fitted.preprocessing.apply(simulation.cohort)
    absent, _ = fitted.preprocessing.apply(simulation.cohort.select(["rna"]))
    predict = predicted_by(fitted)
    torch.testing.assert_close(
        predict(withheld(batch, "protein"))["protein"], predict(absent)["protein"]
    )
    assert batch.measured.all(), "the samples given stay as they are"


def test_the_values_to_be_predicted_across_views_are_not_read(
    fitted_incomplete: FittedPoems, incomplete: MultiOmics
) -> None:
    batch, _ = fitted_incomplete.preprocessing.apply(incomplete)
    seen = []

    def spy(part: Batch) -> dict[str, torch.Tensor]:
        seen.append(part)
        return {name: torch.zeros_like(values) for name, values in part.values.items()}

    cross_view_r2(batch, spy, training_means(fitted_incomplete.preprocessing))
    both = int(batch.measured.all(dim=1).sum())
    for i, part in enumerate(seen):
        assert len(part) == both
        assert not part.measured[:, i].any()
        assert not part.values[list(part.values)[i]].any()
        assert part.measured.any(dim=1).all()


def test_a_view_without_variance_is_not_judged(
    fitted_incomplete: FittedPoems, incomplete: MultiOmics
) -> None:
    batch, _ = fitted_incomplete.preprocessing.apply(incomplete)
    means = training_means(fitted_incomplete.preprocessing)
    assert views_that_vary(batch, batch, means) == ["rna", "protein"]
    there = batch.observed["rna"]
    assert there is not None
    # What was not measured does not count, whatever it holds.
    flat = torch.where(there, means["rna"], 99.0)
    held_out = Batch({**batch.values, "rna": flat}, batch.observed, batch.measured)
    assert views_that_vary(held_out, batch, means) == ["protein"]
    assert views_that_vary(withheld(batch, "protein"), batch, means) == ["rna"]


def test_a_view_alone_is_not_predicted_across() -> None:
    x = torch.randn(5, 2)
    batch = Batch({"a": x}, {"a": None}, torch.ones(5, 1, dtype=torch.bool))
    assert cross_view_r2(batch, lambda some: some.values, {"a": torch.zeros(2)}) == {}


def test_a_fit_predicts_across_views() -> None:
    # The same factors as those that were fitted, other samples.
    cohort = poems.simulate(
        n_samples=172, n_features={"rna": 40, "protein": 30}, n_factors=3, density=0.2, seed=1
    ).cohort
    train, test = cohort.take(range(72)), cohort.take(range(72, 172))
    model = poems.fit(train, seed=0, epochs=60, batch_size=24, n_latent=6, progress=False)
    batch, _ = model.preprocessing.apply(test)
    means = training_means(model.preprocessing)
    across = cross_view_r2(batch, predicted_by(model), means)
    within = reconstruction_r2(batch, predicted_by(model), means)
    for view in ("rna", "protein"):
        assert 0.0 < across[view] < within[view]
    # What is lost on the way to a view that was not measured is lost in these scores too.
    model.module.background.carried.fill_(0.3)
    less = cross_view_r2(batch, predicted_by(model), means)
    assert less != pytest.approx(across)
    scores = held_out_scores(model, batch, across=True)["r2"]
    assert scores.to_dict() == pytest.approx(less)


def test_neighbours_are_among_the_fitted_samples() -> None:
    points = pd.DataFrame([[0.0], [0.2], [9.0], [9.2], [5.0]])
    labels = pd.Series(["a", "a", "b", "b", None])
    found = neighbour_scores(points, labels, [[0.1], [5.0], [9.1], [4.0]], ["a", None, "b", "b"])
    # The sample without a label does not vote; 4.0 is nearer to a.
    assert found == {"accuracy": pytest.approx(2 / 3), "balanced_accuracy": pytest.approx(0.75)}


def test_a_class_that_was_not_fitted_is_never_predicted() -> None:
    found = neighbour_scores([[0.0], [9.0]], ["a", "b"], [[9.0]], ["c"], n_neighbours=1)
    assert found == {"accuracy": 0.0, "balanced_accuracy": 0.0}


def test_samples_without_any_factor_are_all_alike() -> None:
    nothing = np.empty((4, 0))
    found = neighbour_scores(nothing, list("aaab"), nothing, list("abab"), n_neighbours=4)
    assert found["balanced_accuracy"] == 0.5


@pytest.mark.parametrize(("labels", "new_labels", "k", "message"), [
    (["a", "b"], [None], 1, "none of the new samples has a label"),
    (["a", "b"], ["a"], 3, "3 neighbours cannot be found among 2 samples"),
    (["a"], ["a"], 1, "there are 2 points for 1 labels"),
])  # fmt: skip
def test_what_has_no_neighbours_is_told(
    labels: list[str], new_labels: list[str | None], k: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        neighbour_scores([[0.0], [1.0]], labels, [[0.0]], new_labels, n_neighbours=k)


def test_principal_components_without_noise_are_the_projection(
    fitted: FittedPoems, simulation: poems.simulation.cohort.Simulation
) -> None:
    model, batch, means = principal(fitted, simulation.cohort)
    sure = PrincipalModel(model.axes, model.variance, 1e-12, means)
    axes = fit_principal(batch, means, rank=3, seed=0).axes
    for name, expected in predict(axes, batch, means).items():
        torch.testing.assert_close(sure.predict(batch)[name], expected, rtol=1e-3, atol=1e-3)


def test_scores_are_the_gaussian_expectation_given_the_measured_views(
    fitted: FittedPoems, simulation: poems.simulation.cohort.Simulation
) -> None:
    model, batch, means = principal(fitted, simulation.cohort)
    part = withheld(batch, "rna")
    axes = model.axes["protein"]
    x = (batch.values["protein"] - means["protein"]).double() / len(axes) ** 0.5
    # By the covariance of x, not by the small matrices of the factors.
    covariance = axes @ torch.diag(model.variance) @ axes.T + model.noise * torch.eye(len(axes))
    expected = x @ torch.linalg.solve(covariance, axes @ torch.diag(model.variance))
    torch.testing.assert_close(model.scores(part), expected)


def test_principal_components_predict_across_views(
    fitted_incomplete: FittedPoems, incomplete: MultiOmics
) -> None:
    model, batch, means = principal(fitted_incomplete, incomplete)
    across = cross_view_r2(batch, model.predict, means)
    within = reconstruction_r2(batch, model.predict, means)
    assert all(0.0 < across[view] < within[view] for view in means)
    few = Batch(
        {name: x[:3] for name, x in batch.values.items()},
        dict.fromkeys(batch.values),
        torch.ones(3, 2, dtype=torch.bool),
    )
    assert fit_principal_model(few, means, rank=50).scores(few).shape == (3, 2)


def test_principal_components_need_something_that_varies() -> None:
    batch = Batch({"a": torch.ones(4, 2)}, {"a": None}, torch.ones(4, 1, dtype=torch.bool))
    with pytest.raises(DataError, match="no feature of a varies"):
        fit_principal_model(batch, {"a": torch.ones(2)}, rank=1)
