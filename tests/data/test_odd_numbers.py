"""Numbers that are written oddly, or beyond what is measured: read or named by their cause."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import poems
from poems.errors import DataError

# What R writes for NA: a NaN that signals.
R_NA = np.uint64(0x7FF00000000007A2)


def table_of_r() -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(40, 12))
    bits = values.view(np.uint64)
    bits[3, 4] = bits[7, 2] = R_NA
    frame = pd.DataFrame(values, copy=False)
    return frame.set_axis([f"s{n}" for n in range(40)]).set_axis(
        [f"g{n}" for n in range(12)], axis=1
    )


@pytest.mark.parametrize("kind", ["frame", "parquet", "parquet on disk", "h5ad", "h5ad on disk"])
def test_the_na_of_r_is_missing_and_nothing_to_warn_of(kind: str, tmp_path: Path) -> None:
    frame, path = table_of_r(), tmp_path / f"a.{kind.split()[0]}"
    if kind.startswith("h5ad"):
        import anndata

        with warnings.catch_warnings():
            # What the library says of its plans, and of these values.
            warnings.simplefilter("ignore")
            anndata.AnnData(frame).write_h5ad(path)
    elif kind.startswith("parquet"):
        frame.to_parquet(path)
    if kind.endswith("on disk"):
        with poems.read({"a": path}, backed=True) as cohort:  # type: ignore[attr-defined]
            values = cohort.load()["a"].values
    else:
        source = frame if kind == "frame" else path
        report = poems.check({"a": source})
        assert {each.severity for each in report.findings} == {"note"}
        values = poems.read({"a": source})["a"].values
    assert np.argwhere(np.isnan(values)).tolist() == [[3, 4], [7, 2]]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("-inf", r"-inf is the logarithm of 0: take log\(1 \+ x\)"),
        ("inf", "division by 0"),
        ("5e12345678901", r"'5e12345678901' .*No measurement is as large: if these are ident"),
        ("1e300", r"1e\+300 .*No measurement is as large"),
        ("-1e39", r"-1e\+39 .*No measurement is as large"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
def test_the_remedy_fits_what_is_wrong(cell: str, message: str, kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"g1": ["1.5", cell, "2"], "g2": ["1", "2", "4"]}, index=list("abc"))
    frame.index.name = "id"
    path = tmp_path / f"a.{kind}"
    if kind == "csv":
        frame.to_csv(path)
    elif kind == "parquet":
        frame.to_parquet(path)
    with pytest.raises(DataError, match="sample 'b', feature 'g1'") as caught:
        poems.read({"a": frame if kind == "frame" else path})
    if not (kind != "csv" and cell in ("1e300", "-1e39")):
        assert pd.Series([str(caught.value)]).str.contains(message).all(), caught.value
