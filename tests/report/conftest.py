"""Runs to report on: one with every table, one of an older version, hostile names in both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hostile_names import END, HOSTILE, SCRIPT

import poems
from poems.analysis.subtypes.finding import find_subtypes
from poems.data.container import MultiOmics
from poems.files.csv_tables import write_csv
from poems.files.output_folder import added_to_folder
from poems.report import Report, write_report
from poems.report.source import Source, read_source
from poems.runs.folder import read_run, write_run


@pytest.fixture(scope="session")
def hostile_cohort() -> MultiOmics:
    """Sixty samples of two views whose names would harm a careless page."""
    cohort = poems.simulate(
        n_samples=60, n_features={SCRIPT: 30, "pro`tein": 20}, n_factors=3, density=0.4, seed=1
    ).cohort
    views = {}
    for name, view in cohort.views.items():
        features = [*HOSTILE, *view.features[len(HOSTILE) :]]
        views[name] = replace(view, features=pd.Index(features))
    samples = pd.Index([END, *cohort.samples[1:]])
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            END: rng.normal(size=60),
            "label": np.where(cohort.obs["subtype"] == "S1", SCRIPT, "other"),
            "time": rng.exponential(900.0, size=60).round(1),
            "event": rng.integers(0, 2, size=60),
            "empty": np.nan,
        },
        index=samples,
    )
    return replace(cohort, views=views, samples=samples, obs=obs)


@pytest.fixture(scope="session")
def old_run(hostile_cohort: MultiOmics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without any table in ``analysis/``."""
    model = poems.fit(hostile_cohort, seed=0, epochs=60, batch_size=20, n_latent=5, progress=False)
    assert model.n_active > 1, "the sections need factors"
    folder = tmp_path_factory.mktemp("old") / "run"
    return write_run(folder, model, hostile_cohort, find_subtypes(model, 3), figures=False)


@pytest.fixture(scope="session")
def full_run(old_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run with every table that a report reads."""
    import shutil

    folder = tmp_path_factory.mktemp("full") / "run"
    shutil.copytree(old_run, folder)
    with added_to_folder(folder) as fresh:
        for stem, table in tables_of(read_source(read_run(folder))).items():
            write_csv(fresh / "analysis" / f"{stem}.csv", table, index=False)
    return folder


@pytest.fixture(scope="session")
def report(full_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report of the full run, with all that a user may ask for but gene sets."""
    out = tmp_path_factory.mktemp("report") / "page.html"
    return write_report(full_run, out, labels="label", time="time", event="event")


@pytest.fixture(scope="session")
def page_text(report: Report) -> str:
    return report.path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def source(full_run: Path) -> Source:
    return read_source(read_run(full_run))


@pytest.fixture
def without(source: Source) -> Callable[..., Source]:
    """Return a function that leaves out some tables, or puts others in their place."""

    def changed(*stems: str, **tables: pd.DataFrame) -> Source:
        kept = {stem: t for stem, t in source.tables.items() if stem not in stems}
        return replace(source, tables={**kept, **tables})

    return changed


def tables_of(source: Source) -> dict[str, pd.DataFrame]:
    """Make tables as ``poems fit`` writes them, with numbers of no meaning."""
    from poems.analysis.factors.associations import associate, factor_correlations
    from poems.analysis.factors.effects import factor_effects

    model, rng = source.model, np.random.default_rng(0)
    views, factors = list(model.view_names), model.factor_names
    samples, subtypes = source.run.obs.index, source.subtypes
    names = sorted(subtypes.unique())
    variance = pd.DataFrame(
        [(f, v, rng.uniform(0, 0.3), 60) for f in [*factors, "all"] for v in views],
        columns=["factor", "view", "r2", "n_samples"],
    )
    markers = pd.DataFrame(
        [
            (v, str(f), s, rng.normal(), rng.uniform(0, 0.3))
            for v in views
            for f in model.features(v)
            for s in names
        ],
        columns=["view", "feature", "subtype", "effect", "q"],
    )
    markers["direction"] = np.where(markers["effect"] > 0, "up", "down")
    markers = markers.assign(mean_in=markers["effect"], mean_out=0.0, p=markers["q"] / 3)
    pairs = pd.DataFrame(
        [
            (views[0], str(a), views[1], str(b), "+".join(factors[:2]), rng.normal(), 0.001 * i)
            for i, (a, b) in enumerate(
                (a, b) for a in model.features(views[0])[:10] for b in model.features(views[1])[:8]
            )
        ],
        columns=["view_a", "feature_a", "view_b", "feature_b", "factors", "score", "q"],
    ).assign(predicted_correlation=0.5, correlation=-0.4, n_samples=60, p=1e-5)
    by_view = pd.DataFrame(
        {
            "view": views,
            "n_samples": 60,
            "mean_gate": [0.7, 0.3],
            "mean_shift": [0.2, 0.9],
            "mean_subtype_change": [-0.01, -0.2],
            "switched_share": [0.0, 0.25],
            "gate_rank": [1, 2],
            "effect_rank": [2, 1],
        }
    )
    by_group = pd.DataFrame(
        [("subtype", s, v, 20, 0.5, 0.4, 0.01, 0.02) for s in names for v in views],
        columns=["column", "group", "view", "n_samples", "mean_gate", "mean_shift", "p", "q"],
    )
    numbers = pd.DataFrame(
        {
            "n_subtypes": [1, 2, 3, 4],
            "silhouette": [np.nan, 0.2, 0.4, 0.3],
            "smallest": [60, 20, 15, 9],
            "gap": [0.1, 0.2, 0.5, 0.4],
            "gap_se": 0.01,
            "pac": [np.nan, 0.4, 0.1, 0.3],
            "chosen": [False, False, True, False],
        }
    )
    in_samples = pd.DataFrame(
        {
            "sample": samples,
            "subtype": subtypes.to_numpy(),
            "probability": rng.uniform(0.5, 1, 60),
            "consensus": rng.uniform(0.5, 1, 60),
            "silhouette": rng.uniform(-0.1, 0.6, 60),
            "uncertain": np.arange(60) < 30,
        }
    )
    stability = pd.DataFrame(
        {
            "subtype": names,
            "n_samples": 20,
            "consensus": 0.9,
            "jaccard": np.linspace(0.5, 0.9, len(names)),
            "silhouette": 0.3,
            "probability": 0.8,
        }
    )
    return {
        "factor_effects": factor_effects(source.run.model),
        "factor_variance": variance,
        "factor_obs": associate(model.latent.set_axis(samples), source.run.obs).table,
        "background_obs": associate(model.background.set_axis(samples), source.run.obs).table,
        "factor_correlations": factor_correlations(model.latent),
        "contributions_by_view": by_view,
        "contributions_by_group": by_group,
        "cross_omic": pairs,
        "markers": markers,
        "subtype_numbers": numbers,
        "subtype_samples": in_samples,
        "subtype_stability": stability,
    }
