from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from poems.errors import DataError, ReadError, SettingsError
from poems_benchmark.cohorts import (
    CohortSpec,
    data_digest,
    discover_cohorts,
    read_benchmark_cohort,
    read_cohort_specs,
    view_files,
)

SHIPPED = Path(__file__).parents[2] / "benchmarks" / "cohorts.toml"
WriteCohort = Callable[..., Path]


@pytest.fixture
def write_cohort(tmp_path: Path) -> WriteCohort:
    def write(name: str, *, views: tuple[str, ...] = ("rna.csv.gz", "protein.tsv")) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rng = np.random.default_rng(0)
        samples = [f"s{at}" for at in range(12)]
        for view in views:
            table = pd.DataFrame(rng.poisson(5, (12, 4)), index=samples, columns=list("abcd"))
            separator = "\t" if ".tsv" in view else ","
            table.rename_axis("sample").to_csv(folder / view, sep=separator)
        obs = pd.DataFrame({"kind": list("xxyyxxyyxxyy"), "time": 1.0, "event": 1}, index=samples)
        obs.rename_axis("sample").to_csv(folder / "obs.csv")
        return folder

    return write


def described(tmp_path: Path, text: str) -> tuple[CohortSpec, ...]:
    path = tmp_path / "some.toml"
    path.write_text(text)
    return read_cohort_specs(path, tmp_path)


def test_a_description_is_read(tmp_path: Path, write_cohort: WriteCohort) -> None:
    folder = write_cohort("first")
    (spec,) = described(
        tmp_path,
        '[cohort.one]\nfolder = "first"\nviews = ["rna"]\nlabels = ["kind"]\nlog1p = ["rna"]\n'
        'time = "time"\nevent = "event"\nnote = "A note."\n',
    )
    assert spec == CohortSpec(
        "one", folder, ("kind",), ("rna",), ("rna",), "time", "event", "A note."
    )
    cohort = read_benchmark_cohort(spec)
    raw = pd.read_csv(folder / "rna.csv.gz", index_col=0)
    np.testing.assert_allclose(cohort.frame("rna"), np.log1p(raw), rtol=1e-6)
    assert list(cohort) == ["rna"]


def test_all_views_are_used_unless_some_are_named(
    tmp_path: Path, write_cohort: WriteCohort
) -> None:
    write_cohort("one")
    (spec,) = described(tmp_path, '[cohort.one]\nlabels = ["kind"]\n')
    assert list(read_benchmark_cohort(spec)) == ["protein", "rna"]


@pytest.mark.parametrize(("text", "message"), [
    ("", r"must hold tables called \[cohort.NAME\]"),
    ("[cohorts.one]\n", r"nothing else, not cohorts"),
    ("[cohort.one\n", "is not a TOML file"),
    ('[cohort.one]\nlabel = "kind"\n', "unknown key label; there are folder, views, labels"),
    ('[cohort.one]\nlabels = "kind"\n', "labels must be a list of texts"),
    ("[cohort.one]\nlabels = [3]\n", "labels must be a list of texts"),
    ('[cohort.one]\nlabels = ["a"]\nfolder = 3\n', "folder must be a text"),
    ('[cohort.one]\nlabels = ["a"]\ntime = "t"\n', "needs both time and event"),
    ("[cohort.one]\n", "needs labels, or time and event, to score"),
    ("cohort.one = 3\n", "'cohort.one' must be a table"),
])  # fmt: skip
def test_a_wrong_description_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        described(tmp_path, text)


def test_cohorts_of_one_folder_or_study_are_of_one_source(tmp_path: Path) -> None:
    text = """
[cohort.one]
labels = ["kind"]
[cohort.more_views]
folder = "one"
labels = ["kind"]
[cohort.other]
labels = ["kind"]
study = "Somewhere"
[cohort.another]
labels = ["kind"]
study = "Somewhere"
"""
    one, more_views, other, another = described(tmp_path, text)
    assert one.source == more_views.source == str(tmp_path / "one")
    assert other.source == another.source == "Somewhere"


def test_a_missing_description_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read cohorts from .*No such file"):
        read_cohort_specs(tmp_path / "absent.toml", tmp_path)


def test_cohorts_are_found_in_folders(tmp_path: Path, write_cohort: WriteCohort) -> None:
    write_cohort("b")
    write_cohort("a")
    (tmp_path / "empty").mkdir()
    specs = discover_cohorts(tmp_path, ["kind", "absent"])
    assert [(spec.name, spec.labels) for spec in specs] == [("a", ("kind",)), ("b", ("kind",))]
    assert discover_cohorts(tmp_path / "a", ["kind"])[0].name == "a"


def test_what_is_not_there_is_named(tmp_path: Path, write_cohort: WriteCohort) -> None:
    folder = write_cohort("one")
    with pytest.raises(SettingsError, match="name them with --labels COLUMN"):
        discover_cohorts(tmp_path, [])
    with pytest.raises(ReadError, match=r"none of the 1 cohorts .* has a column pam50"):
        discover_cohorts(tmp_path, ["pam50"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError, match="no cohort in"):
        discover_cohorts(tmp_path / "empty", ["kind"])
    with pytest.raises(ReadError, match=r"no table of the view dna .* there are protein, rna"):
        CohortSpec("one", folder, views=("dna",)).files()
    with pytest.raises(ReadError, match="there is no table in"):
        CohortSpec("one", tmp_path / "empty").files()
    with pytest.raises(DataError, match=r"cohort 'one': no column pam50 in .*obs.csv"):
        read_benchmark_cohort(CohortSpec("one", folder, ("pam50",)))
    with pytest.raises(DataError, match="'event' has fewer than 2 classes"):
        read_benchmark_cohort(CohortSpec("one", folder, ("event",)))
    with pytest.raises(DataError, match="log1p names the view dna"):
        read_benchmark_cohort(CohortSpec("one", folder, ("kind",), log1p=("dna",)))


def test_log1p_refuses_what_is_no_count(write_cohort: WriteCohort) -> None:
    folder = write_cohort("one", views=("rna.csv",))
    table = pd.read_csv(folder / "rna.csv", index_col=0)
    (table - 6).to_csv(folder / "rna.csv")
    with pytest.raises(DataError, match="the view 'rna' has values below zero"):
        read_benchmark_cohort(CohortSpec("one", folder, ("kind",), log1p=("rna",)))


def test_the_digest_follows_the_data(write_cohort: WriteCohort) -> None:
    folder = write_cohort("one")
    spec = CohortSpec("one", folder, ("kind",))
    first = data_digest(spec)
    assert data_digest(CohortSpec("other name", folder, ("kind",), note="More.")) == first
    assert data_digest(CohortSpec("one", folder, ("kind", "event"))) != first
    assert data_digest(CohortSpec("one", folder, ("kind",), views=("rna",))) != first
    with (folder / "obs.csv").open("a") as file:
        file.write("s99,x,1.0,1\n")
    assert data_digest(spec) != first


def test_the_views_of_a_folder_are_named_after_files(write_cohort: WriteCohort) -> None:
    folder = write_cohort("one", views=("a.v2.csv", "b.tsv.gz"))
    (folder / "README.md").write_text("Not a view.")
    assert view_files(folder) == {"a.v2": folder / "a.v2.csv", "b": folder / "b.tsv.gz"}


def test_the_shipped_descriptions_score_nothing_made_from_the_data(tmp_path: Path) -> None:
    specs = read_cohort_specs(SHIPPED, tmp_path)
    scored = {label for spec in specs for label in spec.labels}
    assert not scored & {"jive_cluster", "coc", "gate"}
    assert len(specs) >= 8


def test_the_shipped_descriptions_tell_which_cohorts_share_patients(tmp_path: Path) -> None:
    source = {spec.name: spec.source for spec in read_cohort_specs(SHIPPED, tmp_path)}
    assert len({source[name] for name in source if name.startswith("brca")}) == 1
    assert len(set(source.values())) == 5
