from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import poems
from poems.data.container import MultiOmics
from poems.data.mudata_io import to_mudata
from poems.errors import DataError, StorageError
from poems.fitting.result import FittedPoems


@pytest.mark.parametrize("which", ["complete", "incomplete"])
def test_the_slots_hold_the_tables(which: str, request: pytest.FixtureRequest) -> None:
    if which == "complete":
        model: FittedPoems = request.getfixturevalue("fitted")
        cohort: MultiOmics = request.getfixturevalue("simulation").cohort
    else:
        model = request.getfixturevalue("fitted_incomplete")
        cohort = request.getfixturevalue("incomplete")
    mudata = model.to_mudata(cohort)
    assert list(mudata.mod) == list(model.view_names)
    assert sorted(mudata.obs_names) == sorted(cohort.samples)
    for slot, table in (
        ("X_poems", model.latent),
        ("poems_latent_variance", model.latent_variance),
        ("poems_gates", model.gates),
    ):
        np.testing.assert_array_equal(mudata.obsm[slot], table.loc[mudata.obs_names])
    if len(model.background.columns):
        scores = model.background.loc[mudata.obs_names]
        np.testing.assert_array_equal(mudata.obsm["X_poems_background"], scores)
    assert ("X_poems_background" in mudata.obsm) == (len(model.background.columns) > 0)
    assert mudata.varm["poems_loadings"].shape == (70, model.n_active)
    features = [feature for name in mudata.mod for feature in mudata.mod[name].var_names]
    by_slot = {"loadings": model.loadings, "inclusion": model.inclusion}
    by_slot["scores"] = model.loading_scores
    for slot, tables in by_slot.items():
        stacked = np.concatenate([tables[name].to_numpy() for name in model.view_names])
        np.testing.assert_array_equal(mudata.varm[f"poems_{slot}"], stacked)
        order = [feature for name in model.view_names for feature in tables[name].index]
        assert order == features == list(mudata.var_names)
    facts = mudata.uns["poems"]
    assert facts["factors"] == model.factor_names
    assert facts["seed"] == model.seed
    # A view's name must never be a key of obsm: MuData keeps its masks there.
    assert {"X_poems", "poems_gates"} <= set(mudata.obsm.keys())
    for name in model.view_names:
        measured = cohort[name].measured
        assert mudata.mod[name].n_obs == measured.sum() or mudata.mod[name].n_obs == len(cohort)


def test_it_can_be_written_and_read(
    fitted: FittedPoems, simulation: poems.simulation.cohort.Simulation, tmp_path: object
) -> None:
    import mudata

    path = tmp_path / "cohort.h5mu"  # type: ignore[operator]
    fitted.to_mudata(simulation.cohort).write(path)
    with mudata.set_options(pull_on_update=False):
        back = mudata.read_h5mu(path)
    np.testing.assert_array_equal(back.obsm["X_poems"], fitted.latent.loc[back.obs_names])
    assert back.uns["poems"]["status"] == fitted.status
    cohort = poems.read(path)
    np.testing.assert_array_equal(
        fitted.transform(cohort).latent.loc[fitted.samples], fitted.latent
    )


def test_features_that_were_left_out_hold_nan(make_cohort: object) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 4))
    x[:, 1] = 2.0
    cohort = make_cohort(rna=x, protein=rng.normal(size=(30, 3)))  # type: ignore[operator]
    model = poems.fit(cohort, epochs=2, n_latent=2, progress=False)
    loadings = model.to_mudata(cohort).varm["poems_loadings"]
    assert loadings.shape == (7, model.n_active)
    assert np.array_equal(np.isnan(loadings).all(axis=1), [False, True] + [False] * 5)


def test_another_cohort_is_refused(
    fitted: FittedPoems, simulation: poems.simulation.cohort.Simulation
) -> None:
    with pytest.raises(DataError) as error:
        fitted.to_mudata(simulation.cohort.take([1, 0]))
    assert str(error.value) == (
        "the cohort's 2 samples are not the 72 training samples. "
        "Pass the cohort that was fitted; use transform() for new samples."
    )
    turned = fitted.to_mudata(simulation.cohort.take(range(71, -1, -1)))
    straight = fitted.to_mudata(simulation.cohort)
    assert list(turned.obs_names) == list(straight.obs_names), "samples are matched by name"
    np.testing.assert_array_equal(turned.obsm["X_poems"], straight.obsm["X_poems"])
    np.testing.assert_array_equal(turned["rna"].X, straight["rna"].X)
    with pytest.raises(DataError, match="no view protein"):
        fitted.to_mudata(simulation.cohort.select(["rna"]))


@pytest.mark.parametrize("which", ["fitted", "fitted_incomplete"])
def test_each_omic_has_the_latents_of_its_samples(
    which: str, request: pytest.FixtureRequest
) -> None:
    model: FittedPoems = request.getfixturevalue(which)
    cohort: MultiOmics = request.getfixturevalue("incomplete")
    if which == "fitted":
        cohort = request.getfixturevalue("simulation").cohort
    subtypes = pd.Series(np.where(np.arange(72) % 2, "S1", "S2"), model.samples)
    mudata = model.to_mudata(cohort, subtypes.iloc[1:])
    tables = {"X_poems": model.latent, "X_poems_network": model.embedding("network")}
    for each in (mudata, *mudata.mod.values()):
        for slot, table in tables.items():
            assert each.obsm[slot].shape == (each.n_obs, table.shape[1])
            np.testing.assert_array_equal(each.obsm[slot], table.loc[each.obs_names])
        known = each.obs["poems_subtype"].dropna()
        assert known.eq(subtypes.loc[known.index]).all()
        assert len(known) == each.obs_names.isin(subtypes.index[1:]).sum()


def test_the_model_is_read_back_from_the_file(
    fitted: FittedPoems, simulation: poems.simulation.cohort.Simulation, tmp_path: Path
) -> None:
    path = tmp_path / "cohort.h5mu"
    fitted.to_mudata(simulation.cohort).write(path)
    again = poems.load(path)
    pd.testing.assert_frame_equal(again.latent, fitted.latent)
    new = simulation.cohort.take(range(5))
    pd.testing.assert_frame_equal(again.transform(new).latent, fitted.transform(new).latent)


def test_a_file_without_a_model_says_so(
    simulation: poems.simulation.cohort.Simulation, tmp_path: Path
) -> None:
    path = tmp_path / "cohort.h5mu"
    to_mudata(simulation.cohort).write(path)
    with pytest.raises(StorageError, match="holds no POEMS model"):
        poems.load(path)
