"""Features set aside where samples are too few to tell a loading of so many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poems
from poems.data.container import MultiOmics
from poems.data.disk.view import BackedCohort
from poems.evaluation.matching import support_scores
from poems.scaling.preprocessing import fit_preprocessing
from poems.scaling.screening import Screening, tells
from poems.settings.groups import PreprocessingSettings
from poems.settings.schema import Settings

Make = Callable[..., MultiOmics]
RULE = Screening(n_latent=16, scale=1.5)


@given(st.integers(1, 10_000), st.integers(0, 10**6), st.floats(0.1, 2.0))
def test_more_samples_keep_more_features_and_never_more_than_there_are(
    n_samples: int, n_features: int, scale: float
) -> None:
    rule = Screening(16, scale)
    kept = rule.most(n_samples, n_features)
    assert min(2000, n_features) <= kept <= n_features
    assert kept <= rule.most(n_samples + 1, n_features)


@given(st.integers(8, 60), st.integers(2001, 10**6))
def test_what_is_kept_is_within_reach_unless_it_is_the_least(n: int, n_features: int) -> None:
    kept = RULE.most(n, n_features)
    assert kept == 2000 or RULE.least_correlation(n, kept) <= 0.75
    if kept < n_features:
        assert RULE.least_correlation(n, n_features) > 0.75


def noise(n_samples: int, n_features: int = 4000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, n_features)) * rng.lognormal(0, 0.5, n_features)


def test_the_most_variable_are_kept_in_their_order_and_it_is_said(make_cohort: Make) -> None:
    x = noise(25)
    cohort = make_cohort(rna=x, small=x[:, :50])
    found, (said,) = fit_preprocessing(
        cohort, PreprocessingSettings(winsorise=None), screening=RULE
    )
    most = np.sort(np.argsort(-x.var(axis=0))[:2000])
    assert list(found.views["rna"].features) == [f"rna_{j}" for j in most]
    assert len(found.views["small"].features) == 50
    assert (said.code, said.view, said.severity) == ("features-screened", "rna", "warning")
    assert said.message == (
        "the 2000 most variable of 4000 features were kept, the others set aside: with 25 samples "
        "and that many features a loading is told from chance only where a feature correlates by "
        "0.82 or more with its factor. Set screening to none (--screening none) to keep all, or "
        "choose how many with most_variable (--most-variable)"
    )


@pytest.mark.parametrize(
    ("n", "rule", "settings"),
    [(60, RULE, {}), (25, None, {}), (25, RULE, {"most_variable": 3500})],
)
def test_nothing_is_set_aside_where_there_is_no_need_or_it_was_not_asked(
    make_cohort: Make, n: int, rule: Screening | None, settings: dict[str, Any]
) -> None:
    cohort = make_cohort(rna=noise(n))
    found, said = fit_preprocessing(cohort, PreprocessingSettings(**settings), screening=rule)
    assert len(found.views["rna"].features) == settings.get("most_variable", 4000)
    assert "features-screened" not in {finding.code for finding in said}


def test_features_of_unit_variance_are_not_chosen_among(make_cohort: Make) -> None:
    x = noise(25)
    cohort = make_cohort(rna=(x - x.mean(axis=0)) / x.std(axis=0))
    found, said = fit_preprocessing(cohort, PreprocessingSettings(), screening=RULE)
    assert len(found.views["rna"].features) == 4000
    assert [finding.code for finding in said] == ["features-unscreened"]
    assert "their variances are all alike" in said[0].message


def test_chance_makes_variances_differ_enough_to_go_by() -> None:
    variances = np.random.default_rng(0).normal(size=(25, 3000)).var(axis=0)
    assert tells(variances, 25)
    assert not tells(variances[:1], 25)
    assert not tells(np.zeros(30), 25)


def test_it_is_on_disk_what_it_is_in_memory(
    make_cohort: Make, write_backed: Callable[[MultiOmics, Path, str], Any], tmp_path: Path
) -> None:
    cohort = make_cohort(rna=noise(25, 2500))
    path = write_backed(cohort, tmp_path, "h5mu")
    memory, said = fit_preprocessing(cohort, PreprocessingSettings(), screening=RULE)
    with poems.read(path, backed=True) as disk:
        assert isinstance(disk, BackedCohort)
        found, also = fit_preprocessing(disk, PreprocessingSettings(), screening=RULE)
    assert found.views["rna"].features.equals(memory.views["rna"].features)
    assert [finding.message for finding in also] == [finding.message for finding in said]


def test_a_fit_screens_by_itself_and_finds_more_of_what_is_planted() -> None:
    better = 0
    for seed in range(2):
        planted = poems.simulate(
            24, 6000, 3, n_views=2, density=0.01, effect=(1.0, 2.0), n_subtypes=1, seed=seed
        )
        found = {}
        for screening in ("auto", "none"):
            model = poems.fit(planted.cohort, seed=seed, screening=screening, progress=False)
            said = [f.view for f in model.findings if f.code == "features-screened"]
            assert said == (list(planted.loadings) if screening == "auto" else [])
            every = {
                view: table.reindex(planted.loadings[view].index, fill_value=0.0)
                for view, table in model.loadings.items()
            }
            found[screening] = support_scores(planted.loadings, every).f1
        better += found["auto"] > found["none"]
    assert better == 2


@pytest.mark.parametrize(
    "settings", [{"screening": "none"}, {"decoder": "dense"}, {"lambda_spike": 5.0}]
)
def test_a_fit_keeps_all_where_it_is_switched_off_or_has_no_threshold_of_its_own(
    make_cohort: Make, settings: dict[str, Any]
) -> None:
    cohort = make_cohort(rna=noise(12, 2100))
    model = poems.fit(cohort, epochs=1, n_latent=3, progress=False, **settings)
    assert len(model.features("rna")) == 2100


def test_the_papers_settings_screen_nothing() -> None:
    assert Settings.preset("paper").preprocessing.screening == "none"
