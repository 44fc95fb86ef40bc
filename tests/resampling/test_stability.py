"""Whole runs of ``poems.stability`` on a small cohort."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import poems
from poems.analysis.subtypes.finding import find_subtypes
from poems.clustering.agreement import clustering_accuracy
from poems.data.container import MultiOmics
from poems.errors import DataError, ReadError, SettingsError, StorageError
from poems.fitting.result import FittedPoems
from poems.resampling.factor_matching import match_factors
from poems.resampling.result import Stability
from poems.simulation.cohort import Simulation

QUICK = {"epochs": 60, "batch_size": 40, "n_latent": 10, "encoder_layers": (32,)}


@pytest.fixture(scope="module")
def planted() -> Simulation:
    return poems.simulate(
        n_samples=80,
        n_features={"rna": 60, "protein": 40},
        n_factors=3,
        density=0.2,
        effect=(0.8, 1.4),
        n_subtypes=3,
        seed=1,
    )


@pytest.fixture(scope="module")
def reference(planted: Simulation) -> FittedPoems:
    return poems.fit(planted.cohort, seed=0, progress=False, lambda_spike_scale=0.4, **QUICK)


@pytest.fixture(scope="module")
def found(planted: Simulation, reference: FittedPoems) -> Stability:
    return poems.stability(
        planted.cohort, n_runs=5, reference=reference, candidates=(2, 3, 4), progress=False
    )


def test_planted_factors_are_stable_and_those_of_noise_are_not(planted: Simulation) -> None:
    found_again: list[float] = []
    for seed in (0, 1):
        # A fit that keeps factors of noise beside the planted ones, for its spike is too weak.
        reference = poems.fit(
            planted.cohort, seed=seed, progress=False, lambda_spike_scale=0.2, **QUICK
        )
        found = poems.stability(
            planted.cohort, n_runs=10, n_permutations=0, reference=reference, progress=False
        )
        match = match_factors(planted.loadings, found.reference.loadings)
        table = found.factor_stability
        real = table.iloc[match.estimated]
        noise = table.drop(index=real.index)
        assert (match.similarity > 0.8).all()
        assert (real["found"] == 1).all()
        assert (real["similarity"] > 0.8).all()
        assert (real["similarity"] > real["chance_95"] + 0.3).all()
        assert len(noise), "the reference should hold factors of noise, or this shows nothing"
        assert noise["similarity"].max() < real["similarity"].min() - 0.3
        found_again += noise["found"].tolist()
    # Of one fit's few factors of noise this varies by 0.06 from seed to seed.
    assert np.mean(found_again) < 0.3


def test_biomarkers_are_the_planted_features(planted: Simulation, found: Stability) -> None:
    match = match_factors(planted.loadings, found.reference.loadings)
    factors = np.array(found.reference.factor_names)[match.estimated]
    true = {
        (view, feature, factor)
        for view, w in planted.loadings.items()
        for k, factor in enumerate(factors)
        for feature in w.index[w.iloc[:, k] != 0]
    }
    table = found.biomarkers(fdr=0.1)
    selected = set(table[["view", "feature", "factor"]].itertuples(index=False, name=None))
    assert len(selected - true) / len(selected) < 0.2
    assert len(selected & true) / len(true) > 0.7
    assert (table["q"] <= 0.1).all()
    assert table["frequency"].between(0, 1, inclusive="right").all()
    for row in table.itertuples():
        assert found.mean_loadings[row.view].loc[row.feature, row.factor] == row.loading
    assert len(found.biomarkers(fdr=0.3)) >= len(table) >= len(found.biomarkers(fdr=0.03))


def test_the_number_of_subtypes_is_that_of_the_fit(found: Stability) -> None:
    assert found.n_subtypes == find_subtypes(found.reference).n_subtypes
    alone = replace(found.reference, numbers_stored=())
    without = replace(found, reference=alone)
    assert without.consensus_subtypes().n_subtypes == without.n_subtypes == 1
    np.testing.assert_array_equal(without.consensus_matrix(), np.ones((80, 80)))


def test_consensus_subtypes_are_the_planted_ones(planted: Simulation, found: Stability) -> None:
    subtypes = found.consensus_subtypes(3)
    assert subtypes.n_subtypes == 3
    assert clustering_accuracy(planted.subtypes, subtypes.assignment) > 0.9
    matrix = found.consensus_matrix(3)
    assert matrix.shape == (80, 80)
    np.testing.assert_allclose(matrix, matrix.T)
    assert found.consensus_subtypes(2).n_subtypes == 2
    with pytest.raises(SettingsError, match="formed 2, 3, 4 clusters, not 7"):
        found.consensus_matrix(7)


def test_samples_left_out_are_described_better_than_by_the_mean(found: Stability) -> None:
    assert len(found.held_out_r2) == 5 * 2
    assert (found.held_out_r2.groupby("view")["model"].mean() > 0.1).all()
    assert (found.runs["n_samples"] == 64).all()
    assert found.ensemble.shape == (80, found.runs["n_factors"].sum())


def test_the_result_does_not_depend_on_the_number_of_processes(planted: Simulation) -> None:
    counts: list[tuple[int, int]] = []
    one, two = (
        poems.stability(
            planted.cohort.take(range(40)),
            n_runs=2,
            resample="bootstrap",
            candidates=(2,),
            seed=3,
            n_jobs=n_jobs,
            progress=lambda done, total: counts.append((done, total)),
            **{**QUICK, "epochs": 20},
        )
        for n_jobs in (1, 2)
    )
    assert_equal(one, two)
    assert counts == [(done, 6) for done in range(1, 7)] * 2


def test_a_saved_result_is_the_same_when_loaded(found: Stability, tmp_path: Path) -> None:
    found.save(tmp_path / "s")
    assert_equal(found, Stability.load(tmp_path / "s"))
    found.save(tmp_path / "s")
    files = {path.suffix for path in (tmp_path / "s").rglob("*") if path.is_file()}
    assert files == {".csv", ".json", ".poems"}
    pd.testing.assert_frame_equal(
        Stability.load(tmp_path / "s").biomarkers(), found.biomarkers(), check_exact=True
    )


def test_a_damaged_folder_is_refused(found: Stability, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="there is no folder"):
        Stability.load(tmp_path / "s")
    found.save(tmp_path / "s")
    table = tmp_path / "s" / "q_values" / "rna.csv"
    whole = table.read_text()
    table.write_text(whole.replace("factor_1", "factor_9"))
    with pytest.raises(StorageError, match=r"the columns of .*rna.csv are not those"):
        Stability.load(tmp_path / "s")
    table.unlink()
    with pytest.raises(StorageError, match=r"cannot read .*rna.csv"):
        Stability.load(tmp_path / "s")
    table.write_text(whole)
    marker = tmp_path / "s" / "stability.json"
    about = json.loads(marker.read_text())
    marker.write_text(json.dumps({key: about[key] for key in about if key != "seed"}))
    with pytest.raises(StorageError, match=r"does not hold what its stability.json says"):
        Stability.load(tmp_path / "s")
    marker.write_text(json.dumps({**about, "complete": False}))
    with pytest.raises(ReadError, match="did not finish"):
        Stability.load(tmp_path / "s")


def test_features_left_out_are_never_selected(incomplete: MultiOmics) -> None:
    rna = incomplete.frame("rna")
    rna["constant"] = 1.0
    tables = {"rna": rna, "protein": incomplete.frame("protein")}
    result = poems.stability(
        tables,
        n_runs=2,
        resample="none",
        candidates=(2,),
        progress=False,
        **{**QUICK, "epochs": 25},
    )
    assert (result.selection_frequency["rna"].loc["constant"] == 0).all()
    assert (result.q_values["rna"].loc["constant"] == 1).all()
    assert result.held_out_r2.empty
    assert "biomarkers" in repr(result)


def test_wrong_arguments_are_named(
    planted: Simulation, reference: FittedPoems, found: Stability
) -> None:
    cohort = planted.cohort

    def run(**given: object) -> Stability:
        return poems.stability(cohort, progress=False, **given)  # type: ignore[arg-type]

    with pytest.raises(
        SettingsError, match="n_runs must be a whole number from 2 to 1000000, not 1"
    ):
        run(n_runs=1)
    with pytest.raises(SettingsError, match="n_jobs must be a whole number"):
        run(n_jobs=0)
    with pytest.raises(SettingsError, match=r"numbers of clusters \[1, 99\] is possible for 80"):
        run(candidates=(1, 99))
    with pytest.raises(SettingsError, match="settings of the reference; give either"):
        run(reference=reference, epochs=3)
    with pytest.raises(SettingsError, match="no setting 'epoch'"):
        run(epoch=3)
    with pytest.raises(DataError, match="fitted on 80 samples that are not the cohort's 79"):
        poems.stability(cohort.take(range(79)), reference=reference, progress=False)
    with pytest.raises(DataError, match="has the views rna, protein, the cohort rna"):
        poems.stability(cohort.select(["rna"]), reference=reference, progress=False)
    fewer = {"rna": cohort.frame("rna").iloc[:, 1:], "protein": cohort.frame("protein")}
    with pytest.raises(DataError, match=r"view 'rna' lacks 1 features .*: rna_0001"):
        poems.stability(fewer, reference=reference, progress=False)
    with pytest.raises(DataError, match="the reference fit has no factor"):
        run(epochs=2, ramp_start=0.0, ramp_end=0.0, lambda_spike=1e6, lambda_slab=1e5)
    with pytest.raises(SettingsError, match="fdr must be between 0 and 1, not 10"):
        found.biomarkers(10)


def assert_equal(one: Stability, two: Stability) -> None:
    """Compare every table of two results, bit for bit."""
    for field in fields(Stability):
        first, second = getattr(one, field.name), getattr(two, field.name)
        if isinstance(first, FittedPoems):
            pd.testing.assert_frame_equal(first.latent, second.latent, check_exact=True)
            continue
        if not isinstance(first, dict):
            first, second = {0: first}, {0: second}
        assert list(first) == list(second)
        for key, value in first.items():
            if isinstance(value, pd.DataFrame):
                pd.testing.assert_frame_equal(
                    value, second[key], check_exact=True, check_names=False
                )
            else:
                assert np.array_equal(value, second[key])
