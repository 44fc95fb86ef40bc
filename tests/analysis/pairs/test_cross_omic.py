"""Cross-omic pairs: planted ones are found, chance is not, restrictions and gaps are handled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

import poems
from poems.analysis import cross_omic
from poems.analysis.pairs.alike import said_once
from poems.analysis.pairs.scores import responses
from poems.analysis.pairs.table import COLUMNS
from poems.data.container import MultiOmics
from poems.errors import DataError, SettingsError
from poems.fitting.result import FittedPoems
from poems.resampling.result import Stability
from poems.simulation.cohort import Simulation

QUICK = {"epochs": 60, "batch_size": 40, "n_latent": 6, "progress": False}


@pytest.fixture(scope="module")
def planted() -> Simulation:
    return poems.simulate(
        n_samples=120,
        n_features={"rna": 60, "protein": 40, "mirna": 30},
        n_factors=3,
        density=0.15,
        effect=(0.8, 1.4),
        seed=1,
    )


@pytest.fixture(scope="module")
def model(planted: Simulation) -> FittedPoems:
    return poems.fit(planted.cohort, seed=0, **QUICK)


def codes(findings: Any) -> set[str]:
    return {finding.code for finding in findings}


def test_planted_pairs_are_found_and_ranked_first(planted: Simulation, model: FittedPoems) -> None:
    table = cross_omic(model, planted.cohort).table
    true, size = [], []
    for a, b in combinations(model.view_names, 2):
        drives = [planted.loadings[view].to_numpy() != 0 for view in (a, b)]
        rows = table[(table["view_a"] == a) & (table["view_b"] == b)]
        score = np.zeros((len(drives[0]), len(drives[1])))
        j = model.features(a).get_indexer(pd.Index(rows["feature_a"]))
        k = model.features(b).get_indexer(pd.Index(rows["feature_b"]))
        score[j, k] = rows["score"].abs()
        true.append((drives[0] @ drives[1].T).ravel())
        size.append(score.ravel())
    right, found = np.concatenate(true), np.concatenate(size)
    assert average_precision_score(right, found) > 0.9
    assert right[found > 0].mean() > 0.9
    assert (found[right] > 0).mean() > 0.8


def test_the_table_says_what_it_says(planted: Simulation, model: FittedPoems) -> None:
    found = cross_omic(model, planted.cohort, fdr=1.0, most=10**6)
    table = found.table
    assert found.n_tested == 60 * 40 + 60 * 30 + 40 * 30
    assert len(table) == found.n_significant
    assert table["score"].abs().is_monotonic_decreasing
    assert table["score"].abs().max() < 1
    assert table["p"].between(0, 1).all()
    assert table["q"].between(0, 1).all()
    drives = {view: model.loadings[view] != 0 for view in model.view_names}
    frames = {view: planted.cohort.frame(view) for view in model.view_names}
    for row in table.iloc[:: len(table) // 20].itertuples():
        shared = drives[row.view_a].loc[row.feature_a] & drives[row.view_b].loc[row.feature_b]
        assert row.factors == "+".join(shared.index[shared])
        r = np.corrcoef(frames[row.view_a][row.feature_a], frames[row.view_b][row.feature_b])[0, 1]
        assert row.correlation == pytest.approx(r, abs=0.02)  # winsorised
    by_r = table.assign(size=table["correlation"].abs()).sort_values("size", ascending=False)
    assert (by_r["q"].diff().dropna() >= -1e-12).all()
    assert (by_r["p"].diff().dropna() >= -1e-12).all()
    strong = table[table["score"].abs() > 0.3]
    assert len(strong) > 20
    assert (np.sign(strong["score"]) == np.sign(strong["correlation"])).all()
    assert (np.sign(strong["score"]) == np.sign(strong["predicted_correlation"])).all()
    again = cross_omic(model, planted.cohort, fdr=1.0, most=10**6)
    pd.testing.assert_frame_equal(again.table, table)
    assert found.tables["cross_omic"] is table
    numbers = found.tables["cross_omic_numbers"].iloc[0]
    assert numbers[["n_tested", "n_significant"]].tolist() == [found.n_tested, found.n_significant]
    assert numbers["n_listed"] == len(table)


def test_scores_are_covariances_of_responses(model: FittedPoems) -> None:
    told = responses(model)
    for i, view in enumerate(model.view_names):
        each = told[view]
        assert each.driven.shape == (len(model.features(view)), model.n_active)
        assert each.curves.shape[1] % model.n_active == 0
        # A feature's score with itself is the share of its variance that the model explains.
        own = np.square(each.curves).sum(axis=1)
        assert own.max() < 1
        assert own.min() > 0
        np.testing.assert_allclose(np.square(each.drawn).sum(axis=0), 1, rtol=1e-4)
        assert (each.place[each.features] == np.arange(len(each.features))).all()
        assert i < len(told)


def test_two_u_shapes_of_one_factor_are_tied() -> None:
    truth = poems.simulate(
        150, {"a": 15, "b": 15}, 1, density=0.4, effect=1.5, truth="u_shaped", n_subtypes=1, seed=0
    )
    own = poems.fit(truth.cohort, seed=0, **{**QUICK, "epochs": 60, "n_latent": 2})
    table = cross_omic(own, truth.cohort, fdr=1.0).table
    right = {view: set(w.index[w.iloc[:, 0] != 0]) for view, w in truth.loadings.items()}
    planted_pairs = table["feature_a"].isin(right["a"]) & table["feature_b"].isin(right["b"])
    assert table[planted_pairs]["score"].abs().median() > 0.3


def test_views_that_have_nothing_to_do_with_one_another_have_no_pairs(
    planted: Simulation,
) -> None:
    rng = np.random.default_rng(5)
    views = {
        name: view.take(rng.permutation(len(view.measured)))
        for name, view in planted.cohort.views.items()
    }
    cohort = replace(planted.cohort, views=views)
    found = cross_omic(poems.fit(cohort, seed=0, **QUICK), cohort)
    assert len(found.table) == 0
    assert found.overall_p > 0.1
    assert list(found.table.columns) == COLUMNS


def test_restricted_to_a_feature_the_tests_are_those_of_its_pairs(
    planted: Simulation, model: FittedPoems
) -> None:
    best = cross_omic(model, planted.cohort).table.iloc[0]
    found = cross_omic(model, planted.cohort, feature=best["feature_a"])
    others = sum(len(model.features(v)) for v in model.view_names if v != best["view_a"])
    assert found.n_tested == others
    ends = found.table[["feature_a", "feature_b"]]
    assert len(ends)
    assert (ends == best["feature_a"]).any(axis=1).all()
    two = cross_omic(model, planted.cohort, feature=[best["feature_a"], best["feature_b"]])
    both = sum(len(model.features(v)) for v in model.view_names if v != best["view_b"])
    assert two.n_tested == others + both - 1, "their own pair counts once"
    with pytest.raises(DataError, match="no view has the feature absent"):
        cross_omic(model, planted.cohort, feature="absent")


def test_restricted_to_a_factor_the_tests_stay_those_of_all_pairs(
    planted: Simulation, model: FittedPoems
) -> None:
    everything = cross_omic(model, planted.cohort, most=10**6)
    found = cross_omic(model, planted.cohort, factor="factor_2", most=10**6)
    assert found.n_tested == everything.n_tested
    held = everything.table["factors"].str.split("+").map(lambda each: "factor_2" in each)
    pd.testing.assert_frame_equal(
        found.table, everything.table[held].reset_index(drop=True), check_like=False
    )
    with pytest.raises(DataError, match="no factor 'factor_99'; there are factor_1"):
        cross_omic(model, planted.cohort, factor="factor_99")


def test_restricted_to_cis_pairs(planted: Simulation, model: FittedPoems) -> None:
    everything = cross_omic(model, planted.cohort, most=10**6).table
    best = everything[everything["view_b"] == "protein"].iloc[0]
    pairs = pd.DataFrame(
        {
            "x": [best["feature_b"], "rna_0001", "gone"],
            "y": [f"rna:{best['feature_a']}", "mirna_0002", "rna_0003"],
        }
    )
    found = cross_omic(model, planted.cohort, cis=pairs)
    assert found.n_tested == 2
    assert "cis-features-absent" in codes(found.findings)
    shown = cross_omic(model, planted.cohort, cis=pairs, fdr=1.0).table
    row = shown[shown["feature_a"] == best["feature_a"]].iloc[0]
    for name in ("score", "correlation", "predicted_correlation", "factors", "n_samples"):
        assert row[name] == best[name]
    held = cross_omic(model, planted.cohort, cis=pairs, feature="rna_0001")
    assert held.n_tested == 1
    with pytest.raises(DataError, match="no cis pair holds the feature rna_0009"):
        cross_omic(model, planted.cohort, cis=pairs, feature="rna_0009")
    with pytest.raises(DataError, match="no two views have features of equal name"):
        cross_omic(model, planted.cohort, cis="names")


def test_gaps_are_left_out_pair_by_pair(fitted_incomplete: FittedPoems, incomplete: Any) -> None:
    table = cross_omic(fitted_incomplete, incomplete, fdr=1.0).table
    assert len(table)
    batch, _ = fitted_incomplete.preprocessing.apply(incomplete)
    frames = {}
    for i, view in enumerate(fitted_incomplete.view_names):
        x = batch.values[view].numpy().copy()
        observed = batch.observed[view]
        if observed is not None:
            x[~observed.numpy()] = np.nan
        x[~batch.measured[:, i].numpy()] = np.nan
        frames[view] = pd.DataFrame(x, columns=fitted_incomplete.features(view))
    for row in table.iloc[::10].itertuples():
        first, second = frames[row.view_a][row.feature_a], frames[row.view_b][row.feature_b]
        assert row.n_samples == (first.notna() & second.notna()).sum()
        assert row.correlation == pytest.approx(first.corr(second), abs=1e-5)


def test_a_cohort_on_disk_has_the_same_pairs(
    planted: Simulation,
    model: FittedPoems,
    write_backed: Callable[[MultiOmics, Path, str], Any],
    tmp_path: Path,
) -> None:
    source = write_backed(planted.cohort, tmp_path, "parquet")
    with poems.read(source, backed=True) as cohort:
        found = cross_omic(model, cohort)
    pd.testing.assert_frame_equal(found.table, cross_omic(model, planted.cohort).table)


def test_a_universe_too_large_is_cut_and_said(planted: Simulation, model: FittedPoems) -> None:
    found = cross_omic(model, planted.cohort, work=(120 + 400) * 3 * 20 * 20)
    assert found.n_tested == 3 * 20 * 20
    said = [finding for finding in found.findings if finding.code == "cross-omic-universe"]
    assert {finding.view for finding in said} == {"rna", "protein", "mirna"}
    assert "20 of 60 features were tested" in str(said[0])
    assert len(found.table), "what varies together within a view is what factors drive"


def test_the_table_is_cut_and_said(planted: Simulation, model: FittedPoems) -> None:
    whole = cross_omic(model, planted.cohort)
    cut = cross_omic(model, planted.cohort, most=7)
    pd.testing.assert_frame_equal(cut.table, whole.table.head(7))
    assert cut.n_significant == whole.n_significant == len(whole.table)
    assert "cross-omic-cut" in codes(cut.findings)


def test_too_few_permutations_are_said(planted: Simulation, model: FittedPoems) -> None:
    found = cross_omic(model, planted.cohort, fdr=0.01, n_permutations=20)
    assert len(found.table) == 0
    said = [f for f in found.findings if f.code == "cross-omic-permutations"]
    assert "ask for at least 99" in str(said[0])


def test_nothing_to_test_is_an_empty_table(planted: Simulation) -> None:
    one = planted.cohort.select(["rna"])
    alone = cross_omic(poems.fit(one, seed=0, **{**QUICK, "epochs": 5}), one)
    assert len(alone.table) == 0
    assert alone.n_tested == 0
    assert "there is one view, rna" in str(alone.findings[-1])

    two = planted.cohort.select(["rna", "protein"])
    half = np.arange(120) < 60
    views = {
        name: replace(view, values=np.where(rows[:, None], view.values, np.nan), measured=rows)
        for (name, view), rows in zip(two.views.items(), (half, ~half), strict=True)
    }
    apart = replace(two, views=views)
    found = cross_omic(poems.fit(apart, seed=0, **{**QUICK, "epochs": 5}), apart)
    assert len(found.table) == 0
    assert "cross-omic-few-shared" in codes(found.findings)
    assert "no two views were measured on the same samples" in str(found.findings[-1])


def test_a_dense_decoder_drives_everything(planted: Simulation) -> None:
    dense = poems.fit(planted.cohort, seed=0, decoder="dense", **{**QUICK, "epochs": 30})
    found = cross_omic(dense, planted.cohort)
    assert len(found.table)
    assert set(found.table["factors"]) == {"+".join(dense.factor_names)}


@pytest.mark.parametrize("bad", [{"fdr": 0.0}, {"fdr": 1.5}, {"n_permutations": 0}, {"most": 0}])
def test_numbers_out_of_range_are_refused(
    bad: dict[str, Any], planted: Simulation, model: FittedPoems
) -> None:
    with pytest.raises(SettingsError, match=next(iter(bad))):
        cross_omic(model, planted.cohort, **bad)


def test_support_is_the_share_of_refits_with_both_on_one_factor(
    planted: Simulation, model: FittedPoems, tmp_path: Path
) -> None:
    refits = poems.stability(
        planted.cohort, reference=model, n_runs=3, n_permutations=0, candidates=(2,), progress=False
    )
    assert refits.selected is not None
    for view, each in refits.selected.items():
        assert each.shape == (3, *refits.selection_frequency[view].shape)
        np.testing.assert_allclose(each.mean(axis=0), refits.selection_frequency[view])
    table = cross_omic(model, planted.cohort, stability=refits).table
    assert table["support"].head(20).mean() > 0.8
    for row in table.iloc[::200].itertuples():
        j = model.features(row.view_a).get_loc(row.feature_a)
        k = model.features(row.view_b).get_loc(row.feature_b)
        both = [
            bool((a[j] & b[k]).any())
            for a, b in zip(refits.selected[row.view_a], refits.selected[row.view_b], strict=True)
        ]
        assert row.support == pytest.approx(np.mean(both))

    refits.save(tmp_path / "kept")
    loaded = Stability.load(tmp_path / "kept")
    assert loaded.selected is not None
    for view, each in refits.selected.items():
        np.testing.assert_array_equal(loaded.selected[view], each)
    old = replace(refits, selected=None)
    unknown = cross_omic(model, planted.cohort, stability=old)
    assert unknown.table["support"].isna().all()
    assert "cross-omic-support" in codes(unknown.findings)
    old.save(tmp_path / "kept")
    assert Stability.load(tmp_path / "kept").selected is None


def test_features_that_say_the_same_make_one_pair(planted: Simulation) -> None:
    """Copies of a feature, as copy numbers of an arm are, stand behind the best of them."""
    rna, protein = (planted.cohort.views[name] for name in ("rna", "protein"))
    driven = int(np.abs(planted.loadings["rna"].to_numpy()).max(axis=1).argmax())
    noise = np.random.default_rng(0).normal(size=(120, 8))
    copies = rna.values[:, [driven]] + 0.1 * rna.values[:, [driven]].std() * noise
    frames = {
        "rna": pd.DataFrame(rna.values, columns=rna.features),
        "protein": pd.DataFrame(protein.values, columns=protein.features),
    }
    names = [f"copy{at}" for at in range(8)]
    frames["rna"][names] = copies
    frames = {name: frame.set_axis(planted.cohort.samples) for name, frame in frames.items()}
    model = poems.fit(frames, seed=0, **QUICK)
    found = cross_omic(model, frames).table
    same = {*names, str(rna.features[driven])}
    own = found[found["feature_a"].isin(same)]
    assert len(own) > 8
    assert own["group_a"].nunique() == 1
    assert own["group_a"].iloc[0] == own["feature_a"].iloc[0]
    once = said_once(found)
    assert once["feature_a"].isin(same).sum() == own["group_b"].nunique()
    listed = once[once["feature_a"].isin(same)].iloc[0]
    assert {listed["feature_a"], *listed["alike_a"]} <= same
    assert len(listed["alike_a"]) > 4
    # However few pairs are kept, copies crowd out no other group.
    few = cross_omic(model, frames, most=len(once)).table
    pd.testing.assert_frame_equal(
        few.reset_index(drop=True), once[few.columns].reset_index(drop=True)
    )
    # Features that are not alike stand for themselves.
    rest = found[~found["feature_a"].isin(same)]
    assert (rest["feature_a"] == rest["group_a"]).mean() > 0.8


def test_pairs_without_groups_are_each_said() -> None:
    columns = ["view_a", "feature_a", "view_b", "feature_b"]
    old = pd.DataFrame([("a", "x", "b", "y"), ("a", "z", "b", "y")], columns=columns)
    once = said_once(old)
    assert once[columns].equals(old)
    assert set(once["alike_a"]) == {()}
    assert said_once(old.iloc[:0]).empty
