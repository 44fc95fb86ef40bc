from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from poems.data.container import MultiOmics, View
from poems.errors import SettingsError, TrainingError
from poems.evaluation.matching import match_factors
from poems.simulation.cohort import simulate
from poems_benchmark.methods.mofa import Mofa, MofaSettings, fit_mofa
from poems_benchmark.methods.registry import METHODS

pytestmark = pytest.mark.skipif(find_spec("mofapy2") is None, reason="mofapy2 is not installed")

FEW = MofaSettings(n_factors=4, iterations=60)


def planted(**changes: object) -> MultiOmics:
    return simulate(80, 30, 3, n_views=2, density=0.3, seed=1, **changes).cohort  # type: ignore[arg-type]


def test_it_prints_nothing_writes_nothing_and_leaves_the_random_state_alone(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.random.seed(3)
    expected = np.random.random(2)
    np.random.seed(3)
    fit_mofa(planted(), settings=FEW)
    assert (np.random.random(2) == expected).all()
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def test_planted_factors_are_found() -> None:
    simulation = simulate(150, 60, 3, n_views=2, density=0.1, r2=0.6, n_subtypes=1, seed=1)
    fit = fit_mofa(simulation.cohort, settings=MofaSettings(n_factors=5, iterations=200))
    match = match_factors(simulation.loadings, fit.weights)
    assert (match.similarity > 0.9).all()
    for k, j in enumerate(match.estimated):
        planted_factor = simulation.latent.iloc[:, k]
        assert abs(np.corrcoef(planted_factor, fit.factors.iloc[:, j])[0, 1]) > 0.9
    # Weights that are in are told from those that are not.
    share = np.concatenate([fit.inclusion[v].to_numpy()[:, match.estimated] for v in fit.weights])
    true = np.concatenate([simulation.loadings[v] != 0 for v in fit.weights])
    assert share[true].mean() > share[~true].mean() + 0.2


def test_parameters_are_in_the_units_of_the_input() -> None:
    cohort = planted(r2=0.5)
    fit = fit_mofa(cohort, settings=FEW)
    larger = {
        name: View(view.values * 100 + 7, view.features, view.measured)
        for name, view in cohort.views.items()
    }
    other = fit_mofa(MultiOmics(larger, cohort.samples, cohort.obs), settings=FEW)
    for name in cohort.views:
        np.testing.assert_allclose(
            other.intercepts[name], 100 * fit.intercepts[name] + 7, rtol=1e-4
        )
        np.testing.assert_allclose(
            other.noise_variance[name], 1e4 * fit.noise_variance[name], rtol=0.02
        )
        predicted = fit.factors @ fit.weights[name].T + fit.intercepts[name]
        residual = (cohort.frame(name) - predicted).pow(2).mean()
        np.testing.assert_allclose(fit.noise_variance[name], residual, rtol=0.3)


def test_missing_views_and_entries_are_not_data() -> None:
    cohort = planted(missing_views=0.3, missing_entries=0.1)
    fit = fit_mofa(cohort, settings=FEW)
    assert np.isfinite(fit.factors).all(axis=None)
    # Whatever stands in unmeasured rows, nothing changes.
    odd = {}
    for name, view in cohort.views.items():
        values = view.values.copy()
        values[~view.measured] = 1e6
        odd[name] = View(values, view.features, view.measured)
    other = fit_mofa(MultiOmics(odd, cohort.samples, cohort.obs), settings=FEW)
    np.testing.assert_array_equal(fit.factors, other.factors)


def test_features_that_do_not_vary_have_no_weight() -> None:
    cohort = planted()
    name = next(iter(cohort))
    values = cohort[name].values.copy()
    values[:, 3] = 2.0
    values[:, 5] = np.nan
    views = dict(cohort.views) | {name: View(values, cohort[name].features, cohort[name].measured)}
    fit = fit_mofa(MultiOmics(views, cohort.samples, cohort.obs), settings=FEW)
    assert (fit.weights[name].iloc[[3, 5]] == 0).all(axis=None)
    assert fit.noise_variance[name].iloc[3] == 0
    assert np.isnan(fit.noise_variance[name].iloc[5])
    assert fit.intercepts[name].iloc[3] == 2.0


def test_a_small_cohort_starts_from_fewer_factors() -> None:
    cohort = planted().take(range(9))
    assert Mofa(MofaSettings(iterations=10)).fit(cohort, 0).n_factors == 8
    with pytest.raises(SettingsError, match="from 1 to 9 factors on this cohort, not 15"):
        fit_mofa(cohort)


def test_what_mofapy2_answers_by_leaving_the_interpreter_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def give_up(*_: object, **__: object) -> None:
        print("no structure found")
        sys.exit()

    monkeypatch.setattr("mofapy2.run.entry_point.entry_point.build", give_up)
    with pytest.raises(TrainingError, match="gave up: its last words: no structure found"):
        fit_mofa(planted(), settings=FEW)


def test_an_interrupt_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mofapy2.core.BayesNet.BayesNet.calculateELBO", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_mofa(planted(), settings=FEW)


def test_it_is_registered() -> None:
    method = METHODS["mofa"]()
    assert (method.name, method.requires, method.deterministic) == ("MOFA+", ("mofapy2",), False)
    assert method.options["n_factors"] == 15
