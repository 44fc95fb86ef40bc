import ast
import re
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import poems
from poems import DataError, ReadError, SettingsError


def frame(samples, features, start=0.0):
    values = start + np.arange(len(samples) * len(features), dtype=float)
    return pd.DataFrame(
        values.reshape(len(samples), len(features)), index=list(samples), columns=list(features)
    )


RNA = frame(["s1", "s2", "s3"], ["TP53", "EGFR"])
PROTEIN = frame(["s3", "s4"], ["p1", "p2", "p3"])


def codes(cohort):
    return [finding.code for finding in cohort.findings]


def test_union_keeps_every_sample_in_order_of_appearance():
    cohort = poems.read({"rna": RNA, "protein": PROTEIN})
    assert list(cohort.samples) == ["s1", "s2", "s3", "s4"]
    assert cohort["protein"].measured.tolist() == [False, False, True, True]
    assert np.isnan(cohort["protein"].values[:2]).all()
    np.testing.assert_array_equal(cohort["protein"].values[2:], PROTEIN.to_numpy(np.float32))
    notes = {finding.view: finding for finding in cohort.findings}
    assert notes["protein"].items == ("s1", "s2")
    assert str(notes["rna"]) == (
        "note: rna: not measured on 1 of 4 samples (s4); it is kept and rests on the other views"
    )


def test_intersection_keeps_shared_samples_and_lists_the_dropped():
    cohort = poems.read({"rna": RNA, "protein": PROTEIN}, samples="intersection")
    assert list(cohort.samples) == ["s3"]
    assert codes(cohort) == ["samples-dropped"]
    assert cohort.findings[0].items == ("s1", "s2", "s4")


def test_empty_intersection():
    middle = frame(["s1", "s9"], ["m"])
    last = frame(["s9", "s3"], ["x"])
    with pytest.raises(DataError, match=r"measured in every view .*'rna' on 3.*samples='union'"):
        poems.read({"rna": RNA, "mid": middle, "last": last}, samples="intersection")


names = st.lists(st.sampled_from([f"s{i}" for i in range(8)]), min_size=1, unique=True)


@given(first=names, second=names, third=names)
def test_values_follow_their_names(first, second, third):
    tables = {"a": frame(first, "xy"), "b": frame(second, "uvw", 50), "c": frame(third, "z", 90)}
    tables = {name: table.sample(frac=1, random_state=0) for name, table in tables.items()}
    try:
        cohort = poems.read(tables)
    except DataError as error:
        assert "is in any other view" in str(error)  # noqa: PT017
        return
    for name, table in tables.items():
        assert set(cohort.samples[cohort[name].measured]) == set(table.index)
        shown = cohort.frame(name).loc[table.index]
        np.testing.assert_array_equal(shown.to_numpy(), table.to_numpy(np.float32))


def test_rows_without_any_value_count_as_unmeasured():
    rna = RNA.copy()
    rna.loc["s3"] = np.nan
    cohort = poems.read({"rna": rna, "protein": PROTEIN.rename(index={"s4": "s1"})})
    assert cohort["rna"].measured.tolist() == [True, True, False]
    assert codes(cohort)[0] == "rows-all-missing"
    rna.loc["s2"] = np.nan
    with pytest.raises(DataError, match=r"1 sample has no value in any view: s2\. Remove its row"):
        poems.read({"rna": rna, "protein": PROTEIN})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (str.upper, "upper and lower case"),
        (lambda name: name.replace("-", "."), "are read as '-'"),
        (lambda name: name + "-01A-11R", "3 would match if TCGA barcodes are cut"),
        (lambda name: (name + "-01A").lower().replace("-", "."), "and upper and lower case"),
    ],
)
def test_no_overlap_says_which_change_would_match(change, words):
    patients = ["TCGA-a1-A0Sb", "TCGA-a1-A0Sd", "TCGA-a1-A0Se"]
    rna, protein = frame(patients, "ab"), frame([change(name) for name in patients], "xyz")
    with pytest.raises(DataError) as caught:
        poems.read({"rna": rna, "protein": protein})
    text = str(caught.value)
    assert words in text
    assert "none of its" in text
    assert f"{change(patients[1])}" in text


def test_no_overlap_without_a_reason():
    with pytest.raises(DataError, match="rename them, or leave this view out"):
        poems.read({"rna": RNA, "protein": frame(["a", "b"], ["p"])})


def test_names_of_another_tissue_of_the_patient_are_only_warned_of():
    patients = [f"TCGA-A1-A0S{letter}" for letter in "ABCDEF"]
    rna = frame([patients[0] + "-01", *(f"{name}-01" for name in patients[1:])], "ab")
    protein = frame([patients[0] + "-01", *(f"{name}-11" for name in patients[1:])], "xyz")
    cohort = poems.read({"rna": rna, "protein": protein})
    warned = [finding for finding in cohort.findings if finding.severity == "warning"]
    assert {finding.code for finding in warned} == {"names-nearly-match"}
    assert "only 1 of its 6 samples is in another view, but 6 would be if TCGA" in str(warned[0])


def test_features_in_rows():
    views = {"rna": RNA.T, "protein": PROTEIN}
    expected = poems.read({"rna": RNA, "protein": PROTEIN})
    for flag in (["rna"], "rna", {"rna"}):
        cohort = poems.read(views, features_in_rows=flag)
        pd.testing.assert_frame_equal(cohort.frame("rna"), expected.frame("rna"))
    both = {"rna": RNA.T, "protein": PROTEIN.T}
    pd.testing.assert_frame_equal(
        poems.read(both, features_in_rows=True).frame("protein"), expected.frame("protein")
    )
    with pytest.raises(SettingsError, match=r"names 'mrna', but there are views 'rna', 'protein'"):
        poems.read(views, features_in_rows=["mrna"])


class TestSwapped:
    mirna = frame(["s1", "s2", "s3"], ["mir1", "mir2"])
    obs = pd.DataFrame({"age": [50, 60, 70]}, index=["s1", "s2", "s3"])

    @pytest.mark.parametrize(
        ("views", "flag", "remedy"),
        [
            (
                {"rna": RNA.T, "protein": PROTEIN, "mirna": mirna},
                False,
                "Pass features_in_rows=['rna'] (on the command line, --features-in-rows-of rna)",
            ),
            (
                {"rna": RNA.T, "protein": PROTEIN.T},
                False,
                "Pass features_in_rows=True (on the command line, --features-in-rows)",
            ),
            (
                {"rna": RNA, "protein": PROTEIN},
                ["rna"],
                "Leave out features_in_rows (on the command line, --features-in-rows[-of])",
            ),
            (
                {"rna": RNA, "protein": PROTEIN.T, "mirna": mirna},
                ["rna"],
                "Pass features_in_rows=['protein'] (on the command line, --features-in-rows-of "
                "protein) in place of what was given",
            ),
            (
                {"rna": RNA.T, "cnv 2": RNA.T + 1, "mirna": mirna},
                False,
                "--features-in-rows-of rna --features-in-rows-of 'cnv 2')",
            ),
        ],
    )
    def test_says_the_flag_and_the_views(self, views, flag, remedy):
        with pytest.raises(DataError, match=f"look swapped.*{re.escape(remedy)}$"):
            poems.read(views, features_in_rows=flag)

    @pytest.mark.parametrize("flag", [False, True, ["rna"], ["rna", "mirna"]])
    def test_the_remedy_works(self, flag):
        views = {"rna": RNA.T, "protein": PROTEIN.T, "mirna": self.mirna}
        with pytest.raises(DataError) as caught:
            poems.read(views, features_in_rows=flag)
        (remedy,) = re.findall(r"features_in_rows=(\[.*?\])", str(caught.value))
        assert poems.read(views, features_in_rows=ast.literal_eval(remedy)).n_samples == 4

    def test_obs_tells_which_way_is_right(self):
        with pytest.raises(
            DataError, match=r"view 'rna': samples and.*\(TP53, EGFR\) match nothing"
        ):
            poems.read({"rna": RNA.T}, obs=self.obs)
        # Two views of the same genes fit each other either way; obs does not.
        with pytest.raises(DataError, match=r"in views 'rna', 'cnv'.*features_in_rows=True"):
            poems.read({"rna": RNA.T, "cnv": RNA.T + 1}, obs=self.obs)

    def test_the_same_genes_in_other_samples(self):
        others = RNA.rename(index=lambda name: f"x{name}")
        with pytest.raises(DataError, match="the views share no sample: rename"):
            poems.read({"rna": RNA, "cnv": others})
        with pytest.raises(DataError) as caught:
            poems.read({"rna": RNA.T, "cnv": RNA.T + 1}, obs=self.obs, features_in_rows=False)
        assert "share no sample" not in str(caught.value)

    def test_both_ways_are_told_where_either_could_be_right(self):
        with pytest.raises(DataError, match=r"one of several ways.*\['rna'\].*\['cnv'\]"):
            poems.read({"rna": RNA, "cnv": RNA.T})

    def test_sample_names_that_are_probes(self):
        probes = frame(["cg00000029", "cg00000108"], ["s1"])
        cohort = poems.read({"methylation": probes})
        assert codes(cohort) == ["looks-swapped"]
        assert "features_in_rows=True" in cohort.findings[0].message

    @pytest.mark.parametrize(
        "names",
        [
            ["TCGA-A1-A0SB-01A", "TCGA.A1.A0SD.01A", "tcga_a1_a0se"],
            ["GSM123456", "GSM123457", "GSM123458"],
            ["SRR1234567", "ERR1234567", "SRX1234567"],
            ["ACGTACGTACGTACGT-1", "TTTTACGTACGTACGT-1", "GGGTACGTACGTACGT-12"],
        ],
    )
    def test_feature_names_that_are_samples(self, names):
        genes = frame(["TP53", "EGFR", "KRAS"], names)
        (finding,) = poems.read({"rna": genes}).findings
        assert (finding.code, finding.severity, finding.view) == ("looks-swapped", "warning", "rna")
        assert "are names of samples, yet stand where features are expected" in finding.message
        assert finding.message.endswith("(on the command line, --features-in-rows)")
        # Turned as it says, or with samples on both sides, there is nothing to say.
        assert codes(poems.read({"rna": genes}, features_in_rows=True)) == []
        assert codes(poems.read({"alike": frame(names, names)})) == []

    def test_a_remedy_for_all_views_at_once(self):
        patients = [f"TCGA-A1-A0S{letter}" for letter in "ABCD"]
        genes = ["TP53", "EGFR"]
        # The names fit each other, as both tables hold the same genes.
        swapped = {"rna": frame(genes, patients), "cnv": frame(genes, patients)}
        cohort = poems.read({**swapped, "dna": frame(["TP53"], patients)})
        assert codes(cohort)[:3] == ["looks-swapped"] * 3
        assert all("features_in_rows=True" in each.message for each in cohort.findings[:3])

    def test_known_names_decide_between_ways(self):
        patients = [f"TCGA-A1-A0S{letter}" for letter in "ABCD"]
        rna, cnv = frame(["TP53", "EGFR"], patients), frame(patients, ["TP53", "EGFR"])
        with pytest.raises(DataError, match=r"view 'rna': .*--features-in-rows-of rna\)$"):
            poems.read({"rna": rna, "cnv": cnv})

    def test_a_swapped_view_that_would_not_fit_either_is_told_so(self):
        rna = frame(["TP53", "EGFR"], ["TCGA-A1-A0SB-01A", "TCGA-A1-A0SD-01A"])
        protein = frame(["TCGA-A1-A0SB", "TCGA-A1-A0SD"], ["p1", "p2"])
        with pytest.raises(DataError, match=r"look swapped\. Pass features_in_rows=\['rna'\]"):
            poems.read({"rna": rna, "protein": protein})

    def test_shared_genes_are_no_reason(self):
        assert codes(poems.read({"rna": RNA, "cnv": RNA + 1}, obs=self.obs)) == []


class TestObs:
    def test_rows_are_matched_by_name(self, tmp_path):
        path = tmp_path / "obs.csv"
        path.write_text("id,age,sex\ns9,1,f\ns2,,m\ns1,61.5,f\n")
        cohort = poems.read({"rna": RNA}, obs=path)
        assert cohort.obs.index.equals(cohort.samples)
        assert cohort.obs["sex"].tolist()[:2] == ["f", "m"]
        assert cohort.obs["age"].dtype == np.float64
        found = {finding.code: finding for finding in cohort.findings}
        assert found["samples-without-obs"].severity == "warning"
        assert found["samples-without-obs"].items == ("s3",)
        assert found["obs-rows-unused"].items == ("s9",)

    def test_one_is_not_many(self):
        obs = pd.DataFrame({"age": [1, 2, 3]}, index=["s1", "s2", "s9"])
        notes = {finding.code: finding for finding in poems.read({"rna": RNA}, obs=obs).findings}
        assert notes["samples-without-obs"].message == (
            "1 of 3 samples has no row in the obs table (s3); its annotations are missing"
        )
        assert notes["obs-rows-unused"].message == (
            "1 row of the obs table belongs to no sample of the cohort (s9); left out"
        )

    def test_no_column_of_names(self, tmp_path):
        path = tmp_path / "obs.csv"
        path.write_text("age,sex\n50.25,f\n61.5,m\n")
        with pytest.raises(DataError, match=r"obs\.csv: where sample names are expected"):
            poems.read({"rna": RNA}, obs=path)

    def test_duplicates(self):
        obs = pd.DataFrame({"age": [1, 2]}, index=["s1", "s1"])
        with pytest.raises(DataError, match=r"the obs table: sample names occur more.*'s1'"):
            poems.read({"rna": RNA}, obs=obs)

    def test_no_row_matches(self):
        obs = pd.DataFrame({"age": [1, 2]}, index=["S1", "S2"])
        with pytest.raises(
            DataError, match=r"none of the rows of the obs table \(2: S1, S2\).*upper and lower"
        ):
            poems.read({"rna": RNA}, obs=obs)

    def test_wrong_kind(self):
        with pytest.raises(DataError, match="obs must be a path or a DataFrame, not list"):
            poems.read({"rna": RNA}, obs=["s1"])

    def test_nullable_columns_become_plain(self):
        obs = pd.DataFrame(
            {
                "event": pd.array([1, None, 0], dtype="Int64"),
                "age": pd.array([50, 60, 70], dtype="Int32"),
                "treated": pd.array([True, False, True], dtype="boolean"),
                "stage": pd.array(["i", None, "ii"], dtype="string"),
            },
            index=RNA.index,
        )
        dtypes = poems.read({"rna": RNA}, obs=obs).obs.dtypes
        assert [dtype.kind for dtype in dtypes] == ["f", "i", "b", "O"]
        assert not any(map(pd.api.types.is_extension_array_dtype, dtypes))


class TestSources:
    def test_frame_types(self):
        rna = pd.DataFrame(
            {
                "a": pd.array([1, None, 3], dtype="Int64"),
                "b": [True, False, True],
                "c": ["1.5", "NA", " 2 "],
                "d": pd.Categorical(["1", "2", "1"]),
                5: np.array([1, None, 2.5], dtype=object),
            },
            index=[101, 102, 103],
        )
        cohort = poems.read({"rna": rna})
        expected = [[1, 1, 1.5, 1, 1], [np.nan, 0, np.nan, 2, np.nan], [3, 1, 2, 1, 2.5]]
        np.testing.assert_array_equal(cohort["rna"].values, np.array(expected, np.float32))
        assert list(cohort.samples) == ["101", "102", "103"]
        assert list(cohort["rna"].features) == ["a", "b", "c", "d", "5"]
        assert codes(cohort) == ["booleans"]

    def test_dates_are_no_numbers(self):
        rna = RNA.assign(date=pd.Timestamp("2020-01-01"))
        with pytest.raises(DataError, match=r"3 cells are not numbers.*2020"):
            poems.read({"rna": rna})

    def test_row_numbers_as_names_are_warned_of(self):
        cohort = poems.read({"rna": RNA.reset_index(drop=True)})
        assert codes(cohort) == ["numbered-samples"]

    def test_parquet(self, tmp_path):
        RNA.to_parquet(tmp_path / "rna.parquet")
        cohort = poems.read({"rna": tmp_path / "rna.parquet"})
        pd.testing.assert_frame_equal(cohort.frame("rna"), RNA.astype(np.float32))
        RNA.reset_index(names="sample").to_parquet(tmp_path / "rna.parquet")
        again = poems.read({"rna": tmp_path / "rna.parquet"})
        pd.testing.assert_frame_equal(again.frame("rna"), RNA.astype(np.float32))
        assert codes(again) == ["first-column-index"]

    def test_anndata_sparse_and_its_obs(self, tmp_path):
        data = anndata.AnnData(
            sparse.csr_matrix(RNA.to_numpy(np.float32)),
            obs=pd.DataFrame({"age": [1.0, 2, 3]}, index=RNA.index),
            var=pd.DataFrame(index=RNA.columns),
        )
        data.write_h5ad(tmp_path / "rna.h5ad")
        for source in (data, {"rna": data}, tmp_path / "rna.h5ad", {"x": tmp_path / "rna.h5ad"}):
            cohort = poems.read(source)
            (name,) = cohort
            pd.testing.assert_frame_equal(cohort.frame(name), RNA.astype(np.float32))
            assert cohort.obs["age"].tolist() == [1, 2, 3]

    def test_obs_of_several_anndata_are_joined(self):
        def view(table, **obs):
            return anndata.AnnData(
                table.to_numpy(np.float32),
                obs=pd.DataFrame(obs, index=table.index),
                var=pd.DataFrame(index=table.columns),
            )

        cohort = poems.read(
            {
                "rna": view(RNA, sex=["f", "m", "f"]),
                "protein": view(PROTEIN, sex=["m", "f"], age=[3, 4]),
            }
        )
        assert cohort.obs["sex"].tolist() == ["f", "m", "f", "f"]
        assert cohort.obs["age"].tolist()[2:] == [3, 4]
        (conflict,) = (finding for finding in cohort.findings if finding.code == "obs-conflict")
        assert conflict.items == ("s3",)

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ({}, "no views given"),
            (RNA, "expected a mapping of view name to table.*not DataFrame"),
            ([RNA], "not list"),
            ({"rna": RNA.to_numpy()}, "not ndarray; an array has no names"),
            ({"rna": RNA.iloc[:, :0]}, "is empty: 3 rows and 0 columns"),
            ("rna.csv", r"give the view a name: \{'rna': 'rna.csv'\}"),
            ({"rna": pd.concat({"a": RNA})}, "2 levels of sample names"),
            ({"rna": RNA.rename(columns={"EGFR": np.nan})}, r"feature names are empty \(number 2"),
        ],
    )
    def test_unusable_sources(self, source, message):
        with pytest.raises(DataError, match=message):
            poems.read(source)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("", "is empty"),
            (" ", "is empty"),
            ("a/b", "has a slash"),
            ("a\\b", "has a slash"),
            (".rna", "begins with a dot"),
            ("a\0b", "control characters"),
            ("a\nb", "control characters"),
            ("x" * 101, "longer than 100"),
            (3, "is a int, not a string"),
        ],
    )
    def test_view_names_that_cannot_name_files(self, name, reason):
        with pytest.raises(DataError, match=f"{reason}.*; rename the view"):
            poems.read({name: RNA})

    @given(st.text(min_size=1, max_size=120))
    def test_accepted_view_names_name_files(self, name):
        try:
            poems.read({name: RNA})
        except DataError:
            return
        assert Path(name).name == name
        assert len(name.encode()) <= 200

    def test_samples_rule(self):
        with pytest.raises(SettingsError, match="'union' or 'intersection', not 'inner'"):
            poems.read({"rna": RNA}, samples="inner")

    def test_error_kinds_are_told_apart(self, tmp_path):
        with pytest.raises(ReadError):
            poems.read({"rna": tmp_path / "no.csv", "protein": tmp_path / "no.tsv"})
        with pytest.raises(DataError, match=r"^2 problems:") as caught:
            poems.read({"rna": tmp_path / "no.csv", "protein": PROTEIN.astype(str) + "x"})
        assert not isinstance(caught.value, ReadError)
