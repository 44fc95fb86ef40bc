from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import poems
from poems.analysis.subtypes.assignment import (
    NONE_OF_THESE,
    SubtypeModel,
    assignment_sizes,
    learn_subtypes,
)
from poems.analysis.subtypes.assignment_storage import load_subtype_model, save_subtype_model
from poems.errors import DataError, StorageError

SPREAD = np.array([1.0, 0.3, 2.0])


def _groups(sizes: dict[str, int], apart: float = 6.0, seed: int = 0) -> tuple[Any, pd.Series]:
    """Gaussian groups on a simplex, their order shuffled."""
    rng = np.random.default_rng(seed)
    names = np.repeat(list(sizes), list(sizes.values()))
    centres = dict(zip(sizes, apart * SPREAD * np.eye(len(sizes), 3), strict=True))
    values = np.stack([centres[name] for name in names])
    values = values + SPREAD * rng.standard_normal(values.shape)
    index = pd.Index([f"p{at}" for at in rng.permutation(len(names))])
    latent = pd.DataFrame(values, index=index, columns=["factor_1", "factor_2", "factor_3"])
    return latent, pd.Series(names, index=index)


@pytest.fixture(scope="module")
def groups() -> tuple[pd.DataFrame, pd.Series]:
    return _groups({"S1": 60, "S2": 40, "S3": 25})


@pytest.fixture(scope="module")
def model(groups: tuple[pd.DataFrame, pd.Series]) -> SubtypeModel:
    return learn_subtypes(*groups)


def test_new_samples_of_the_same_groups_find_theirs(model: SubtypeModel) -> None:
    latent, truth = _groups({"S1": 400, "S2": 400, "S3": 400}, seed=1)
    found = model.assign(latent)
    assert (found["nearest"] == truth).mean() > 0.98
    assert 0.9 < (found["subtype"] != NONE_OF_THESE).mean() <= 1
    assert model.overall_agreement > 0.97
    assert not model.findings


def test_samples_far_from_all_are_in_none(model: SubtypeModel) -> None:
    far = pd.DataFrame([[-9.0, 0, 0]], columns=list(model.factors), index=["far"])
    found = model.assign(far).loc["far"]
    assert found["subtype"] == NONE_OF_THESE
    assert found["nearest"] in model.subtypes
    assert found["distance"] > model.limit


def test_probabilities_are_bayes_rule_for_gaussians(
    model: SubtypeModel, groups: tuple[pd.DataFrame, pd.Series]
) -> None:
    from scipy.stats import multivariate_normal

    latent, _ = groups
    density = np.column_stack(
        [multivariate_normal(centre, model.covariance).pdf(latent) for centre in model.centres]
    )
    expected = density / density.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.probabilities(latent), expected, atol=1e-8)


def test_the_scale_of_a_factor_does_not_matter(groups: tuple[pd.DataFrame, pd.Series]) -> None:
    latent, truth = groups
    scales = np.array([1e-3, 1.0, 50.0])
    before = learn_subtypes(latent, truth).assign(latent)
    after = learn_subtypes(latent * scales, truth).assign(latent * scales)
    pd.testing.assert_frame_equal(before, after)


def test_the_order_of_samples_matters_to_the_folds_alone(
    model: SubtypeModel, groups: tuple[pd.DataFrame, pd.Series]
) -> None:
    latent, truth = groups
    again = learn_subtypes(latent.iloc[::-1], truth)
    np.testing.assert_allclose(again.centres, model.centres)
    np.testing.assert_allclose(again.covariance, model.covariance)


def test_a_sample_of_which_less_is_known_is_less_certain(
    groups: tuple[pd.DataFrame, pd.Series],
) -> None:
    latent, truth = groups
    variance = pd.DataFrame(0.1, index=latent.index, columns=latent.columns)
    model = learn_subtypes(latent, truth, variance)
    # As certain as the training samples: nothing changes.
    pd.testing.assert_frame_equal(model.assign(latent, variance), model.assign(latent))
    vague = model.assign(latent, variance * 200)
    assert (vague["distance"] < model.assign(latent)["distance"]).all()
    assert vague["probability"].mean() < 0.8
    assert vague["uncertain"].any()


def test_none_is_rarely_said_of_held_out_samples_of_the_cohort() -> None:
    latent, truth = _groups({"S1": 300, "S2": 300}, seed=2)
    model = learn_subtypes(latent, truth)
    new, _ = _groups({"S1": 2000, "S2": 2000}, seed=3)
    share = (model.assign(new)["subtype"] == NONE_OF_THESE).mean()
    assert 0.002 < share < 0.03


def test_groups_that_the_latents_do_not_tell_apart_are_a_finding() -> None:
    latent, truth = _groups({"S1": 50, "S2": 50}, apart=0.0)
    model = learn_subtypes(latent, truth)
    assert model.overall_agreement < 0.7
    (finding,) = model.findings
    assert (finding.severity, finding.code) == ("warning", "assignment-approximate")
    assert f"{model.overall_agreement:.0%} of the training samples" in finding.message


def test_one_subtype_is_certain_and_has_a_limit() -> None:
    latent, truth = _groups({"S1": 50})
    model = learn_subtypes(latent, truth)
    found = model.assign(latent)
    assert (found["probability"] == 1).all()
    assert model.overall_agreement == 1
    far = latent.iloc[:1] + 100
    assert model.assign(far)["subtype"].tolist() == [NONE_OF_THESE]


@pytest.mark.parametrize("sizes", [{"S1": 30, "S2": 1}, {"S1": 1, "S2": 1}, {"S1": 2, "S2": 2}])
def test_subtypes_of_one_or_two_samples(sizes: dict[str, int]) -> None:
    latent, truth = _groups(sizes, apart=20)
    found = learn_subtypes(latent, truth).assign(latent)
    assert (found["nearest"] == truth).all()
    assert np.isfinite(found["distance"]).all()


@pytest.mark.parametrize("n_samples", [1, 2, 10])
def test_a_constant_factor_and_no_factor(n_samples: int) -> None:
    truth = pd.Series(["S1"] * n_samples)
    for latent in (
        pd.DataFrame({"factor_1": np.zeros(n_samples)}),
        pd.DataFrame(index=range(n_samples)),
    ):
        found = learn_subtypes(latent, truth).assign(latent)
        assert found["subtype"].tolist() == ["S1"] * n_samples
        assert (found["distance"] == 0).all()


def test_what_does_not_fit_is_refused(
    model: SubtypeModel, groups: tuple[pd.DataFrame, pd.Series]
) -> None:
    latent, truth = groups
    with pytest.raises(DataError, match="no subtype is given for p"):
        learn_subtypes(latent, truth.iloc[1:])
    with pytest.raises(DataError, match="have no column factor_3, but factor_1, factor_2"):
        model.assign(latent[["factor_1", "factor_2"]])
    with pytest.raises(DataError, match="of 1 samples are not finite: p"):
        model.assign(latent.replace(latent.iloc[3, 0], np.nan))
    with pytest.raises(DataError, match="the same samples in the same order"):
        model.assign(latent, latent.iloc[::-1])


def test_columns_go_by_name(model: SubtypeModel, groups: tuple[pd.DataFrame, pd.Series]) -> None:
    latent, _ = groups
    turned = latent[latent.columns[::-1]].assign(more=1.0)
    pd.testing.assert_frame_equal(model.assign(turned), model.assign(latent))


def test_sizes_name_every_subtype(model: SubtypeModel) -> None:
    far = pd.DataFrame([[-90.0, 0, 0]], columns=list(model.factors))
    sizes = assignment_sizes(model, model.assign(far))
    assert sizes["samples"].to_dict() == {"S1": 0, "S2": 0, "S3": 0, NONE_OF_THESE: 1}


def test_saved_and_loaded_it_assigns_alike(
    model: SubtypeModel, groups: tuple[pd.DataFrame, pd.Series], tmp_path: Path
) -> None:
    latent, truth = groups
    for each in (model, learn_subtypes(latent.iloc[:1], truth), learn_subtypes(latent[[]], truth)):
        save_subtype_model(each, tmp_path / "model.json")
        again = load_subtype_model(tmp_path / "model.json")
        pd.testing.assert_frame_equal(again.assign(latent), each.assign(latent))
        assert again.limit == each.limit
        np.testing.assert_equal(dict(again.agreement), dict(each.agreement))


def _without_factor(record: dict[str, Any]) -> None:
    record["factors"].pop()


def _not_definite(record: dict[str, Any]) -> None:
    record["covariance"][0][0] = -1.0


def _not_symmetric(record: dict[str, Any]) -> None:
    record["covariance"][0][1] += 1.0


def _nameless(record: dict[str, Any]) -> None:
    record["subtypes"][0]["name"] = record["subtypes"][1]["name"]


def _infinite(record: dict[str, Any]) -> None:
    record["subtypes"][0]["centre"][0] = float("inf")


def _unknown(record: dict[str, Any]) -> None:
    record["__class__"] = "os.system"


def _newer(record: dict[str, Any]) -> None:
    record["format_version"] = 2


@pytest.mark.parametrize(
    "spoil",
    [_without_factor, _not_definite, _not_symmetric, _nameless, _infinite, _unknown, _newer],
)
def test_a_file_whose_parts_do_not_agree_is_refused(
    model: SubtypeModel, tmp_path: Path, spoil: Any
) -> None:
    path = tmp_path / "model.json"
    save_subtype_model(model, path)
    record = json.loads(path.read_text())
    spoil(record)
    path.write_text(json.dumps(record))
    with pytest.raises(StorageError, match="is not a subtype model that this version can read"):
        load_subtype_model(path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 5000])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(text)
    with pytest.raises(StorageError, match=r"model\.json is not a subtype model"):
        load_subtype_model(path)


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read the subtype model"):
        load_subtype_model(tmp_path / "none.json")


def test_planted_subtypes_of_new_samples_of_a_fitted_cohort() -> None:
    cohort = poems.simulate(n_samples=140, n_features=40, n_factors=3, density=0.2, seed=4).cohort
    model = poems.fit(cohort.take(range(100)), seed=0, epochs=40, n_latent=6, progress=False)
    subtypes = poems.analysis.find_subtypes(model)
    new = model.transform(cohort.take(range(100, 140)))
    found = subtypes.assigner(model).assign(new.latent, new.latent_variance)
    table = pd.crosstab(found["nearest"], cohort.obs["subtype"].iloc[100:])
    assert table.max(axis=1).sum() >= 0.85 * 40


def test_subtypes_learn_their_assigner_once_for_each_model() -> None:
    cohort = poems.simulate(40, 20, n_views=2, seed=0).cohort
    one, other = (poems.fit(cohort, seed=seed, epochs=3, progress=False) for seed in (0, 1))
    subtypes = poems.find_subtypes(one, 2)
    assert subtypes.assigner(one) is subtypes.assigner(one)
    assert subtypes.assigner(other) is not subtypes.assigner(one)
    assert subtypes.assigner(other).factors == tuple(other.factor_names)
