"""Which likelihood a view's values call for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from poems.data import check
from poems.data.container import View
from poems.data.likelihoods import propose_likelihood

Draw = Callable[[np.random.Generator], npt.NDArray[np.float64]]
SHAPE = (120, 40)


def counts(rng: np.random.Generator, dispersion: float) -> npt.NDArray[np.float64]:
    mean = np.exp(rng.normal(1.0, 1.5, SHAPE[1]))
    rate = mean * rng.gamma(1 / dispersion, dispersion, SHAPE) if dispersion else mean
    return rng.poisson(np.broadcast_to(rate, SHAPE)).astype(float)


DRAWS: dict[str, tuple[Draw, str | None]] = {
    "calls": (lambda rng: (rng.random(SHAPE) < 0.1).astype(float), "bernoulli"),
    "states": (lambda rng: np.clip(np.round(rng.normal(0, 1, SHAPE)), -2, 2), "ordinal"),
    "few counts": (lambda rng: rng.poisson(np.linspace(0.02, 1, 40), SHAPE) * 1.0, "poisson"),
    "poisson": (lambda rng: counts(rng, 0.0), "poisson"),
    "counts": (lambda rng: counts(rng, 0.6), "negative_binomial"),
    "methylation": (lambda rng: rng.beta(0.4, 0.5, SHAPE), "beta"),
    "outliers": (lambda rng: rng.standard_t(2.5, SHAPE), "student_t"),
    "gaussian": (lambda rng: rng.normal(5, 2, SHAPE), None),
    "unlogged": (lambda rng: np.exp(rng.normal(3, 1.5, SHAPE)), None),
    "fractions in the middle": (lambda rng: rng.beta(8, 8, SHAPE), None),
    "logged counts": (lambda rng: np.log1p(counts(rng, 0.6)), None),
}


@pytest.mark.parametrize("what", DRAWS)
@pytest.mark.parametrize("gaps", [False, True])
def test_values_of_a_kind_get_the_likelihood_of_their_kind(what: str, gaps: bool) -> None:
    draw, expected = DRAWS[what]
    for seed in range(5):
        rng = np.random.default_rng(seed)
        values = draw(rng).astype(np.float32)
        if gaps:
            values[rng.random(SHAPE) < 0.1] = np.nan
        rows = np.ones(SHAPE[0], dtype=bool)
        found = propose_likelihood(View(values, pd.RangeIndex(SHAPE[1]).astype(str), rows))
        assert (None if found is None else found.likelihood) == expected


def test_check_proposes_with_the_reason_and_the_flag() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame((rng.random((60, 12)) < 0.3).astype(int)).add_prefix("gene")
    table.index = pd.Index([f"s{i}" for i in range(60)])
    (said,) = [f for f in check({"calls": table}).findings if f.code == "likelihood-proposed"]
    assert said.severity == "note"
    assert said.view == "calls"
    assert "0 or 1" in said.message
    assert "--likelihood calls=bernoulli" in said.message
