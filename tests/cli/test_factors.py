"""``poems factors``, end to end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import poems_here, without_memory

from poems.cli.commands.factors import print_factors
from poems.files.csv_tables import read_csv
from poems.fitting.result import FittedPoems

pytestmark = pytest.mark.usefixtures("unrendered")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("factors") / "sim"
    options = ["--n-samples", 72, "--n-features", 40, "--n-views", 2, "--n-factors", 3]
    options += ["--density", 0.2, "--effect", 1, 2, "--missing-views", 0.05]
    assert poems_here("simulate", "--out", folder, *options) == 0
    obs = read_csv(folder / "obs.csv")
    obs["visit"] = "2024-05-01"
    obs.loc[obs.index[:9], "visit"] = "2024-05-02"
    obs["name"] = [f"patient [red]{at}" for at in range(len(obs))]
    obs.to_csv(folder / "obs.csv")
    return folder


@pytest.fixture(scope="module")
def run_folder(simulated: Path) -> Path:
    run = simulated.parent / "run"
    options = ["--epochs", 80, "--batch-size", 24, "--n-latent", 6, "--quiet"]
    options += ["--obs", simulated / "obs.csv", "--no-analysis"]
    assert poems_here("fit", *tables(simulated), "--out", run, *options) == 0
    return run


def tables(simulated: Path) -> list[Path]:
    return [simulated / "view1.csv.gz", simulated / "view2.csv.gz"]


def test_a_line_for_each_factor_and_the_tables(
    simulated: Path,
    run_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "factors"
    assert poems_here("factors", run_folder, *tables(simulated), "--out", out) == 0
    text = capsys.readouterr().out
    n_factors = len(read_csv(run_folder / "latent.csv").columns)
    assert f"{n_factors} factors, 72 training samples." in text
    assert re.search(r"^R² of all factors: view1 0\.\d\d, view2 0\.\d\d$", text, re.MULTILINE)
    for at in range(1, n_factors + 1):
        assert re.search(rf"^  factor_{at} +view[12] 0\.\d\d: [-+∪∩=]view", text, re.MULTILINE)
    words = " ".join(text.split())
    assert re.search(r"\| subtype S\d < S\d \(ε² 0\.\d\d, q = \d(?:\.\d)? × 10⁻[⁰-⁹¹²³]+\)", words)
    assert "2 columns of the obs table were not tested: visit (dates), name (identifiers)" in words
    assert max(map(len, text.splitlines())) <= 80

    effects = pd.read_csv(out / "effects.csv")
    loadings = pd.read_csv(run_folder / "loadings" / "view1.csv", index_col=0)
    assert (effects["view"] == "view1").sum() == np.count_nonzero(loadings)
    variance = pd.read_csv(out / "variance.csv").set_index(["factor", "view"])["r2"]
    r2 = read_csv(run_folder / "r2.csv")["r2"]
    np.testing.assert_allclose(variance["all"].loc[r2.index], r2, atol=1e-4)
    tests = pd.read_csv(out / "associations.csv")
    assert set(tests["column"]) == {"subtype"}
    assert len(pd.read_csv(out / "correlations.csv")) == n_factors * (n_factors - 1) // 2
    assert pd.read_csv(out / "top_features.csv")["rank"].min() == 1
    ranked = pd.read_csv(out / "ranked_features.csv")
    assert (ranked["loading"] == 0).any(), "it goes on where loadings are zero"
    assert "obs-not-tested" in (out / "findings.csv").read_text(encoding="utf-8")
    assert json.loads((out / "factor-table.json").read_text())["n_trained_on"] == 72

    assert poems_here("factors", run_folder, "--out", out) == 1
    assert "holds a POEMS factor-table already; pass --overwrite" in capsys.readouterr().err
    older = without_memory(run_folder, tmp_path)
    assert poems_here("factors", older, "--out", out, "--overwrite") == 0
    assert not (out / "variance.csv").exists(), "without tables nothing is known of it"
    pd.testing.assert_frame_equal(pd.read_csv(out / "effects.csv"), effects)


def test_held_out_samples_bring_their_own_table(
    simulated: Path, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv(simulated / "view2.csv.gz", index_col=0)
    table.index = "new_" + table.index
    table.to_csv(tmp_path / "new.csv")
    view = ["--view", f"view2={tmp_path / 'new.csv'}"]
    assert poems_here("factors", run_folder, *view) == 0
    text = capsys.readouterr().out
    assert f"{len(table)} held-out samples." in text
    assert "view1 –" in text
    assert "ε²" not in text, "the run's table is of other samples"
    latent = read_csv(run_folder / "latent.csv")
    obs = pd.DataFrame({"dose": np.arange(len(table)) ** 0.5}, index=table.index)
    obs.to_csv(tmp_path / "obs.csv", index_label="sample")
    assert poems_here("factors", run_folder, *view, "--obs", tmp_path / "obs.csv") == 0
    assert "dose" in capsys.readouterr().out
    # Samples without their tables: those of the fit.
    obs = pd.DataFrame({"dose": latent["factor_1"]})
    obs.to_csv(tmp_path / "own.csv", index_label="sample")
    model = run_folder / "model.poems"
    assert poems_here("factors", model, "--obs", tmp_path / "own.csv", "--top", 1) == 0
    text = capsys.readouterr().out
    assert "no tables given: no R²" in text
    assert "dose (rho 1.00, q" in " ".join(text.split())
    assert poems_here("factors", model, "--obs", tmp_path / "obs.csv") == 1
    assert "no sample has a row in the obs table" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absent"], 1, "absent"),
        (["RUN", "--top", "0"], 2, "--top"),
        (["RUN", "--obs", "absent.csv"], 1, "absent.csv"),
        (["RUN", "--view", "rna=absent.csv"], 1, "absent.csv"),
        (["RUN", "--out", "RUN"], 1, "is not a POEMS factor-table"),
        (["RUN", "--features-in-rows-of", "rna"], 2, "none is given: leave it out"),
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
    monkeypatch.setenv("COLUMNS", "200")
    given = [str(run_folder) if each == "RUN" else each for each in arguments]
    assert poems_here("factors", *given) == code
    assert message in capsys.readouterr().err


def test_names_cannot_style_or_steer_the_terminal(
    fitted: object, simulation: object, capsys: pytest.CaptureFixture[str]
) -> None:
    import poems
    from poems.analysis import describe_factors
    from poems.cli.printing import output

    assert isinstance(fitted, poems.FittedPoems)
    assert isinstance(simulation, poems.simulation.cohort.Simulation)
    bad = "[bold]x[/bold]:smile:\x1b[31m\n"
    obs = simulation.cohort.obs.rename(columns={"subtype": bad})
    found = describe_factors(fitted, simulation.cohort, obs=obs.replace({"S1": bad}))
    found.effects["feature"] = bad
    print_factors(output(), fitted, found, 1)
    text = capsys.readouterr().out
    assert "\x1b" not in text
    joined = "".join(text.split())
    assert joined.count("[bold]x[/bold]:smile:\N{REPLACEMENT CHARACTER}[31m") > fitted.n_active


def test_a_factor_that_explains_next_to_nothing_is_said_to(
    fitted: object, simulation: object, capsys: pytest.CaptureFixture[str]
) -> None:
    import poems
    from poems.analysis import describe_factors
    from poems.cli.printing import output

    assert isinstance(fitted, poems.FittedPoems)
    assert isinstance(simulation, poems.simulation.cohort.Simulation)
    found = describe_factors(fitted, simulation.cohort)
    assert found.variance is not None
    first = found.variance.table["factor"] == "factor_1"
    found.variance.table.loc[first, "r2"] = [0.004, -0.2]
    found.correlations["spearman"] = 0.9
    print_factors(output(), fitted, found, 1)
    text = capsys.readouterr().out
    line = next(line for line in text.splitlines() if line.startswith("  factor_1"))
    assert re.search(r"(rna|protein) <0\.01: .*; (rna|protein) <0\.01: ", line)
    assert re.search(r"Correlated factors \(Spearman's rho\): factor_\d and factor_\d", text)


def test_pictures_are_written_beside_the_tables(fitted: FittedPoems) -> None:
    from poems.analysis.factors.tables import describe_factors
    from poems.cli.commands.factors import _figures

    obs = pd.DataFrame({"age": np.arange(72.0) ** 0.5}, index=fitted.samples)
    figures = _figures(fitted, describe_factors(fitted, obs=obs))
    assert set(figures) == {"loadings", "sparsity", "associations"}
    assert set(_figures(fitted, describe_factors(fitted))) == {"loadings", "sparsity"}
