"""Fits to cohorts on disk: the same as in memory, and what is said where they are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import poems
from poems import DataError
from poems.data.container import MultiOmics
from poems.data.disk.view import BackedCohort
from poems.scaling.disk.batches import BackedBatches

Write = Callable[[MultiOmics, Path, str], Any]
QUICK: dict[str, Any] = {"epochs": 6, "n_latent": 4, "batch_size": 24, "progress": False}


@pytest.fixture(scope="module")
def source(
    incomplete: MultiOmics, write_backed: Write, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = write_backed(incomplete, tmp_path_factory.mktemp("fit"), "h5mu")
    assert isinstance(path, Path)
    return path


def open_backed(source: Any) -> BackedCohort:
    cohort = poems.read(source, backed=True)
    assert isinstance(cohort, BackedCohort)
    return cohort


SETTINGS: list[dict[str, Any]] = [
    {},
    {"stopping": "held_out", "held_out": 0.2},
    {"prior": "mixture", "n_components": 2},
    {"scale": "minmax", "winsorise": None},
    {"most_variable": 20, "start": "random"},
    {"scale": "none"},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_fit_is_that_in_memory(source: Path, settings: dict[str, Any]) -> None:
    """Up to rounding of the preprocessing: everything fits into one buffer."""
    options = {"inference": "amortised", **QUICK, **settings}
    with open_backed(source) as cohort:
        in_memory = cohort.load()
        # By rounding a loading at the threshold may fall to either side, not in both of two seeds.
        for seed in (2, 0):
            disk = poems.fit(cohort, seed=seed, **options)
            memory = poems.fit(in_memory, seed=seed, **options)
            if np.allclose(disk.latent, memory.latent, rtol=2e-2, atol=2e-2):
                break
    # What rounding does to a loading at the threshold grows from epoch to epoch.
    pd.testing.assert_frame_equal(disk.history, memory.history, rtol=2e-2, atol=2e-2)
    pd.testing.assert_frame_equal(disk.latent, memory.latent, rtol=2e-2, atol=2e-2)
    for name in memory.view_names:
        pd.testing.assert_frame_equal(
            disk.loadings[name], memory.loadings[name], rtol=2e-2, atol=2e-2
        )
        pd.testing.assert_frame_equal(
            disk.loading_scores[name], memory.loading_scores[name], rtol=5e-2, atol=5e-2
        )
        assert disk.r2[name] == pytest.approx(memory.r2[name], abs=1e-3)
    assert disk.network is not None
    assert memory.network is not None
    np.testing.assert_allclose(disk.network, memory.network, atol=2e-2)
    assert {each.code for each in disk.findings} == {each.code for each in memory.findings}
    np.testing.assert_allclose(
        disk.diagnose().table["value"].astype(float),
        memory.diagnose().table["value"].astype(float),
        atol=2e-2,
    )


# The posterior asks for the prior and for what is on disk, not for how training went.
@pytest.mark.parametrize("settings", [SETTINGS[at] for at in (0, 2, 4)])
def test_exact_posteriors_are_those_in_memory(source: Path, settings: dict[str, Any]) -> None:
    """To a small part of what is not known: rounding moves modes along the kinks of relu."""
    with open_backed(source) as cohort:
        disk = poems.fit(cohort, seed=2, **QUICK, **settings)
        memory = poems.fit(cohort.load(), seed=2, **QUICK, **settings)
    pd.testing.assert_frame_equal(disk.history, memory.history, rtol=2e-2, atol=2e-2)
    deviations = np.sqrt(memory.latent_variance.to_numpy())
    apart = (disk.latent - memory.latent).abs().to_numpy() / deviations
    assert np.quantile(apart, 0.95) < 0.05
    assert apart.max() < 0.5
    assert disk.background.shape == memory.background.shape
    for name in memory.view_names:
        pd.testing.assert_frame_equal(
            disk.loadings[name], memory.loadings[name], rtol=5e-2, atol=2e-2
        )
        assert disk.r2[name] == pytest.approx(memory.r2[name], abs=3e-3)
        assert disk.total_r2[name] == pytest.approx(memory.total_r2[name], abs=3e-3)
    codes = [{each.code for each in model.findings} for model in (disk, memory)]
    # Whether a posterior at a kink counts as settled may hang on rounding, too.
    assert codes[0] - {"inference-unsettled"} == codes[1] - {"inference-unsettled"}


@pytest.mark.parametrize("log1p", [(), ("rna",)])
def test_sparse_counts_give_the_fit_of_dense_ones(
    write_backed: Write, tmp_path: Path, log1p: tuple[str, ...]
) -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(0.4, 2.0, size=(60, 1)) * rng.gamma(1.0, 1.0, size=25))
    frame = pd.DataFrame(counts, dtype=float).rename(index="s{}".format, columns="g{}".format)
    cohort = poems.read({"rna": frame})
    # The signs of principal components are anybody's guess, and would lead elsewhere.
    settings = {"log1p": log1p, "start": "random", "likelihood": "gaussian"}
    memory = poems.fit(cohort, **QUICK, **settings)
    with open_backed(write_backed(cohort, tmp_path, "h5mu-csr")) as backed:
        disk = poems.fit(backed, **QUICK, **settings)
    pd.testing.assert_frame_equal(disk.latent, memory.latent, rtol=1e-3, atol=1e-3)
    texts = [
        [
            str(each).replace("about ", "")
            for each in model.findings
            # Looked for in memory alone.
            if each.code not in ("unlogged-values", "samples-all-zero")
        ]
        for model in (disk, memory)
    ]
    assert texts[0] == texts[1]


def test_small_buffers_train_as_well_and_say_so(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BackedBatches, "buffer_rows", 40)
    with open_backed(source) as cohort:
        first = poems.fit(cohort, seed=0, **QUICK)
        second = poems.fit(cohort, seed=0, **QUICK)
    pd.testing.assert_frame_equal(first.latent, second.latent)
    found = next(each for each in first.findings if each.code == "shuffled-in-blocks")
    assert "within buffers of 24 samples, read as blocks of 2" in found.message
    assert first.history["objective"].iloc[-1] < first.history["objective"].iloc[0]


def test_what_rests_on_a_subset_is_said(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (
        "poems.fitting.approximations",
        "poems.nn.estimates",
        "poems.fitting.diagnosing",
    ):
        monkeypatch.setattr(f"{module}.MOST_SAMPLES", 40)
    monkeypatch.setattr("poems.scaling.disk.subset.MOST_ENTRIES", 40 * 50)
    monkeypatch.setattr("poems.scaling.disk.subset.MOST_HELD_BYTES", 5 * 4 * 70)
    monkeypatch.setattr("poems.training.starts.on_disk.LARGEST_EXACT", 30)
    with open_backed(source) as cohort:
        model = poems.fit(cohort, **QUICK, stopping="held_out", held_out=0.2)
    said = {each.code: each.message for each in model.findings}
    assert "random subset of 40 of 72 samples" in said["loadings-subset"]
    assert "40 of 58 samples and some of the features" in said["diagnosis-subset"]
    assert "subset of 5 of 14 held-out samples" in said["held-out-subset"]
    assert "background rests on a random subset of 5 of" in said["background-subset"]
    assert "randomised subspace iteration" in said["start-randomised"]
    assert model.principal_axes is None
    assert len(model.latent) == 72
    assert not model.diagnose().table["value"].isna().all()


def test_new_samples_on_disk_are_projected_as_those_in_memory(
    source: Path, fitted: poems.FittedPoems, tmp_path: Path
) -> None:
    with open_backed(source) as cohort:
        disk, memory = fitted.transform(cohort), fitted.transform(cohort.load())
        pd.testing.assert_frame_equal(disk.latent, memory.latent, rtol=1e-5, atol=1e-6)
        assert [str(each) for each in disk.findings] == [str(each) for each in memory.findings]
        judged = fitted.diagnose(held_out=cohort).table["value"].astype(float)
        expected = fitted.diagnose(held_out=cohort.load()).table["value"].astype(float)
        np.testing.assert_allclose(judged, expected, atol=1e-5)
        one = fitted.transform(cohort.take([3, 1]))
        pd.testing.assert_frame_equal(one.latent, memory.latent.iloc[[3, 1]], rtol=1e-5, atol=1e-6)


def test_views_and_features_that_are_absent_count_as_missing(
    incomplete: MultiOmics, fitted: poems.FittedPoems, write_backed: Write, tmp_path: Path
) -> None:
    rows = np.flatnonzero(incomplete["rna"].measured)
    frame = incomplete.frame("rna").iloc[rows, ::-1].drop(columns=incomplete["rna"].features[3])
    frame["unknown"] = 1.0
    cohort = poems.read({"rna": frame, "other": frame.iloc[:, :2]})
    for kind in ("h5mu", "h5mu-csr"):
        (tmp_path / kind).mkdir()
        with open_backed(write_backed(cohort, tmp_path / kind, kind)) as backed:
            disk, memory = fitted.transform(backed), fitted.transform(cohort)
        pd.testing.assert_frame_equal(disk.latent, memory.latent, rtol=1e-5, atol=1e-6)
        # A row without a value is left out when a cohort is written.
        texts = [str(each) for each in memory.findings if each.code != "rows-all-missing"]
        assert [str(each) for each in disk.findings] == texts


def test_validation_checkpoints_and_saving_work(source: Path, tmp_path: Path) -> None:
    with open_backed(source) as cohort:
        model = poems.fit(
            cohort,
            **QUICK,
            stopping="held_out",
            validation=list(cohort.samples[:10]),
            checkpoint=tmp_path / "checkpoint.poems",
            checkpoint_every=3,
        )
        assert poems.load(tmp_path / "checkpoint.poems").latent.index.equals(cohort.samples)
        model.save(tmp_path / "model.poems")
        loaded = poems.load(tmp_path / "model.poems")
        pd.testing.assert_frame_equal(loaded.latent, model.latent)
        with pytest.raises(DataError, match=r"reconstruct\(\) needs all values.*load\(\)"):
            model.reconstruct(cohort)
        with pytest.raises(DataError, match=r"to_mudata\(\) needs all values.*load\(\)"):
            model.to_mudata(cohort)
        assert model.to_mudata(cohort.load()).obsm["X_poems"].shape[0] == len(cohort)


def test_what_cannot_be_fitted_is_said_as_in_memory(write_backed: Write, tmp_path: Path) -> None:
    frame = pd.DataFrame(np.ones((20, 3))).rename(index="s{}".format, columns="g{}".format)
    constant = poems.read({"rna": frame})
    with (
        open_backed(write_backed(constant, tmp_path, "h5mu")) as cohort,
        pytest.raises(DataError, match="no feature varies"),
    ):
        poems.fit(cohort, **QUICK)
    frame.iloc[0] = -3.0
    negative = poems.read({"rna": frame})
    with (
        open_backed(write_backed(negative, tmp_path, "h5mu-csr")) as cohort,
        pytest.raises(DataError, match=r"3 values are below zero \(the least is -3\)"),
    ):
        poems.fit(cohort, **QUICK, log1p=("rna",))
