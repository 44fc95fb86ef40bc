"""Views on disk that are not Gaussian: found, scaled and fitted as in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import poems
from poems import DataError
from poems.data.container import MultiOmics
from poems.data.disk.view import BackedCohort
from poems.data.likelihoods import propose_likelihood
from poems.fitting.preparing import prepare_fit
from poems.nn.likelihoods import OwnScaleLikelihood
from poems.scaling.disk import own
from poems.settings.schema import Settings

Write = Callable[[MultiOmics, Path, str], Any]
KINDS = {
    "calls": "bernoulli",
    "counts": "negative_binomial",
    "levels": "ordinal",
    "tails": "student_t",
    "fractions": "beta",
}
QUICK: dict[str, Any] = {"epochs": 4, "n_latent": 4, "batch_size": 24, "progress": False}


@pytest.fixture(scope="module")
def mixed() -> MultiOmics:
    simulated = poems.simulate(
        n_samples=60,
        n_features={"rna": 15, **dict.fromkeys(KINDS, 15)},
        n_factors=3,
        density=0.3,
        missing_views=0.15,
        missing_entries=0.05,
        kinds=KINDS,
        seed=1,
    ).cohort
    reads = np.exp(np.random.default_rng(0).normal(size=60))
    return MultiOmics(simulated.views, simulated.samples, simulated.obs.assign(reads=reads))


@pytest.fixture(scope="module", params=["h5mu", "h5mu-csr"])
def disk(
    request: pytest.FixtureRequest,
    mixed: MultiOmics,
    write_backed: Write,
    tmp_path_factory: pytest.TempPathFactory,
) -> BackedCohort:
    path = write_backed(mixed, tmp_path_factory.mktemp("mixed"), request.param)
    cohort = poems.read(path, obs=mixed.obs, backed=True)
    assert isinstance(cohort, BackedCohort)
    return cohort


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"size_factors": {"counts": "pooled"}},
        {"size_factors": {"counts": "obs:reads"}, "most_variable": 9},
    ],
    ids=str,
)
def test_what_likelihoods_are_given_is_that_in_memory(
    disk: BackedCohort, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "_AT_ONCE", 7 * 15)
    settings = Settings().updated(likelihood=KINDS, **options)
    one, two = (prepare_fit(each, settings, 0) for each in (disk.load(), disk))
    memory, backed = one.data, two.data.load()  # type: ignore[union-attr]
    for i, name in enumerate(one.preprocessing.views):
        rows = memory.measured[:, i]  # type: ignore[union-attr]
        assert torch.equal(rows, backed.measured[:, i])
        for given in ("values", "targets", "log_sizes"):
            held, read = getattr(memory, given), getattr(backed, given)
            assert (name in held) == (name in read)
            if name in held:
                torch.testing.assert_close(read[name][rows], held[name][rows], rtol=1e-5, atol=1e-5)
    said = [sorted(str(each) for each in found.findings) for found in (one, two)]
    assert {text for text in said[1] if "size" in text} == {x for x in said[0] if "size" in x}
    few = torch.tensor([7, 3, 50])
    assert torch.equal(two.data.take(few).load().targets["counts"], backed.targets["counts"][few])
    for name in ("counts", "fractions"):
        columns = torch.cat([x for x, _ in two.data.columns(name)], dim=1)  # type: ignore[union-attr]
        rows = backed.measured[:, list(backed.values).index(name)]
        assert torch.equal(columns[rows], backed.values[name][rows])


def test_the_fit_is_that_in_memory(disk: BackedCohort) -> None:
    options: dict[str, Any] = {"likelihood": KINDS, "inference": "amortised", **QUICK}
    found, memory = poems.fit(disk, **options), poems.fit(disk.load(), **options)
    pd.testing.assert_frame_equal(found.history, memory.history, rtol=2e-2, atol=2e-2)
    pd.testing.assert_frame_equal(found.latent, memory.latent, rtol=2e-2, atol=2e-2)
    pd.testing.assert_series_equal(found.r2, memory.r2, atol=2e-3)
    pd.testing.assert_series_equal(found.value_r2, memory.value_r2, atol=2e-3)
    codes = [{each.code for each in model.findings} for model in (found, memory)]
    # Looked for in memory alone.
    assert codes[0] == codes[1] - {"samples-all-zero"}
    for i in range(len(found.view_names)):
        pair = [model.module.likelihood(i) for model in (found, memory)]
        if isinstance(pair[0], OwnScaleLikelihood):
            torch.testing.assert_close(pair[0].null, pair[1].null, rtol=1e-3, atol=1e-3)
    few = disk.take(range(10))
    pd.testing.assert_frame_equal(
        found.transform(few).latent, found.transform(few.load()).latent, rtol=1e-5, atol=1e-6
    )


def test_what_values_call_for_is_found_on_disk_as_in_memory(disk: BackedCohort) -> None:
    for name, view in disk.backed_views().items():
        one, two = propose_likelihood(view), propose_likelihood(view.load())
        if name == "tails":
            # Looked for in memory alone, and chosen nowhere.
            assert one is None
        else:
            assert (one and one.likelihood) == (two and two.likelihood), name
            assert (one and one.against) == (two and two.against)
    chosen = poems.fit(disk, inference="amortised", **QUICK).settings.model.likelihood
    assert isinstance(chosen, dict)
    assert {view for view, name in chosen.items() if name != "gaussian"} == {"calls", "counts"}


def test_a_value_on_disk_that_the_likelihood_cannot_take_is_refused_by_name(
    mixed: MultiOmics, write_backed: Write, tmp_path: Path
) -> None:
    frame = mixed.frame("counts").dropna(how="all")
    model = poems.fit({"counts": frame}, likelihood="poisson", **QUICK)
    wrong = frame.copy()
    wrong.iloc[4, 2] = 0.5
    bad = poems.read({"counts": wrong})
    with poems.read(write_backed(bad, tmp_path, "h5mu-csr"), backed=True) as cohort:
        for refuse in (
            lambda: poems.fit(cohort, likelihood="poisson", **QUICK),
            lambda: model.transform(cohort),
        ):
            with pytest.raises(DataError) as raised:
                refuse()
            said = str(raised.value)
            assert f"0.5 in feature {frame.columns[2]} of sample {frame.index[4]}" in said


def test_no_more_than_some_rows_are_dense_at_a_time(
    mixed: MultiOmics, write_backed: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = poems.read({"counts": mixed.frame("counts").dropna(how="all")})
    seen: list[int] = []
    dense = own._dense

    def watched(rows: Any, *given: Any, **more: Any) -> Any:
        seen.append(rows.shape[0])
        return dense(rows, *given, **more)

    monkeypatch.setattr(own, "_dense", watched)
    monkeypatch.setattr(own, "_AT_ONCE", 4 * 15)
    with poems.read(write_backed(counts, tmp_path, "h5mu-csr"), backed=True) as cohort:
        assert isinstance(cohort, BackedCohort)
        prepare_fit(cohort, Settings().updated(likelihood="poisson"), 0)
    assert max(seen) == 4
