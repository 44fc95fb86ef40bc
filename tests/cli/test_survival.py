"""``poems survival``, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import poems_here
from pictures import unrendered

from poems.files.csv_tables import read_csv


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("survival")
    options = ["--n-samples", 72, "--n-features", 40, "--n-views", 2, "--n-factors", 3]
    assert poems_here("simulate", "--out", folder / "sim", *options, "--density", 0.2) == 0
    obs = read_csv(folder / "sim" / "obs.csv")
    rng = np.random.default_rng(0)
    hazard = obs["subtype"].map(
        {name: 4.0**at for at, name in enumerate(sorted(set(obs["subtype"])))}
    )
    time = rng.exponential(1000 / hazard)
    obs["days"] = np.minimum(time, 1500).round(1)
    obs["status"] = np.where(time < 1500, "1:DECEASED", "0:LIVING")
    obs["age, years"] = rng.normal(60, 9, len(obs))
    obs["sex"] = rng.choice(["f", "m"], len(obs))
    obs["rare"] = ["dead"] * 3 + ["alive"] * (len(obs) - 3)
    obs.loc[obs.index[0], ["days", "sex"]] = np.nan
    obs.to_csv(folder / "obs.csv", index_label="sample")
    tables = [folder / "sim" / f"view{at}.csv.gz" for at in (1, 2)]
    fit = ["--epochs", 60, "--batch-size", 24, "--n-latent", 6, "--quiet", "--n-subtypes", 3]
    run = folder / "run"
    fit += ["--obs", folder / "obs.csv", "--no-analysis"]
    with unrendered():
        assert poems_here("fit", *tables, "--out", run, *fit) == 0
    return run


def test_tables_picture_and_sentences(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "survival"
    columns = ["--time", "days", "--event", "status", "--unit", "days", "--repeats", 1]
    given = [*columns, "--covariates", "age, years", "--covariates", "sex"]
    assert poems_here("survival", run_folder, *given, "--out", out) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "71 samples with follow-up and a subtype" in text
    assert "survival differs between subtypes (log-rank p" in text
    assert "adjusted for age, years, sex" in text
    assert "subtypes + covariates 0." in text
    assert "1 sample without a known time or event was left out of the survival analysis" in text
    km = pd.read_csv(out / "survival_km.csv")
    assert km.groupby("subtype")["at_risk"].max().sum() == 71
    cox = pd.read_csv(out / "survival_cox.csv")
    assert {"subtype", "factor_1", "all factors"} <= set(cox["model"])
    assert {"age, years", "sex"} <= set(cox["term"])
    for stem in ("at_risk", "logrank", "ph", "concordance", "tests", "summary"):
        assert len(pd.read_csv(out / f"survival_{stem}.csv"))
    assert (out / "figures" / "kaplan_meier.svg").stat().st_size > 5000
    marker = json.loads((out / "survival.json").read_text(encoding="utf-8"))
    assert marker["complete"]
    assert marker["covariates"] == ["age, years", "sex"]

    assert poems_here("survival", run_folder, *columns, "--out", out) == 1
    assert "holds a POEMS survival already; pass --overwrite" in capsys.readouterr().err


def test_another_table_and_another_value(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    obs = read_csv(run_folder / "obs.csv")
    obs["coded"] = obs["status"].map({"1:DECEASED": 2, "0:LIVING": 1})
    obs.iloc[::-1].to_csv(tmp_path / "obs.csv", index_label="sample")
    given = ["--obs", tmp_path / "obs.csv", "--time", "days", "--event", "coded", "--repeats", 0]
    assert poems_here("survival", run_folder, *given) == 1
    assert "'2' (all values:" in capsys.readouterr().err
    assert poems_here("survival", run_folder, *given, "--event-value", 2) == 0
    first = capsys.readouterr().out
    own = ["--time", "days", "--event", "status", "--repeats", 0]
    assert poems_here("survival", run_folder, *own) == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--time", "days"], 2, "--event"),
        (["--time", "days", "--event", "dead"], 1, "no column 'dead' for --event; there are"),
        (["--time", "weeks", "--event", "status"], 1, "no column 'weeks' for --time"),
        (["--time", "days", "--event", "sex"], 1, "not understood: 'm', 'f'"),
        (["--time", "sex", "--event", "status"], 1, "values that are no numbers: 'm', 'f'"),
        (["--time", "days", "--event", "rare"], 1, "too few events"),
        (["--time", "days", "--event", "status", "--fdr", "1"], 2, "--fdr must be between"),
        (["--time", "days", "--event", "status", "--covariates", "x"], 1, "no column 'x' to adj"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str],
    code: int,
    message: str,
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert poems_here("survival", run_folder, *arguments) == code
    assert message in capsys.readouterr().err
