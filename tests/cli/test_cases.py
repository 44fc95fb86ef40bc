"""Situations from bug reports of neighbouring tools, from end to end: read rightly, or named."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import poems_here

import poems

N = 24
PATIENTS = [f"TCGA-{('A1', 'BH', 'E2')[n % 3]}-{1000 + n}" for n in range(N)]
Said = Callable[..., tuple[int, str]]


def cohort(names: list[str] | None = None) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(N, 2)) + np.where(np.arange(N) < N // 2, 2, -2)[:, None]
    index = names or [f"P{n:03d}" for n in range(N)]
    rna, protein = (
        pd.DataFrame(
            (z @ rng.normal(size=(2, d)) + 0.7 * rng.normal(size=(N, d)) + 6).round(4),
            index=index,
            columns=[f"{name}_g{at}" for at in range(d)],
        )
        for name, d in (("rna", 20), ("protein", 12))
    )
    obs = pd.DataFrame({"grp": ["A"] * (N // 2) + ["B"] * (N // 2)}, index=index)
    obs["age"] = rng.integers(30, 80, N)
    return rna, protein, obs


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str]:
        code = poems_here(*arguments)
        found = capsys.readouterr()
        return code, " ".join((found.out + found.err).split())

    return run


def test_01_barcodes_of_samples_beside_those_of_patients(said: Said) -> None:
    rna, protein, obs = cohort(PATIENTS)
    rna.index = [f"{name}-01A-11R-A115-07" for name in PATIENTS]
    rna.to_csv("rna.csv")
    protein.to_csv("protein.csv")
    obs.to_csv("obs.csv")
    for others in (["protein.csv"], ["--obs", "obs.csv"]):
        code, text = said("check", "rna.csv", *others)
        assert code == 1
        assert f"{N} would match if TCGA barcodes are cut to their first 12 characters" in text


def test_03_one_patient_under_two_names(said: Said) -> None:
    rna, protein, _ = cohort(PATIENTS)
    protein.to_csv("protein.csv")
    for change in (lambda name: name + "-01", str.lower, lambda name: name + "\u200b"):
        rna.index = [*PATIENTS[:14], *map(change, PATIENTS[14:])]
        rna.to_csv("rna.csv")
        code, text = said("check", "rna.csv", "protein.csv")
        assert code == 1
        assert "10 samples seem to have two names" in text


def test_04_names_that_r_mangled(said: Said) -> None:
    rna, protein, _ = cohort([f"{101 + n}-T1" for n in range(N)])
    protein.to_csv("protein.csv")
    rna.index = ["X" + name.replace("-", ".") for name in rna.index]
    rna.to_csv("rna.csv")
    code, text = said("check", "rna.csv", "protein.csv")
    assert code == 1
    assert f"{N} would match" in text


def test_05_european_numbers(said: Said) -> None:
    rna, protein, _ = cohort()
    rna.to_csv("rna.csv", sep=";", decimal=",")
    protein.to_csv("protein.csv")
    code, text = said("check", "rna.csv", "protein.csv")
    assert code == 0
    assert "written with decimal commas and were read so" in text
    np.testing.assert_allclose(poems.read({"rna": "rna.csv"})["rna"].values, rna, rtol=1e-6)
    (rna * 1000).map("{:,.2f}".format).to_csv("rna.csv")
    code, text = said("check", "rna.csv", "protein.csv")
    assert code == 1
    assert "the commas stand between thousands" in text


def test_06_delimiters_at_the_ends_of_rows(said: Said) -> None:
    rna, *_ = cohort()
    head, *rows = rna.rename_axis("sample").to_csv().strip().split("\n")
    Path("rna.csv").write_text("\n".join([head, *(row + "," for row in rows)]) + "\n")
    code, text = said("check", "rna.csv")
    assert code == 0
    assert "ends with a comma after the last column" in text
    pd.testing.assert_frame_equal(
        poems.read({"rna": "rna.csv"}).frame("rna"), rna.astype("float32"), check_names=False
    )


@pytest.mark.parametrize("column", ["Entrez_Gene_Id", "Length", "Chr"])
def test_08_annotations_of_features_are_no_patients(said: Said, column: str) -> None:
    rna, *_ = cohort()
    table = rna.T.rename_axis("Hugo_Symbol")
    numbers = np.random.default_rng(0).integers(300, 9000, len(table))
    table.insert(0, column, "chr1" if column == "Chr" else numbers)
    table.to_csv("rna.txt", sep="\t")
    code, text = said("check", "rna.txt", "--features-in-rows")
    assert code == 1
    assert f"column '{column}'" in text
    assert "an annotation of the features, no sample" in text


def test_09_heads_and_comments_above_the_table(said: Said) -> None:
    rna, protein, _ = cohort()
    protein.to_csv("protein.csv")
    table = rna.T.rename_axis("Name")
    table.insert(0, "Description", "na")
    Path("a.gct").write_text(f"#1.2\n20\t{N}\n" + table.to_csv(sep="\t"))
    Path("b.csv").write_text("# exported 2024-01-01 by LIMS\n" + rna.to_csv())
    series = rna.T.rename_axis("ID_REF").to_csv(sep="\t")
    Path("c.txt").write_text(
        f'!Series_title\t"x"\n!series_matrix_table_begin\n{series}!series_matrix_table_end\n'
    )
    for file, words in (("a.gct", "GCT"), ("b.csv", "comment"), ("c.txt", "series matrix")):
        code, text = said("check", f"rna={file}", "protein.csv")
        assert code == 0
        assert words in text
        np.testing.assert_allclose(poems.read({"rna": file})["rna"].values, rna, rtol=1e-6)


def test_10_one_long_table(said: Said) -> None:
    rna, *_ = cohort()
    rna.stack().rename("value").rename_axis(["sample", "feature"]).to_csv("long.csv")
    code, text = said("check", "long.csv")
    assert code == 1
    assert "is a long table" in text
    assert "pivot(index='sample', columns='feature', values='value')" in text


def test_11_genes_that_became_dates(said: Said) -> None:
    rna, *_ = cohort()
    rna.columns = pd.Index(["1-Mar", "2-Sep", "1-Dec", *rna.columns[3:]])
    rna.to_csv("rna.csv")
    code, text = said("check", "rna.csv")
    assert code == 0
    for was in ("MARCH1", "SEPT2", "DEC1"):
        assert was in text


def test_13_views_that_name_their_features_alike(said: Said) -> None:
    """Gene symbols of rna and protein: an id of its own for each in graph and workbook of views."""
    import mudata
    import networkx as nx

    rna, protein, _ = cohort()
    protein.columns = rna.columns[:12]
    rna.to_csv("rna.csv")
    protein.to_csv("protein.csv")
    given = ("--view", "rna=rna.csv", "--view", "protein=protein.csv")
    assert said("fit", *given, "--out", "run", "--epochs", 30, "--no-analysis", "-q")[0] == 0
    assert said("associations", "run", "--out", "pairs")[0] == 0
    nodes = pd.read_csv("pairs/cross_omic_nodes.csv")
    assert nodes.iloc[:, 0].is_unique
    assert len(nx.read_graphml("pairs/cross_omic.graphml")) == len(nodes)
    assert said("export", "run", "--to", "h5mu", "--out", "x.h5mu")[0] == 0
    with warnings.catch_warnings():
        # What the library says of its own plans.
        warnings.simplefilter("ignore")
        made = mudata.read_h5mu("x.h5mu")
    assert {name: view.n_vars for name, view in made.mod.items()} == {"rna": 20, "protein": 12}


def test_18_columns_that_anndata_reserves(tmp_path: Path) -> None:
    rna, _, obs = cohort()
    obs["_index"] = range(N)
    given = poems.read({"rna": rna}, obs=obs)
    model = poems.fit(given, epochs=15, progress=False)
    with warnings.catch_warnings():
        # What these libraries say of their own plans.
        warnings.simplefilter("ignore")
        model.to_mudata(given).write_h5mu(tmp_path / "x.h5mu")
    again = poems.read(tmp_path / "x.h5mu")
    assert again.obs["index"].tolist() == list(range(N))
    # 17: training samples keep their factors; 15: a single new patient is projected as any.
    pd.testing.assert_frame_equal(model.transform(again).latent, model.latent)
    one = model.transform({"rna": rna.iloc[3:4, ::-1]}).latent
    np.testing.assert_allclose(one, model.latent.iloc[3:4], atol=1e-4)


def test_21_views_that_share_both_axes(said: Said) -> None:
    import anndata
    import mudata

    rna, protein, _ = cohort()
    protein.columns = rna.columns[:12]
    with warnings.catch_warnings():
        # What these libraries say of their own plans.
        warnings.simplefilter("ignore")
        views = {"rna": anndata.AnnData(rna), "protein": anndata.AnnData(protein)}
        data = mudata.MuData(views, axis=-1)
        data.write("m.h5mu")
    with pytest.raises(poems.DataError, match=r"samples and features alike \(axis=-1\).*axis=0"):
        poems.read(data)
    code, text = said("check", "m.h5mu")
    assert code == 1
    assert "axis=0" in text


@pytest.mark.parametrize("n", [2, 6])
def test_25_too_few_samples(said: Said, n: int) -> None:
    rna, *_ = cohort()
    rna.iloc[:n].to_csv("rna.csv")
    code, text = said("fit", "rna.csv", "--out", "run")
    assert code == 1
    assert f"{n} samples are too few to fit; at least 8 are needed" in text


def test_27_what_patients_lack_is_predicted_in_the_units_of_the_table() -> None:
    rna, protein, _ = cohort()
    absent = protein.index[::4]
    gap = np.random.default_rng(1).random(rna.shape) < 0.1
    views = {"rna": rna.mask(gap), "protein": protein.drop(absent)}
    made = poems.fit(poems.read(views), progress=False).reconstruct()
    mean = views["protein"].mean()
    said, true = (each.loc[absent] - mean for each in (made["protein"], protein))
    assert np.corrcoef(said.to_numpy().ravel(), true.to_numpy().ravel())[0, 1] > 0.6
    said, true = (each.to_numpy()[gap] for each in (made["rna"] - rna.mean(), rna - rna.mean()))
    assert np.corrcoef(said, true)[0, 1] > 0.6


def test_28_logarithms_of_zero(said: Said) -> None:
    rna, *_ = cohort()
    rna.iloc[3, 4] = -np.inf
    rna.to_csv("rna.csv")
    code, text = said("check", "rna.csv")
    assert code == 1
    assert "-inf (sample 'P003', feature 'rna_g4'). -inf is the logarithm of 0" in text


def test_30_text_among_clinical_numbers(said: Said) -> None:
    rna, _, obs = cohort()
    rna.to_csv("rna.csv")
    numbers = pd.Series(np.linspace(40.5, 75.5, N).round(1), index=obs.index)
    for name, word in (("na", "[Not Available]"), ("gt", ">75"), ("unk", "Unknown")):
        obs[name] = numbers.astype(str)
        obs.loc["P006", name] = word
    obs["labels"] = obs["grp"].mask(obs.index == "P001", "[Not Available]")
    obs.to_csv("obs.csv")
    code, text = said("check", "rna.csv", "--obs", "obs.csv")
    assert code == 0
    assert "'>75' (sample 'P006')" in text
    read = poems.read({"rna": "rna.csv"}, obs="obs.csv").obs
    for name in ("na", "gt", "unk"):
        assert read[name].isna().tolist() == (obs.index == "P006").tolist()
        assert read[name].dtype == np.float64
    assert set(read["labels"].dropna()) == {"A", "B"}
