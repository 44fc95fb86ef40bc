from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from poems.errors import DataError
from poems_benchmark.scores.choosing import chosen_on_all, leave_one_cohort_out
from poems_benchmark.scores.report import markdown_report, markdown_table
from poems_benchmark.scores.summary import (
    differences,
    held_to,
    mean_ranks,
    results_table,
    spread,
)

# cohort, method, NMI by seed; the cohort "two" has two label columns.
NMI: dict[tuple[str, str], list[dict[str, float]]] = {
    ("one", "pca"): [{"kind": 0.5}],
    ("one", "poems"): [{"kind": 0.6}, {"kind": 0.8}],
    ("one", "moe"): [{"kind": 0.4}, {"kind": 0.4}],
    ("two", "pca"): [{"a": 0.3, "b": 0.9}],
    ("two", "poems"): [{"a": 0.2, "b": 0.5}, {"a": 0.2, "b": 0.5}],
    ("two", "moe"): [{"a": 0.1, "b": 0.6}],
    ("three", "poems"): [{"kind": 0.3}],
    ("three", "moe"): [{"kind": 0.5}],
}
NAMES = {"pca": "PCA", "poems": "POEMS", "moe": "POEMS, mixture of experts"}


def record(cohort: str, method: str, seed: int, scores: dict[str, float]) -> dict[str, Any]:
    survival = {"logrank_p": 1e-3 if method == "pca" else 0.1, "concordance": 0.6}
    rows = [
        {"label": label, "nmi": value, "accuracy": value, "knn": value}
        | (survival if cohort == "two" else {})
        for label, value in scores.items()
    ]
    return {
        "cohort": cohort,
        "method": method,
        "name": NAMES[method],
        "seed": seed,
        "scores": rows,
        "n_factors": 16,
        "seconds": {"pca": 1.0, "poems": 10.0, "moe": 5.0}[method],
        "peak_mb": None,
        "added_mb": 3.0,
    }


@pytest.fixture
def table() -> pd.DataFrame:
    return results_table(
        record(cohort, method, seed, scores)
        for (cohort, method), runs in NMI.items()
        for seed, scores in enumerate(runs)
    )


def test_the_table_has_a_row_a_unit_and_label(table: pd.DataFrame) -> None:
    assert len(table) == sum(len(scores) for runs in NMI.values() for scores in runs)
    assert list(dict.fromkeys(table["task"])) == ["one", "two: a", "two: b", "three"]
    assert table.loc[table["method"] == "pca", "logrank"].max() == pytest.approx(3.0)
    assert table["peak_mb"].isna().all()
    assert not len(results_table([]))


def test_means_and_spread_are_over_seeds(table: pd.DataFrame) -> None:
    found = spread(table, "nmi", ["poems", "pca"])
    assert list(found.mean.columns) == ["poems", "pca"]
    assert found.mean.loc["one", "poems"] == pytest.approx(0.7)
    assert found.sd.loc["one", "poems"] == pytest.approx(np.std([0.6, 0.8], ddof=1))
    assert np.isnan(found.sd.loc["one", "pca"])
    assert np.isnan(found.mean.loc["three", "pca"])
    assert spread(table, "ari", ["pca"]).mean.empty


def test_survival_counts_once_a_cohort(table: pd.DataFrame) -> None:
    assert list(spread(table, "concordance", ["pca", "poems"]).mean.index) == ["two"]


def test_ranks_average_labels_first_and_need_all_methods(table: pd.DataFrame) -> None:
    ranks, counts = mean_ranks(table, ["pca", "poems"], ["nmi", "logrank", "ari"])
    # one: poems, pca. two: pca, poems on both labels. three: pca has no result.
    assert counts.to_dict() == {"nmi": 2, "logrank": 1, "ari": 0}
    assert ranks["nmi"].to_dict() == {"pca": 1.5, "poems": 1.5}
    assert ranks["logrank"].to_dict() == {"pca": 1.0, "poems": 2.0}
    assert ranks["ari"].isna().all()


def test_equal_scores_share_a_rank() -> None:
    rows = [record("one", method, 0, {"kind": 0.5}) for method in NAMES]
    ranks, _ = mean_ranks(results_table(rows), list(NAMES), ["nmi"])
    assert (ranks["nmi"] == 2.0).all()


def test_differences_are_to_the_reference(table: pd.DataFrame) -> None:
    found = differences(table, ["moe"], "poems", ["nmi"])
    expected = np.mean([0.4 - 0.7, 0.1 - 0.2, 0.6 - 0.5, 0.5 - 0.3])
    assert found.loc["moe", "nmi"] == pytest.approx(expected)
    assert found.loc["moe", "seconds"] == pytest.approx(0.5)


def test_the_reference_is_held_to_the_best_other(table: pd.DataFrame) -> None:
    found = held_to(table, "poems", ["pca", "moe", "absent"])
    assert found["best"].to_dict() == {"one": "pca", "two: a": "pca", "two: b": "pca",
                                       "three": "moe"}  # fmt: skip
    np.testing.assert_allclose(found["difference"], [0.2, -0.1, -0.4, -0.2])
    assert held_to(table, "absent", ["pca"]).empty


def test_a_choice_never_sees_the_cohort_it_is_scored_on() -> None:
    scores = {"x": {"a": 0.9, "b": 0.1}, "y": {"a": 0.2, "b": 0.4}, "z": {"a": 0.1, "b": 0.3}}
    table = pd.DataFrame(
        [
            {"cohort": cohort, "task": cohort, "method": method, "seed": 0, "nmi": value}
            for cohort, by_method in scores.items()
            for method, value in by_method.items()
        ]
    )
    by_mean = leave_one_cohort_out(table, ["a", "b"])
    assert by_mean["chosen"].to_dict() == {"x": "b", "y": "a", "z": "a"}
    assert by_mean["score"].to_dict() == {"x": 0.1, "y": 0.2, "z": 0.1}
    assert by_mean["best"].to_dict() == {"x": 0.9, "y": 0.4, "z": 0.3}
    by_rank = leave_one_cohort_out(table, ["a", "b"], by="rank")
    # Without y, a and b are each best once: the first candidate is taken.
    assert by_rank["chosen"].to_dict() == {"x": "b", "y": "a", "z": "a"}
    # Whatever the left-out cohort says, the choice for it stays.
    changed = table.copy()
    changed.loc[changed["cohort"] == "x", "nmi"] = [0.0, 1.0]
    assert leave_one_cohort_out(changed, ["a", "b"]).loc["x", "chosen"] == "b"


def scores_table(scores: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Cohort to method to NMI, as results of one seed."""
    rows = [
        {"cohort": cohort, "task": cohort, "method": method, "seed": 0, "nmi": value}
        for cohort, by_method in scores.items()
        for method, value in by_method.items()
    ]
    return pd.DataFrame(rows)


def test_the_reference_stands_beside_the_choice() -> None:
    table = scores_table({
        "x": {"a": 0.9, "b": 0.1, "own": 0.4},
        "y": {"a": 0.2, "b": 0.4, "own": 0.4},
        "z": {"a": 0.1, "b": 0.3},
    })  # fmt: skip
    found = leave_one_cohort_out(table, ["a", "b"], reference="own")
    np.testing.assert_allclose(found["reference"], [0.4, 0.4, np.nan])
    np.testing.assert_allclose(found["difference"], [-0.3, -0.2, np.nan])
    assert found["best_candidate"].to_dict() == {"x": "a", "y": "b", "z": "b"}
    for absent in (None, "unheard"):
        other = leave_one_cohort_out(table, ["a", "b"], reference=absent)
        assert other["reference"].isna().all()
    # The reference may be a candidate.
    both = leave_one_cohort_out(table, ["own", "b"], reference="own")
    assert both.loc[both["chosen"] == "own", "difference"].eq(0.0).all()


def test_a_choice_never_sees_the_study_it_is_scored_on() -> None:
    scores = {"x": {"a": 0.9, "b": 0.1}, "x3": {"a": 0.8, "b": 0.1}, "z": {"a": 0.1, "b": 0.3}}
    table = scores_table(scores)
    assert leave_one_cohort_out(table, ["a", "b"]).loc["x", "chosen"] == "a"
    studies = {"x": "one", "x3": "one", "z": "two"}
    found = leave_one_cohort_out(table, ["a", "b"], studies=studies)
    assert found["chosen"].to_dict() == {"x": "b", "x3": "b", "z": "a"}
    with pytest.raises(DataError, match="at least 2 studies on which all of a, b"):
        leave_one_cohort_out(table, ["a", "b"], studies=dict.fromkeys(scores, "one"))


def test_what_is_chosen_on_all_cohorts_is_told() -> None:
    scores = {"x": {"a": 0.9, "b": 0.1}, "y": {"a": 0.2, "b": 0.4}, "z": {"a": 0.1, "b": 0.3}}
    assert chosen_on_all(scores_table(scores), ["a", "b"]) == "a"
    assert chosen_on_all(scores_table(scores), ["a", "b"], by="rank") == "b"
    with pytest.raises(DataError, match="no cohort on which all of a, c"):
        chosen_on_all(scores_table(scores), ["a", "c"])


def test_the_report_tells_the_choice_for_each_cohort(table: pd.DataFrame) -> None:
    def reported(**options: Any) -> str:
        return markdown_report(
            table,
            tools=("pca", "poems"),
            reference="poems",
            held_to_best_of=(),
            choose_among=("poems", "moe"),
            **options,
        )

    text = reported()
    assert "Candidates: POEMS; POEMS, mixture of experts." in text
    # Without it, POEMS is at 0.325 and the mixture of experts at 0.425.
    moe = "POEMS, mixture of experts"
    assert f"| one | {moe} | 0.400 | 0.700 | -0.300 | 0.700 (POEMS) |" in text
    assert f"| three | POEMS | 0.300 | 0.300 | +0.000 | 0.500 ({moe}) |" in text
    assert "On all cohorts together: POEMS." in text
    assert "Not used" not in text
    # Without the cohort of its study, "two" alone decides for "one".
    shared = reported(studies={"one": "s", "three": "s", "two": "t"})
    assert "| one | POEMS | 0.700 | 0.700 | +0.000 | 0.700 (POEMS) |" in shared


def test_the_report_names_cohorts_that_no_choice_was_made_on(table: pd.DataFrame) -> None:
    text = markdown_report(
        table,
        tools=("pca", "poems"),
        reference="poems",
        held_to_best_of=(),
        choose_among=("pca", "poems"),
    )
    assert "Not used, for not all candidates have results there: three." in text


def test_choosing_needs_candidates_and_cohorts(table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="at least 2 candidates"):
        leave_one_cohort_out(table, ["pca", "pca"])
    with pytest.raises(DataError, match="of pca, absent have results; there are 0"):
        leave_one_cohort_out(table, ["pca", "absent"])


def test_the_report_has_every_part(table: pd.DataFrame) -> None:
    text = markdown_report(
        table,
        tools=("pca", "poems"),
        reference="poems",
        held_to_best_of=("pca",),
        choose_among=("poems", "moe"),
        notes={"one": "A note.", "two": ""},
        failures={"SNF on one": "ValueError: no\nluck"},
    )
    assert "| one | 0.50 | **0.70** ± 0.14 |" in text
    assert "| three | – | **0.30** |" in text
    assert "| PCA | 1.50 | 1.50 | 1.50 | 1.00 | 1.50 |" in text
    assert "| one | 0.700 ± 0.141 | 0.500 (PCA) | +0.200 |" in text
    assert "| least |  |  | -0.400 |" in text
    assert "| POEMS, mixture of experts | -0.025 | -0.025 | -0.025 | +0.000 | 0.50 |" in text
    assert "## Chosen on the other cohorts" in text
    assert "- SNF on one: ValueError: no luck" in text
    assert "- one: A note." in text
    assert "- two:" not in text
    assert "silhouette |" not in text
    assert "nan" not in text


def test_the_report_tells_the_spread_of_variants(table: pd.DataFrame) -> None:
    once = table[table["seed"] == table["seed"].min()]
    again = once.assign(seed=99, nmi=once["nmi"] + 0.2 * (once["method"] == "moe"))
    text = markdown_report(
        pd.concat([once, again]),
        tools=("pca", "poems"),
        reference="poems",
        held_to_best_of=(),
        choose_among=(),
    )
    part = text[text.index("Standard deviation over seeds") :]
    # Of two values 0.2 apart.
    assert "| POEMS, mixture of experts | 0.141 | 0.000 |" in part
    assert "| POEMS | 0.000 | 0.000 |" in part


def test_the_report_of_one_method_has_no_ranks(table: pd.DataFrame) -> None:
    text = markdown_report(
        table[table["method"] == "pca"],
        tools=("pca", "poems"),
        reference="poems",
        held_to_best_of=("pca",),
        choose_among=("pca", "poems"),
    )
    assert "Mean rank" not in text
    assert "Held to" not in text
    assert "could not be done" in text


def test_tables_have_a_cell_a_column() -> None:
    lines = markdown_table(["", "x"], [["a", "1"], ["b", "2"]]).splitlines()
    assert {line.count("|") for line in lines} == {3}
