from __future__ import annotations

import json
import logging
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poems
from poems.analysis.subtypes.finding import Subtypes, find_subtypes
from poems.errors import DataError, ReadError, SettingsError, StorageError
from poems.evaluation.baselines import pca_embedding
from poems.files.csv_tables import read_csv, write_csv, write_findings
from poems.files.markers import CHECKPOINT, read_marker, write_marker
from poems.files.output_folder import claim_folder
from poems.findings import Finding
from poems.runs.analysis import analyse_run
from poems.runs.folder import read_run, write_run
from poems.runs.log import log_findings, run_log
from poems.settings.schema import Settings, settings_from_mapping
from poems.settings.toml_file import read_settings

Fitted = tuple[poems.FittedPoems, poems.MultiOmics, Subtypes]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    cohort = poems.simulate(n_samples=40, n_features={"rna": 30, "=sum(A1)": 20}, seed=0).cohort
    model = poems.fit(cohort, seed=3, epochs=8, winsorise=None, progress=False)
    return model, cohort, find_subtypes(model, 3)


def test_what_is_written_is_read_back(fitted: Fitted, tmp_path: Path) -> None:
    model, cohort, subtypes = fitted
    folder = write_run(tmp_path / "run", *fitted, figures=False)
    run = read_run(folder)
    pd.testing.assert_frame_equal(run.model.latent, model.latent)
    assert run.obs["subtype"].tolist() == cohort.obs["subtype"].tolist()
    pd.testing.assert_series_equal(
        run.subtypes["subtype"], subtypes.assignment, check_names=False, check_index_type=False
    )
    assert run.summary["seed"] == 3
    assert run.summary["n_factors"] == model.latent.shape[1]
    assert sum(run.summary["subtypes"]["sizes"].values()) == 40
    assert run.summary["failure_signatures"] == list(model.diagnose().signatures)
    assert run.model.diagnose() == model.diagnose()
    checks = pd.read_csv(folder / "diagnosis.csv")
    assert checks["signature"].tolist() == [c.signature for c in model.diagnose().checks]
    np.testing.assert_allclose(checks["value"], model.diagnose().table["value"])
    settings = settings_from_mapping(read_settings(folder / "settings.toml"))
    assert settings == model.settings
    assert settings != Settings()


def test_tables_hold_the_models_numbers_and_names(fitted: Fitted, tmp_path: Path) -> None:
    model, _, _ = fitted
    folder = write_run(tmp_path, *fitted, figures=False)
    tables = {"latent": model.latent, "gates": model.gates, "history": model.history}
    for view in model.view_names:
        tables[f"loadings/{view}"] = model.loadings[view]
        tables[f"inclusion/{view}"] = model.inclusion[view]
        tables[f"scores/{view}"] = model.loading_scores[view]
    for name, expected in tables.items():
        found = read_csv(folder / f"{name}.csv")
        assert list(found.index) == [str(label) for label in expected.index]
        assert list(found.columns) == list(expected.columns)
        np.testing.assert_array_equal(found.to_numpy(np.float32), expected.to_numpy(np.float32))


def test_figures_are_drawn_and_old_views_vanish(fitted: Fitted, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", *fitted)
    names = {"latent", "subtypes", "gates", "loadings", "sparsity", "history"}
    assert {path.stem for path in (folder / "figures").iterdir()} == names
    (folder / "loadings" / "mine.csv").write_text("keep")
    (folder / "mine.txt").write_text("keep")
    write_run(folder, *fitted, figures=False)
    assert not (folder / "figures").exists()
    for name in ("mine.txt", "loadings/mine.csv"):
        assert (folder / name).read_text() == "keep"
    (folder / "manifest.json").unlink()
    write_run(folder, *fitted, figures=False)
    assert not (folder / "loadings" / "mine.csv").exists(), "what older versions wrote goes"
    assert (folder / "mine.txt").read_text() == "keep"
    assert not list(folder.rglob(".*"))


def test_the_baseline_lies_beside_the_model(
    fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cohort, _ = fitted
    run = read_run(write_run(tmp_path, *fitted, figures=False))
    assert run.pca is not None
    np.testing.assert_allclose(run.pca.to_numpy(), pca_embedding(cohort).to_numpy())

    def fail(_: object) -> None:
        raise DataError("no components")

    monkeypatch.setattr("poems.evaluation.baselines.pca_embedding", fail)
    assert read_run(write_run(tmp_path, *fitted, figures=False)).pca is None


def test_the_subtype_model_lies_beside_the_model_or_is_learnt_again(
    fitted: Fitted, tmp_path: Path
) -> None:
    model, _, subtypes = fitted
    run = read_run(write_run(tmp_path, *fitted, figures=False))
    expected = subtypes.assigner(model).assign(model.latent, model.latent_variance)
    file = tmp_path / "subtype_model.json"
    saved = run.subtype_model().assign(model.latent, model.latent_variance)
    pd.testing.assert_frame_equal(saved, expected)
    text = file.read_text()
    file.write_text(text.replace('"factor_1"', '"other"'))
    with pytest.raises(StorageError, match=r"subtype_model\.json has \d+ factors, .* another fit"):
        run.subtype_model()
    file.unlink()
    learnt = run.subtype_model().assign(model.latent, model.latent_variance)
    pd.testing.assert_frame_equal(learnt, expected)


def test_the_baseline_sees_the_logarithms_that_the_model_sees(tmp_path: Path) -> None:
    cohort = poems.simulate(n_samples=30, n_features={"a": 20, "b": 10}, seed=0).cohort
    view = replace(cohort.views["a"], values=np.exp(cohort.views["a"].values))
    counts = replace(cohort, views={**cohort.views, "a": view})
    logged = replace(view, values=np.log1p(view.values))
    model = poems.fit(counts, log1p=("a",), epochs=2, progress=False)
    run = read_run(write_run(tmp_path, model, counts, find_subtypes(model, 2), figures=False))
    expected = pca_embedding(replace(counts, views={**counts.views, "a": logged}))
    assert run.pca is not None
    np.testing.assert_allclose(run.pca.to_numpy(), expected.to_numpy())


def test_weights_leave_out_the_samples_without_the_view(tmp_path: Path) -> None:
    cohort = poems.simulate(n_samples=40, n_features=20, missing_views=0.4, seed=0).cohort
    model = poems.fit(cohort, epochs=2, progress=False)
    run = read_run(write_run(tmp_path, model, cohort, find_subtypes(model, 2), figures=False))
    for name, view in cohort.views.items():
        expected = model.gates.loc[view.measured, name].mean()
        assert run.summary["mean_gate"][name] == pytest.approx(expected, abs=1e-5)


def test_subtypes_that_follow_the_missing_views_are_among_the_findings(
    tmp_path: Path,
) -> None:
    cohort = poems.simulate(n_samples=60, n_features=20, missing_views=0.4, seed=0).cohort
    model = poems.fit(cohort, epochs=2, progress=False)
    missing = model.gates["view1"] == 0
    made = find_subtypes(model, 1)
    telling = replace(made, assignment=missing.map({True: "S1", False: "S2"}).rename("subtype"))
    patterns = telling.by_measured_omics(model.gates > 0)
    assert patterns.patterns
    of_patterns, of_all = "subtypes-of-missing-omics", "subtypes-follow-missingness"
    for subtypes, told in ((telling, {of_all}), (patterns, {of_patterns}), (made, set())):
        write_run(tmp_path, model, cohort, subtypes, figures=False)
        codes = set(pd.read_csv(tmp_path / "findings.csv")["code"])
        assert codes & {of_patterns, of_all} == told


def test_subtypes_that_are_the_batches_are_among_the_findings(tmp_path: Path) -> None:
    cohort = poems.simulate(n_samples=60, n_features=20, seed=0).cohort
    plate = pd.Series(["S1", "S2"] * 30, cohort.samples, name="subtype")
    halves = pd.Series(["S1"] * 30 + ["S2"] * 30, cohort.samples, name="subtype")
    batched = replace(cohort, obs=pd.DataFrame({"plate": plate}))
    model = poems.fit(batched, epochs=2, progress=False)
    for subtypes, told in ((plate, True), (halves, False)):
        made = replace(find_subtypes(model, 1), assignment=subtypes)
        write_run(tmp_path, model, batched, made, figures=False)
        codes = set(pd.read_csv(tmp_path / "findings.csv")["code"])
        assert ("subtypes-follow-batch" in codes) == told


def test_a_finished_run_leaves_no_checkpoint(fitted: Fitted, tmp_path: Path) -> None:
    claim_folder(tmp_path, "run")
    (tmp_path / CHECKPOINT).write_bytes(b"state")
    write_run(tmp_path, *fitted, figures=False)
    assert not (tmp_path / CHECKPOINT).exists()


def _contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("at", ["write_findings", "write_csv", "write_text", "write_marker"])
def test_an_earlier_run_stays_as_it_was_where_a_new_one_cannot_be_written(
    fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    write_run(tmp_path, *fitted, analysis=analyse_run(*fitted), figures=False)
    before = _contents(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(f"poems.runs.writing.{at}", fail)
    with pytest.raises(OSError, match="disk full"):
        write_run(tmp_path, *fitted, figures=False)
    assert _contents(tmp_path) == before
    read_run(tmp_path)


def test_a_run_whose_writer_ended_among_the_renames_is_completed_by_who_reads_it(
    fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, *fitted, figures=False)
    renamed: list[object] = []

    def fail(path: Path, target: object, replace: object = Path.replace) -> None:
        if len(renamed) > 5 and Path(str(target)).suffix == ".csv":
            raise OSError("killed")
        renamed.append(replace(path, target))  # type: ignore[operator]

    (tmp_path / "r2.csv").write_text("of an earlier run")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="killed"):
            write_run(tmp_path, *fitted, figures=False)
    assert (tmp_path / "r2.csv").read_text() == "of an earlier run"
    assert json.loads((tmp_path / "run.json").read_text())["complete"] is False
    read_run(tmp_path)
    assert "of an earlier run" not in (tmp_path / "r2.csv").read_text()
    assert not list(tmp_path.glob(".*"))


def test_a_run_that_is_replaced_while_it_is_read_is_not_taken_for_one(
    fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, *fitted, figures=False)

    def replaced(path: Path, read: object = read_csv) -> object:
        write_marker(tmp_path, "run", {}, complete=False)
        return read(path)  # type: ignore[operator]

    monkeypatch.setattr("poems.runs.folder.read_csv", replaced)
    with pytest.raises(ReadError, match="was replaced while it was read; repeat the command"):
        read_run(tmp_path)


def test_other_samples_in_a_table_are_noticed(fitted: Fitted, tmp_path: Path) -> None:
    write_run(tmp_path, *fitted, figures=False)
    obs = (tmp_path / "obs.csv").read_text().splitlines()
    (tmp_path / "obs.csv").write_text("\n".join(obs[:-1]) + "\n")
    with pytest.raises(StorageError, match=r"obs\.csv does not list the model's 40 samples"):
        read_run(tmp_path)
    (tmp_path / "obs.csv").unlink()
    with pytest.raises(StorageError, match=r"cannot read .*obs\.csv"):
        read_run(tmp_path)


def test_folders_are_claimed_once_and_others_never(tmp_path: Path) -> None:
    run = claim_folder(tmp_path / "run", "run")
    assert claim_folder(run, "run") == run, "what did not finish is free"
    (run / CHECKPOINT).write_bytes(b"")
    with pytest.raises(SettingsError, match="holds a POEMS run already"):
        claim_folder(run, "run")
    (run / CHECKPOINT).unlink()
    write_marker(run, "run", {})
    with pytest.raises(SettingsError, match="holds a POEMS run already; pass --overwrite"):
        claim_folder(run, "run")
    assert claim_folder(run, "run", overwrite=True) == run
    with pytest.raises(SettingsError, match="not a POEMS projection"):
        claim_folder(run, "projection", overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="is a file, not a folder"):
        claim_folder(tmp_path / "file", "run", overwrite=True)
    (tmp_path / "empty").mkdir()
    assert claim_folder(tmp_path / "empty", "run") == tmp_path / "empty"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"file/run cannot be made \(Not a directory\)"):
        claim_folder(tmp_path / "file" / "run", "run")


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"there is no folder .*absent"):
        read_run(tmp_path / "absent")
    with pytest.raises(ReadError, match="not a POEMS run"):
        read_run(tmp_path)
    for text in ("{", "[]", '{"format": "other"}'):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(ReadError, match="not a POEMS run"):
            read_run(tmp_path)
    write_marker(tmp_path, "run", {"version": 99})
    with pytest.raises(StorageError, match="format 99, but this POEMS reads format 1"):
        read_marker(tmp_path, "run")


# Control characters of names are refused at the border, but clinical texts may hold line ends.
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc",), include_characters="\r\n\t"),
    max_size=8,
)


@given(
    names=st.lists(NAMES, min_size=1, max_size=5, unique=True),
    columns=st.lists(NAMES, min_size=1, max_size=3),
    value=st.floats(allow_nan=False, allow_infinity=False),
)
def test_csv_keeps_any_name_and_every_digit(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], columns: list[str], value: float
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    table = pd.DataFrame(value, index=names, columns=columns).rename_axis("sample")
    write_csv(path, table)
    pd.testing.assert_frame_equal(
        read_csv(path).astype(float), table, check_index_type=False, check_column_type=False
    )


def test_csv_tells_missing_from_the_word(tmp_path: Path) -> None:
    table = pd.DataFrame({"label": ["NA", None, "None"]}, index=["NA", "null", "001"])
    write_csv(tmp_path / "a.csv.gz", table)
    found = read_csv(tmp_path / "a.csv.gz")
    assert list(found.index) == ["NA", "null", "001"]
    assert found["label"].isna().tolist() == [False, True, False]


def test_findings_keep_their_items(tmp_path: Path) -> None:
    finding = Finding("note", "x", "a, \"quoted\" 'text'", view="rna", items=("=1+1", "a;b"))
    write_findings(tmp_path / "f.csv", [finding])
    table = pd.read_csv(tmp_path / "f.csv")
    assert table.loc[0, "message"] == finding.message
    assert json.loads(table.loc[0, "items"]) == ["=1+1", "a;b"]
    write_findings(tmp_path / "none.csv", [])
    assert list(pd.read_csv(tmp_path / "none.csv").columns) == list(table.columns)


def test_the_log_takes_records_findings_and_warnings_and_then_stops(tmp_path: Path) -> None:
    logger = logging.getLogger("poems.somewhere")
    level = logging.getLogger("poems").level
    with run_log(tmp_path / "run") as path:
        logger.info("fitted")
        log_findings([Finding("warning", "x", "odd", view="rna", items=("g1", "g2"))])
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("from elsewhere", UserWarning, stacklevel=1)
    logger.warning("after")
    text = path.read_text(encoding="utf-8")
    assert "INFO    poems.somewhere: fitted" in text
    assert "warning: rna: odd [g1, g2]" in text
    assert "from elsewhere" in text
    assert "after" not in text
    assert logging.getLogger("poems").level == level
    assert not logging.getLogger("poems").handlers
