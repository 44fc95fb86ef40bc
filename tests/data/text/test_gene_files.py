from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poems.data.text.gene_files import read_feature_map, read_gmt
from poems.errors import DataError, ReadError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_sets_are_read_once_each_and_without_empty_fields(tmp_path: Path) -> None:
    text = "A\tsome words\tG1\tG2\tG1\t\n\n=B()\t\tG3\r\n"
    plain = write(tmp_path / "a.gmt", text)
    packed = tmp_path / "b.gmt.gz"
    packed.write_bytes(gzip.compress(b"C\t\tG1"))
    found = read_gmt([plain, packed])
    assert found.sets == {"A": ("G1", "G2"), "=B()": ("G3",), "C": ("G1",)}
    assert found.findings == ()


def test_a_name_in_two_files_is_told_apart(tmp_path: Path) -> None:
    first, second = (write(tmp_path / f"{n}.gmt", f"A\t\tG{n}\nB{n}\t\tG") for n in (1, 2))
    found = read_gmt([first, second])
    assert set(found.sets) == {"1.gmt:A", "2.gmt:A", "B1", "B2"}
    assert found.findings[0].items == ("A",)
    with pytest.raises(DataError, match=r"two files called 1.gmt .* give each file once"):
        read_gmt([first, first])


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("A,words,G1", "no tab"),
        ("A\twords", "no gene"),
        ("A\twords\t\t ", "no gene"),
        ("\twords\tG1", "no name"),
        ("x" * 200, "no tab"),
    ],
)
def test_a_malformed_line_is_named_with_its_file(line: str, what: str, tmp_path: Path) -> None:
    path = write(tmp_path / "bad.gmt", f"FINE\t\tG1\n\n{line}\n")
    with pytest.raises(ReadError, match=rf"bad\.gmt, line 3: not a gene set .* \({what}\)") as told:
        read_gmt([path])
    assert len(str(told.value)) < 300 + len(str(tmp_path))


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gmt", "A\t\tG1\nB\t\tG1\nA\t\tG2\n")
    with pytest.raises(DataError, match=r"line 3: the set 'A' stands on line 1 already"):
        read_gmt([path])
    with pytest.raises(DataError, match="no file"):
        read_gmt([])
    with pytest.raises(ReadError, match="does not exist"):
        read_gmt([tmp_path / "absent.gmt"])


def test_a_map_may_have_more_columns_and_several_genes_a_feature(tmp_path: Path) -> None:
    text = 'Gene\tnote\tFeature\nLOX\t"a ""b"""\tcg1\nLOX\t\tcg2\n\t\tcg3\n\nTP53\t\tcg1\n'
    found = read_feature_map(write(tmp_path / "map.tsv", text))
    assert found.to_numpy().tolist() == [["cg1", "LOX"], ["cg2", "LOX"], ["cg1", "TP53"]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("map.csv", "cg1,LOX\n", "must name the columns 'feature' and 'gene'"),
        ("map.csv", "feature,gene\ncg1,LOX\ncg2\n", r"map.csv, row 3: 1 field where .* has 2"),
        ("map.csv", "feature,gene\ncg1,\n", "gives no gene for any feature"),
        ("map.xlsx", "feature,gene\n", "must be .csv, .tsv or .txt"),
    ],
)
def test_a_map_that_is_none_is_refused(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=message):
        read_feature_map(write(tmp_path / name, text))


def test_genes_in_place_of_descriptions_are_told_of(tmp_path: Path) -> None:
    genes = [f"G{n}" for n in range(6)]
    lines = ["\t".join([f"S{n}", *genes[n:], *genes[:n]]) for n in range(4)]
    (found,) = read_gmt([write(tmp_path / "a.gmt", "\n".join(lines))]).findings
    assert found.code == "gene-sets-undescribed"
    described = ["\t".join([f"S{n}", "words", *genes[n:]]) for n in range(4)]
    assert read_gmt([write(tmp_path / "b.gmt", "\n".join(described))]).findings == ()


@settings(max_examples=60)
@given(st.text("A1\t\n\r ,:\x85é\"'", max_size=60) | st.binary(max_size=60))
def test_any_file_is_gene_sets_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    path = tmp_path_factory.mktemp("sets") / "a.gmt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        sets = read_gmt([path]).sets
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017 - either outcome is right
        return
    assert sets
    assert all(name.strip() and genes and all(genes) for name, genes in sets.items())
