"""Fits whose samples have sizes by pooled ratios, or from a column of obs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

import poems
from poems.data.container import MultiOmics
from poems.errors import DataError
from poems.fitting.record import OwnRecord
from poems.fitting.result import FittedPoems
from poems.resampling.draws import Draw
from poems.resampling.permutation import permuted_cohort, permuted_settings
from poems.resampling.refits import RefitData, refit

QUICK: dict[str, Any] = {"progress": False, "n_latent": 4, "epochs": 4}


@pytest.fixture(scope="module")
def cohort() -> MultiOmics:
    """Counts of five features, too few for totals, and their depths; and a Gaussian view."""
    rng = np.random.default_rng(0)
    depth = np.exp(rng.normal(0, 1, 60))
    names = [f"s{i}" for i in range(60)]
    counts = rng.poisson(depth[:, None] * [5.0, 9.0, 20.0, 80.0, 3.0])
    frames = {
        "tags": pd.DataFrame(counts, names).add_prefix("tag"),
        "rna": pd.DataFrame(rng.normal(size=(60, 12)), names).add_prefix("g"),
    }
    return poems.read(frames, obs=pd.DataFrame({"reads": 1e4 * depth}, names))


@pytest.fixture(scope="module", params=["obs:reads", "pooled"])
def model(request: pytest.FixtureRequest, cohort: MultiOmics) -> FittedPoems:
    kinds = {"tags": "negative_binomial"}
    rules = {"tags": request.param}
    return poems.fit(cohort.take(range(45)), likelihood=kinds, size_factors=rules, **QUICK)


def test_sizes_are_kept_with_the_model_and_told(
    model: FittedPoems, cohort: MultiOmics, tmp_path: Path
) -> None:
    model.save(tmp_path / "model.poems")
    loaded = poems.load(tmp_path / "model.poems")
    new = cohort.take(range(45, 60))
    pd.testing.assert_frame_equal(loaded.transform(new).latent, model.transform(new).latent)
    assert loaded.settings.preprocessing.size_factors == model.settings.preprocessing.size_factors
    (said,) = (each.message for each in loaded.findings if each.code == "size-factors")
    assert ("reads" in said) != ("median of the ratios" in said)


def test_what_new_samples_are_predicted_goes_with_their_sizes(
    model: FittedPoems, cohort: MultiOmics
) -> None:
    new = cohort.take(range(45, 60))
    predicted = model.reconstruct(new)["tags"].sum(axis=1)
    assert np.corrcoef(np.log(predicted), np.log(new.obs["reads"].astype(float)))[0, 1] > 0.9


def test_refits_and_permuted_cohorts_have_the_sizes(model: FittedPoems, cohort: MultiOmics) -> None:
    some = cohort.take(range(45))
    moved = permuted_cohort(model, some, seed=0)
    again = refit(RefitData.of(moved, permuted_settings(model.settings)), Draw(np.arange(40), 1))
    assert again.latent.shape[0] == 45
    batch, _ = model.preprocessing.apply(moved)
    before, _ = model.preprocessing.apply(some)
    if model.settings.preprocessing.sizes_of("tags") == "obs:reads":
        np.testing.assert_array_equal(batch.log_sizes["tags"], before.log_sizes["tags"])


@pytest.fixture(scope="module")
def rare() -> MultiOmics:
    """Counts so rare that samples have few; those of the last one are of a feature of its own."""
    rng = np.random.default_rng(0)
    names = [f"s{i}" for i in range(40)]
    tags = rng.poisson(0.15, (40, 12))
    tags[:, -1] = 0
    tags[tags.sum(axis=1) == 0, 0] = 1
    tags[-1] = [0] * 11 + [2]
    frames = {
        "tags": pd.DataFrame(tags, names).add_prefix("tag"),
        "rna": pd.DataFrame(rng.normal(size=(40, 12)), names).add_prefix("g"),
    }
    return poems.read(frames)


@pytest.mark.parametrize("rule", ["totals", "pooled"])
def test_every_sample_of_a_permuted_cohort_has_a_size(rare: MultiOmics, rule: str) -> None:
    model = poems.fit(rare, likelihood={"tags": "poisson"}, size_factors=rule, **QUICK)
    for seed in range(5):
        moved = permuted_cohort(model, rare, seed=seed)
        assert (moved["tags"].values.sum(axis=1) >= 1).all()
        model.preprocessing.apply(moved)


def test_a_refit_takes_samples_whose_counts_it_knows_nothing_of_by_their_other_views(
    rare: MultiOmics,
) -> None:
    settings = poems.Settings().updated(likelihood={"tags": "poisson"}, n_latent=4, epochs=4)
    found = refit(RefitData.of(rare, settings), Draw(np.arange(39), 1))
    assert found.latent.shape[0] == 40
    assert np.isfinite(found.latent).all()
    alone = MultiOmics({"tags": rare["tags"]}, rare.samples, rare.obs)
    with pytest.raises(DataError, match="s39"):
        refit(RefitData.of(alone, settings), Draw(np.arange(39), 1))


def test_auto_takes_counts_of_few_features_where_sizes_are_not_their_totals(
    cohort: MultiOmics,
) -> None:
    by_column, by_totals = (
        poems.fit(cohort, size_factors=rule, **QUICK).settings.model.likelihoods_of(["tags", "rna"])
        for rule in ("obs:reads", "totals")
    )
    assert by_column == ["negative_binomial", "gaussian"]
    assert by_totals == ["gaussian", "gaussian"]


def test_new_samples_without_the_column_are_refused_with_the_remedy(cohort: MultiOmics) -> None:
    model = poems.fit(
        cohort, likelihood={"tags": "poisson"}, size_factors={"tags": "obs:reads"}, **QUICK
    )
    bare = poems.read({name: cohort.frame(name) for name in cohort.views})
    with pytest.raises(DataError, match=r"column 'reads' of obs.*obs=, --obs"):
        model.transform(bare)


def test_a_file_of_before_says_that_samples_have_sizes_by_their_totals() -> None:
    old = {"kind": "counts", "sized": True, "ends": 0.0}
    assert OwnRecord.model_validate(old).sizes == "totals"
    assert OwnRecord.model_validate({**old, "sized": False}).sizes == "none"
    with pytest.raises(ValidationError, match="no size factor 'elsewhere'"):
        OwnRecord(kind="counts", sizes="elsewhere", ends=0.0)
