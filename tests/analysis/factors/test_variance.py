from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import poems
from poems.analysis import variance_explained
from poems.data.container import MultiOmics
from poems.evaluation.matching import match_factors
from poems.fitting.result import FittedPoems
from poems.nn.estimates import explained_share
from poems.simulation.cohort import Simulation


def test_shares_are_those_of_the_formula(fitted: FittedPoems, simulation: Simulation) -> None:
    wide = variance_explained(fitted, simulation.cohort).wide()
    assert list(wide.index) == [*fitted.factor_names, "all"]
    assert list(wide.columns) == list(fitted.view_names)
    np.testing.assert_allclose(wide.loc["all"], fitted.r2, atol=1e-5)
    batch, _ = fitted.preprocessing.apply(simulation.cohort)
    loc = fitted.sample_estimates.loc
    for at, factor in enumerate(fitted.factor_names):
        z = loc.clone()
        z[:, fitted.active[at]] = loc[:, fitted.active[at]].mean()
        for view, predicted in fitted.module.decode(z).items():
            mean = torch.tensor(fitted.preprocessing.views[view].fill, dtype=torch.float32)
            without = explained_share(batch.values[view], predicted, None, mean)
            expected = fitted.r2[view] - without
            assert wide.loc[factor, view] == pytest.approx(expected, abs=1e-4)


@pytest.fixture(scope="module")
def one_sided() -> tuple[Simulation, FittedPoems]:
    """Three independent factors: one of both views, one of each view alone."""
    truth = poems.simulate(
        n_samples=150,
        n_features={"rna": 60, "protein": 60},
        n_factors=3,
        n_subtypes=1,
        density=0.25,
        effect=(1.0, 1.6),
        activity=np.array([[1, 1, 0], [1, 0, 1]], dtype=bool),
        seed=2,
    )
    return truth, poems.fit(truth.cohort, seed=0, n_latent=6, progress=False)


def test_a_factor_of_one_view_explains_nothing_elsewhere(
    one_sided: tuple[Simulation, FittedPoems],
) -> None:
    truth, model = one_sided
    wide = variance_explained(model, truth.cohort).wide()
    estimated = match_factors(truth.loadings, model.loadings).estimated
    shared, rna, protein = (wide.loc[model.factor_names[at]] for at in estimated)
    assert shared.min() > 0.05
    assert rna["rna"] > 0.05
    assert protein["protein"] > 0.05
    assert abs(rna["protein"]) < 0.01
    assert abs(protein["rna"]) < 0.01


def test_shares_of_independent_factors_add_up(one_sided: tuple[Simulation, FittedPoems]) -> None:
    truth, model = one_sided
    wide = variance_explained(model, truth.cohort).wide()
    np.testing.assert_allclose(wide.drop("all").sum(), wide.loc["all"], rtol=0.1)
    # What is signal in truth, over all features.
    for view in model.view_names:
        assert wide.loc["all", view] == pytest.approx(truth.r2[view].mean(), abs=0.06)


def test_unmeasured_rows_do_not_matter(
    fitted_incomplete: FittedPoems,
    incomplete: MultiOmics,
    spoil: Callable[[MultiOmics], MultiOmics],
) -> None:
    found = variance_explained(fitted_incomplete, incomplete)
    spoiled = variance_explained(fitted_incomplete, spoil(incomplete))
    pd.testing.assert_frame_equal(found.table, spoiled.table)
    np.testing.assert_allclose(found.wide().loc["all"], fitted_incomplete.r2, atol=1e-5)
    counts = found.table.groupby("view")["n_samples"].first()
    assert counts["rna"] == incomplete.views["rna"].measured.sum() < incomplete.n_samples


def test_held_out_samples_are_known_by_name(fitted: FittedPoems, simulation: Simulation) -> None:
    assert variance_explained(fitted, simulation.cohort).samples == "training samples"
    new = simulation.cohort.samples + "_new"
    renamed = replace(simulation.cohort, samples=new, obs=simulation.cohort.obs.set_axis(new))
    found = variance_explained(fitted, renamed.select(["rna"]))
    assert found.samples == "held-out samples"
    assert found.wide()["protein"].isna().all()
    assert found.wide()["rna"].notna().all()
    assert [finding.code for finding in found.findings] == ["view-absent"]
    mixed = simulation.cohort.samples.where(np.arange(72) < 30, new)
    renamed = replace(renamed, samples=mixed, obs=renamed.obs.set_axis(mixed))
    found = variance_explained(fitted, renamed)
    assert found.samples == "72 samples, 30 of them trained on"


def test_a_cohort_on_disk_gives_the_same(
    fitted: FittedPoems, simulation: Simulation, tmp_path: Path
) -> None:
    paths = {name: tmp_path / f"{name}.parquet" for name in simulation.cohort.views}
    for name, path in paths.items():
        simulation.cohort.frame(name).to_parquet(path)
    found = variance_explained(fitted, poems.read(paths, backed=True))
    expected = variance_explained(fitted, simulation.cohort)
    np.testing.assert_allclose(found.table["r2"], expected.table["r2"], atol=1e-5)
