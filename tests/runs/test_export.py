from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import poems_here
from openpyxl import load_workbook

import poems
from poems.data.mudata_io import read_h5mu
from poems.errors import DataError, ReadError, SettingsError
from poems.files.csv_tables import read_csv, write_csv
from poems.runs.export import export_csv, export_h5mu, export_workbook, workbook
from poems.runs.folder import read_run, write_run

HOSTILE = ['=HYPERLINK("http://x","y")', "+1", "-2+3", "@SUM(A1)", "a,b", "<script>", "0012"]


@pytest.fixture(scope="module")
def cohort() -> poems.MultiOmics:
    """Hostile names among the features, and columns that a spreadsheet would spoil."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(50, 2))
    features = [*HOSTILE, *(f"g{at}" for at in range(23))]
    samples = [f"s{at}" for at in range(49)] + ["=cmd()"]
    tables = {
        name: pd.DataFrame(
            signal @ rng.normal(size=(2, 30)) + rng.normal(size=(50, 30)), samples, features
        )
        for name in ("rna", "protein")
    }
    obs = pd.DataFrame({"code": ["007"] * 50, "dose": 1.5, "=x": "@y"}, index=samples)
    obs.loc["s0", "dose"] = np.nan
    return poems.read(tables, obs=obs)


@pytest.fixture(scope="module")
def run(cohort: poems.MultiOmics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = poems.fit(cohort, seed=0, epochs=20, n_latent=4, progress=False)
    found = poems.find_subtypes(model, 2)
    return write_run(tmp_path_factory.mktemp("export") / "run", model, cohort, found, figures=False)


@pytest.fixture(scope="module")
def extra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of another command, with infinite and missing numbers and long text."""
    folder = tmp_path_factory.mktemp("extra") / "survival"
    numbers = [np.inf, -np.inf, np.nan, 0.25]
    table = pd.DataFrame({"subtype": ["S1", "S2", "S3", "=S4"], "median": numbers})
    write_csv(folder / "survival_summary.csv", table.assign(reported=True), index=False)
    write_csv(folder / "long.csv", pd.DataFrame({"feature": ["x" * 40_000]}), index=False)
    return folder


def test_csv_files_are_the_runs_own_by_default(run: Path, extra: Path, tmp_path: Path) -> None:
    out = tmp_path / "csv"
    names = export_csv(run, out, also=[extra])
    assert {"latent", "loadings/rna", "obs", "survival/survival_summary"} <= set(names)
    for path in run.rglob("*.csv"):
        assert (out / path.relative_to(run)).read_bytes() == path.read_bytes()
    text = (out / "README.md").read_text(encoding="utf-8")
    for name in names:
        assert f"## `{name}.csv`" in text
    assert "- `hazard_ratio`" not in text
    assert "- `subtype`: the subtype, S1 the largest" in text
    marker = json.loads((out / "export.json").read_text(encoding="utf-8"))
    assert marker["tables"] == names
    with pytest.raises(SettingsError, match="holds a POEMS export already"):
        export_csv(run, out)
    export_csv(run, out, overwrite=True)
    assert not (out / "survival").exists() or not list((out / "survival").glob("*.csv"))


def test_cells_can_be_neutralised(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "csv"
    export_csv(run, out, neutralise=True)
    for path in out.rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                for cell in row:
                    assert not cell.startswith(("=", "@"))
                    if cell.startswith(("+", "-")):
                        float(cell)
    loadings, own = read_csv(out / "loadings" / "rna.csv"), read_csv(run / "loadings" / "rna.csv")
    expected = [f"'{name}" if name[0] in "=@" or name == "-2+3" else name for name in own.index]
    assert list(loadings.index) == expected
    np.testing.assert_array_equal(loadings.to_numpy(), own.to_numpy())
    assert list(read_csv(out / "obs.csv").columns) == ["code", "dose", "'=x"]


def test_a_workbook_holds_everything_and_no_formula(run: Path, extra: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.xlsx"
    findings = export_workbook(run, path, also=[extra])
    assert [(each.code, each.items) for each in findings] == [
        ("export-text-cut", ("survival/long",))
    ]
    book = load_workbook(path)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
    texts = {cell.value: cell.data_type for cell in cells if isinstance(cell.value, str)}
    for name in [*HOSTILE, "=cmd()", "=S4", "@y", "007"]:
        assert texts[name] == "s", name
    assert max(len(text) for text in texts) <= 32_767

    own = read_csv(run / "loadings" / "rna.csv")
    rows = list(book["loadings rna"].iter_rows(values_only=True))
    assert list(rows[0]) == ["feature", *own.columns]
    assert [row[0] for row in rows[1:]] == list(own.index)
    np.testing.assert_array_equal([row[1:] for row in rows[1:]], own.to_numpy())
    summary = list(book["survival survival_summary"].iter_rows(values_only=True))[1:]
    assert [row[1] for row in summary] == ["inf", "-inf", None, 0.25]
    assert [row[2] for row in summary] == [True] * 4
    obs = list(book["obs"].iter_rows(values_only=True))
    assert obs[1] == ("s0", "007", None, "@y")
    assert obs[2][2] == 1.5
    contents = list(book["contents"].iter_rows(values_only=True))
    assert {row[0] for row in contents[1:]} == set(book.sheetnames) - {"contents"}
    assert all(len(name) <= 31 for name in book.sheetnames)


def test_the_same_run_gives_the_same_file(run: Path, tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        export_workbook(run, tmp_path / name)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_what_excel_cannot_hold_is_split_or_left_out_and_said(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 31)
    monkeypatch.setattr(workbook, "MOST_COLUMNS", 6)
    found = {each.code: each for each in export_workbook(run, tmp_path / "run.xlsx")}
    assert "latent" in found["export-too-long"].items
    assert "pca" in found["export-too-wide"].items
    assert found["export-too-wide"].severity == "warning"
    book = load_workbook(tmp_path / "run.xlsx")
    assert "pca" not in book.sheetnames
    first, second = (
        list(book[name].iter_rows(values_only=True)) for name in ("latent", "latent part 2")
    )
    assert (len(first), len(second)) == (31, 21)
    assert first[0] == second[0]
    names = [row[0] for row in (*first[1:], *second[1:])]
    assert names == list(read_csv(run / "latent.csv").index)


def test_sheets_of_long_names_are_told_apart() -> None:
    names = [f"loadings/{'a very long name of a view ' * 3}{at}" for at in range(12)]
    found = workbook.sheet_names([*names, "a[b]:*?/\\c", "'", "History", "contents", "CONTENTS"])
    assert len({name.lower() for name in found.values()} | {"contents", "history"}) == 17 + 2
    assert all(0 < len(name) <= 31 for name in found.values())
    assert found["a[b]:*?/\\c"] == "a b c"


def test_mudata_holds_the_slots_and_the_subtypes(
    run: Path, cohort: poems.MultiOmics, tmp_path: Path
) -> None:
    path = export_h5mu(read_run(run), cohort, tmp_path / "run.h5mu")
    data = read_h5mu(path)
    model = poems.load(run / "model.poems")
    assert data.obsm["X_poems"].shape == (50, model.n_active)
    assert {"poems_gates", "poems_latent_variance"} <= set(data.obsm)
    assert {"poems_loadings", "poems_inclusion"} <= set(data.varm)
    subtypes = read_csv(run / "subtypes.csv")["subtype"]
    assert data.obs["poems_subtype"].astype(str).to_dict() == subtypes.to_dict()
    assert data.obs["code"].astype(str).unique().tolist() == ["007"]
    # The run's own table serves where the tables come without, and more samples do no harm.
    frames = {name: cohort.frame(name) for name in cohort}
    more = {
        name: pd.concat([frame, frame.iloc[:2].set_axis(["new1", "new2"])])
        for name, frame in frames.items()
    }
    given = poems.read(more)
    again = read_h5mu(export_h5mu(read_run(run), given, tmp_path / "b.h5mu"))
    assert set(again.obs.columns) == set(data.obs.columns)
    assert set(again.obs_names) == set(data.obs_names)
    with pytest.raises(DataError, match=r"no table was given for protein"):
        export_h5mu(read_run(run), cohort.select(["rna"]), tmp_path / "c.h5mu")
    with pytest.raises(DataError, match=r"1 of the run's 50 samples are not in the tables: s0"):
        export_h5mu(read_run(run), cohort.take(range(1, 50)), tmp_path / "c.h5mu")
    assert not (tmp_path / "c.h5mu").exists()


def test_files_are_not_overwritten_unasked(run: Path, extra: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.xlsx"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(SettingsError, match="is there already; pass --overwrite"):
        export_workbook(run, path)
    assert path.read_text(encoding="utf-8") == "mine"
    with pytest.raises(SettingsError, match=r"does not end in \.xlsx"):
        export_workbook(run, tmp_path / "run.csv")
    with pytest.raises(SettingsError, match="lies in the run's own folder"):
        export_csv(run, run / "csv")
    with pytest.raises(ReadError, match="there are no tables"):
        export_csv(run, tmp_path / "csv", also=[tmp_path])
    with pytest.raises(ReadError, match=r"tables of two folders would be called 'survival'"):
        export_csv(run, tmp_path / "csv", also=[extra, extra])
    with pytest.raises(ReadError, match="not a POEMS run"):
        export_workbook(extra, tmp_path / "b.xlsx")


def test_the_command(
    run: Path, cohort: poems.MultiOmics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert poems_here("export", run, "--to", "csv", "--out", tmp_path / "csv", "--neutralise") == 0
    assert "tables and README.md" in " ".join(capsys.readouterr().out.split())
    assert poems_here("export", run, "--to", "xlsx", "--out", tmp_path / "run.xlsx") == 0
    assert load_workbook(tmp_path / "run.xlsx").sheetnames[0] == "contents"
    views = []
    for name in cohort:
        cohort.frame(name).to_csv(tmp_path / f"{name}.csv", index_label="sample")
        views += ["--view", f"{name}={tmp_path / name}.csv"]
    assert poems_here("export", run, "--to", "h5mu", "--out", tmp_path / "run.h5mu", *views) == 0
    assert poems.read(tmp_path / "run.h5mu").n_samples == 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "pdf", "--out", "x"], "'pdf' is not one of"),
        (["--to", "h5mu", "--out", "x.h5mu"], "no table given; pass --view"),
        (["--to", "csv", "--out", "x", "--view", "a=b.csv"], "--view has no meaning with --to csv"),
        (["--to", "xlsx", "--out", "x", "--neutralise"], "no meaning with --to xlsx"),
    ],
)
def test_flags_that_would_do_nothing_are_refused(
    arguments: list[str],
    message: str,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert poems_here("export", run, *arguments) == 2
    assert message in capsys.readouterr().err


def test_nothing_outside_the_run_is_exported_through_a_link(run: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("password\n1234\n")
    linked = tmp_path / "run"
    shutil.copytree(run, linked)
    (linked / "extra.csv").symlink_to(secret)
    for write, out in ((export_csv, tmp_path / "csv"), (export_workbook, tmp_path / "a.xlsx")):
        with pytest.raises(ReadError, match=r"extra\.csv is a link that leads out of .*run"):
            write(linked, out)
        assert not out.exists()
    (linked / "extra.csv").unlink()
    (linked / "extra.csv").symlink_to(linked / "latent.csv")
    assert "extra" in export_csv(linked, tmp_path / "csv")
