from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poems.diagnosis.posterior import information, justified_variance, posterior_checks


def verdicts(told: list[float], share: list[float], n_supported: int | None) -> list[str]:
    names = [f"factor_{i + 1}" for i in range(len(told))]
    checks = posterior_checks(np.array(told), np.array(share), names, 1.0, n_supported)
    return [check.verdict for check in checks]


def test_information_is_the_kl_term_of_a_prior_that_holds_on_average() -> None:
    rng = np.random.default_rng(0)
    variance = rng.uniform(0.1, 0.5, size=(500, 1))
    loc = rng.normal(size=(500, 1))
    loc = (loc - loc.mean()) / loc.std() * np.sqrt(1.0 - variance.mean())
    kl = 0.5 * (variance + loc**2 - 1.0 - np.log(variance)).mean()
    assert information(loc, variance)[0] == pytest.approx(kl)


@given(scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_information_does_not_depend_on_a_latents_scale(scale: float, shift: float) -> None:
    rng = np.random.default_rng(1)
    loc, variance = rng.normal(size=(40, 2)), rng.uniform(0.1, 1.0, size=(40, 2))
    np.testing.assert_allclose(
        information(loc * scale + shift, variance * scale**2), information(loc, variance), rtol=1e-6
    )


def test_justified_variance_is_that_of_the_linear_model() -> None:
    # z ~ N(0, 1), x = W z + noise: the exact posterior variance, W of orthogonal columns.
    W = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    noise = np.array([0.5, 1.0, 2.0])
    exact = np.linalg.inv(np.eye(2) + W.T @ np.diag(noise**-2.0) @ W)
    measured = np.ones((4, 1), dtype=bool)
    np.testing.assert_allclose(
        justified_variance({"a": np.abs(W)}, {"a": noise}, measured), np.diag(exact)
    )


def test_an_unmeasured_view_justifies_nothing() -> None:
    size = {"a": np.ones((3, 1)), "b": np.full((2, 1), 9.0)}
    noise = {"a": np.ones(3), "b": np.ones(2)}
    only_a = justified_variance(size, noise, np.array([[True, False]]))
    assert only_a.tolist() == [0.25]
    half = justified_variance(size, noise, np.array([[True, False], [False, True]]))
    assert half[0] == pytest.approx((0.25 + 1.0 / 163.0) / 2)


def test_a_spare_factor_is_a_note() -> None:
    assert verdicts([2.0, 1.0, 0.01], [1, 1, 1], 2) == ["ok", "ok", "note", "ok", "ok", "ok"]
    # However many, as long as the factors that the data support are there.
    assert verdicts([2.0] + [0.01] * 4, [1] * 5, 1)[:5] == ["ok"] + ["note"] * 4


def test_too_few_factors_left_is_a_collapse() -> None:
    assert verdicts([2.0, 0.0, 0.0, 0.0], [1] * 4, 4)[:4] == ["ok"] + ["warning"] * 3
    assert verdicts([0.0, 0.0], [1, 1], None)[:2] == ["warning"] * 2
    assert verdicts([1.0, 0.0], [1, 1], None)[:2] == ["ok", "note"]
    assert verdicts([], [], 3) == []


def test_a_weight_of_the_kl_term_is_raised_only_where_there_is_room() -> None:
    for kl_weight, advised in ((1.0, False), (0.2, True)):
        checks = posterior_checks(np.array([3.0]), np.array([0.01]), ["factor_1"], kl_weight, 1)
        assert ("raise kl_weight (0.2 here) to 1" in checks[-1].remedy) is advised
        assert "fewer epochs" in checks[-1].remedy


def test_encoders_that_nothing_rests_on_are_no_failure() -> None:
    told, share = np.array([3.0]), np.array([0.01])
    judged = {}
    for exact in (True, False):
        for kl_weight in (0.0, 1.0):
            *_, last = posterior_checks(told, share, ["factor_1"], kl_weight, 1, exact=exact)
            judged[exact, kl_weight] = last.verdict
    assert judged.pop((True, 1.0)) == "note"
    assert set(judged.values()) == {"warning"}


def test_a_posterior_far_narrower_than_justified_is_overconfident() -> None:
    assert verdicts([3.0, 3.0], [0.01, 0.02], 2)[2:] == ["warning"] * 2
    assert verdicts([3.0] * 3, [0.01, 1.0, 1.2], 3)[3:] == ["note", "ok", "ok"]
