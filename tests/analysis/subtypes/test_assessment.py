from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import poems
from poems.analysis.subtypes.assessment import assess_subtypes
from poems.analysis.subtypes.finding import find_subtypes
from poems.errors import DataError
from poems.fitting.result import FittedPoems

STEMS = {
    "subtype_numbers": ["n_subtypes", "silhouette", "smallest", "gap", "gap_se", "pac", "chosen"],
    "subtype_samples": [
        "sample", "subtype", "probability", "consensus", "silhouette", "uncertain",
    ],
    "subtype_stability": [
        "subtype", "n_samples", "consensus", "jaccard", "silhouette", "probability",
    ],
    "subtype_clusterings": ["clustering", "n_subtypes", "other", "n_other", "ari"],
}  # fmt: skip


@pytest.fixture(scope="module")
def planted() -> poems.simulation.cohort.Simulation:
    return poems.simulate(120, 60, 4, n_views=2, density=0.2, effect=2.0, n_subtypes=3, seed=2)


@pytest.fixture(scope="module")
def model(planted: poems.simulation.cohort.Simulation) -> FittedPoems:
    return poems.fit(planted.cohort, seed=0, epochs=60, progress=False)


def test_clear_subtypes_are_sure(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems
) -> None:
    subtypes = find_subtypes(model, 3)
    found = assess_subtypes(model, subtypes, n_rounds=40)
    for stem, columns in STEMS.items():
        assert set(columns) <= set(found.tables[stem].columns), stem
    assert found.subtypes["jaccard"].min() > 0.9
    assert found.samples["uncertain"].mean() < 0.1
    assert found.samples["consensus"].mean() > 0.95
    ari = found.clusterings.set_index(["clustering", "other"])["ari"]
    assert ari["reported", "consensus (subsamples)"] > 0.9
    pd.testing.assert_series_equal(
        found.assignments["reported"], subtypes.assignment, check_names=False
    )
    assert set(found.assignments["k-means (latent)"]) <= {"S1", "S2", "S3"}


def test_too_many_subtypes_are_not(model: FittedPoems) -> None:
    found = assess_subtypes(model, find_subtypes(model, 8), n_rounds=30)
    codes = [finding.code for finding in found.findings]
    assert {"subtypes-unstable", "subtypes-doubtful"} & set(codes)
    assert found.samples["uncertain"].any()
    assert "samples-uncertain" in codes
    assert "8 subtypes, as asked for: " in found.explanation
    assert "Other criteria, which do not decide, would choose" in found.explanation


def test_probabilities_flag_samples_too(model: FittedPoems) -> None:
    subtypes = find_subtypes(model, 3)
    probability = pd.Series(1.0, index=model.samples)
    probability.iloc[7] = 0.4
    found = assess_subtypes(model, subtypes, probability=probability, n_rounds=20)
    sure = assess_subtypes(model, subtypes, n_rounds=20)
    assert sure.samples["probability"].isna().all()
    extra = found.samples["uncertain"] & ~sure.samples["uncertain"]
    assert extra.to_numpy().nonzero()[0].tolist() == [7]
    assert found.subtypes["probability"].max() == 1.0


def test_refits_are_shown_beside(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems
) -> None:
    stability = poems.stability(
        planted.cohort, n_runs=2, n_permutations=0, reference=model, candidates=[2, 3],
        progress=False,
    )  # fmt: skip
    subtypes = find_subtypes(model, 3)
    found = assess_subtypes(model, subtypes, stability=stability, n_rounds=20)
    assert found.refit_consensus is not None
    expected = stability.consensus_matrix(3)
    np.testing.assert_array_equal(found.refit_consensus, expected)
    assert found.subtypes["refit_jaccard"].between(0, 1).all()
    assert "consensus (refits)" in found.assignments
    other = assess_subtypes(model, find_subtypes(model, 5), stability=stability, n_rounds=20)
    assert other.refit_consensus is None
    (finding,) = [f for f in other.findings if f.code == "refits-of-other-numbers"]
    assert "formed 2, 3 clusters, not 5" in finding.message


def test_a_mixture_prior_brings_its_own(fitted_incomplete: FittedPoems) -> None:
    mixture = find_subtypes(fitted_incomplete, method="mixture")
    found = assess_subtypes(fitted_incomplete, mixture, n_rounds=10)
    assert found.samples["probability"].notna().all()
    assert "mixture_weight" in found.numbers.table
    assert "k-means (network)" in found.assignments
    kmeans = assess_subtypes(fitted_incomplete, find_subtypes(fitted_incomplete, 2), n_rounds=10)
    assert "mixture prior" in kmeans.assignments


def test_one_subtype(model: FittedPoems) -> None:
    found = assess_subtypes(model, find_subtypes(model, 1), n_rounds=10)
    assert found.subtypes["jaccard"].tolist() == [1.0]
    assert found.samples["next_subtype"].eq("").all()
    assert not found.samples["uncertain"].any()


def test_a_large_cohort_is_assessed_on_some(
    model: FittedPoems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poems.analysis.subtypes.assessment._MOST_SAMPLES", 60)
    found = assess_subtypes(model, find_subtypes(model, 3), n_rounds=10)
    assert found.consensus.shape == (60, 60)
    assert len(found.samples) == 120
    assert found.samples["consensus"].isna().sum() == 60
    assert found.samples["uncertain"].isna().sum() == 60
    assert found.findings[0].code == "assessment-subset"


@pytest.mark.parametrize("n_subtypes", [1, 2, 9])
def test_ten_samples(n_subtypes: int) -> None:
    cohort = poems.simulate(10, 8, 2, n_subtypes=2, seed=0).cohort
    tiny = poems.fit(cohort, epochs=5, progress=False)
    found = assess_subtypes(tiny, find_subtypes(tiny, n_subtypes), n_rounds=10)
    assert len(found.subtypes) == n_subtypes
    codes = [finding.code for finding in found.findings]
    assert ("too-few-for-subsamples" in codes) == (n_subtypes == 9)


def test_it_depends_on_nothing_but_the_seed(model: FittedPoems) -> None:
    subtypes = find_subtypes(model, 4)
    one, again = (assess_subtypes(model, subtypes, n_rounds=10, seed=5) for _ in range(2))
    for stem, table in one.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[stem])


def test_other_samples_are_refused(model: FittedPoems) -> None:
    subtypes = find_subtypes(model, 2)
    renamed = replace(subtypes, assignment=subtypes.assignment.rename(lambda name: f"x{name}"))
    with pytest.raises(DataError, match="the subtypes are of 120 samples that are not the model's"):
        assess_subtypes(model, renamed)
