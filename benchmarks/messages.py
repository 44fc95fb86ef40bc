"""Errors, provoked through the command line: what is said, whether it fits, and how soon.

    python benchmarks/messages.py [--out messages.md]

Small tables are written with one fault each, and a command is run of them in a process of its own
each, so that the seconds are those that somebody waits. A sentence fits if it names what the case
says that it has to name (the file, the view, the sample or feature, the value, the flag), says what
to do, and is no traceback; what is missing stands in the last column.
"""

from __future__ import annotations

import argparse
import gzip
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

NAMES = [f"s{i}" for i in range(1, 31)]
FEATURES = [f"gene{j}" for j in range(1, 9)]


@dataclass(frozen=True)
class Case:
    """A fault: the command that meets it, and what its answer has to hold."""

    what: str
    command: str
    names: tuple[str, ...]
    remedy: str
    # Files written before, by name: text or bytes.
    files: Mapping[str, str | bytes]


def table(**cells: object) -> pd.DataFrame:
    """The plain table, with cells put in by name: ``s3_gene2="high"``."""
    values = np.random.default_rng(0).normal(size=(len(NAMES), len(FEATURES))).round(3)
    frame = pd.DataFrame(values, NAMES, FEATURES).rename_axis("sample").astype(object)
    for name, cell in cells.items():
        frame.loc[tuple(name.split("_"))] = cell
    return frame


def text(frame: pd.DataFrame, sep: str = ",") -> str:
    return str(frame.to_csv(sep=sep))


def renamed(names: Mapping[str, str]) -> str:
    return text(table().rename(index=names).rename(columns=names))


OBS = pd.DataFrame(
    {
        "age": np.arange(30) + 40,
        "grade": ["a", "b", "c"] * 10,
        "time": np.arange(30) + 1.5,
        "dead": [0, 1] * 15,
        "status": ["alive", "gone", "lost"] * 10,
    },
    index=pd.Index(NAMES, name="sample"),
)


def of_tables() -> Iterator[Case]:
    """Faults of tables of measurements."""
    bad: list[tuple[str, str | bytes, tuple[str, ...], str]] = [
        ("a word among numbers", text(table(s3_gene2="high")), ("s3", "gene2", "'high'"), "NA"),
        ("infinity", text(table(s3_gene2="inf")), ("s3", "gene2", "inf"), "division by 0"),
        ("log of zero", text(table(s3_gene2="-inf")), ("s3", "gene2"), "log(1 + x)"),
        ("a number beyond range", text(table(s3_gene2="1e60")), ("s3", "gene2"), "obs table"),
        ("thousands", text(table(s3_gene2="1,625.60")), ("s3", "gene2"), "without"),
        ("a date in a cell", text(table(s3_gene2="2024-01-03")), ("s3", "gene2"), "spreadsheet"),
        ("a sample twice", renamed({"s4": "s3"}), ("s3",), "keep"),
        ("a feature twice", renamed({"gene4": "gene3"}), ("gene3",), "keep"),
        ("Excel dates twice", renamed({"gene4": "1-Mar", "gene3": "1-Mar"}), ("1-Mar", "MARC"),
         "before a spreadsheet"),
        ("a sample without a name", renamed({"s4": ""}), ("row",), "name"),
        ("a column without a name", renamed({"gene4": ""}), ("column",), "name"),
        ("a short row", text(table()).replace("\ns9,", "\ns8b,1\ns9,"), ("s8b", "line"),
         "expected"),
        ("tabs in .csv", text(table(), "\t"), ("tabs",), ".tsv"),
        ("a title above", "Table S1 of the paper\n" + text(table()), ("line 1", "Table S1"),
         "delete"),
        ("a long table", text(table().stack().rename("value").rename_axis(["sample", "gene"])
                              .reset_index().set_index("sample")), ("value", "gene"), "pivot"),
        ("a MAF", "Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification\n"
         + "TP53\tT1\tSilent\n" * 5, ("MAF",), "crosstab"),
        ("UTF-16", text(table()).encode("utf-16"), ("UTF-16",), "UTF-8"),
        ("an old encoding", renamed({"s4": "s\xe9"}).encode("latin-1"), ("0xe9", "line 5"),
         "UTF-8"),
        ("nothing", "", ("empty",), "copy it again"),
        ("a header alone", "sample,a,b\n", ("no rows",), "copy it again"),
        ("one column", "sample\ns1\ns2\n", ("single column",), "expected"),
        ("an unclosed quote", text(table()).replace("s4,", '"s4,'), ("quotation mark",),
         "unbalanced"),
        ("HDF5 named .csv", b"\x89HDF\r\n\x1a\n" + bytes(90), ("HDF5",), "name it"),
        ("zip named .csv", b"PK\x03\x04xl/workbook.xml" + bytes(90), ("Excel",), "name it .xlsx"),
        ("a PDF", b"%PDF-1.4 something", ("PDF",), "CSV"),
    ]  # fmt: skip
    for what, content, names, remedy in bad:
        suffix = ".tsv" if what == "a MAF" else ".csv"
        yield Case(what, f"check rna{suffix}", (f"rna{suffix}", *names), remedy,
                   {f"rna{suffix}": content})  # fmt: skip
    whole = gzip.compress(text(table()).encode())
    other: list[tuple[str, str, str | bytes, tuple[str, ...], str]] = [
        ("gzip cut", "rna.csv.gz", whole[:-20], ("truncated",), "copy it again"),
        ("no gzip", "rna.csv.gz", text(table()), ("not gzip",), "rename"),
        ("an old workbook", "rna.xls", b"\xd0\xcf\x11\xe0", (".xls",), "CSV"),
        ("text named .xlsx", "rna.xlsx", text(table()), ("no Excel workbook",), "name it .csv"),
        ("a zip named .xlsx", "rna.xlsx", b"PK\x03\x04" + bytes(60), ("workbook",), "CSV"),
        ("no HDF5", "rna.h5ad", b"nothing", ("not an HDF5 file",), "write it again"),
        ("HDF5 cut", "rna.h5ad", b"\x89HDF\r\n\x1a\n" + bytes(90), ("damaged",), "copy it again"),
        ("no Parquet", "rna.parquet", b"nothing", ("Parquet",), "copy it again"),
        ("an unknown ending", "rna.dat", text(table()), ("'.dat'",), "expected"),
    ]
    for what, name, content, names, remedy in other:
        yield Case(what, f"check {name}", (name, *names), remedy, {name: content})


def of_cohorts() -> Iterator[Case]:
    """Faults of several tables together, and of the table of the samples."""
    rna, mirna = text(table()), text(table().iloc[:, :4])
    yield Case("a file that is not there", "check nope.csv", ("nope.csv",), "check the path", {})
    yield Case("no sample in common", "check rna.csv mirna.csv", ("rna", "mirna"), "name",
               {"rna.csv": rna, "mirna.csv": renamed({n: f"q{n}" for n in NAMES})})  # fmt: skip
    capitals = {name: name.upper() for name in NAMES[:9]}
    yield Case("names that differ in case", "check rna.csv mirna.csv", ("rna", "mirna", "S1"),
               "write the same", {"rna.csv": rna, "mirna.csv": renamed(capitals)})  # fmt: skip
    yield Case("one omic twice", "check rna.csv rna.csv", ("rna",), "name", {"rna.csv": rna})
    yield Case("features in rows, unsaid", "check rna.csv mirna.csv", ("features", "rows"),
               "--features-in-rows", {"rna.csv": text(table().T), "mirna.csv": mirna})  # fmt: skip
    yield Case("a table that is no obs", "check rna.csv --obs rna.h5ad", ("rna.h5ad", "obs"),
               "must be", {"rna.csv": rna, "rna.h5ad": b"x"})  # fmt: skip
    yield Case("obs of other samples", "check rna.csv --obs obs.csv", ("obs",), "name",
               {"rna.csv": rna, "obs.csv": text(OBS.rename(index=lambda n: f"p{n}"))})  # fmt: skip
    yield Case("no feature that varies", "fit rna.csv --out o --epochs 2", ("rna",), "leave",
               {"rna.csv": text(table() * 0 + 1)})  # fmt: skip
    yield Case("layers of a table", "check rna.csv --layer rna=x", ("rna",), "leave it out",
               {"rna.csv": rna})  # fmt: skip
    yield Case("csv left on disk", "fit rna.csv --backed --out o", ("rna.csv", ".csv"), "Convert",
               {"rna.csv": rna})  # fmt: skip
    yield Case("two samples", "fit rna.csv --out o --epochs 2", ("2 samples",), "",
               {"rna.csv": text(table().iloc[:2])})  # fmt: skip


def of_flags() -> Iterator[Case]:
    """Faults of flags, settings and places to write to."""
    rna = {"rna.csv": text(table())}
    fit = "fit rna.csv --out o --epochs 2"
    yield Case("more factors than allowed", f"{fit} --n-latent 100000", ("n-latent",), "", rna)
    yield Case("a rate below zero", f"{fit} --learning-rate -1", ("learning-rate",), "", rna)
    yield Case("a flag that is none", f"{fit} --epoch 3", ("--epoch",), "--epochs", rna)
    yield Case("a command that is none", "fitt rna.csv", ("fitt",), "fit", rna)
    yield Case("a log of what is negative", f"{fit} --log1p rna", ("rna", "below zero"), "", rna)
    yield Case("a log of an omic that is none", f"{fit} --log1p rma", ("rma", "rna"), "", rna)
    yield Case("a setting that is none", f"{fit} --config c.toml", ("c.toml", "n_latnt"), "",
               {**rna, "c.toml": "[model]\nn_latnt = 3\n"})  # fmt: skip
    yield Case("no TOML", f"{fit} --config c.toml", ("c.toml",), "mend",
               {**rna, "c.toml": "model = [\n"})  # fmt: skip
    yield Case("a folder that is a file", "fit rna.csv --out rna.csv", ("rna.csv",), "", rna)
    yield Case("a run that is there", "fit rna.csv --out run --epochs 2", ("run",), "--overwrite",
               rna)  # fmt: skip
    yield Case("a run that is none", "info nope", ("nope",), "", rna)
    yield Case("a folder that is no run", "factors empty", ("empty",), "poems fit",
               {"empty/a.txt": "x"})  # fmt: skip


def of_runs() -> Iterator[Case]:
    """Faults of what is asked of a run."""
    obs = {"obs.csv": text(OBS), "bad.csv": text(OBS.assign(time=-OBS["time"]))}
    ask = "survival run --obs obs.csv"
    yield Case("a column that is none", f"{ask} --time days --event dead", ("days", "time"), "",
               obs)  # fmt: skip
    yield Case("events of three kinds", f"{ask} --time time --event status",
               ("status", "alive", "gone"), "--event-value", obs)  # fmt: skip
    yield Case("times below zero", "survival run --obs bad.csv --time time --event dead",
               ("time", "s1"), "give the time", obs)  # fmt: skip
    yield Case("words for times", f"{ask} --time grade --event dead", ("grade",), "", obs)
    yield Case("labels that are none", "report run --obs obs.csv --labels stage",
               ("stage", "age", "grade"), "", obs)  # fmt: skip
    yield Case("covariates that are none", f"{ask} --time time --event dead --covariates sex",
               ("sex", "age"), "", obs)  # fmt: skip
    yield Case("gene sets that are none", "genesets run --gmt g.gmt", ("g.gmt",), "",
               {"g.gmt": "only a name\n"})  # fmt: skip
    yield Case("gene sets of other names", "genesets run --gmt g.gmt", ("gene",), "--map",
               {"g.gmt": "set\tx\tTP53\tKRAS\tMYC\n" * 1})  # fmt: skip
    yield Case("new samples without features", "transform run new.csv --out t", ("gene",), "",
               {"new.csv": renamed({f: f"x{f}" for f in FEATURES})})  # fmt: skip
    yield Case("no omic of the run", "transform run other.csv --out t", ("other", "new"), "",
               {"other.csv": text(table())})  # fmt: skip
    yield Case("a model that was changed", "info cut.poems", ("cut.poems",), "", {})


CASES = (*of_tables(), *of_cohorts(), *of_flags(), *of_runs())


def answer(case: Case, folder: Path, poems: list[str]) -> tuple[str, int, float]:
    """Return what the command says, its exit code and the seconds."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    start = time.monotonic()
    done = subprocess.run(
        [*poems, *case.command.split()], cwd=folder, capture_output=True, text=True
    )
    seconds = time.monotonic() - start
    said = done.stderr if done.stderr.strip() else done.stdout
    for name in case.files:
        (folder / name).unlink()
    return sentence(said, folder), done.returncode, seconds


def sentence(said: str, folder: Path) -> str:
    """Return the errors alone, in one line: without usage, the table of omics and the folder."""
    line = " ".join(re.sub(r"[│╭╮╰╯─]", " ", said).split())
    _, found, after = line.partition("error")
    if not found:
        _, _, after = line.rpartition(" Error ")
    return (
        (after or line)
        .replace(str(folder), "…")
        .removeprefix(":")
        .strip()
        .removesuffix("not ready for a fit: mend the errors above")
        .strip()
    )


def missing(case: Case, said: str, code: int) -> str:
    """Return what the sentence lacks."""
    lacks = [name for name in case.names if name not in said]
    if case.remedy and case.remedy not in said:
        lacks.append(f"remedy ({case.remedy})")
    if not code:
        lacks.append("an exit code")
    if "Traceback" in said:
        lacks.append("a sentence")
    return ", ".join(lacks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--out", type=Path, default=Path("messages.md"))
    given = parser.parse_args()
    poems = [sys.executable, "-m", "poems"]
    lines = ["| fault | command | said | seconds | lacks |", "|---|---|---|---|---|"]
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "new.csv").write_text(text(table()))
        fit = "fit new.csv --out run --epochs 3 --n-latent 2 --n-subtypes 2 --no-analysis --quiet"
        subprocess.run([*poems, *fit.split()], cwd=folder, check=True)
        model = (folder / "run" / "model.poems").read_bytes()
        (folder / "cut.poems").write_bytes(model[:-9])
        for case in (case for case in CASES if given.only in case.what):
            said, code, seconds = answer(case, folder, poems)
            lacks = missing(case, said, code)
            found.append((lacks, seconds))
            row = (case.what, f"`poems {case.command}`", said.replace("|", r"\|"), f"{seconds:.1f}")
            lines.append("| " + " | ".join([*row, lacks]) + " |")
            print(f"{case.what} [{seconds:.1f} s] {lacks or 'fits'}\n    {said}", flush=True)
    given.out.write_text("\n".join(lines) + "\n", "utf-8")
    n = sum(not lacks for lacks, _ in found)
    seconds = [each for _, each in found]
    took = f"median {median(seconds):.1f} s, the slowest {max(seconds):.1f} s"
    print(f"{n} of {len(found)} fit; {took}")


if __name__ == "__main__":
    main()
