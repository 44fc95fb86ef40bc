"""On a telephone nothing that a reader must see lies outside the screen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from poems.report import pictures
from poems.report.blocks import SideBySide
from poems.report.sections import SECTIONS
from poems.report.sections.contributions import contributions_section
from poems.report.sections.cross_omic import cross_omic_section
from poems.report.sections.overview import overview
from poems.report.source import Source

# Pixels that two pictures side by side have on a laptop.
HALF = 480


@pytest.mark.parametrize("name", ["subtypes", "diagnostics"])
def test_panels_side_by_side_are_seen_at_once(
    name: str, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[tuple[Any, bool]] = []
    judge = pictures._is_wide

    def recorded(figure: Any, width: int) -> bool:
        judged.append((figure, judge(figure, width)))
        return judged[-1][1]

    monkeypatch.setattr(pictures, "_is_wide", recorded)
    SECTIONS.find(name)(source)
    several = 0
    for figure, wide in judged:
        axes = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
        columns = {ax.get_subplotspec().colspan.start for ax in axes if ax.get_subplotspec()}
        several += len(columns) > 1
        assert not (wide and len(columns) > 1)
    assert several


@pytest.mark.parametrize("n_subtypes", [3, 10])
def test_the_first_screen_is_seen_at_once(n_subtypes: int, source: Source) -> None:
    names = [f"S{at + 1}" for at in range(n_subtypes)]
    subtypes = source.run.subtypes.assign(subtype=np.resize(names, len(source.run.subtypes)))
    markers = pd.DataFrame(
        {
            "view": "a view of a long name",
            "feature": [f"a feature of a rather long name {name}" for name in names],
            "subtype": names,
            "effect": 2.0,
            "q": 0.01,
        }
    )
    changed = replace(
        source,
        run=replace(source.run, subtypes=subtypes, fit=_sound(source)),
        tables={**source.tables, "markers": markers},
    )
    shown = overview(changed)
    assert isinstance(shown, SideBySide)
    assert [each.id for each in shown.pictures] == ["overview-map", "overview-markers"]
    for each in shown.pictures:
        assert not each.wide
        assert each.width <= HALF


def _sound(source: Source) -> Any:
    from poems.diagnosis.check import Diagnosis

    return replace(source.model, diagnosis=Diagnosis(()))


def test_of_one_omic_there_is_nothing_to_weigh_or_to_pair(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert contributions_section(source) is not None
    assert cross_omic_section(source) is not None
    monkeypatch.setattr(type(source.model), "view_names", property(lambda model: ["rna"]))
    assert contributions_section(source) is None
    assert cross_omic_section(source) is None
