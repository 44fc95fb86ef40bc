"""What holds for every method of the benchmark, and for one that comes from outside."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from poems.data.container import MultiOmics
from poems.errors import SettingsError
from poems.simulation.cohort import simulate
from poems_benchmark.cohorts import CohortSpec
from poems_benchmark.folder import run_benchmark
from poems_benchmark.methods.interface import Method, require
from poems_benchmark.methods.registry import (
    METHODS,
    TOOLS,
    groups,
    method_names,
    register_installed,
    register_method,
)

# Each class once: the ablations are POEMS with other settings.
KINDS = {type(make(quick=True)): key for key, make in reversed(METHODS.items())}

GONE = EntryPoint("gone", "no_such_module:make", "poems_benchmark.methods")
TOY = """
from dataclasses import dataclass
from typing import Any

from poems.evaluation.baselines import pca_embedding
from poems_benchmark.digest import source_digest
from poems_benchmark.methods.interface import MethodResult


@dataclass(frozen=True)
class Toy:
    n_components: int = 2
    name: str = "Toy"
    requires: tuple[str, ...] = ()
    modules: tuple[str, ...] = ("toy_method",)
    deterministic: bool = True

    @property
    def options(self) -> dict[str, Any]:
        return {"n_components": self.n_components, "code": source_digest(__name__)}

    def fit(self, cohort, seed):
        return MethodResult(pca_embedding(cohort, self.n_components) * 3.0)


def make(*, quick=False):
    return Toy(1 if quick else 2)
"""


@pytest.fixture(scope="module")
def cohort() -> MultiOmics:
    simulated = simulate(n_samples=40, n_features=12, n_views=2, n_factors=3, seed=0)
    obs = pd.DataFrame({"subtype": simulated.subtypes})
    return replace(simulated.cohort, obs=obs)


@pytest.fixture(autouse=True)
def _registered_for_one_test() -> Iterator[None]:
    before = dict(METHODS), dict(TOOLS)
    yield
    for registry, kept in zip((METHODS, TOOLS), before, strict=True):
        for key in registry.keys() - kept:
            del registry[key]


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EntryPoint:
    """What a package that adds a method says of it."""
    (tmp_path / "toy_method.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "toy_method", raising=False)
    return EntryPoint("toy", "toy_method:make", "poems_benchmark.methods")


def installed(key: str) -> Method:
    method = METHODS[key](quick=True)
    try:
        require(method.name, method.requires)
    except SettingsError as error:
        pytest.skip(str(error))
    return method


@pytest.mark.parametrize("key", METHODS)
def test_every_method_can_be_sent_to_a_process_and_told_apart(key: str) -> None:
    method = METHODS[key]()
    again = pickle.loads(pickle.dumps(method))
    assert again == method
    assert json.loads(json.dumps(again.options)) == json.loads(json.dumps(method.options))
    others = [METHODS[other]().options for other in METHODS if other != key]
    assert method.options not in others
    assert len({METHODS[each]().name for each in METHODS}) == len(METHODS)


@pytest.mark.slow
@pytest.mark.parametrize("key", KINDS.values())
def test_every_method_embeds_the_samples_it_is_given(key: str, cohort: MultiOmics) -> None:
    method = installed(key)
    values = {name: view.values.copy() for name, view in cohort.views.items()}
    result = method.fit(cohort, 0)
    assert result.embedding.index.equals(cohort.samples)
    assert result.embedding.columns.is_unique
    assert np.isfinite(result.embedding).all(None)
    for name, view in cohort.views.items():
        np.testing.assert_array_equal(view.values, values[name])
    for name, table in (result.loadings or {}).items():
        assert set(table.index) <= set(cohort[name].features)
    if result.own_clusters is not None:
        clusters = result.own_clusters(3, 0)
        assert len(clusters) == len(cohort.samples)
        assert len(np.unique(clusters)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("key", KINDS.values())
def test_no_method_looks_at_the_labels_and_seeds_decide_as_it_says(
    key: str, cohort: MultiOmics
) -> None:
    method = installed(key)
    first = method.fit(cohort, 1).embedding
    unlabelled = replace(cohort, obs=pd.DataFrame(index=cohort.samples))
    pd.testing.assert_frame_equal(first, method.fit(unlabelled, 1).embedding)
    if method.deterministic:
        pd.testing.assert_frame_equal(first, method.fit(cohort, 2).embedding)


@pytest.mark.slow
def test_a_method_of_another_package_runs_from_end_to_end(
    toy: EntryPoint, cohort: MultiOmics, tmp_path: Path
) -> None:
    register_installed([toy, GONE])  # what is not asked for harms nobody
    assert method_names(["tools"])[-2:] == ["toy", "gone"]
    folder = tmp_path / "data" / "first"
    folder.mkdir(parents=True)
    for name in cohort.views:
        cohort.frame(name).to_csv(folder / f"{name}.csv")
    cohort.obs.to_csv(folder / "obs.csv")
    spec = CohortSpec("first", folder, ("subtype",))
    chosen = {key: METHODS[key]() for key in ("pca", "toy")}
    result = run_benchmark([spec], chosen, tmp_path / "out", n_seeds=2)
    assert not result.failures
    assert list(result.table["method"]) == ["pca", "toy"]
    assert result.table["nmi"].notna().all()
    text = (tmp_path / "out" / "summary.md").read_text()
    # Among the tools that are ranked, not below with what is held against POEMS alone.
    assert "|  | PCA | Toy |" in text
    again = run_benchmark([spec], {"toy": METHODS["toy"]()}, tmp_path / "out")
    assert (again.n_reused, again.computed) == (1, ())


def test_a_method_of_another_package_is_loaded_when_it_is_asked_for(toy: EntryPoint) -> None:
    register_installed([toy])
    assert "toy_method" not in sys.modules
    assert METHODS["toy"](quick=True).options["n_components"] == 1


def test_a_method_that_cannot_be_loaded_is_named_when_it_is_asked_for() -> None:
    register_installed([GONE])
    with pytest.raises(
        SettingsError,
        match=r"the method 'gone' of the package no_such_module cannot be loaded: No module named "
        r"'no_such_module'; mend that package, or uninstall it",
    ):
        METHODS["gone"]()


@pytest.mark.parametrize("key", ["pca", "tools", "a,b", ""])
def test_a_name_that_is_taken_or_is_none_is_refused(key: str) -> None:
    before = list(METHODS)
    with pytest.raises(SettingsError, match=r"already; choose another name|is no name"):
        register_method(key, METHODS["pca"])
    if key:
        with pytest.raises(SettingsError, match="the package elsewhere adds a method: "):
            register_installed([EntryPoint(key, "elsewhere:make", "poems_benchmark.methods")])
    assert list(METHODS) == before
    assert "tools" in groups()
