"""What objects show in a notebook: escaped, short, and saying what went wrong."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hostile_names import HOSTILE, SCRIPT

import poems
from poems.analysis.subtypes.one_subtype import one_subtype
from poems.data.container import MultiOmics, View
from poems.diagnosis.check import Check, Diagnosis
from poems.errors import PoemsWarning
from poems.findings import Finding
from poems.fitting.result import FittedPoems
from poems.notebook import card
from poems.resampling.result import Stability


def tags(html: str) -> set[str]:
    return set(re.findall(r"<\s*/?\s*([a-zA-Z]+)", html))


PLAIN = {"div", "p", "table", "tr", "th", "td"}


def test_names_of_data_stay_text() -> None:
    rows = [(name, 1) for name in HOSTILE]
    finding = Finding("warning", "x", f"look at {SCRIPT}")
    html = card(SCRIPT, HOSTILE, ("name", SCRIPT), rows, [finding])
    assert tags(html) <= PLAIN
    assert "script" in html


def test_a_cohort_shows_its_omics() -> None:
    view = View(np.zeros((2, 3), np.float32), pd.Index(list("abc")), np.array([True, True]))
    samples = pd.Index(["s1", "s2"])
    html = MultiOmics({SCRIPT: view}, samples, pd.DataFrame(index=samples))._repr_html_()
    assert tags(html) <= PLAIN
    assert "2 samples" in html
    assert ">3<" in html


def test_a_model_shows_its_verdict(fitted: FittedPoems) -> None:
    html = fitted._repr_html_()
    assert tags(html) <= PLAIN
    assert f"{fitted.n_active} active factors" in html
    assert "of deviance" not in html
    failed = Check("loadings-dense", "share", 0.9, 0.5, "warning", view="rna", meaning="too dense")
    html = replace(fitted, diagnosis=Diagnosis((failed,)))._repr_html_()
    assert "loadings-dense" in html
    assert "too dense" in html


def test_a_diagnosis_shows_what_failed_alone() -> None:
    fine = Check("gate-collapsed", "share", 0.1, 0.5, "ok")
    failed = Check("loadings-dense", "share", 0.9, 0.5, "warning", view=SCRIPT)
    html = Diagnosis((fine, failed))._repr_html_()
    assert tags(html) <= PLAIN
    assert "loadings-dense" in html
    assert "gate-collapsed" not in html


def test_stability_shows_how_often_factors_are_found(fitted: FittedPoems) -> None:
    factors = pd.DataFrame(
        {"similarity": [0.9, 0.2], "chance": 0.1, "chance_95": 0.3, "found": [1.0, 0.1]},
        index=["factor_1", "factor_2"],
    )
    found = Stability(
        fitted, "subsample", 0, 0, factors, {}, {}, {}, fitted.latent, fitted.latent, {},
        pd.DataFrame(index=range(5)), pd.DataFrame(),
    )  # fmt: skip
    html = found._repr_html_()
    assert tags(html) <= PLAIN
    assert "5 refits" in html
    assert "100%" in html


def test_subtypes_show_their_sizes_and_a_number_that_does_not_hold_warns(
    fitted: FittedPoems,
) -> None:
    with pytest.warns(PoemsWarning, match="the number of subtypes that was asked for"):
        found = poems.find_subtypes(fitted, 9)
    html = found._repr_html_()
    assert tags(html) <= PLAIN
    assert "9 subtypes of 72 samples" in html
    assert "does not hold" in html


def test_what_is_explained_of_mutations_is_not_called_their_variance() -> None:
    calls = np.random.default_rng(0).integers(0, 2, (30, 8)).astype(float)
    names = [f"s{at}" for at in range(30)]
    model = poems.fit({"calls": pd.DataFrame(calls, index=names)}, epochs=2, progress=False)
    assert "of deviance" in model._repr_html_()


def test_one_group_is_not_shown_as_a_subtype(fitted: FittedPoems) -> None:
    found = one_subtype(fitted.samples)
    html = found._repr_html_()
    assert "No subtypes of 72 samples" in html
    assert "S1" not in html


def test_subtypes_of_a_failed_fit_warn(fitted: FittedPoems) -> None:
    failed = Check("loadings-dense", "share", 0.9, 0.5, "warning", view="rna", meaning="too dense")
    broken = replace(fitted, diagnosis=Diagnosis((failed,)))
    with pytest.warns(PoemsWarning, match="failed its diagnosis"):
        poems.find_subtypes(broken, 3)
