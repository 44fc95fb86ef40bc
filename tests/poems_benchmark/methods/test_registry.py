from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import poems
from poems.errors import DataError, SettingsError
from poems.settings.schema import Settings
from poems.simulation.cohort import Simulation
from poems_benchmark.methods.ablations import ABLATIONS
from poems_benchmark.methods.interface import MethodResult, require
from poems_benchmark.methods.poems_fit import Poems
from poems_benchmark.methods.registry import METHODS, TOOLS, groups, method_names, poems_variant


def test_quick_methods_are_not_taken_for_the_others() -> None:
    for key, make in METHODS.items():
        if not make().deterministic:
            assert make(quick=True).options != make().options, key


def test_ablations_change_something() -> None:
    for key, ablation in ABLATIONS.items():
        changed = Settings().updated(**ablation.overrides) != Settings()
        assert changed or ablation.metric is not None, key
    for wanted in ("dense", "gate-equal", "gate-linear", "poe-prior", "moe", "l1", "k32", "k64"):
        assert wanted in ABLATIONS
    assert ("prior-normal" in ABLATIONS) != ("prior-mixture" in ABLATIONS)


def test_the_paper_preset_has_its_settings_but_for_the_epochs() -> None:
    method = METHODS["paper"]()
    assert isinstance(method, Poems)
    assert method.settings == Settings.preset("paper").updated(epochs=300)
    assert "300 epochs" in method.name


def test_poems_is_poems(simulation: Simulation) -> None:
    result = poems_variant("brief", {"epochs": 3, "n_latent": 5}).fit(simulation.cohort, 2)
    model = poems.fit(simulation.cohort, seed=2, epochs=3, n_latent=5, progress=False)
    np.testing.assert_array_equal(result.embedding, model.embedding())
    assert result.n_factors == model.n_active
    assert result.details["epochs"] == 3


def test_a_variant_with_an_unknown_setting_is_refused() -> None:
    with pytest.raises(SettingsError, match="no setting 'n_latents'"):
        _ = poems_variant("wrong", {"n_latents": 3}).options


def test_groups_are_spelled_out_once() -> None:
    assert method_names(["tools", "pca"]) == list(TOOLS)
    assert method_names(["all"]) == list(METHODS)
    assert set(groups()["ablations"]) == {*ABLATIONS, "views"}
    with pytest.raises(SettingsError, match="no method 'mofa2'; there are pca, snf"):
        method_names(["mofa2"])


def test_what_is_not_installed_is_named_with_the_remedy() -> None:
    with pytest.raises(
        SettingsError,
        match=r"Some method needs no-such-package, which is not installed; "
        r"pip install 'poems-omics\[benchmark\]'",
    ):
        require("Some method", ["numpy", "no-such-package"])


def test_an_embedding_must_be_usable() -> None:
    with pytest.raises(DataError, match="no dimension"):
        MethodResult(pd.DataFrame(index=["a"]))
    with pytest.raises(DataError, match="of 1 of 2 samples is not finite: b"):
        MethodResult(pd.DataFrame({"x": [1.0, np.nan]}, index=["a", "b"]))
    with pytest.raises(DataError, match="no clusters of its own"):
        MethodResult(pd.DataFrame({"x": [1.0]}), headline="own")
