"""Names that are annotations, row numbers, or second names of a sample."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

import poems
from poems import DataError
from poems.data.naming.near import near_names

N = 12
SAMPLES = [f"P-{at:03d}" for at in range(1, N + 1)]


def table(samples: object = None, prefix: str = "g", scale: float = 1.0) -> pd.DataFrame:
    """Samples that go with each other, as those of one omic do."""
    rng = np.random.default_rng(0)
    level = rng.normal(6, 3, 30)
    values = (level + rng.normal(size=(N, 30))) * scale
    index = SAMPLES if samples is None else samples
    return pd.DataFrame(values, index=index, columns=[f"{prefix}{at}" for at in range(30)])


def found(views: dict[str, object], code: str, **options: object) -> list[poems.Finding]:
    report = poems.check(views, **options)
    return [finding for finding in report.findings if finding.code == code]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Entrez_Gene_Id", np.arange(30) * 97 % 31 * 100),
        ("Entrez_Gene_Id", np.linspace(3, 8, 30)),
        ("Length", np.arange(30) * 97 % 31 * 200 + 400),
        ("start", np.full(30, 1000)),
        ("Strand", np.array([1, -1] * 15)),
        ("Chromosome", np.array(["chr1", "X"] * 15)),
        ("Hugo_Symbol", np.array([f"TP{at}" for at in range(30)])),
        ("Description", np.array(["a gene"] * 30)),
        ("some words", np.array(["kinase", "other"] * 15)),
    ],
)
def test_annotations_of_features_are_no_samples(name: str, values: np.ndarray) -> None:
    rna = table().T
    rna.insert(0, name, values)
    views = {"rna": rna, "protein": table(prefix="p")}
    (finding,) = found(views, "annotation-columns", features_in_rows=["rna"])
    assert (finding.severity, finding.items) == ("error", (name,))
    assert f"table.drop(columns=[{name!r}])" in finding.message
    with pytest.raises(DataError, match="annotation of the features"):
        poems.read(views, features_in_rows=["rna"])


def test_lengths_among_counts_are_no_sample() -> None:
    counts = (2 ** table()).round().T
    counts.insert(0, "Length", np.random.default_rng(1).integers(20, 90, 30))
    assert found({"rna": counts}, "annotation-columns", features_in_rows=True)


def test_samples_may_be_called_as_annotations_are() -> None:
    samples = ["start", "end", "Length", "mean", *SAMPLES[4:]]
    for rna in (table(samples), (2 ** table(samples)).round()):
        assert not found({"rna": rna.T}, "annotation-columns", features_in_rows=True)


@pytest.mark.parametrize(
    "change",
    [
        str.lower,
        lambda name: name.replace("-", "."),
        lambda name: name.replace("-00", "-"),
        lambda name: name + "\u200b",
        lambda name: name.replace("P", "\uff30"),
        lambda name: "P " + name[1:],
    ],
)
def test_a_second_name_of_a_sample_is_an_error(change) -> None:
    other = [*SAMPLES[:6], *map(change, SAMPLES[6:8]), *SAMPLES[8:]]
    rna = table()
    views = {"rna": rna, "protein": table(other, "p")}
    (finding,) = found(views, "two-names")
    assert finding.severity == "error"
    assert len(finding.items) == 4
    assert set(finding.items) == {*rna.index[6:8], *other[6:8]}
    (finding,) = found(views, "two-names", samples="intersection")
    assert finding.severity == "warning"


@pytest.mark.parametrize(
    ("one", "other", "n"),
    [
        ("TCGA-A1-A0SB", "TCGA-A1-A0SB-01A-11R", 1),
        ("TCGA-A1-0012-01", "tcga.a1.0012", 1),
        ("TCGA-A1-A0SB-01A", "TCGA-A1-A0SB-11A", 0),
        ("12", "X12", 1),
        ("12", "12.0", 1),
        ("M\u00fcller", "Mu\u0308ller", 1),
        ("visit 1.05", "visit 1.5", 0),
        ("P1", "P11", 0),
    ],
)
def test_known_changes_and_no_others_make_pairs(one: str, other: str, n: int) -> None:
    pairs = near_names(pd.Index(["a", one]), pd.Index(["a", other]))
    assert pairs == [(one, other)] * n
    assert near_names(pd.Index(["a", other]), pd.Index(["a", one])) == [(other, one)] * n


def test_names_that_a_table_itself_tells_apart_are_not_paired() -> None:
    assert near_names(pd.Index(["a", "s1", "S1"]), pd.Index(["a", "s-1", "s.1", "s_1"])) == []


def test_rows_of_obs_under_another_name_are_warned_of() -> None:
    obs = pd.DataFrame({"age": range(N)}, index=[*SAMPLES[:8], *map(str.lower, SAMPLES[8:])])
    (finding,) = found({"rna": table()}, "two-names", obs=obs)
    assert finding.severity == "warning"
    assert "'P-009' = 'p-009'" in finding.message


def test_row_numbers_are_named_from_any_source(tmp_path: Path) -> None:
    plain = table().reset_index(drop=True)
    plain.to_csv(tmp_path / "rna.csv")
    plain.to_parquet(tmp_path / "rna.parquet")
    data = anndata.AnnData(plain.to_numpy(), var=pd.DataFrame(index=plain.columns))
    data.write_h5ad(tmp_path / "rna.h5ad")
    other = plain.add_prefix("p")
    for source in ("rna.csv", "rna.parquet", "rna.h5ad"):
        views = {"rna": tmp_path / source, "protein": other}
        (finding,) = found(views, "numbered-samples")
        assert finding.severity == "warning"
        assert "matched by position" in finding.message
        views["protein"] = other[:9]
        (finding,) = found(views, "numbered-samples")
        assert finding.severity == "error"
    assert not found({"rna": table(), "protein": table(prefix="p")}, "numbered-samples")


def test_patients_numbered_from_one_are_warned_of_only_where_they_are_matched() -> None:
    numbers = list(range(1, N + 1))
    views = {"rna": table(numbers), "protein": table(numbers, "p")}
    assert [each.severity for each in found(views, "numbered-samples")] == ["warning"]
    assert not found({"rna": table(numbers)}, "numbered-samples")
    assert not found({"rna": table(numbers[::-1]), "p": table(numbers[::-1])}, "numbered-samples")


@pytest.mark.parametrize(
    ("name", "start", "severity"),
    [("index", 0, "error"), ("X", 1, "error"), ("dose", 1, "warning")],
)
def test_leaked_indexes_are_no_features(name: str, start: int, severity: str) -> None:
    rna = table()
    rna.insert(0, name, np.arange(N) + start)
    (finding,) = found({"rna": rna}, "leaked-index")
    assert (finding.severity, finding.items) == (severity, (name,))
    rna[name] = np.arange(N)[::-1]
    assert not found({"rna": rna}, "leaked-index")


def test_what_pandas_calls_a_column_without_a_name_is_explained(tmp_path: Path) -> None:
    rna = table()
    rna.insert(0, "Unnamed: 0", np.arange(N))
    rna.to_csv(tmp_path / "rna.csv")
    with pytest.raises(DataError, match="row numbers of an index that was written with the table"):
        poems.read({"rna": tmp_path / "rna.csv"})


@pytest.mark.parametrize("names", [("rna", "RNA"), ("caf\u00e9", "cafe\u0301")])
def test_view_names_that_are_one_file_elsewhere_are_refused(names: tuple[str, str]) -> None:
    from poems.data.naming.names import view_name_problems

    (found,) = view_name_problems(names)
    assert "are one name where files are told apart without" in found.message


@pytest.mark.parametrize("name", ["con", "NUL.txt", "rna ", "rna.", "a:b", "a?b"])
def test_view_names_that_windows_cannot_hold_are_refused(name: str) -> None:
    from poems.data.naming.names import view_name_problems

    (found,) = view_name_problems([name])
    assert "Windows" in found.message
