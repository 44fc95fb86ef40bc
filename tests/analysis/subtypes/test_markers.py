from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import poems
from poems.analysis.subtypes.finding import find_subtypes
from poems.analysis.subtypes.half_subtypes import half_subtypes
from poems.analysis.subtypes.marker_tests import COLUMNS
from poems.analysis.subtypes.markers import _agreement_findings, subtype_markers
from poems.data.container import MultiOmics, View
from poems.errors import DataError, SettingsError
from poems.fitting.result import FittedPoems
from poems.report.harm import in_short
from poems.scaling.preprocessing import prepare

FAST = {"epochs": 20, "progress": False}


@pytest.fixture(scope="module")
def planted() -> poems.simulation.cohort.Simulation:
    return poems.simulate(150, 60, 4, n_views=2, density=0.2, n_subtypes=3, seed=2)


@pytest.fixture(scope="module")
def model(planted: poems.simulation.cohort.Simulation) -> FittedPoems:
    return poems.fit(planted.cohort, seed=0, **FAST)


def driven(planted: poems.simulation.cohort.Simulation) -> set[tuple[str, str]]:
    """Features whose mean differs between the planted subtypes."""
    return {
        (view, feature)
        for view, table in planted.loadings.items()
        for feature in table.index[(table.iloc[:, :2] != 0).any(axis=1)]
    }


def test_planted_markers_are_found(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems
) -> None:
    found = subtype_markers(model, planted.cohort, find_subtypes(model, 3))
    assert list(found.table.columns) == COLUMNS
    assert len(found.table) == 120 * 3
    some = found.significant(0.1)
    pairs = set(zip(some["view"], some["feature"], strict=True))
    true = driven(planted)
    assert len(pairs & true) / len(true) > 0.8
    assert len(pairs - true) / len(pairs) < 0.15
    assert [finding.code for finding in found.findings] == ["markers-cross-fitted"]
    assert 0.5 < found.agreement["ari"].mean() < 1


def test_effects_are_those_of_the_reported_subtypes(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems
) -> None:
    subtypes = find_subtypes(model, 3)
    row = subtype_markers(model, planted.cohort, subtypes).table.iloc[0]
    view = planted.cohort[row["view"]]
    x = view.values[:, view.features.get_loc(row["feature"])].astype(float)
    inside = (subtypes.assignment == row["subtype"]).to_numpy()
    assert row["n_in"] == inside.sum()
    assert row["n_out"] == (~inside).sum()
    # Extreme values are clipped by the fit, which means feel a little.
    assert row["mean_in"] == pytest.approx(x[inside].mean(), abs=0.02)
    assert row["mean_out"] == pytest.approx(x[~inside].mean(), abs=0.02)
    effect = (x[inside].mean() - x[~inside].mean()) / x.std()
    assert row["effect"] == pytest.approx(effect, abs=0.02)
    assert row["direction"] == ("up" if effect > 0 else "down")
    assert (row["auc"] > 0.5) == (effect > 0)


def test_permuted_features_are_no_markers(model: FittedPoems) -> None:
    rng = np.random.default_rng(0)
    for seed in range(3):
        cohort = poems.simulate(80, 60, 4, n_views=2, seed=seed).cohort
        views = {
            name: View(rng.permuted(view.values, axis=0), view.features, view.measured)
            for name, view in cohort.views.items()
        }
        cohort = replace(cohort, views=views)
        own = poems.fit(cohort, seed=seed, **FAST)
        found = subtype_markers(own, cohort, find_subtypes(own, 3))
        assert not len(found.significant(0.1))
        assert found.findings[-1].code == "markers-of-other-subtypes"
        assert found.findings[-1].severity == "warning"
        assert in_short(found.findings[-1]).startswith("The markers say little of the reported")


def test_the_first_words_on_a_lost_subtype_say_whose_markers_are_not_to_be_trusted() -> None:
    agreement = pd.DataFrame(
        {"split": 1, "half": 1, "ari": 0.8, "subtype": ["S1", "S2"], "jaccard": [0.9, 0.2]}
    )
    (said,) = _agreement_findings(agreement)
    assert said.items == ("S2",)
    assert in_short(said).startswith("The markers of S2 (0.20) are hardly to be trusted")


def test_a_half_does_not_see_the_features_that_it_is_tested_on(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems
) -> None:
    data, _ = prepare(model.preprocessing, planted.cohort)
    reported = np.arange(150) % 3
    halves = half_subtypes(data, reported, 3, seed=4)
    both = {view: np.concatenate([half.features[view] for half in halves]) for view in data.values}
    for view, columns in both.items():
        assert sorted(columns) == list(range(data.n_features[view]))
    for at, half in enumerate(halves):
        for view, columns in half.features.items():
            data.values[view][:, columns] = np.nan
        again = half_subtypes(data, reported, 3, seed=4)[at]
        np.testing.assert_array_equal(half.codes, again.codes)
        data, _ = prepare(model.preprocessing, planted.cohort)


def test_missing_views_and_entries(
    incomplete: MultiOmics,
    fitted_incomplete: FittedPoems,
    spoil: Callable[[MultiOmics], MultiOmics],
) -> None:
    subtypes = find_subtypes(fitted_incomplete, 2)
    found = subtype_markers(fitted_incomplete, incomplete, subtypes, n_splits=1)
    measured = incomplete["protein"].measured.sum()
    counts = found.table.loc[found.table["view"] == "protein", ["n_in", "n_out"]].sum(axis=1)
    assert (counts <= measured).all()
    assert counts.max() > measured / 2
    spoiled = subtype_markers(fitted_incomplete, spoil(incomplete), subtypes, n_splits=1)
    pd.testing.assert_frame_equal(found.table, spoiled.table)


def test_a_cohort_on_disk_gives_the_same(
    incomplete: MultiOmics,
    fitted_incomplete: FittedPoems,
    write_backed: Callable[..., Any],
    tmp_path: Path,
) -> None:
    subtypes = find_subtypes(fitted_incomplete, 2)
    backed = poems.read(write_backed(incomplete, tmp_path, "h5mu"), backed=True)
    one = subtype_markers(fitted_incomplete, incomplete, subtypes, n_splits=1)
    other = subtype_markers(fitted_incomplete, backed, subtypes, n_splits=1)
    pd.testing.assert_frame_equal(one.table, other.table, rtol=1e-4)


def test_a_large_cohort_is_tested_on_some(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poems.analysis.subtypes.markers._MOST_SAMPLES", 100)
    found = subtype_markers(model, planted.cohort, find_subtypes(model, 3), n_splits=1)
    assert (found.table[["n_in", "n_out"]].sum(axis=1) == 100).all()
    assert "random subset of 100 of 150 samples" in found.findings[0].message


def test_blocks_do_not_matter(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems, monkeypatch: pytest.MonkeyPatch
) -> None:
    subtypes = find_subtypes(model, 3)
    one = subtype_markers(model, planted.cohort, subtypes, n_splits=1)
    monkeypatch.setattr("poems.analysis.subtypes.marker_tests._BLOCK_ENTRIES", 150 * 7)
    other = subtype_markers(model, planted.cohort, subtypes, n_splits=1)
    pd.testing.assert_frame_equal(one.table, other.table)


def test_the_order_of_samples_does_not_matter_for_effects(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems
) -> None:
    subtypes = find_subtypes(model, 3)
    one = subtype_markers(model, planted.cohort, subtypes, n_splits=1)
    turned = planted.cohort.take(range(149, -1, -1))
    other = subtype_markers(model, turned, subtypes, n_splits=1)
    keys = ["view", "feature", "subtype"]
    pd.testing.assert_series_equal(
        one.table.set_index(keys)["effect"].sort_index(),
        other.table.set_index(keys)["effect"].sort_index(),
    )


def test_a_long_table_is_abridged_in_its_file(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poems.analysis.subtypes.markers._MOST_ROWS", 100)
    monkeypatch.setattr("poems.analysis.subtypes.markers._ROWS_KEPT", 3)
    found = subtype_markers(model, planted.cohort, find_subtypes(model, 3), n_splits=1)
    written = found.tables["markers"]
    assert len(found.table) == 360
    assert len(found.table[found.table["q"] <= 0.25]) <= len(written) < 360
    assert written.groupby(["view", "subtype"]).size().min() >= 3
    (finding,) = [each for each in found.findings if each.code == "markers-abridged"]
    assert f"holds {len(written)} of 360 tests" in finding.message


def test_one_subtype_has_no_markers(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems
) -> None:
    found = subtype_markers(model, planted.cohort, find_subtypes(model, 1))
    assert found.table.empty
    assert found.findings[0].code == "one-subtype"
    assert found.top().empty


@pytest.mark.parametrize("n_samples", [10, 12])
def test_tiny_cohorts_and_views_of_one_feature(n_samples: int) -> None:
    cohort = poems.simulate(
        n_samples, {"a": 1, "b": 6}, 2, n_subtypes=2, density=0.9, seed=0
    ).cohort
    own = poems.fit(cohort, **FAST)
    found = subtype_markers(own, cohort, find_subtypes(own, 2))
    assert found.table["p"].between(0, 1).all()


def test_other_samples_are_refused(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems
) -> None:
    subtypes = find_subtypes(model, 2)
    other = poems.simulate(5, 60, 4, n_views=2, seed=0).cohort
    other = replace(
        other,
        samples=pd.Index([f"new{i}" for i in range(5)]),
        obs=pd.DataFrame(index=[f"new{i}" for i in range(5)]),
    )
    with pytest.raises(DataError, match="5 of the cohort's 5 samples have no subtype: new0, new1"):
        subtype_markers(model, other, subtypes)
    with pytest.raises(SettingsError, match="n_splits"):
        subtype_markers(model, planted.cohort, subtypes, n_splits=0)


def test_a_subtype_of_missing_omics_takes_no_part(
    planted: poems.simulation.cohort.Simulation, model: FittedPoems
) -> None:
    # S3 was measured without a view; the others are compared as if it was not there.
    subtypes = find_subtypes(model, 3)
    lacks = (subtypes.assignment == "S3").to_numpy()
    cohort = planted.cohort
    view = cohort.views["view2"]
    views = {**cohort.views, "view2": replace(view, measured=view.measured & ~lacks)}
    partial = replace(cohort, views=views)
    measured = pd.DataFrame({"view1": True, "view2": ~lacks}, index=model.samples)
    gates = measured.astype(float)
    told = subtypes.by_measured_omics(measured)
    seen = SimpleNamespace(
        gates=gates,
        preprocessing=model.preprocessing,
        settings=model.settings,
        view_names=model.view_names,
    )
    found = subtype_markers(seen, partial, told, n_splits=1)  # type: ignore[arg-type]
    assert set(found.table["subtype"]) == {"S1", "S2"}
    n = (~lacks).sum()
    assert (found.table["n_in"] + found.table["n_out"]).unique().tolist() == [n]
    assert list(found.table.columns) == [*COLUMNS, "p_alike", "q_alike"]
    # All that are left have both views: the same test once more.
    np.testing.assert_allclose(found.table["p_alike"], found.table["p"])
    (said,) = [each for each in found.findings if each.code == "markers-missing-omics"]
    assert said.message.startswith("S3 (without view2) left out of the markers")
