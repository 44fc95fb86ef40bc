from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.analysis.subtypes.finding import Subtypes, find_subtypes
from poems.findings import unsaid
from poems.nn.estimates import estimate_features
from poems.runs.analysis import analyse_run, read_analysis
from poems.runs.folder import read_run, write_run

Fitted = tuple[poems.FittedPoems, poems.MultiOmics, Subtypes]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    sizes = {"rna": 40, "protein": 30}
    cohort = poems.simulate(n_samples=60, n_features=sizes, missing_views=0.1, seed=0).cohort
    rna = cohort.views["rna"].values
    rna[:, 3] = 0.0 * rna[:, 3] + 1.0
    model = poems.fit(cohort, seed=0, epochs=30, progress=False)
    return model, cohort, find_subtypes(model)


def test_tables_are_written_with_the_run_and_come_back(fitted: Fitted, tmp_path: Path) -> None:
    found = analyse_run(*fitted)
    assert {"factor_effects", "factor_variance", "factor_obs"} <= set(found.tables)
    folder = write_run(tmp_path / "run", *fitted, analysis=found, figures=False)
    back = read_run(folder).analysis
    assert set(back) == set(found.tables)
    for name, table in found.tables.items():
        # An empty text and a missing one look the same in a CSV file.
        expected = table.where(table != "").reset_index(drop=True)
        pd.testing.assert_frame_equal(back[name], expected, check_dtype=False)


def test_another_runs_tables_do_not_stay(fitted: Fitted, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", *fitted, analysis=analyse_run(*fitted), figures=False)
    assert read_analysis(folder)
    write_run(folder, *fitted, figures=False)
    assert read_analysis(folder) == {}


def test_a_model_without_factors_has_tables_without_rows(fitted: Fitted) -> None:
    model, cohort, _ = fitted
    module = copy.deepcopy(model.module)
    for _, decoder in module.sparse_decoders():
        decoder.loadings.zero_()
    batch, _ = model.preprocessing.apply(cohort)
    features = estimate_features(module, batch, model.sample_estimates.loc)
    pruned = replace(model, module=module, feature_estimates=features)
    assert pruned.n_active == 0
    found = analyse_run(pruned, cohort, find_subtypes(pruned, 1))
    assert found.tables["factor_effects"].empty
    assert not [each for each in found.findings if each.code == "analysis-left-out"]


def test_what_the_fit_said_is_not_said_again(fitted: Fitted) -> None:
    model, _, _ = fitted
    assert "constant-features" in {each.code for each in model.findings}
    found = analyse_run(*fitted).findings
    assert found
    assert unsaid(found, model.findings) == list(found)
    assert "features-unknown" not in {each.code for each in found}


def test_the_command_leaves_it_out_on_request(tmp_path: Path, fitted: Fitted) -> None:
    fitted[1].frame("rna").dropna(how="all").to_csv(tmp_path / "rna.csv")
    options = ["--epochs", "3", "--quiet", "--no-analysis"]
    assert poems_here("fit", tmp_path / "rna.csv", "--out", tmp_path / "run", *options) == 0
    assert read_run(tmp_path / "run").analysis == {}
