"""What is said of cells that are no numbers follows from what they hold."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poems
from poems import DataError
from poems.data.odd_cells import cell_remedy

TABLE = pd.DataFrame(
    np.random.default_rng(0).normal(6.0, 3.0, (12, 4)).round(3),
    [f"s{i}" for i in range(12)],
    [f"g{j}" for j in range(4)],
)


def refusal(frame: pd.DataFrame) -> str:
    with pytest.raises(DataError) as caught:
        poems.read({"rna": frame})
    return str(caught.value)


def words(share: str) -> Callable[[float], str]:
    return share.format


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("{}%", "without the sign for percent"),
        ("{} mg/l", "without units"),
        ("{}µM", "without units"),
        ("<{}", "limits of detection"),
        ("≥ {}", "limits of detection"),
        ("−{}", "put '-' in its place"),
        ("'{}", "Take out the quotation"),
        ('="{}"', "Take out the quotation"),
        ("{}±0.1", "without their errors"),
        ("${}", "without signs before or within them"),
        ("\u0661{}", "write 0 to 9"),
    ],
)
def test_the_remedy_is_that_of_what_the_cells_hold(cell: str, remedy: str) -> None:
    frame = TABLE.abs().map(words(cell))
    assert remedy in refusal(frame)
    one = TABLE.astype(object)
    one.iloc[3, 1] = cell.format(0.5)
    assert remedy in refusal(one)


def test_a_row_of_words_is_named(tmp_path: Path) -> None:
    units = pd.DataFrame([["log2"] * 4], ["unit"], TABLE.columns)
    assert "Row 'unit' holds no number at all" in refusal(pd.concat([units, TABLE]))
    header = pd.DataFrame([list(TABLE.columns)], ["sample"], TABLE.columns)
    assert "Row 'sample' repeats the header" in refusal(pd.concat([TABLE, header]))
    turned = tmp_path / "rna.tsv"
    kinds = pd.DataFrame([["count"] * 12], ["gene_id"], TABLE.index)
    pd.concat([kinds, TABLE.T]).to_csv(turned, sep="\t", index_label="id")
    with pytest.raises(DataError, match="Row 'gene_id' holds no number"):
        poems.read({"rna": turned}, features_in_rows=True)


def test_two_words_throughout_are_a_mutation_table() -> None:
    frame = (TABLE > 6).map({True: "MUT", False: "WT"}.get)
    assert "All cells are 'MUT' or 'WT': write 0 and 1" in refusal(frame)


def test_a_word_alone_is_what_may_be_missing() -> None:
    one = TABLE.astype(object)
    one.iloc[3, 1] = "high"
    assert refusal(one).endswith("Leave a missing value empty, or write NA")


@given(
    st.lists(
        st.tuples(st.text(max_size=6), st.integers(0, 2), st.integers(0, 2)),
        min_size=1,
        max_size=9,
        unique_by=lambda each: each[1:],
    )
)
def test_any_cells_have_a_remedy_of_one_sentence(bad: list[tuple[str, int, int]]) -> None:
    bad = sorted(bad, key=lambda each: each[1:])
    remedy = cell_remedy(bad, ["s0", "s1", "s2"], ["g0", "g1", "g2"], "sample")
    assert remedy
    assert not remedy.endswith(".")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("rna.csv.bz2", "unpack it"),
        ("rna.rds", "write.csv"),
        ("rna.loom", "write it as .h5ad"),
        ("matrix.mtx", "write it as .h5ad"),
        ("rna.npy", "pandas.DataFrame"),
        ("calls.vcf", "make a table of samples by genes"),
        ("rna.dat", "name it by what it holds"),
    ],
)
def test_the_remedy_of_a_file_of_another_kind_fits_its_name(
    tmp_path: Path, name: str, remedy: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"anything")
    with pytest.raises(DataError, match=remedy):
        poems.read({"rna": path})


def test_an_archive_and_an_encoding_without_its_mark_are_called_so(tmp_path: Path) -> None:
    plain, packed = tmp_path / "rna.csv", tmp_path / "packed.csv.gz"
    TABLE.to_csv(plain)
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(plain, "rna.csv")
    with pytest.raises(DataError, match="is a tar archive"):
        poems.read({"rna": packed})
    for encoding in ("utf-16-le", "utf-16-be"):
        other = tmp_path / f"{encoding}.csv"
        other.write_bytes(plain.read_text("utf-8").encode(encoding))
        with pytest.raises(DataError, match="is encoded as UTF-16"):
            poems.read({"rna": other})


def test_a_comma_before_a_power_of_ten_is_a_decimal_one() -> None:
    frame = TABLE.map(lambda value: f"{value:.3e}".replace(".", ","))
    found = poems.read({"rna": frame})["rna"].values
    np.testing.assert_allclose(found, TABLE, rtol=1e-3)
