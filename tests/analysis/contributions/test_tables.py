from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kruskal

import poems
from poems.analysis.contributions.gate_against_effect import disagreements
from poems.analysis.contributions.tables import (
    BY_GROUP,
    NUMBERS,
    ViewContributions,
    view_contributions,
)
from poems.analysis.contributions.withheld import COLUMNS
from poems.analysis.factors.associations import false_discovery_rates
from poems.analysis.subtypes.assignment import learn_subtypes
from poems.analysis.subtypes.finding import Subtypes, find_subtypes
from poems.data.container import MultiOmics
from poems.errors import DataError
from poems.fitting.result import FittedPoems
from poems.simulation.cohort import Simulation


@pytest.fixture(scope="module")
def subtypes(fitted: FittedPoems) -> Subtypes:
    return find_subtypes(fitted, 3)


@pytest.fixture(scope="module")
def found(fitted: FittedPoems, simulation: Simulation, subtypes: Subtypes) -> ViewContributions:
    return view_contributions(fitted, simulation.cohort, subtypes)


@pytest.fixture(scope="module")
def of_incomplete(fitted_incomplete: FittedPoems, incomplete: MultiOmics) -> ViewContributions:
    return view_contributions(fitted_incomplete, incomplete, find_subtypes(fitted_incomplete, 2))


@pytest.mark.parametrize("view", ["rna", "protein"])
def test_withholding_a_view_is_projecting_without_it(
    fitted_incomplete: FittedPoems,
    incomplete: MultiOmics,
    of_incomplete: ViewContributions,
    view: str,
) -> None:
    model, table = fitted_incomplete, of_incomplete.by_sample
    own = table[table["view"] == view].set_index("sample")
    both = [incomplete.samples.get_loc(name) for name in own.index]
    rest = {name: each for name, each in incomplete.take(both).views.items() if name != view}
    less = model.transform(replace(incomplete.take(both), views=rest))
    spread = np.sqrt(model.latent.var(ddof=0) + model.latent_variance.mean())
    scaled = (model.latent.loc[own.index] - less.latent) / spread
    np.testing.assert_allclose(own["shift"], np.sqrt((scaled**2).mean(axis=1)), rtol=1e-4)
    known = find_subtypes(model, 2)
    assigner = known.assigner(model)
    without = assigner.assign(less.latent, less.latent_variance)
    assert own["nearest_without"].tolist() == without["nearest"].tolist()
    before = assigner.probabilities(model.latent, model.latent_variance)
    after = assigner.probabilities(less.latent, less.latent_variance)
    change = [
        after.loc[name, subtype] - before.loc[name, subtype]
        for name, subtype in known.assignment.loc[own.index].items()
    ]
    np.testing.assert_allclose(own["subtype_change"], change, atol=1e-4)
    np.testing.assert_allclose(own["gate"], model.gates.loc[own.index, view], rtol=1e-5)


def test_samples_with_one_view_are_left_out_and_counted(
    incomplete: MultiOmics, of_incomplete: ViewContributions
) -> None:
    measured = np.column_stack([view.measured for view in incomplete.views.values()])
    several = incomplete.samples[measured.sum(axis=1) > 1]
    assert 0 < len(several) < len(measured)
    table = of_incomplete.by_sample
    assert table.columns.tolist() == COLUMNS
    expected = [(name, view) for name in several for view in incomplete.views]
    assert list(zip(table["sample"], table["view"], strict=True)) == expected
    (finding,) = (each for each in of_incomplete.findings if each.code == "one-view-alone")
    assert finding.message.startswith(f"{len(measured) - len(several)} of 72 samples have one view")


def test_what_the_unmeasured_rows_hold_does_not_matter(
    fitted_incomplete: FittedPoems,
    incomplete: MultiOmics,
    of_incomplete: ViewContributions,
    spoil: Callable[[MultiOmics], MultiOmics],
) -> None:
    again = view_contributions(
        fitted_incomplete, spoil(incomplete), find_subtypes(fitted_incomplete, 2)
    )
    pd.testing.assert_frame_equal(again.by_sample, of_incomplete.by_sample)


def test_a_cohort_on_disk_gives_the_same(
    fitted_incomplete: FittedPoems,
    incomplete: MultiOmics,
    of_incomplete: ViewContributions,
    write_backed: Callable[[MultiOmics, Path, str], Any],
    tmp_path: Path,
) -> None:
    path = write_backed(incomplete, tmp_path, "h5mu")
    known = find_subtypes(fitted_incomplete, 2)
    with poems.read(path, backed=True) as backed:
        again = view_contributions(fitted_incomplete, backed, known)
    for name, table in of_incomplete.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table, atol=1e-4, rtol=1e-3)


def test_views_are_ranked_by_gate_and_by_effect(found: ViewContributions) -> None:
    table = found.by_view.set_index("view")
    by_sample = found.by_sample.groupby("view")
    for mean, column in (("mean_gate", "gate"), ("mean_shift", "shift")):
        np.testing.assert_allclose(table[mean], by_sample[column].mean()[table.index])
    assert table["switched_share"].between(0, 1).all()
    assert table.loc[table["mean_shift"].idxmax(), "effect_rank"] == 1
    assert sorted(table["gate_rank"]) == [1, 2]
    assert (table["ari_without"] <= table["ari_with"] + 0.1).all()
    assert table["n_samples"].tolist() == [72, 72]


def test_groups_have_their_means_and_tests(found: ViewContributions, subtypes: Subtypes) -> None:
    table = found.by_group
    assert table.columns.tolist() == BY_GROUP
    assert table["column"].unique().tolist() == ["subtype", "subtype (obs)"]
    rna = found.by_sample[found.by_sample["view"] == "rna"].set_index("sample")
    own = table[(table["column"] == "subtype") & (table["view"] == "rna")].set_index("group")
    assert own.index.tolist() == subtypes.sizes.index.tolist()
    assert own["n_samples"].tolist() == subtypes.sizes.tolist()
    groups = subtypes.assignment.loc[rna.index]
    np.testing.assert_allclose(own["mean_shift"], rna["shift"].groupby(groups).mean())
    np.testing.assert_allclose(own["mean_gate"], rna["gate"].groupby(groups).mean())
    for column, p in (("shift", "p"), ("gate", "p_gate")):
        expected = kruskal(*(part for _, part in rna[column].groupby(groups)))
        np.testing.assert_allclose(own[p], expected.pvalue)
    tests = table.drop_duplicates(["column", "view"])
    assert len(tests) == 4
    q = false_discovery_rates(tests[["p", "p_gate"]].to_numpy(dtype=float).ravel())
    np.testing.assert_allclose(tests[["q", "q_gate"]].to_numpy(dtype=float).ravel(), q)


def test_numbers_are_correlated_and_hostile_groups_stay_text(
    fitted: FittedPoems, simulation: Simulation, subtypes: Subtypes, found: ViewContributions
) -> None:
    rna = found.by_sample[found.by_sample["view"] == "rna"].set_index("sample")
    obs = pd.DataFrame({"age": np.exp(rna["gate"]), "=cmd()": ["a,b", "<i>ö"] * 36})
    obs.loc[obs.index[:3], "age"] = np.nan
    obs["site"] = "one"
    again = view_contributions(fitted, simulation.cohort, subtypes, obs)
    table = again.by_group[again.by_group["view"] == "rna"].set_index(["column", "group"])
    age = table.loc[("age", NUMBERS)]
    assert (age["test"], age["n_samples"]) == ("Spearman", 69)
    assert age["effect_gate"] == pytest.approx(1)
    assert age["q_gate"] < 1e-10
    assert table.loc["=cmd()"].index.tolist() == ["<i>ö", "a,b"]
    assert any("site (constant)" in str(finding) for finding in again.findings)


def test_a_view_without_signal_counts_least() -> None:
    names = ("a", "b", "idle")
    activity = np.array([[name != "idle"] * 3 for name in names])
    cohort = poems.simulate(
        100, dict.fromkeys(names, 60), 3, density=0.2, activity=activity, seed=1
    ).cohort
    switched = []
    for seed in range(3):
        model = poems.fit(cohort, seed=seed, epochs=60, n_latent=6, progress=False)
        table = view_contributions(model, cohort, find_subtypes(model)).by_view.set_index("view")
        assert table["mean_shift"].idxmin() == "idle"
        switched.append(table["switched_share"])
    # Of a hundred samples so few change in one fit that views can tie.
    assert sum(switched[1:], switched[0]).idxmin() == "idle"


def test_other_samples_are_assigned(
    fitted: FittedPoems, simulation: Simulation, subtypes: Subtypes
) -> None:
    cohort = simulation.cohort.take(range(20))
    new = replace(
        cohort, samples="new_" + cohort.samples, obs=cohort.obs.add_prefix("new_", axis=0)
    )
    found = view_contributions(fitted, new, subtypes)
    expected = subtypes.assigner(fitted).assign(fitted.latent, fitted.latent_variance)
    own = found.by_sample[found.by_sample["view"] == "rna"]
    assert own["subtype"].tolist() == expected["nearest"].iloc[:20].tolist()
    assert (found.by_view["ari_with"] == 1).all()


def test_one_view_and_one_subtype() -> None:
    cohort = poems.simulate(n_samples=20, n_features=15, n_views=1, seed=0).cohort
    model = poems.fit(cohort, seed=0, epochs=3, n_latent=3, progress=False)
    found = view_contributions(model, cohort, find_subtypes(model, 1))
    assert len(found.by_sample) == len(found.by_group) == 0
    assert found.by_view["view"].tolist() == ["view1"]
    assert found.by_view["mean_shift"].isna().all()
    assert found.by_group.columns.tolist() == BY_GROUP
    assert "20 of 20 samples have one view alone" in str(found.findings[-1])


def test_without_factors_nothing_moves(
    fitted: FittedPoems, simulation: Simulation, subtypes: Subtypes
) -> None:
    estimates = fitted.feature_estimates
    nothing = {name: 0 * size for name, size in estimates.size.items()}
    pruned = replace(fitted, feature_estimates=replace(estimates, size=nothing))
    assert pruned.n_active == 0
    found = view_contributions(pruned, simulation.cohort, subtypes)
    assert (found.by_sample["shift"] == 0).all()
    assert not found.by_sample["switched"].any()
    assert found.by_group["p"].isna().all()


def test_moves_of_a_factor_that_nothing_is_known_of_count_little(
    fitted: FittedPoems, simulation: Simulation, subtypes: Subtypes, found: ViewContributions
) -> None:
    """Its posterior is the prior, and its means hardly differ: what is far for them is nothing."""
    estimates = fitted.sample_estimates
    at = int(fitted.active[0])
    loc, variance = estimates.loc.clone(), estimates.variance.clone()
    loc[:, at] *= 1e-3
    variance[:, at] = 1.0
    vague = replace(fitted, sample_estimates=replace(estimates, loc=loc, variance=variance))
    # What is active, and in which order, is as before.
    vague.__dict__["active"] = fitted.active
    again = view_contributions(
        vague, simulation.cohort, subtypes, subtype_model=subtypes.assigner(fitted)
    )
    assert again.by_view["mean_shift"].max() < 2 * found.by_view["mean_shift"].max()


def test_what_does_not_fit_is_refused(
    fitted: FittedPoems, simulation: Simulation, subtypes: Subtypes
) -> None:
    other = pd.DataFrame({"age": [1.0]}, index=["nobody"])
    with pytest.raises(DataError, match="no sample has a row in the obs table: it has nobody"):
        view_contributions(fitted, simulation.cohort, subtypes, other)
    with pytest.raises(DataError, match="no subtype is given for sample_001"):
        view_contributions(fitted, simulation.cohort, subtypes.assignment.iloc[1:])


def test_the_training_cohort_is_not_reported_twice(found: ViewContributions) -> None:
    assert not {"winsorised", "view-missing"} & {finding.code for finding in found.findings}


def _tables(gates: list[float], shifts: list[float], switched: list[float]) -> Any:
    """Thirty samples, all alike."""
    views = [f"view{at}" for at in range(len(gates))]
    by_view = pd.DataFrame(
        {"view": views, "mean_gate": gates, "mean_shift": shifts, "switched_share": switched}
    )
    by_sample = pd.DataFrame({"view": views, "gate": gates, "shift": shifts})
    parts = [by_sample.assign(sample=f"s{at}") for at in range(30)]
    return pd.concat(parts, ignore_index=True), by_view


@pytest.mark.parametrize(
    ("gates", "shifts", "switched", "codes"),
    [
        ([0.6, 0.3, 0.1], [0.8, 0.5, 0.1], [0.4, 0.1, 0.0], []),
        # By less than a tenth, by chance.
        ([0.35, 0.34, 0.31], [0.5, 0.52, 0.1], [0.1, 0.12, 0.0], []),
        ([0.5, 0.4, 0.1], [0.4, 0.7, 0.1], [0.4, 0.1, 0.0], ["gate-against-effect"]),
        ([0.5, 0.4, 0.1], [0.6, 0.5, 0.1], [0.1, 0.4, 0.0], ["gate-against-subtypes"]),
        (
            [0.5, 0.4, 0.1],
            [0.1, 0.5, 0.6],
            [0.1, 0.1, 0.1],
            ["gate-against-effect", "gate-against-effect-within"],
        ),
        # Equal gates say nothing that an effect could contradict.
        ([1 / 3] * 3, [0.1, 0.5, 0.6], [0.1, 0.1, 0.5], []),
        ([1.0], [0.1], [0.0], []),
    ],
)
def test_where_gate_and_effect_disagree_is_said(
    gates: list[float], shifts: list[float], switched: list[float], codes: list[str]
) -> None:
    findings = disagreements(*_tables(gates, shifts, switched))
    assert [finding.code for finding in findings] == codes


def test_a_disagreement_has_its_numbers() -> None:
    (finding,) = disagreements(*_tables([0.5, 0.4, 0.1], [0.4, 0.7, 0.1], [0.4, 0.1, 0.0]))
    assert finding.items == ("view0", "view1")
    assert "gives view0 the most weight (mean 0.50; view1 0.40)" in finding.message
    assert (
        "withholding view1 moves the latent most (mean shift 0.70; view0 0.40)" in finding.message
    )


def test_the_saved_assigner_is_used(
    fitted: FittedPoems, simulation: Simulation, subtypes: Subtypes, found: ViewContributions
) -> None:
    model = learn_subtypes(fitted.latent, subtypes.assignment, fitted.latent_variance)
    again = view_contributions(
        fitted, simulation.cohort, subtypes.assignment, subtype_model=replace(model, limit=0.0)
    )
    pd.testing.assert_frame_equal(again.by_sample, found.by_sample)


def test_of_one_subtype_nothing_is_said_to_switch(
    fitted: FittedPoems, simulation: Simulation
) -> None:
    one = pd.Series("S1", index=fitted.samples)
    found = view_contributions(fitted, simulation.cohort, one)
    assert found.by_view[["mean_subtype_change", "switched_share", "ari_with"]].isna().all(None)
    assert found.by_view["mean_shift"].notna().all()
    assert "subtype" not in set(found.by_group["column"])
