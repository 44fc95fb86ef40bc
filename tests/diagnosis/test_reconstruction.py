from __future__ import annotations

import pytest
import torch

from poems.diagnosis.check import Check
from poems.diagnosis.reconstruction import Explained, explained_views, reconstruction_checks
from poems.scaling.batch import Batch


def failures(**explained: Explained) -> list[Check]:
    return [c for c in reconstruction_checks(explained) if c.verdict == "warning"]


GOOD = Explained(0.4, 0.6, 0.1, 50)


def test_views_well_reconstructed_pass() -> None:
    assert failures(a=GOOD, b=Explained(0.2, 0.5, 0.1, 50), c=Explained(0.2, None, None, 50)) == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Explained(0.0, 0.22, 0.2, 50), "neither does PCA beyond what it makes of noise"),
        (Explained(-0.3, 0.5, 0.2, 50), "though PCA finds structure in it"),
        (Explained(0.01, None, None, 50), "no better than each feature's mean"),
        (Explained(0.1, 0.6, 0.1, 50), "far less of this view than as many principal components"),
    ],
)
def test_a_bad_view_is_found_and_explained(bad: Explained, words: str) -> None:
    (check,) = failures(a=GOOD, b=bad)
    assert (check.signature, check.view) == ("badly-reconstructed", "b")
    assert words in check.meaning
    assert check.remedy


def test_a_view_in_which_its_own_components_find_structure_is_not_called_empty() -> None:
    """Components of all views side by side may pass over it just as the model does."""
    drowned = Explained(0.0, 0.22, 0.2, 50, alone=0.3)
    assert drowned.may_be_drowned
    assert not Explained(0.0, 0.5, 0.2, 50).may_be_drowned
    assert not GOOD.may_be_drowned
    (check,) = failures(a=GOOD, b=drowned)
    assert "components of this view alone find structure" in check.meaning
    assert "background" in check.remedy


def test_a_view_in_which_nothing_is_to_be_found_is_good_to_know_and_no_failure() -> None:
    """Also where an exact posterior follows its noise a little."""
    for empty in (
        Explained(0.0, 0.22, 0.2, 50, alone=0.01),
        Explained(0.03, 0.22, 0.2, 50, alone=0.01, chance=0.02),
    ):
        checks = reconstruction_checks({"a": GOOD, "b": empty})
        (check,) = (check for check in checks if check.meaning)
        assert (check.verdict, check.view) == ("note", "b")
        assert "neither does PCA" in check.meaning
        assert check.remedy


@pytest.mark.parametrize(
    "bad", [Explained(0.0, 0.5, 0.2, 50), Explained(0.0, 0.22, 0.2, 50, alone=0.3)]
)
def test_without_weights_the_remedy_is_to_let_features_that_say_the_same_count_once(
    bad: Explained,
) -> None:
    checks = reconstruction_checks({"a": GOOD, "b": bad}, weighted=False)
    (check,) = (check for check in checks if check.verdict == "warning")
    assert "redundancy='correlation'" in check.remedy
    (check,) = failures(a=GOOD, b=bad)
    assert "redundancy" not in check.remedy


def test_what_pca_makes_of_noise_is_not_held_against_the_model() -> None:
    assert failures(a=GOOD, b=Explained(0.05, 0.54, 0.5, 50)) == []


def test_nothing_of_any_view_is_told_once() -> None:
    (check,) = failures(a=Explained(0.01, 0.5, 0.1, 50), b=Explained(0.04, 0.5, 0.1, 50))
    assert check.signature == "explains-nothing"
    assert "(a 0.01, b 0.04)" in check.meaning


def test_fewer_features_are_advised_where_they_are_many_and_samples_few() -> None:
    """Not where either is otherwise: then it is no remedy."""
    for n_samples, widest, advised in ((25, 9000, True), (25, 900, False), (250, 9000, False)):
        nothing = {"a": Explained(0.01, 0.5, 0.1, n_samples)}
        (check,) = (
            check
            for check in reconstruction_checks(nothing, widest=widest)
            if check.signature == "explains-nothing"
        )
        assert ("--most-variable 1000" in check.remedy) is advised
        assert ("among 9000 features and 25 samples chance" in check.remedy) is advised


@pytest.mark.parametrize(
    ("found", "n_supported", "said"),
    [
        # Nearly all that PCA explains beyond noise; no component stands out; a sixth of it.
        (Explained(0.02, 0.22, 0.2, 50), 8, []),
        (Explained(0.02, 0.22, 0.2, 50), 0, ["explains-nothing"]),
        (Explained(0.02, 0.32, 0.2, 50), 8, ["explains-nothing"]),
        (Explained(0.002, 0.2, 0.2, 50), 8, ["explains-nothing"]),
    ],
)
def test_a_fit_is_judged_by_what_can_be_explained(
    found: Explained, n_supported: int, said: list[str]
) -> None:
    """A few hundred of 20,000 features may follow the factors: their share is small, and all."""
    checks = reconstruction_checks({"a": found}, n_supported=n_supported)
    assert [check.signature for check in checks if check.verdict == "warning"] == said


def test_few_samples_are_not_judged() -> None:
    assert failures(a=GOOD, b=Explained(-1.0, 0.5, 0.1, 9)) == []
    checks = reconstruction_checks({"a": Explained(-1.0, 0.5, 0.1, 9)})
    assert {check.verdict for check in checks} == {"not judged"}
    assert checks[0].value == -1.0


def test_shares_are_about_the_given_means_and_of_what_was_observed(batch: Batch) -> None:
    means = {"a": torch.full((6,), 2.0), "b": torch.zeros(4)}
    predicted = {"a": torch.randn(10, 6), "b": torch.randn(10, 4)}
    shares = explained_views(batch, predicted, means)
    x, there = batch.values["a"], batch.observed["a"]
    residual, total = (x - predicted["a"])[there], (x - 2.0)[there]
    expected = 1 - residual.square().sum() / total.square().sum()
    assert shares["a"] == pytest.approx(float(expected), rel=1e-5)
    rows = batch.measured[:, 1]
    residual, total = (batch.values["b"] - predicted["b"])[rows], batch.values["b"][rows]
    expected = 1 - residual.square().sum() / total.square().sum()
    assert shares["b"] == pytest.approx(float(expected), rel=1e-5)
    first = {name: x[:3] for name, x in predicted.items()}
    assert list(explained_views(batch.take(torch.arange(3)), first, means)) == ["a"]
