"""What a model file tells without torch is what the model itself says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import poems
from poems.data.container import MultiOmics
from poems.errors import DataError, SettingsError, StorageError
from poems.files.tensors import read_state, write_state
from poems.fitting.result import FittedPoems
from poems.fitting.stored import StoredFit, read_fit
from poems.settings.effect_scale import OF_LIKELIHOODS
from poems.settings.parts import LIKELIHOODS
from poems.settings.schema import Metric

METRICS: tuple[Metric, ...] = ("network", "latent", "gram", "decoded")


def same(one: FittedPoems, other: StoredFit) -> None:
    def equal(left: pd.DataFrame | None, right: pd.DataFrame | None) -> None:
        assert (left is None) == (right is None)
        if left is not None and right is not None:
            pd.testing.assert_frame_equal(left, right, check_exact=True)

    for name in ("latent", "latent_variance", "gates", "background", "history", "explained"):
        equal(getattr(one, name), getattr(other, name))
    equal(one.precision_shares, other.precision_shares)
    equal(one.component_probabilities, other.component_probabilities)
    for view in one.view_names:
        equal(one.loadings[view], other.loadings[view])
        equal(one.background_loadings[view], other.background_loadings[view])
        assert one.features(view).equals(other.features(view))
    for name in ("r2", "value_r2", "share_of", "total_r2"):
        pd.testing.assert_series_equal(getattr(one, name), getattr(other, name))
    for name in ("seed", "status", "settings", "metrics", "effect_scales", "factor_names"):
        assert getattr(one, name) == getattr(other, name)
    assert one.diagnose() == other.diagnose()


@pytest.mark.parametrize("which", ["fitted", "fitted_incomplete"])
def test_the_tables_are_those_of_the_model(
    which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model: FittedPoems = request.getfixturevalue(which)
    model.save(tmp_path / "m.poems")
    stored = read_fit(tmp_path / "m.poems")
    same(model, stored)
    for metric in METRICS:
        pd.testing.assert_frame_equal(stored.embedding(metric), model.embedding(metric))
    for view, scores in model.loading_scores.items():
        pd.testing.assert_frame_equal(scores, stored.loading_scores[view], check_exact=True)


def test_views_on_their_own_scale_and_models_without_extras_are_told_as_well(
    simulation: poems.simulation.cohort.Simulation, tmp_path: Path
) -> None:
    cohort: MultiOmics = simulation.cohort
    calls = (cohort.views["protein"].values > 0).astype(np.float32)
    given = {"rna": _frame(cohort, "rna"), "calls": pd.DataFrame(calls, index=cohort.samples)}
    model = poems.fit(
        given,
        epochs=2,
        n_latent=3,
        likelihood={"calls": "bernoulli"},
        inference="amortised",
        progress=False,
    )
    model.save(tmp_path / "m.poems")
    stored = read_fit(tmp_path / "m.poems")
    same(model, stored)
    assert stored.effect_scales["calls"].multiplies == "odds"


def _frame(cohort: MultiOmics, view: str) -> pd.DataFrame:
    table = cohort.views[view]
    return pd.DataFrame(table.values, index=cohort.samples, columns=table.features)


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_effects_are_in_the_units_of_the_likelihood(name: str) -> None:
    assert LIKELIHOODS.find(name).effects == OF_LIKELIHOODS[name]


def test_what_is_not_there_is_refused_as_by_the_model(fitted: FittedPoems, tmp_path: Path) -> None:
    fitted.save(tmp_path / "m.poems")
    tensors, record = read_state(tmp_path / "m.poems")
    without = {name: value for name, value in tensors.items() if name != "samples.network"}
    write_state(tmp_path / "m.poems", without, record)
    stored = read_fit(tmp_path / "m.poems")
    with pytest.raises(DataError, match="no view 'lipids'; there are rna, protein"):
        stored.features("lipids")
    with pytest.raises(SettingsError, match="has no network of its samples"):
        stored.embedding("network")
    assert stored.default_metric == "latent"


@pytest.mark.parametrize("name", ["samples.gates", "features.size.0", "module.background.loadings"])
def test_arrays_of_another_shape_are_refused(
    fitted: FittedPoems, tmp_path: Path, name: str
) -> None:
    fitted.save(tmp_path / "m.poems")
    tensors, record = read_state(tmp_path / "m.poems")
    write_state(tmp_path / "m.poems", {**tensors, name: tensors[name][:-1]}, record)
    with pytest.raises(StorageError, match="is not a model that this version can read"):
        read_fit(tmp_path / "m.poems")


def test_tables_are_had_without_torch(fitted: FittedPoems, tmp_path: Path) -> None:
    fitted.save(tmp_path / "m.poems")
    program = (
        "import sys\nfrom poems.fitting.stored import read_fit\nfit = read_fit(sys.argv[1])\n"
        "print(len(fit.latent), len(fit.loadings['rna']), len(fit.embedding()), fit.diagnose())\n"
        "print(*{'torch', 'scipy', 'sklearn'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "m.poems")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[0].startswith("72 40 72")
    assert said.splitlines()[1] == ""
