"""New data under other names give the latents of the same data under the model's names."""

from __future__ import annotations

import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.data import MultiOmics
from poems.errors import DataError, SettingsError
from poems.fitting.result import FittedPoems
from poems.scaling.renaming import renamed


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    cohort = poems.simulate(n_samples=30, n_features=20, seed=0).cohort
    found = {name: cohort.frame(name) for name in cohort.views}
    first = next(iter(found))
    found[first].columns = [f"ENSG{at:011d}.{at % 5 + 1}" for at in range(20)]
    return found


@pytest.fixture(scope="module")
def model(tables: dict[str, pd.DataFrame]) -> FittedPoems:
    return poems.fit(poems.read(tables), epochs=2, progress=False)


def without_versions(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    first = next(iter(tables))
    return {**tables, first: tables[first].rename(columns=lambda name: name.partition(".")[0])}


def test_the_change_that_would_match_is_named(
    model: FittedPoems, tables: dict[str, pd.DataFrame]
) -> None:
    with pytest.raises(DataError, match=r"20 would match without the version .*match_features="):
        model.transform(without_versions(tables))
    half = without_versions(tables)
    first = next(iter(half))
    bare, known = half[first].columns[:10], tables[first].columns[:10]
    half[first] = half[first].rename(columns=dict(zip(bare, known, strict=True)))
    (found,) = [x for x in model.transform(half).findings if x.code == "features-absent"]
    assert "10 would match without the version" in found.message


def test_features_matched_as_asked_for_are_the_model_s(
    model: FittedPoems, tables: dict[str, pd.DataFrame]
) -> None:
    expected = model.transform(tables).latent
    found = model.transform(without_versions(tables), match_features="version")
    pd.testing.assert_frame_equal(found.latent, expected)
    assert "features-matched" in {each.code for each in found.findings}


def test_a_map_of_names_is_followed(model: FittedPoems, tables: dict[str, pd.DataFrame]) -> None:
    first = next(iter(tables))
    new = {name: f"new{at}" for at, name in enumerate(tables[first].columns)}
    other = {**tables, first: tables[first].rename(columns=new)}
    names = {there: name for name, there in new.items()}
    found = model.transform(other, rename_features=names)
    pd.testing.assert_frame_equal(found.latent, model.transform(tables).latent)


def test_a_map_that_merges_two_names_is_refused(tables: dict[str, pd.DataFrame]) -> None:
    first = next(iter(tables))
    one, two, *_ = tables[first].columns
    with pytest.raises(DataError, match="names are never merged"):
        renamed(poems.read(tables), {}, names={one: two})


def test_ways_to_match_that_there_are_not_are_refused(tables: dict[str, pd.DataFrame]) -> None:
    cohort: MultiOmics = poems.read(tables)
    with pytest.raises(SettingsError, match="exact, version"):
        renamed(cohort, {}, "sound")  # type: ignore[arg-type]


def test_transform_knows_the_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert poems_here("transform", "--help") == 0
    text = capsys.readouterr().out
    assert "--match-features" in text
    assert "--rename-features" in text
