"""Nothing driven, nothing shared, one of a kind: said in words by every analysis and command."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from command_line import poems_here
from pictures import rendered_once

import poems
from poems.analysis.pairs.cross_omic import cross_omic
from poems.analysis.subtypes.finding import Subtypes, find_subtypes
from poems.analysis.subtypes.one_subtype import one_subtype
from poems.data import MultiOmics
from poems.evaluation.labelled import compare_embeddings
from poems.fitting.result import FittedPoems
from poems.nn.estimates import estimate_features
from poems.report.sections import SECTIONS
from poems.runs.additions import add_to_run, all_additions
from poems.runs.writing import write_core

Case = tuple[FittedPoems, MultiOmics, Subtypes]
_SIZES = {"rna": 14, "protein": 10, "lipid": 8}


@pytest.fixture(scope="module", autouse=True)
def _pictures() -> Iterator[None]:
    # Analyses, commands and the report draw the same figures of the same tables.
    with rendered_once():
        yield


@pytest.fixture(scope="module")
def whole() -> tuple[MultiOmics, FittedPoems]:
    cohort = poems.simulate(24, _SIZES, 2, n_subtypes=2, density=0.4, seed=0).cohort
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "label": ["a", "b"] * 12,
            "time": rng.exponential(size=24),
            "event": rng.integers(0, 2, 24),
        },
        index=cohort.samples,
    )
    cohort = replace(cohort, obs=obs)
    return cohort, _fit(cohort)


def _fit(cohort: MultiOmics) -> FittedPoems:
    return poems.fit(cohort, seed=0, epochs=6, n_latent=3, progress=False)


def _with_loadings(
    model: FittedPoems, cohort: MultiOmics, change: Callable[[str, torch.Tensor], None]
) -> Case:
    """Change the loadings in place, and everything that is computed of them."""
    module = copy.deepcopy(model.module)
    for name, decoder in module.sparse_decoders():
        change(name, decoder.loadings)
    batch, _ = model.preprocessing.apply(cohort)
    features = estimate_features(module, batch, model.sample_estimates.loc)
    # The samples' network stays as it is, and with it the numbers of its clusters.
    changed = replace(
        model,
        module=module,
        feature_estimates=features,
        diagnosis=None,
        numbers_stored=model.cluster_numbers,
    )
    return changed, cohort, find_subtypes(changed, 2 if changed.n_active else 1)


def _nothing(_: str, loadings: torch.Tensor) -> None:
    loadings.zero_()


def _silent_view(name: str, loadings: torch.Tensor) -> None:
    if name == "lipid":
        loadings.zero_()


def _one_driven_view(name: str, loadings: torch.Tensor) -> None:
    if name != "rna":
        loadings.zero_()


def _one_factor(_: str, loadings: torch.Tensor) -> None:
    loadings[:, 1:] = 0.0


def _one_feature_driven(_: str, loadings: torch.Tensor) -> None:
    loadings[1:] = 0.0
    loadings[0] = 1.0


def _a_factor_a_view(name: str, loadings: torch.Tensor) -> None:
    own = list(_SIZES).index(name)
    loadings[:, [at for at in range(loadings.shape[1]) if at != own]] = 0.0


_LOADINGS = {
    "no factor": _nothing,
    "a view that nothing drives": _silent_view,
    "one view alone is driven": _one_driven_view,
    "one factor": _one_factor,
    "one feature of each view is driven": _one_feature_driven,
    "no factor drives two views": _a_factor_a_view,
}


def _one_view(cohort: MultiOmics) -> MultiOmics:
    return cohort.select(["rna"])


def _one_feature(cohort: MultiOmics) -> MultiOmics:
    lipid = cohort.views["lipid"]
    cut = replace(lipid, values=lipid.values[:, :1], features=lipid.features[:1])
    return replace(cohort, views={**cohort.views, "lipid": cut})


def _one_feature_at_all(cohort: MultiOmics) -> MultiOmics:
    return _one_feature(cohort).select(["lipid"])


def _no_shared_samples(cohort: MultiOmics) -> MultiOmics:
    views = {}
    for at, (name, view) in enumerate(cohort.views.items()):
        measured = np.arange(cohort.n_samples) % len(cohort.views) == at
        values = np.where(measured[:, None], view.values, np.nan).astype(view.values.dtype)
        views[name] = replace(view, values=values, measured=measured)
    return replace(cohort, views=views)


def _few_samples(cohort: MultiOmics) -> MultiOmics:
    return cohort.take(range(8))


_COHORTS = {
    "one view": _one_view,
    "one feature in a view": _one_feature,
    "one feature at all": _one_feature_at_all,
    "no two views share samples": _no_shared_samples,
    "as few samples as there may be": _few_samples,
}


def _alone(subtypes: Subtypes) -> Subtypes:
    names = ["S1"] * (len(subtypes.assignment) - 1) + ["S2"]
    return replace(subtypes, assignment=pd.Series(names, subtypes.assignment.index, name="subtype"))


def _each_alone(subtypes: Subtypes) -> Subtypes:
    names = [f"S{at + 1}" for at in range(len(subtypes.assignment))]
    return replace(subtypes, assignment=pd.Series(names, subtypes.assignment.index, name="subtype"))


_SUBTYPES = {
    "all samples in one subtype": lambda found: one_subtype(found.assignment.index),
    "one sample in a subtype": _alone,
    "each sample its own subtype": _each_alone,
}
_KINDS = [*_LOADINGS, *_COHORTS, *_SUBTYPES]
# What subtypes have no part in is tried of other kinds.
_OF_SUBTYPES = ("contributions", "subtypes", "survival", "report", "evaluate", "export")


def _case(kind: str, whole: tuple[MultiOmics, FittedPoems]) -> Case:
    cohort, model = whole
    if kind in _LOADINGS:
        return _with_loadings(model, cohort, _LOADINGS[kind])
    if kind in _COHORTS:
        part = _COHORTS[kind](cohort)
        fitted = _fit(part)
        return fitted, part, find_subtypes(fitted)
    return model, cohort, _SUBTYPES[kind](find_subtypes(model, 2))


def _write_tables(cohort: MultiOmics, folder: Path) -> list[object]:
    options: list[object] = []
    for name in cohort:
        cohort.frame(name).dropna(how="all").to_csv(folder / f"{name}.csv")
        options += ["--view", f"{name}={folder / name}.csv"]
    return options


def _gene_sets(cohort: MultiOmics, path: Path) -> Path:
    names = [str(name) for view in cohort.views.values() for name in view.features]
    path.write_text("\t".join(["a set", "", *names[:10]]) + "\n")
    return path


def _commands(run: Path, views: list[object], sets: Path, folder: Path) -> list[list[object]]:
    survival = ["--time", "time", "--event", "event"]
    return [
        ["info", run],
        ["associations", run, *views, "--out", folder / "associations"],
        ["factors", run, *views, "--out", folder / "factors"],
        ["contributions", run, *views, "--out", folder / "contributions"],
        ["subtypes", run, *views, "--out", folder / "subtypes"],
        ["survival", run, *survival, "--repeats", 1, "--out", folder / "survival"],
        ["genesets", run, "--gmt", sets, "--out", folder / "sets"],
        ["report", run, "--labels", "label", *survival, "--gmt", sets],
        ["evaluate", run, "--labels", "label"],
        ["diagnose", run, *views],
        ["transform", run, *views, "--out", folder / "projection"],
        ["export", run, "--to", "h5mu", "--out", folder / "run.h5mu", *views],
        ["export", run, "--to", "xlsx", "--out", folder / "run.xlsx"],
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", _KINDS)
def test_every_analysis_and_command_says_in_words_what_there_is_not(
    kind: str,
    whole: tuple[MultiOmics, FittedPoems],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, cohort, subtypes = _case(kind, whole)
    run = write_core(tmp_path / "run", model, cohort, subtypes)
    said = add_to_run(run, all_additions(model, cohort, subtypes), model.findings)
    assert [str(each) for each in said if each.code == "analysis-failed"] == []
    views = _write_tables(cohort, tmp_path)
    commands = _commands(run, views, _gene_sets(cohort, tmp_path / "a.gmt"), tmp_path)
    for command in commands:
        if kind in _SUBTYPES and command[0] not in _OF_SUBTYPES:
            continue
        code = poems_here(*command)
        printed = capsys.readouterr()
        # An error is a sentence; anything else would have ended this test.
        assert code == 0 or printed.err.startswith("error: "), command
        assert "left out of the report" not in printed.err
    assert "was left out of the report" not in (run / "report.html").read_text()


def test_a_view_that_nothing_drives_has_no_pairs_and_the_others_keep_theirs(
    whole: tuple[MultiOmics, FittedPoems],
) -> None:
    model, cohort, _ = _with_loadings(whole[1], whole[0], _silent_view)
    found = cross_omic(model, cohort, fdr=1.0)
    assert "lipid" not in {*found.table["view_a"], *found.table["view_b"]}
    two = cohort.select(["rna", "protein"])
    assert len(found.table) > 0
    assert found.n_tested > two.views["rna"].n_features * two.views["protein"].n_features


def test_an_embedding_without_dimensions_has_no_scores() -> None:
    points = pd.DataFrame(index=range(40))
    x = points.assign(x=[at % 2 * 9.0 for at in range(40)])
    found = compare_embeddings({"latent": points, "x": x}, pd.Series(["a", "b"] * 20))
    assert found.drop(columns="embedding").loc[0].isna().all()
    assert found.loc[1, "accuracy"] == 1.0


def test_a_section_that_fails_is_named_in_the_report(
    whole: tuple[MultiOmics, FittedPoems], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort, model = whole
    run = write_core(tmp_path / "run", model, cohort, find_subtypes(model, 2))

    def fail(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setitem(SECTIONS._parts, "factors", fail)
    assert poems_here("report", run, "--quiet") == 0
    page = (run / "report.html").read_text()
    assert "The section on factors was left out of the report: ZeroDivisionError" in page
    assert "Contributions of the omics" in page
