"""What objects show in a notebook: escaped, short, and saying what went wrong."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hostile_names import HOSTILE, SCRIPT

import poems
import poems.analysis
from poems.analysis.subtypes.one_subtype import one_subtype
from poems.data.container import MultiOmics, View
from poems.diagnosis.check import Check, Diagnosis
from poems.errors import PoemsWarning
from poems.findings import Finding
from poems.fitting.result import FittedPoems
from poems.notebook import Shown, card
from poems.resampling.result import Stability


def tags(html: str) -> set[str]:
    return set(re.findall(r"<\s*/?\s*([a-zA-Z]+)", html))


def results() -> Iterator[type]:
    """The classes of what public functions and methods of the model return."""
    functions = [
        getattr(module, name) for module in (poems, poems.analysis) for name in module.__all__
    ]
    functions += [each for _, each in inspect.getmembers(FittedPoems, inspect.isfunction)]
    for each in filter(inspect.isfunction, functions):
        home = vars(inspect.getmodule(each))
        found = home.get(inspect.signature(each).return_annotation)
        if isinstance(found, type) and is_dataclass(found):
            yield found


RESULTS = {each.__name__: each for each in (*results(), View, Diagnosis)}

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


def test_the_results_of_public_functions_are_known() -> None:
    assert {"Subtypes", "Markers", "Survival", "CheckReport", "Projection"} <= set(RESULTS)
    assert len(RESULTS) >= 18


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_of_a_public_function_shows_itself_in_short(name: str) -> None:
    own = RESULTS[name]
    # What a dataclass writes by itself holds every number.
    assert inspect.unwrap(own.__repr__).__code__.co_filename != "<string>"
    assert own.__repr__ is not object.__repr__
    assert callable(own._repr_html_)


@pytest.mark.parametrize("name", [name for name in RESULTS if issubclass(RESULTS[name], Shown)])
def test_a_result_is_short_whatever_it_holds(name: str) -> None:
    own = RESULTS[name]
    table = pd.DataFrame(
        0.5, index=range(3000), columns=[f"{at}{SCRIPT}\x1b[2J" for at in range(99)]
    )
    values = [
        table,
        {SCRIPT: table},
        (Finding("warning", "x", f"{SCRIPT} " * 99),),
        table[:0],
        None,
    ]
    shown = object.__new__(own)
    for at, each in enumerate(fields(own)):
        object.__setattr__(shown, each.name, values[at % len(values)])
    text = repr(shown)
    assert text.startswith(f"{name}: ")
    assert len(text.splitlines()) <= len(fields(own)) + 4
    assert max(map(len, text.splitlines())) < 140
    assert "\x1b" not in text
    assert tags(shown._repr_html_()) <= PLAIN


def test_subtypes_in_a_prompt(fitted: FittedPoems) -> None:
    assert repr(one_subtype(fitted.samples)).startswith("Subtypes: none of 72 samples")
    with pytest.warns(PoemsWarning, match="the number of subtypes that was asked for"):
        text = repr(poems.find_subtypes(fitted, 9))
    assert text.startswith("Subtypes: 9 subtypes of 72 samples")
    assert len(text.splitlines()) == 11
