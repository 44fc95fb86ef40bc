from __future__ import annotations

import pandas as pd

from poems.analysis.subtypes.absent_views import doubt_without_views

SAMPLES = pd.Index(["x", "y", "z"])
GATES = pd.DataFrame(
    {"rna": [1.0, 0.5, 0.0], "protein": [0.0, 0.3, 0.6], "cnv": [0.0, 0.2, 0.4]}, index=SAMPLES
)
ASSIGNED = pd.DataFrame({"subtype": "S1", "uncertain": [False, False, True]}, index=SAMPLES)


def test_only_views_that_subtypes_depend_on_make_uncertain() -> None:
    switched = pd.Series({"rna": 0.5, "protein": 0.19, "cnv": float("nan")})
    found, findings = doubt_without_views(ASSIGNED, GATES, switched)
    assert found["uncertain"].tolist() == [False, False, True]
    assert [(each.severity, each.view, each.items) for each in findings] == [
        ("warning", "rna", ("z",)),
        ("note", "protein", ("x",)),
    ]
    found, _ = doubt_without_views(ASSIGNED, GATES, switched.replace(0.19, 0.21))
    assert found["uncertain"].tolist() == [True, False, True]
    assert found["subtype"].tolist() == ["S1"] * 3
    assert ASSIGNED["uncertain"].tolist() == [False, False, True]


def test_samples_with_every_view_stay_as_they_are() -> None:
    full = GATES.assign(**dict.fromkeys(GATES, 0.3))
    found, findings = doubt_without_views(ASSIGNED, full, pd.Series({"rna": 0.9, "protein": 0.9}))
    pd.testing.assert_frame_equal(found, ASSIGNED)
    assert findings == ()
