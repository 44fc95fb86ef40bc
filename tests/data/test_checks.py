import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import poems
from poems import SettingsError
from poems.data import quality_findings
from poems.data.facts import _quantiles

RNG = np.random.default_rng(0)


def table(n_samples=40, n_features=12, values=None):
    values = RNG.normal(size=(n_samples, n_features)) if values is None else values
    frame = pd.DataFrame(np.asarray(values, dtype=float))
    return frame.rename(index="s{}".format, columns="g{}".format)


def found(views, **options):
    return {finding.code: finding for finding in quality_findings(poems.read(views, **options))}


def test_a_clean_cohort_has_no_findings():
    assert found({"rna": table(), "protein": table(n_features=20)}) == {}


def test_features_that_tell_nothing():
    rna = table()
    rna["g3"], rna["g5"] = 2.0, np.nan
    rna.loc["s7":, "g3"] = np.nan
    findings = found({"rna": rna})
    assert findings["constant-features"].items == ("g3",)
    assert findings["all-missing-features"].items == ("g5",)
    assert findings["constant-features"].severity == "warning"
    assert findings["constant-features"].message == (
        "1 of 12 features has the same value wherever measured (g3), which tells nothing; it is "
        "left out of the fit"
    )
    assert "no-usable-features" not in findings
    # A feature that has no value at all is not also a missing entry.
    assert "33 entries" in findings["missing-entries"].message


def test_constant_on_the_measured_samples_only_is_constant():
    rna, protein = table(), table()
    protein = protein.iloc[:20].assign(g0=1.0)
    assert found({"rna": rna, "protein": protein})["constant-features"].items == ("g0",)


def test_a_view_without_usable_features_prevents_a_fit():
    flat = table() * 0
    findings = found({"rna": table(), "flat": flat})
    assert findings["no-usable-features"].severity == "error"
    assert findings["no-usable-features"].view == "flat"
    assert not poems.check({"rna": table(), "flat": flat}).ok


@pytest.mark.parametrize(
    ("share", "code", "severity"),
    [(0.05, "missing-entries", "note"), (0.3, "many-missing-entries", "warning")],
)
def test_missing_entries_are_told_with_their_share(share, code, severity):
    values = RNG.normal(size=(40, 100))
    values.flat[RNG.permutation(4000)[: int(4000 * share)]] = np.nan
    finding = found({"rna": table(values=values)})[code]
    assert finding.severity == severity
    assert f"({100 * share:.1f}%)" in finding.message


def test_unmeasured_samples_are_no_missing_entries():
    findings = found({"rna": table(), "protein": table().iloc[:20]})
    assert "missing-entries" not in findings


@pytest.mark.parametrize(
    ("n_samples", "code", "severity"),
    [
        (7, "too-few-samples", "error"),
        (8, "few-samples", "warning"),
        (29, "few-samples", "warning"),
    ],
)
def test_few_samples(n_samples, code, severity):
    assert found({"rna": table(n_samples)})[code].severity == severity


def test_few_features_and_few_measured_samples():
    findings = found({"rna": table(), "protein": table(n_features=2).iloc[:9]})
    assert "measured on 9 of 40 samples" in findings["few-measured-samples"].message
    assert findings["few-features"].view == "protein"


def test_many_features_on_few_samples_are_pointed_out_with_what_to_do():
    assert "few-samples-for-features" not in found({"rna": table(40, 2500)})
    assert "few-samples-for-features" not in found({"rna": table(39, 1500)})
    said = found({"rna": table(39, 2500)})["few-samples-for-features"]
    assert (said.severity, said.view) == ("note", "rna")
    assert said.message.startswith("2500 features on 39 samples: chance alone reaches so far")
    assert "--most-variable 1000" in said.message


class TestValues:
    counts = RNG.negative_binomial(0.5, 0.01, size=(40, 30))

    def test_counts_and_unlogged_values(self):
        raw = found({"rna": table(values=self.counts)})["unlogged-values"]
        assert "looks like raw counts" in raw.message
        assert "log1p" in raw.message
        rpm = found({"rna": table(values=self.counts / 1.7)})["unlogged-values"]
        assert "not on a log scale" in rpm.message

    @pytest.mark.parametrize(
        "values",
        [
            np.log1p(counts),
            np.log2(1 + counts) + 3,
            RNG.beta(0.5, 0.5, size=(40, 30)),
            100 * RNG.beta(2, 2, size=(40, 30)),
            RNG.standard_t(3, size=(40, 30)),
            np.exp(RNG.normal(size=(40, 30))) - 0.1,
        ],
    )
    def test_no_false_alarm(self, values):
        assert found({"rna": table(values=values)}) == {}

    def test_extreme_outliers_are_named(self):
        rna = table(n_features=30)
        rna.loc["s5", "g7"], rna.loc["s6", "g8"] = 631.0, -99.0
        finding = found({"rna": rna})["extreme-outliers"]
        assert finding.items == ("g7", "g8")
        assert "2 values in 2 features are extreme outliers" in finding.message
        assert "631 in feature g7 of sample s5" in finding.message

    @given(
        arrays(np.float64, (9, 3), elements=st.floats(-1e6, 1e6)),
        arrays(np.bool_, (9, 3)),
    )
    def test_quantiles_leave_missing_values_out(self, values, missing):
        missing[np.arange(3), np.arange(3)] = False  # One value in every column.
        values = np.where(missing, np.nan, values)
        shares = (0.0, 0.25, 0.5, 0.75, 1.0)
        expected = np.nanquantile(values, shares, axis=0)
        np.testing.assert_allclose(_quantiles(values, shares), expected, rtol=1e-9, atol=1e-6)

    def test_rarely_detected_features_are_no_outliers(self):
        values = RNG.normal(5, 1, size=(40, 30))
        values[:, 3] = 3.5 + 0.01 * RNG.normal(size=40)
        values[:5, 3] = 8.0  # a gene that is on in few samples
        values[:, 4], values[0, 4] = 0, 6
        assert set(found({"rna": table(values=values)})) == {"rare-features"}

    def test_views_to_be_transformed_are_judged_after_it(self):
        counts = RNG.poisson(1000, size=(40, 30))
        counts[5, 3] = 10**9
        cohort = poems.read({"rna": table(values=counts), "cnv": table(values=counts)})
        findings = quality_findings(cohort, log1p=("rna",))
        assert [(each.view, each.code) for each in findings if each.view] == [
            ("rna", "extreme-outliers"),
            ("cnv", "unlogged-values"),
        ]
        assert findings[0].message.startswith("1 value in 1 feature is an extreme outlier, ")
        assert "furthest is 20.7 in feature g3 of sample s5" in findings[0].message
        assert "after log1p" in findings[0].message

    def test_log1p_of_what_is_below_zero_is_left_to_the_fit(self):
        cohort = poems.read({"rna": table()})
        assert quality_findings(cohort, log1p=["rna"]) == ()

    @pytest.mark.parametrize("levels", [2, 5])
    def test_discrete_values(self, levels):
        values = RNG.integers(0, levels, size=(40, 30))
        finding = found({"mutation": table(values=values)})["discrete-values"]
        assert finding.severity == "note"
        assert f"only the values {', '.join(map(str, range(levels)))};" in finding.message

    def test_scales(self):
        finding = found({"rna": table() * 1000 - 1, "protein": table()})["view-scales"]
        assert finding.severity == "warning"
        assert "'rna'" in finding.message
        assert "Standardising (the default) takes care of it" in finding.message


class TestRareFeatures:
    def test_named_with_the_remedy(self):
        mutation = table(n_features=12) > 0
        mutation["g2"], mutation["g5"], mutation["g7"] = False, False, True
        mutation.loc["s4", "g2"] = True
        mutation.loc[["s1", "s9"], "g5"] = True
        mutation.loc[["s1", "s9", "s11"], "g7"] = False
        finding = found({"mutation": mutation})["rare-features"]
        assert (finding.severity, finding.items) == ("warning", ("g2", "g5"))
        assert finding.message == (
            "2 of 12 features differ from their most common value in fewer than 3 samples (g2, "
            "g5), as mutations with a single carrier do; they teach the model single samples. "
            "Leave out features seen in fewer than 3 samples"
        )
        all_rare = found({"mutation": mutation[["g2", "g5"]]})["rare-features"].message
        assert "no other feature varies: consider leaving the view out" in all_rare
        one = found({"mutation": mutation.drop(columns="g5")})["rare-features"].message
        assert one.startswith("1 of 11 features differs from its most common value")

    @given(
        arrays(
            np.float64,
            st.tuples(st.integers(1, 9), st.integers(1, 3)),
            elements=st.sampled_from([0.0, 1.0, 2.0, np.nan]),
        )
    )
    def test_equals_counting(self, values):
        rare = []
        values = np.column_stack([values, np.arange(len(values))])  # each sample has a value
        for column in values.T:
            _, counts = np.unique(column[~np.isnan(column)], return_counts=True)
            others = counts.sum() - counts.max(initial=0)
            rare.append(1 <= others <= 2 and others < counts.max(initial=0))
        finding = found({"rna": table(values=values)}).get("rare-features")
        expected = tuple(f"g{i}" for i in np.flatnonzero(rare))
        assert (finding.items if finding else ()) == expected

    @pytest.mark.parametrize("n_samples", [8, 9, 40])
    def test_never_for_continuous_values(self, n_samples):
        values = RNG.normal(size=(n_samples, 50))
        values[RNG.random(values.shape) < 0.6] = np.nan
        values[0] = 0.0
        assert "rare-features" not in found({"rna": table(values=values)})


def test_too_few_samples_are_told_once():
    errors = [each for each in poems.check({"rna": table(1)}).findings if each.severity == "error"]
    assert [each.code for each in errors] == ["too-few-samples", "no-usable-features"]
    assert errors[0].message == "1 sample is too few to fit; at least 8 are needed"
    errors = [each for each in poems.check({"rna": table(5)}).findings if each.severity == "error"]
    assert [each.message for each in errors] == [
        "5 samples are too few to fit; at least 8 are needed"
    ]


def test_samples_without_obs_are_told_once():
    obs = pd.DataFrame({"age": 1.0}, index=[f"s{i}" for i in range(40)])
    obs.loc["s3"] = np.nan
    assert found({"rna": table()}, obs=obs)["samples-without-obs"].items == ("s3",)
    report = poems.check({"rna": table()}, obs=obs.drop(index="s3"))
    assert [finding.code for finding in report.findings] == ["samples-without-obs"]


class TestReport:
    def test_summary(self):
        protein = table(n_features=20).iloc[:30]
        protein.iloc[0, 0] = np.nan
        report = poems.check({"rna": table(), "protein": protein})
        assert report.ok
        assert report.cohort is not None
        row = report.summary.loc["protein"]
        assert (row["samples"], row["features"], row["missing_samples"]) == (30, 20, 10)
        assert row["missing_share"] == pytest.approx(1 / 600)
        assert row["median"] == pytest.approx(np.nanmedian(protein))
        assert row["max"] == pytest.approx(np.nanmax(protein))

    def test_errors_become_findings_and_other_views_are_summed_up(self, tmp_path):
        report = poems.check({"rna": table(), "protein": tmp_path / "no.csv"})
        assert not report.ok
        assert report.cohort is None
        assert report.findings[0].view == "protein"
        assert "does not exist" in report.findings[0].message
        assert report.summary.index.tolist() == ["rna"]

    @pytest.mark.parametrize("views", [{}, "rna.csv", 3, {"a": 1}, {"": table()}, "no.h5mu"])
    def test_never_raises_for_bad_data(self, views):
        report = poems.check(views)
        assert not report.ok
        assert report.cohort is None

    def test_worst_comes_first(self):
        report = poems.check({"rna": table(20), "flat": table(20) * 0, "few": table(20, 3)})
        severities = [finding.severity for finding in report.findings]
        assert severities == sorted(severities, key=["error", "warning", "note"].index)
        assert len(set(severities)) == 3

    def test_a_wrong_option_is_an_error(self):
        with pytest.raises(SettingsError, match="samples must be"):
            poems.check({"rna": table()}, samples="inner")


@pytest.mark.parametrize(("shape", "told"), [((1500, 40), True), ((1500, 400), False)])
def test_tables_of_very_many_rows_and_few_columns_may_be_swapped(
    shape: tuple[int, int], told: bool
) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    table = pd.DataFrame(values).rename(index="r{}".format, columns="P{}".format)
    codes = [finding.code for finding in poems.check({"rna": table}).findings]
    assert ("looks-swapped" in codes) is told
