"""Depth, the mean of samples and batches are found in factors, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import poems
from poems.data import MultiOmics, quality_findings
from poems.data.disk.view import BackedView
from poems.diagnosis import nuisance
from poems.diagnosis.nuisance import (
    batch_findings,
    batch_subtypes,
    between_groups,
    may_be_batch,
    nuisance_findings,
)

N, D = 60, 40
RNG = np.random.default_rng(0)
DEPTH = np.exp(RNG.normal(0, 0.8, N))
SIGNAL = RNG.normal(size=N)
NAMES = [f"s{n}" for n in range(N)]


def table(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, index=NAMES).rename(columns="g{}".format)


def counts(depth: np.ndarray) -> pd.DataFrame:
    rate = np.exp(np.outer(SIGNAL, RNG.normal(0, 0.3, D)) + RNG.normal(4, 1, D))
    return table(RNG.poisson(rate * depth[:, None]))


def cohort(rna: pd.DataFrame, **columns: object) -> MultiOmics:
    return poems.read({"rna": rna}, obs=pd.DataFrame(columns, index=NAMES) if columns else None)


def latent(*columns: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(np.column_stack(columns), index=NAMES).rename(columns="factor_{}".format)


def codes(found: list) -> set[str]:
    return {each.code for each in found}


def test_a_factor_that_is_the_depth_is_named() -> None:
    noise = RNG.normal(size=N)
    found = nuisance_findings(latent(noise, -np.log(DEPTH)), cohort(counts(DEPTH)))
    (depth,) = [each for each in found if each.code == "depth-in-factor"]
    assert depth.items == ("factor_1",)
    assert "negative_binomial" in depth.message


def test_of_two_factors_the_one_that_is_closer_to_the_depth_is_named() -> None:
    depth, noise = np.log(DEPTH), RNG.normal(0, np.log(DEPTH).std(), N)
    found = nuisance_findings(latent(depth + 0.3 * noise, depth), cohort(counts(DEPTH)))
    (named,) = [each for each in found if each.code == "depth-in-factor"]
    assert named.items == ("factor_1",)


def test_the_load_of_a_binary_view_is_no_depth_that_counts_would_mend() -> None:
    load = RNG.normal(size=N)
    calls = RNG.random((N, D)) < 1 / (1 + np.exp(-2 * load[:, None]))
    (found,) = nuisance_findings(latent(calls.mean(axis=1)), cohort(table(calls.astype(float))))
    assert found.code == "detected-in-factor"
    assert "how many features are 1" in found.message
    assert "negative_binomial" not in found.message
    assert "log1p" not in found.message


def test_where_the_likelihood_takes_totals_the_remedy_is_another() -> None:
    one = latent(np.log(DEPTH))
    (found,) = nuisance_findings(one, cohort(counts(DEPTH)), sized=frozenset({"rna"}))
    assert "takes totals into account already" in found.message


def test_a_factor_that_is_the_mean_of_samples_is_named() -> None:
    shift = RNG.normal(size=N)
    values = RNG.normal(size=(N, D)) + 2 * shift[:, None]
    (found,) = nuisance_findings(latent(shift), cohort(table(values)))
    assert found.code == "mean-in-factor"


def test_a_factor_of_the_signal_is_not_named() -> None:
    assert nuisance_findings(latent(SIGNAL), cohort(counts(np.ones(N)))) == []
    assert nuisance_findings(pd.DataFrame(index=NAMES), cohort(counts(DEPTH))) == []


def test_a_factor_that_is_the_batch_is_named_and_a_group_is_not() -> None:
    batch = np.repeat(["B0", "B1"], N // 2)
    factor = np.where(batch == "B0", -1.0, 1.0) + 0.1 * RNG.normal(size=N)
    obs = pd.DataFrame({"seq_batch": batch, "stage": batch, "age": factor}, index=NAMES)
    (found,) = batch_findings(latent(SIGNAL, factor), obs)
    assert found.items == ("seq_batch", "factor_1")
    assert "ComBat" in found.message
    assert batch_findings(latent(SIGNAL), obs) == []


def test_subtypes_that_are_the_batches_are_named() -> None:
    batch = pd.Series(np.repeat(["a", "b"], N // 2), index=NAMES)
    obs = pd.DataFrame({"plate": batch, "grade": batch})
    assert codes(batch_subtypes(batch.map({"a": "S1", "b": "S2"}), obs)) == {
        "subtypes-follow-batch"
    }
    # Each batch in two: no more than chance by what the groupings share, and a batch each.
    parts = batch + pd.Series(["1", "2"] * (N // 2), index=NAMES)
    (found,) = batch_subtypes(parts, obs)
    assert "parts of the batches that column 'plate' names: 100% of the samples" in found.message
    mixed = pd.Series(["S1", "S2"] * (N // 2), index=NAMES)
    assert batch_subtypes(mixed, obs) == []
    assert batch_subtypes(pd.Series("S1", index=NAMES), obs) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("batch", True),
        ("Batch_ID", True),
        ("plateNumber", True),
        ("tissue_source_site", True),
        ("Center", True),
        ("primary_site", False),
        ("site_of_metastasis", False),
        ("tumor site", False),
        ("stage", False),
        ("labels", False),
        ("cohorts", False),
        ("study_arm", False),
    ],
)
def test_columns_of_batches_are_told_by_whole_words(name: str, expected: bool) -> None:
    assert may_be_batch(name) is expected


def test_groups_of_chance_hold_no_share_of_the_variance() -> None:
    groups = pd.Series(RNG.integers(0, 20, N).astype(str), index=NAMES)
    assert between_groups(pd.Series(RNG.normal(size=N), index=NAMES), groups) < 0.3
    assert between_groups(pd.Series(1.0, index=NAMES), groups) == 0.0


def test_a_fit_says_so() -> None:
    only = table(RNG.poisson(np.exp(RNG.normal(4, 1, D)) * DEPTH[:, None]))
    model = poems.fit(cohort(only), log1p=("rna",), epochs=30, progress=False)
    said = [str(each) for each in model.findings if "depth" in each.code]
    assert [text.count("log1p") > 0 for text in said] == [True, False], "the remedy is said once"
    assert "is the depth of the samples" in said[1]


def test_the_check_advises_before_the_fit() -> None:
    found = quality_findings(cohort(counts(DEPTH)))
    assert "depth-differs" in codes(list(found))
    for other in (
        quality_findings(cohort(counts(np.ones(N)))),
        quality_findings(cohort(counts(DEPTH)), own_scale=["rna"]),
        quality_findings(cohort(table(RNG.normal(size=(N, D))))),
    ):
        assert "depth-differs" not in codes(list(other))
    logged = quality_findings(cohort(counts(DEPTH)), log1p=["rna"])
    assert "depth-differs" in codes(list(logged))


def test_samples_without_a_single_mutation_are_named() -> None:
    values = (RNG.random((N, D)) < 0.2).astype(float)
    values[[3, 8]] = 0
    (found,) = [x for x in quality_findings(cohort(table(values))) if x.code == "samples-all-zero"]
    assert found.items == ("s3", "s8")
    assert "without a single mutation" in found.message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (lambda rare: (rare > 0).astype(float), "single carrier"),
        (lambda rare: np.where(rare > 0, 300.0 * rare, 0.0), "counted in hardly any sample"),
        (lambda rare: np.where(rare > 0, -1.0, 0.0), "events"),
        (lambda rare: rare * 0.37, "detected in hardly any sample"),
    ],
)
def test_features_of_few_samples_are_called_what_they_are(values: object, words: str) -> None:
    rare = RNG.integers(0, 60, size=(N, D)).astype(float)
    rare[:, 0] = 0
    rare[5, 0] = 7
    found = quality_findings(cohort(table(values(rare))))  # type: ignore[operator]
    (said,) = [each for each in found if each.code == "rare-features"]
    assert words in said.message


def test_of_wide_views_some_features_are_looked_at_in_memory_as_on_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All of 450,000 features, in double precision and several copies, took 15 GB."""
    rna = counts(DEPTH)
    rna.astype(np.float32).rename_axis("sample").to_parquet(tmp_path / "rna.parquet")
    read: list[int] = []

    def noted(self: BackedView, rows: np.ndarray, *, inner: Any = BackedView.rows) -> np.ndarray:
        found: np.ndarray = inner(self, rows)
        read.append(found.size)
        return found

    with poems.read({"rna": tmp_path / "rna.parquet"}, backed=True) as backed:
        monkeypatch.setattr(nuisance, "_MOST_ENTRIES", N * D // 4)
        monkeypatch.setattr(BackedView, "rows", noted)
        on_disk = nuisance.sample_measures(backed["rna"])
    assert max(read) <= N * D // 4
    in_memory = nuisance.sample_measures(cohort(rna)["rna"])
    assert [each.kind for each in on_disk] == [each.kind for each in in_memory]
    for one, other in zip(on_disk, in_memory, strict=True):
        np.testing.assert_allclose(one.values, other.values)
    depth = next(each for each in on_disk if each.kind == "depth")
    assert np.corrcoef(depth.values, np.log(DEPTH))[0, 1] > 0.95
