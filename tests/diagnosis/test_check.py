from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poems.diagnosis.check import Check, Diagnosis, superseded
from poems.findings import Finding

OK = Check("gate-collapsed", "mean weight", 0.5, 0.95, "ok", view="rna")
BAD = replace(OK, value=0.97, verdict="warning", meaning="one view", remedy="look")
SPARE = Check("spare", "nats", 0.01, 0.1, "note", factor="factor_3", meaning="m", remedy="r")


def test_a_clean_model_has_no_findings() -> None:
    diagnosis = Diagnosis((OK, replace(OK, verdict="not judged", threshold=None)))
    assert diagnosis.findings == ()
    assert diagnosis.signatures == ()
    assert str(diagnosis) == "no failure signature"


def test_a_note_is_no_failure() -> None:
    diagnosis = Diagnosis((SPARE,))
    assert str(diagnosis) == "no failure signature"
    (finding,) = diagnosis.findings
    assert finding == Finding("note", "spare", "m (nats: factor_3 0.01); r", None, ("factor_3",))


def test_views_and_factors_that_fail_alike_make_one_finding() -> None:
    factors = [replace(SPARE, factor=f"factor_{i}") for i in range(1, 10)]
    views = [BAD, replace(BAD, view="cnv", value=0.96)]
    diagnosis = Diagnosis((*factors, *views))
    worst, spare = diagnosis.findings
    assert worst.severity == "warning", "warnings first"
    assert worst.view is None
    assert worst.items == ("rna", "cnv")
    assert worst.message == "one view (mean weight: rna 0.97, cnv 0.96); look"
    assert spare.items == tuple(f"factor_{i}" for i in range(1, 10))
    assert "factor_6 0.01 and 3 more); r" in spare.message
    assert str(diagnosis) == "1 failure signature: gate-collapsed"


def test_what_is_noticed_comes_with_the_findings() -> None:
    note = Finding("note", "view-absent", "not given", "cnv")
    diagnosis = Diagnosis((BAD,), (note,))
    assert [finding.code for finding in diagnosis.findings] == ["gate-collapsed", "view-absent"]
    assert diagnosis.signatures == ("gate-collapsed",)


def test_the_table_has_a_row_a_check() -> None:
    table = Diagnosis((OK, SPARE, replace(OK, value=None))).table
    assert table["signature"].tolist() == ["gate-collapsed", "spare", "gate-collapsed"]
    assert table["value"].dtype == float
    assert np.isnan(table["value"].iloc[2])
    assert table["factor"].tolist() == [None, "factor_3", None]
    assert Diagnosis(()).table.shape == (0, 10)


@pytest.mark.parametrize("verdict", ["ok", "warning"])
def test_newer_checks_take_over_what_they_judge(verdict: str) -> None:
    other = replace(BAD, view="cnv")
    newer = replace(OK, samples="held out", verdict=verdict)
    checks = superseded([BAD, other], [newer])
    assert [check.verdict for check in checks] == ["not judged", "warning", verdict]
    assert checks[0].value == BAD.value, "still there to compare with"
    assert checks[0].meaning == ""
    unsure = replace(newer, verdict="not judged")
    assert superseded([BAD], [unsure]) == (BAD, unsure)
