from __future__ import annotations

import numpy as np
import pytest
import torch

from poems.diagnosis.check import Check
from poems.diagnosis.gate import gate_checks, precision_shares
from poems.nn.model import POEMS
from poems.scaling.batch import Batch
from poems.settings.schema import Settings

VIEWS = ["a", "b"]


def failures(checks: tuple[Check, ...]) -> list[tuple[str, str | None]]:
    return [(check.signature, check.view) for check in checks if check.verdict == "warning"]


def test_even_weights_are_fine() -> None:
    checks = gate_checks(np.full((9, 2), 0.5), np.array([0.6, 0.4]), VIEWS)
    assert failures(checks) == []
    entropy = next(c for c in checks if c.signature == "gate-one-view-a-sample")
    assert entropy.value == pytest.approx(1.0)


def test_where_one_view_was_measured_its_weight_is_one_by_right() -> None:
    alone = np.tile([1.0, 0.0], (50, 1))
    assert gate_checks(alone, None, VIEWS) == ()
    checks = gate_checks(np.vstack([alone, [[0.4, 0.6]]]), None, VIEWS)
    assert failures(checks) == []
    assert checks[0].value == pytest.approx(0.4)


def test_a_gate_on_one_view_has_collapsed() -> None:
    checks = gate_checks(np.tile([0.03, 0.97], (9, 1)), np.array([0.01, 0.99]), VIEWS)
    # The experts' precision adds nothing to that, nor does the entropy.
    assert failures(checks) == [("gate-collapsed", "b")]


def test_a_gate_on_one_view_a_sample_is_another_failure() -> None:
    checks = gate_checks(np.tile([[0.999, 0.001], [0.001, 0.999]], (5, 1)), None, VIEWS)
    assert failures(checks) == [("gate-one-view-a-sample", None)]


@pytest.mark.parametrize(
    ("gates", "shares", "signature"),
    [
        (np.tile([0.03, 0.97], (10, 1)), [0.01, 0.99], "gate-collapsed"),
        (np.tile([[0.999, 0.001], [0.001, 0.999]], (5, 1)), [0.5, 0.5], "gate-one-view-a-sample"),
        (np.full((10, 2), 0.5), [0.02, 0.98], "one-view-decides"),
    ],
)
def test_what_the_weights_lack_is_a_note_where_exact_posteriors_hear_several_views(
    gates: np.ndarray, shares: list[float], signature: str
) -> None:
    verdicts = {}
    for told in (0.6, 0.97):
        posterior = np.tile([1 - told, told], (10, 1))
        # A sample of one view alone, which that tells everything, is not among them.
        checks = gate_checks(
            np.vstack([gates, [[1.0, 0.0]]]), np.array(shares), VIEWS,
            posterior=np.vstack([posterior, [[1.0, 0.0]]]),
        )  # fmt: skip
        verdicts[told] = [(c.signature, c.verdict) for c in checks if c.meaning]
        shown = [c.value for c in checks if c.quantity == "share of the posteriors' precision"]
        assert shown == pytest.approx([1 - told, told])
    assert verdicts == {0.6: [(signature, "note")], 0.97: [(signature, "warning")]}


def test_a_sure_expert_decides_alone_whatever_the_gate_says() -> None:
    checks = gate_checks(np.full((9, 2), 0.5), np.array([0.98, 0.02]), VIEWS, "held out")
    assert failures(checks) == [("one-view-decides", "a")]
    assert {check.samples for check in checks} == {"held out"}


def small(fusion: str) -> POEMS:
    settings = Settings().updated(n_latent=3, encoder_layers=(5,), fusion=fusion)
    return POEMS({"a": torch.ones(6), "b": torch.ones(4)}, settings).eval()


def test_shares_are_the_products_weights(batch: Batch) -> None:
    model = small("poe")
    factors = torch.tensor([0, 2])
    shares = precision_shares(model, batch, factors)
    assert shares is not None
    both = batch.take(torch.arange(3, 10))
    with torch.no_grad():
        loc, log_precision = model.experts(both)
        gates = model.gate(loc, both.measured)
        weighted = gates.T[..., None] * log_precision.exp()
        expected = (weighted / weighted.sum(dim=0))[..., factors].mean(dim=(1, 2))
        # They are what the fused mean is made of.
        fused = (weighted / weighted.sum(dim=0) * loc).sum(dim=0)
        torch.testing.assert_close(fused, model.encode(both).posterior.mean)
    torch.testing.assert_close(shares.float(), expected)
    assert float(shares.sum()) == pytest.approx(1.0)


def test_a_mixture_and_a_lone_view_have_no_shares(batch: Batch) -> None:
    assert precision_shares(small("moe"), batch, torch.arange(3)) is None
    lone = batch.take(torch.arange(3))
    assert precision_shares(small("poe"), lone, torch.arange(3)) is None
    assert precision_shares(small("poe"), batch, torch.arange(0)) is None
