"""What refits do not find again is greyed, and left out of what is said of factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import poems
from poems.data.container import MultiOmics
from poems.errors import DataError
from poems.fitting.stored import StoredFit
from poems.report.blocks import Picker, Table
from poems.report.computed import stability_tables
from poems.report.sections import sentences
from poems.report.sections.factors import factors_section
from poems.report.sections.stability import stability_section
from poems.report.source import Source
from poems.report.standing import of_sound_factors, sound_factors, weak_factors

Changed = Callable[..., Source]


@pytest.fixture(scope="module")
def refits(
    hostile_cohort: MultiOmics, source: Source, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("refits") / "stable"
    found = poems.stability(
        hostile_cohort, n_runs=2, n_permutations=0, reference=source.run.model, progress=False
    )
    found.save(folder)
    return folder


def test_the_refits_of_a_run_become_tables(refits: Path, source: Source) -> None:
    tables = stability_tables(source, refits)
    assert tables["stability_factors"]["factor"].tolist() == source.model.factor_names
    assert tables["stability_subtypes"]["jaccard"].between(0, 1).all()
    assert set(tables["stability_held_out"]["view"]) == set(source.model.view_names)
    assert "stability_biomarkers" not in tables, "there were no permutations"


@pytest.mark.parametrize("how", ["subsample", "bootstrap", "none"])
def test_how_many_refits_there_were_is_said(how: str, refits: Path, source: Source) -> None:
    tables = stability_tables(source, refits)
    assert len(tables["stability_runs"]) == 2
    asked = source.adding(
        {**tables, "stability_runs": tables["stability_runs"].assign(resample=how)}
    )
    section = stability_section(asked)
    assert section is not None
    assert "fitted 2 more times" in section.lead
    assert ("from another start" in section.lead) is (how == "none")
    assert "2 refits are few: a share moves by 50% with each." in section.lead
    many = pd.concat([tables["stability_runs"].assign(resample=how)] * 10)
    section = stability_section(source.adding({**tables, "stability_runs": many}))
    assert section is not None
    assert "fitted 20 more times" in section.lead
    assert "few" not in section.lead


def test_refits_of_another_fit_are_refused(refits: Path, source: Source) -> None:
    other = replace(source, run=replace(source.run, fit=_turned(source)))
    with pytest.raises(DataError, match=r"refits of another fit than .*poems stability --run"):
        stability_tables(other, refits)


def _turned(source: Source) -> StoredFit:
    """A fit whose samples have other names."""
    model = source.model
    names = pd.Index([f"other {name}" for name in model.samples])
    return replace(model, samples=names)


@pytest.fixture
def shaky(source: Source, without: Changed) -> Source:
    """A run whose first factor refits do not find."""
    names = source.model.factor_names
    found = pd.DataFrame({"factor": names, "found": [0.2, *[0.9] * (len(names) - 1)]})
    view = source.model.view_names[0]
    biomarkers = pd.DataFrame(
        [(view, f"gene of {name}", name, 0.5, 1.0, 0.01) for name in names],
        columns=["view", "feature", "factor", "loading", "frequency", "q"],
    )
    return without(
        stability_factors=found.assign(similarity=0.5, chance=0.1), stability_biomarkers=biomarkers
    )


def test_a_factor_that_is_not_found_is_weak(shaky: Source) -> None:
    assert weak_factors(shaky) == {"factor_1": "in 20% of refits"}
    assert sound_factors(shaky) == shaky.model.factor_names[1:]
    pairs = pd.DataFrame({"factors": ["factor_1", "factor_1+factor_2", "factor_2"]})
    assert of_sound_factors(shaky, pairs, "factors").index.tolist() == [1, 2]


def test_a_factor_that_explains_nothing_is_weak(source: Source, without: Changed) -> None:
    table = source.tables["factor_variance"]
    table = table.assign(r2=table["r2"].where(table["factor"] != "factor_2", 0.0))
    assert weak_factors(without(factor_variance=table)) == {
        "factor_2": "explains nothing by itself"
    }


def test_a_weak_factor_is_grey_last_and_no_headline(shaky: Source) -> None:
    section = factors_section(shaky)
    overview = section.blocks[0]
    assert isinstance(overview, Table)
    assert overview.faint == {0}
    (picker,) = (each for each in section.blocks if isinstance(each, Picker))
    assert picker.panels[-1].title == "Factor 1 (weak)"
    said = " ".join(each.text for each in sentences.factor_sentences(shaky))
    assert "Not to be built on: Factor 1 (in 20% of refits)." in said
    told = " ".join(each.text for each in sentences.obs_sentences(shaky))
    assert "Factor 1 with" not in told


def test_biomarkers_are_of_factors_that_are_found_again(shaky: Source) -> None:
    section = stability_section(shaky)
    assert section is not None
    tables = {each.id: each for each in section.blocks if isinstance(each, Table)}
    assert tables["stability-factors"].faint == {0}
    features = [row[1].text for row in tables["stability-biomarkers"].rows]
    assert features == [f"gene of {name}" for name in shaky.model.factor_names[1:]]
    assert stability_section(replace(shaky, tables={})) is None
