from __future__ import annotations

import gc
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from command_line import poems_here

import poems
from poems.cli import cohort_tables, inputs
from poems.cli.commands.simulate import Truth
from poems.cli.printing import clean, output, print_findings, print_table
from poems.findings import Finding, unsaid
from poems.settings.schema import Metric, Settings, setting_groups
from poems.settings.toml_file import settings_to_toml
from poems.wording import in_omics

pytestmark = pytest.mark.usefixtures("unrendered")

QUICK = ["--epochs", "15", "--encoder-layers", "16", "--n-latent", "6"]


def poems_process(*arguments: str, cwd: Path, width: int = 80) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": str(width), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "poems", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "sim"
    options = ["--n-samples", 60, "--n-features", 40, "--n-views", 2, "--missing-views", 0.1]
    assert poems_here("simulate", "--out", folder, *options) == 0
    return folder


@pytest.fixture(scope="module")
def run_folder(simulated: Path) -> Path:
    """A run, fitted by the real command in its own process."""
    done = poems_process(
        *["fit", "sim/view1.csv.gz", "--view", "second=sim/view2.csv.gz"],
        *["--obs", "sim/obs.csv", "--out", "run", "--seed", "5", *QUICK],
        cwd=simulated.parent,
    )
    assert done.returncode == 0, done.stderr
    assert "Written to run" in done.stdout
    assert "Ran for all epochs." in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert re.search(r"^15/15  objective \d+\.\d  KL \d", done.stderr, re.MULTILINE)
    assert "weights: over the samples on which the omic was measured" in done.stdout
    assert done.stdout.count("not measured on") == 2, "known before the fit, said once"
    assert "Traceback" not in done.stderr
    return simulated.parent / "run"


def test_fit_writes_a_run_that_the_library_reads(run_folder: Path) -> None:
    model = poems.load(run_folder / "model.poems")
    assert model.view_names == ("view1", "second")
    assert model.settings == Settings().updated(
        epochs=15, encoder_layers=(16,), n_latent=6, likelihood="gaussian"
    )
    assert model.seed == 5
    assert json.loads((run_folder / "run.json").read_text())["complete"] is True
    subtypes = pd.read_csv(run_folder / "subtypes.csv", index_col="sample")
    assert list(subtypes.index) == list(model.samples)
    assert "not measured on" in (run_folder / "run.log").read_text(encoding="utf-8")
    assert (run_folder / "figures" / "history.png").stat().st_size > 1000


def test_flags_win_over_the_file_and_the_file_over_the_preset(
    simulated: Path, tmp_path: Path
) -> None:
    config = tmp_path / "s.toml"
    config.write_text('[training]\nepochs = 4\nbatch_size = 7\n[preprocessing]\nwinsorise = "none"')
    code = poems_here(
        *["fit", simulated / "view1.csv.gz", "--out", tmp_path / "run", "--quiet"],
        *["--config", config, "--preset", "paper", "--epochs", "3", "--no-density-ratio"],
        *["--encoder-layers", "8,8", "--lambda-spike", "none", "--n-subtypes", "2"],
        "--no-analysis",
    )
    assert code == 0
    settings = poems.load(tmp_path / "run" / "model.poems").settings
    expected = Settings.preset("paper").updated(
        epochs=3, batch_size=7, winsorise=None, encoder_layers=(8, 8), lambda_spike=None
    )
    assert settings == expected
    assert (
        poems_here(
            *["fit", simulated / "view1.csv.gz", "--out", tmp_path / "again", "-q"],
            *["--config", tmp_path / "run" / "settings.toml", "--no-analysis"],
        )
        == 0
    )
    assert poems.load(tmp_path / "again" / "model.poems").settings == expected


def test_quiet_prints_nothing(
    simulated: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fit", simulated / "view1.csv.gz", "--out", tmp_path / "run", "-q", *QUICK]
    assert poems_here(*arguments, "--checkpoint-every", 5) == 0
    assert capfd.readouterr() == ("", "")
    assert not (tmp_path / "run" / "checkpoint.poems").exists(), "the model took its place"


def test_a_run_is_overwritten_only_on_request(
    run_folder: Path, simulated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run_folder / "run.json").read_bytes()
    assert poems_here("fit", simulated / "view1.csv.gz", "--out", run_folder, *QUICK) == 1
    assert "holds a POEMS run already; pass --overwrite" in capsys.readouterr().err
    out = ["--out", simulated, "--overwrite"]
    assert poems_here("fit", simulated / "view1.csv.gz", *out, *QUICK) == 1
    assert "is not a POEMS run, so nothing in it will be overwritten" in capsys.readouterr().err
    assert (run_folder / "run.json").read_bytes() == before


def test_samples_without_a_view_that_subtypes_depend_on_are_flagged(
    run_folder: Path, simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As much as the fit's own samples do, by what the run says of them."""
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    stored = run / "analysis" / "contributions_by_view.csv"
    by_view = pd.read_csv(stored, index_col="view")
    by_view.loc["view1", "switched_share"] = 0.4
    by_view.to_csv(stored)
    out, table = tmp_path / "new", f"second={simulated / 'view2.csv.gz'}"
    assert poems_here("transform", run, "--view", table, "--out", out) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "in the fit, 40% of the training samples got another subtype" in said
    assert pd.read_csv(out / "subtypes.csv", index_col="sample")["uncertain"].all()


def test_transform_takes_any_subset_of_the_views(
    run_folder: Path, simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new"
    table = f"second={simulated / 'view2.csv.gz'}"
    assert poems_here("transform", run_folder, "--view", table, "--out", out) == 0
    gates = pd.read_csv(out / "gates.csv", index_col="sample")
    assert (gates["view1"] == 0).all()
    assert (gates["second"] == 1).all()
    latent = pd.read_csv(out / "latent.csv", index_col="sample")
    assert list(latent.index) == list(gates.index)
    assert "view1" in (out / "findings.csv").read_text(encoding="utf-8")
    assigned = pd.read_csv(out / "subtypes.csv", index_col="sample")
    assert list(assigned.index) == list(gates.index)
    columns = ["subtype", "nearest", "probability", "distance", "uncertain"]
    assert list(assigned.columns) == columns
    known = pd.read_csv(run_folder / "subtypes.csv", index_col="sample")["subtype"]
    assert set(assigned["nearest"]) <= set(known)
    printed = capsys.readouterr().out
    assert f"{len(gates)} samples projected" in printed
    for name, size in assigned["subtype"].value_counts().items():
        assert re.search(rf"^  {name} +{size} +\d+$", printed, re.MULTILINE)
    assert poems_here("transform", run_folder, "--view", table, "--out", out) == 1
    assert "holds a POEMS projection already" in capsys.readouterr().err
    assert poems_here("transform", run_folder, "--view", table, "--out", out, "--overwrite") == 0


def test_evaluate_scores_every_embedding_and_the_subtypes(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert poems_here("evaluate", run_folder, "--labels", "subtype") == 0
    text = capsys.readouterr().out
    assert "60 of 60 samples labelled, 4 classes" in text
    for metric in get_args(Metric):
        assert re.search(rf"^  {metric} +0\.\d\d ± 0\.\d\d", text, re.MULTILINE)
    assert re.search(r"^  decoded .*\n  PCA +0\.\d\d ± .*\nmean ± sd", text, re.MULTILINE)
    assert "PCA is the baseline" in text
    line = r"^(accuracy \d\.\d\d, )?purity \d\.\d\d, homogeneity .*, completeness .*, NMI .*, ARI"
    found = re.search(line, text, re.MULTILINE)
    assert found is not None
    n_subtypes = pd.read_csv(run_folder / "subtypes.csv")["subtype"].nunique()
    # An accuracy, of clusters and classes matched one to one, where there are as many.
    assert (found[1] is None) == (n_subtypes != 4) == ("no accuracy: " in text)
    assert poems_here("evaluate", run_folder, "--labels", "subtype", "--metric", "gram") == 0
    assert "decoded" not in capsys.readouterr().out


def test_evaluate_keeps_groups_together_and_says_so(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    obs = pd.read_csv(run / "obs.csv", index_col="sample")
    obs["patient"] = [f"p{at // 3}" for at in range(len(obs))]
    obs["one"] = "all"
    obs.loc[obs.index[:2], "patient"] = None
    obs.to_csv(run / "obs.csv")
    ask = ["evaluate", run, "--labels", "subtype", "--metric", "latent", "--groups"]
    assert poems_here(*ask, "patient") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "22 groups of 60 labelled samples, the largest of 3; none is on both sides" in text
    assert "2 samples without a value in 'patient', each taken for a group of its own" in text
    assert poems_here(*ask, "one") == 1
    assert "into 1 group, and 2 are needed" in " ".join(capsys.readouterr().err.split())
    assert poems_here(*ask, "nobody") == 1
    assert "--groups" in capsys.readouterr().err


def test_evaluate_prints_no_table_of_very_many_classes(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    obs = pd.read_csv(run / "obs.csv", index_col="sample")
    obs["score"] = [at % 25 for at in range(len(obs))]
    obs.to_csv(run / "obs.csv")
    assert poems_here("evaluate", run, "--labels", "score") == 0
    printed = capsys.readouterr().out
    assert "25 classes are too many to print" in printed
    assert "  S1 " not in printed


def test_evaluate_names_the_columns_there_are(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert poems_here("evaluate", run_folder, "--labels", "pam50") == 1
    assert "has no column 'pam50'; there are: subtype" in capsys.readouterr().err


def test_info_reads_a_run_and_a_model(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert poems_here("info", run_folder) == 0
    text = capsys.readouterr().out
    assert "n_latent = 6" in text
    assert "Settings (seed 5)" in text
    assert "not measured on" in text
    assert poems_here("info", run_folder / "model.poems") == 0
    assert capsys.readouterr().out == text
    assert poems_here("info", tmp_path) == 1
    assert "is not a POEMS run" in capsys.readouterr().err


def test_a_fit_is_diagnosed_again_on_new_samples(
    run_folder: Path, simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = pd.read_csv(run_folder / "diagnosis.csv")
    told = json.loads((run_folder / "run.json").read_text())["failure_signatures"]
    # Too few epochs for anything to be learned.
    assert "explains-nothing" in told
    assert set(stored.query("verdict == 'warning'")["signature"]) == set(told)
    assert poems_here("info", run_folder) == 0
    text = capsys.readouterr().out
    assert f"Diagnosis: {len(told)} failure signature" in text
    assert text.count("of the variance of every omic") == 1, "said once"

    assert poems_here("diagnose", run_folder / "model.poems") == 0
    text = capsys.readouterr().out
    assert re.search(r"^  mean weight +second +training +0\.\d+ +0\.95 +ok", text, re.MULTILINE)
    assert "held out" not in text

    table = pd.read_csv(simulated / "view2.csv.gz", index_col=0)
    table.index = "new_" + table.index
    table.to_csv(tmp_path / "new.csv")
    out = tmp_path / "d.csv"
    arguments = ["--view", f"second={tmp_path / 'new.csv'}", "--out", out]
    assert poems_here("diagnose", run_folder, *arguments) == 0
    text = capsys.readouterr().out
    assert re.search(r"^  R² of PCA +second +held out", text, re.MULTILINE)
    written = pd.read_csv(out)
    assert set(written["samples"]) == {"training", "held out"}
    assert written.query("quantity == 'samples named in training'")["value"].item() == 0
    assert poems_here("diagnose", run_folder, tmp_path / "absent.csv") == 1
    assert "absent.csv" in capsys.readouterr().err


def test_a_clean_fit_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulate = ["--n-samples", 72, "--n-features", 40, "--n-views", 2, "--n-factors", 3]
    simulate += ["--density", 0.2, "--effect", 1, 2]
    assert poems_here("simulate", "--out", tmp_path / "sim", *simulate) == 0
    options = ["--epochs", 80, "--batch-size", 24, "--n-latent", 6, "--seed", 1, "--no-analysis"]
    tables = [tmp_path / "sim" / f"view{i}.csv.gz" for i in (1, 2)]
    assert poems_here("fit", *tables, "--out", tmp_path / "run", *options) == 0
    assert "Diagnosis: no failure signature" in capsys.readouterr().out


def test_check_reports_and_exits_by_what_it_found(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = [simulated / "view1.csv.gz", f"b={simulated / 'view2.csv.gz'}"]
    assert poems_here("check", *tables, "--obs", simulated / "obs.csv") == 0
    text = capsys.readouterr().out
    assert "60 samples; obs has subtype" in text
    assert re.search(r"^  b +\d+ +40", text, re.MULTILINE)
    assert "ready for a fit" in text
    bad = tmp_path / "bad.csv"
    bad.write_text("sample,g1\ns1,1.0\ns2,[red]x[/red]\n")
    assert poems_here("check", bad) == 1
    text = capsys.readouterr().out
    assert "[red]x[/red]" in text
    assert "not ready for a fit" in text


def test_demo_compares_with_the_planted_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    options = ["--n-samples", 60, "--n-features", 40, "--seed", 1]
    assert poems_here("demo", "--out", out, *options, *QUICK) == 0
    text = capsys.readouterr().out
    assert "Beside the planted truth" in text
    assert re.search(r"samples in their subtype +\d+% right", text)
    assert (out / "run.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fit", "absent.csv", "--out", "o"], 1, "absent.csv"),
        (["fit", "bad.csv", "--out", "o"], 1, "bad"),
        (["fit", "bad.csv", "--out", "o", "--n-latent", "0"], 1, "error: --n-latent: 0 should be"),
        (
            ["fit", "bad.csv", "--out", "o", "--encoder-layers", "3,x"],
            1,
            "error: --encoder-layers: x should be a valid integer\n",
        ),
        (
            ["fit", "bad.csv", "--out", "o", "--encoder-layers", "0"],
            1,
            "error: --encoder-layers: every layer needs at least 1 hidden unit\n",
        ),
        (
            ["fit", "bad.csv", "--out", "o", "--ramp-start", "0.9"],
            1,
            "error: --ramp-end must not be before --ramp-start\n",
        ),
        (["fit", "bad.csv", "--out", "o", "--config", "v.toml"], 1, "v.toml: settings are not"),
        (["fit", "good.csv", "--out", "o", "--n-subtypes", "9"], 1, "there are only 8 samples"),
        (["fit", "good.csv", "--out", "o", "--log1p", "rna"], 1, "--log1p names rna, which is no"),
        (["fit", "good.csv", "--out", "bad.csv/o"], 1, "bad.csv/o cannot be made (Not a directory"),
        (["fit", "bad.csv", "--features-in-rows-of", "x", "--out", "o"], 2, "there are bad"),
        (["fit", "--view", "a==x", "--out", "o"], 2, "for example --view a=x "),
        (["fit", "--view", "=x", "--out", "o"], 2, "for example --view mrna=x "),
        (["fit", "--view", "d/x.csv", "--out", "o"], 2, "for example --view x=d/x.csv "),
        (["fit", "bad.csv", "--out", "o", "--preset", "p"], 1, "no preset 'p'; there are default"),
        (["fit", "bad.csv", "--out", "o", "--config", "s.toml"], 1, "no setting 'epoch' in"),
        (["fit", "bad.csv"], 2, "Missing option '--out'"),
        (["fit", "--out", "o"], 2, "no table given"),
        (["fit", "bad.csv", "--view", "bad.csv", "--out", "o"], 2, "--view takes NAME=FILE"),
        (["fit", "bad.csv", "bad=x.csv", "--out", "o"], 2, "two tables are named 'bad'"),
        (["fit", "bad.csv", "--out", "o", "--gate", "open"], 2, "'--gate'"),
        (["fit", "bad.csv", "--out", "o", "--gate", "open"], 2, "there are learned, linear, equal"),
        (["fit", "bad.csv", "--out", "o", "--likelihood", "a=open"], 2, "no likelihood 'open'"),
        (["fit", "bad.csv", "--out", "o", "--likelihood", "a=gaussian,b"], 2, "is not OMIC=NAME"),
        (["fit", "good.csv", "--out", "o", "--likelihood", "a=gaussian"], 1, "names the omic a;"),
        (
            ["fit", "bad.csv", "--out", "o", "--epochs", "many"],
            1,
            "--epochs: many should be a valid",
        ),
        (["info", "absent"], 1, "absent"),
        (["evaluate", "absent", "--labels", "x"], 1, "there is no folder absent"),
        (["nonsense"], 2, "No such command 'nonsense'"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("bad.csv").write_text("sample,g1\ns1,1.0\ns2,many\n")
    Path("good.csv").write_text("s,g\n" + "".join(f"s{at},{at}.5\n" for at in range(8)))
    Path("s.toml").write_text("[training]\nepoch = 3\n")
    Path("v.toml").write_text("[training]\nepochs = 0\n")
    assert poems_here(*arguments) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("error: ") == (code == 1)
    assert "Traceback" not in captured.err
    assert not Path("o").exists()


def test_garbage_is_not_searched_for_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    at_exit: list[object] = []
    monkeypatch.setattr("atexit.register", at_exit.append)
    assert poems_here("--version") == 0
    assert gc.freeze in at_exit


def test_help_is_complete_and_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = {"torch", "pandas", "numpy", "sklearn", "matplotlib", "anndata", "pydantic"}
    program = (
        "import sys\nfrom poems.cli import main\n"
        "try:\n    main(['--help'])\n"
        f"finally:\n    print('LOADED', sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0
    commands = ("demo", "simulate", "check", "fit", "transform", "evaluate", "diagnose", "info")
    for command in commands:
        assert re.search(rf"^\W*{command} ", done.stdout, re.MULTILINE)
    assert "LOADED []" in done.stdout


def test_every_setting_is_a_flag_with_its_description_and_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert poems_here("fit", "--help-all") == 0
    text = capsys.readouterr().out
    for group in setting_groups().values():
        for name, field in group.model_fields.items():
            assert f"--{name.replace('_', '-')} " in text
            assert in_omics(str(field.description)) in text
    assert "[100,100]" in text
    assert "One of learned, linear, equal. [learned]" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert poems_here("--version") == 0
    assert capsys.readouterr().out == f"poems {poems.__version__}\n"


def test_choices_of_the_command_line_are_those_of_the_library() -> None:
    from poems.simulation.effects import Truth as SimulatedTruth

    assert get_args(inputs.MetricName) == get_args(Metric)
    assert get_args(Truth) == get_args(SimulatedTruth)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("mrna.csv.gz", "mrna"),
        ("a/b.c.tsv", "b.c"),
        ("x.H5AD", "x"),
        (".csv", ".csv"),
        ("plain", "plain"),
    ],
)
def test_view_names_come_from_files(path: str, name: str) -> None:
    assert cohort_tables.view_name(Path(path)) == name


def test_a_single_h5mu_file_is_a_whole_cohort() -> None:
    assert cohort_tables.parse_views(["cohort.h5mu"], None) == Path("cohort.h5mu")


def test_names_cannot_style_or_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = output()
    name = "[bold]g[/bold]:smile:\x1b[31m"
    print_findings(console, [Finding("warning", "x", name, view="[v]")], all_notes=True)
    print_table(console, pd.DataFrame({name: [1.5, None]}, index=[name, "b"]), index="i")
    text = capsys.readouterr().out
    assert text.count("[bold]g[/bold]:smile:\N{REPLACEMENT CHARACTER}[31m") == 3
    assert "\x1b" not in text
    assert clean("a\x00b\nc") == "a\N{REPLACEMENT CHARACTER}b\nc"


def test_many_notes_are_counted_and_warnings_never(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [Finding("note", "n", f"note number {at}") for at in range(20)]
    findings += [Finding("warning", "w", f"warning number {at}") for at in range(20)]
    print_findings(output(), findings, all_notes=False)
    text = capsys.readouterr().out
    assert text.count("warning number") == 20
    assert text.count("note number") == 5
    assert "… and 15 more notes (all in findings.csv)" in text
    assert text.index("warning number 19") < text.index("note number 0")


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_state_so_far(simulated: Path, tmp_path: Path) -> None:
    """In a process of its own; other signals: ``runs/test_resume_and_verify.py``."""
    process = subprocess.Popen(
        [
            *[sys.executable, "-m", "poems", "fit", str(simulated / "view1.csv.gz")],
            *["--out", str(tmp_path / "run"), "--epochs", "100000", "--stopping", "none"],
            *["--no-analysis", "--n-subtypes", "2"],
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "1/100000" in process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT, err
    assert "Interrupted" in out
    assert "interrupted: training ended after epoch" in err
    assert json.loads((tmp_path / "run" / "run.json").read_text())["complete"] is True


def test_an_interrupt_with_nothing_to_keep_exits_with_130(
    simulated: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("poems.fitting.fit.fit", interrupt)
    assert poems_here("fit", simulated / "view1.csv.gz", "--out", tmp_path / "run") == 130
    assert capsys.readouterr().err == "interrupted: nothing was kept\n"
    assert poems_here("info", tmp_path / "run") == 1
    assert "did not finish" in capsys.readouterr().err


def test_a_checkpoint_that_an_interrupt_leaves_is_named_and_the_next_fit_removes_it(
    simulated: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    fit = ["fit", simulated / "view1.csv.gz", "--out", tmp_path, "-q", *QUICK]
    with monkeypatch.context() as patch:
        patch.setattr("poems.runs.writing.write_core", interrupt)
        assert poems_here(*fit, "--checkpoint-every", 5) == 130
    assert f"only {tmp_path / 'checkpoint.poems'} was kept; to go on" in capsys.readouterr().err
    assert poems.load(tmp_path / "checkpoint.poems").samples.size > 0
    assert poems_here(*fit) == 1
    assert "pass --overwrite" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr("poems.fitting.fit.fit", interrupt)
        assert poems_here(*fit, "--overwrite") == 130
    assert not (tmp_path / "checkpoint.poems").exists()


def test_the_command_that_simulate_prints_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--n-samples", 10, "--n-features", 8, "--n-factors", 2, "--n-subtypes", 2]
    assert poems_here("simulate", "--out", "my sim", *options) == 0
    command = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert command[:3] == ["poems", "fit", "my sim/view1.csv.gz"]
    assert command[-4:] == ["--obs", "my sim/obs.csv", "--out", "my sim-run"]
    assert all(Path(name).exists() for name in command[2:5])


def test_single_views_may_have_features_in_rows(
    run_folder: Path, simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv(simulated / "view2.csv.gz", index_col=0)
    table.T.to_csv(tmp_path / "second.csv")
    files = [simulated / "view1.csv.gz", tmp_path / "second.csv", "--features-in-rows-of", "second"]
    assert poems_here("check", *files) == 0
    assert re.search(rf"^  second +{len(table)} +40 ", capsys.readouterr().out, re.MULTILINE)
    assert poems_here("transform", run_folder, *files, "--out", tmp_path / "new") == 0
    latent = pd.read_csv(tmp_path / "new" / "latent.csv", index_col=0)
    expected = pd.read_csv(run_folder / "latent.csv", index_col=0)
    pd.testing.assert_frame_equal(latent.loc[expected.index], expected, rtol=1e-4, atol=1e-5)


def test_subtypes_of_few_samples_are_pointed_out(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = ["fit", simulated / "view1.csv.gz", "--out", tmp_path / "run", *QUICK, "--no-analysis"]
    assert poems_here(*fit, "--n-subtypes", 40) == 0
    assert "fewer than 3 samples" in " ".join(capsys.readouterr().out.split())
    assert poems_here(*fit, "--overwrite") == 0
    assert "fewer than 3 samples" not in " ".join(capsys.readouterr().out.split())


def test_only_what_is_new_is_said_after_the_fit() -> None:
    known = Finding("warning", "constant-features", "before", view="a", items=("g1",))
    again = Finding("warning", "constant-features", "in other words", view="a", items=("g1",))
    others = [
        Finding("warning", "constant-features", "other features", view="a", items=("g1", "g2")),
        Finding("warning", "constant-features", "other view", view="b", items=("g1",)),
        Finding("warning", "not-converged", "other code"),
    ]
    assert unsaid((known, again, *others), (known,)) == others


def test_settings_file_of_a_run_is_what_the_library_writes(run_folder: Path) -> None:
    model = poems.load(run_folder / "model.poems")
    assert (run_folder / "settings.toml").read_text() == settings_to_toml(model.settings)


def test_subtypes_can_be_the_components_of_the_mixture_prior(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = ("fit", simulated / "view1.csv.gz", "--out", tmp_path / "run", "--subtypes-by", "mixture")
    assert poems_here(*fit) == 1
    assert "add --prior mixture" in capsys.readouterr().err
    assert poems_here(*fit, "--prior", "mixture", "--n-subtypes", 3) == 1
    assert "leave out --n-subtypes" in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "run").exists()

    assert poems_here(*fit, "--prior", "mixture", "--epochs", 5, "--no-analysis") == 0
    components = pd.read_csv(tmp_path / "run" / "components.csv", index_col=0)
    subtypes = pd.read_csv(tmp_path / "run" / "subtypes.csv", index_col=0)
    together = components["component"].groupby(subtypes["subtype"]).nunique()
    assert (together == 1).all()
    project = ("transform", tmp_path / "run", simulated / "view1.csv.gz", "--out", tmp_path / "new")
    assert poems_here(*project) == 0
    projected = pd.read_csv(tmp_path / "new" / "components.csv", index_col=0)
    assert projected["component"].equals(components["component"])

    assert poems_here(*fit[:4], "--epochs", 5, "--overwrite", "--no-analysis") == 0
    assert not (tmp_path / "run" / "components.csv").exists()
    assert poems_here(*project, "--overwrite") == 0
    assert not (tmp_path / "new" / "components.csv").exists()
