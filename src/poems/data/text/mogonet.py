"""Folders in the format of MOGONET's benchmarks: numbers without names, one file per omic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics
from poems.data.files import read_text
from poems.data.naming.names import view_name_problems
from poems.data.numeric import MISSING_TOKENS, CellNames, as_numbers, check_finite
from poems.data.readers import read
from poems.errors import DataError, ReadError
from poems.files.text_numbers import read_number_matrix, read_text_columns, to_numbers
from poems.findings import count, name_some

LABEL = "label"
SPLIT = "split"

_Part = Literal["all", "tr", "te"]
# Beyond this a float64 may stand for several whole numbers.
_MOST_LABEL = 2**53
_FILE = re.compile(r"(\d+)_(all|tr|te)\.csv(\.gz)?")
# What the parts are called in the column of the split.
_PART_NAMES = {"tr": "train", "te": "test"}


def is_mogonet(folder: str | Path) -> bool:
    """Tell whether a folder holds an omic's table in MOGONET's format.

    Examples
    --------
    >>> is_mogonet("no/such/folder")
    False
    """
    path = Path(folder)
    return path.is_dir() and any(_FILE.fullmatch(file.name) for file in path.iterdir())


def read_mogonet(folder: str | Path, *, views: Sequence[str] | None = None) -> MultiOmics:
    r"""Read a folder in the format of the MOGONET benchmarks (Wang et al., 2021).

    ``1_all.csv``, ``2_all.csv``, … with ``labels_all.csv``; or, split by their
    authors, ``1_tr.csv`` and ``1_te.csv``, … with ``labels_tr.csv`` and
    ``labels_te.csv``. A table has a sample a row and a feature a column,
    separated by commas, and names neither; row i is the same sample in every
    table. ``1_featname.csv``, if there, names the features, one per line. Labels
    are whole numbers, one per line. All files may be gzipped (``.csv.gz``).

    Parameters
    ----------
    folder
        The folder.
    views
        Names of the omics, in the order of their numbers; ``omic_1``,
        ``omic_2``, … by default.

    Returns
    -------
    MultiOmics
        Samples are called ``s1``, ``s2``, … or, where the authors split them,
        ``train1``, … and ``test1``, …; the obs table has a column ``label`` of
        integers and, where they are split, a column ``split`` with ``"train"``
        and ``"test"``.

    Raises
    ------
    ReadError
        If the folder or a file is missing or cannot be read.
    DataError
        If the numbers of rows, columns or names do not fit each other, or a
        cell is not a number; the text names the file.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "1_all.csv").write_text("0.1,0.2,0.3\n0.4,0.5,0.6\n")
    >>> _ = (folder / "labels_all.csv").write_text("0\n1\n")
    >>> cohort = read_mogonet(folder, views=["mrna"])
    >>> cohort.obs["label"].tolist(), cohort["mrna"].features.tolist()
    ([0, 1], ['mrna_1', 'mrna_2', 'mrna_3'])
    """
    path = Path(folder)
    if not path.is_dir():
        raise ReadError(f"there is no folder {path}")
    numbers, parts = _contents(path)
    names = _view_names(numbers, views)
    labels = {part: _labels(_file(path, f"labels_{part}")) for part in parts}
    index = pd.Index(
        [
            f"{_PART_NAMES.get(part, 's')}{row + 1}"
            for part in parts
            for row in range(len(labels[part]))
        ]
    )
    tables = {
        name: _view(path, number, name, {part: len(labels[part]) for part in parts}, index)
        for number, name in zip(numbers, names, strict=True)
    }
    obs = pd.DataFrame({LABEL: np.concatenate([labels[part] for part in parts])}, index=index)
    if parts != ("all",):
        obs[SPLIT] = np.repeat([_PART_NAMES[p] for p in parts], [len(labels[p]) for p in parts])
    return read(tables, obs=obs)


def _contents(path: Path) -> tuple[list[int], tuple[_Part, ...]]:
    """Return the numbers of the omics, and the parts in which their samples come."""
    parts: dict[str, set[int]] = {"all": set(), "tr": set(), "te": set()}
    for file in path.iterdir():
        match = _FILE.fullmatch(file.name)
        if match:
            parts[match[2]].add(int(match[1]))
    if parts["all"] and (parts["tr"] or parts["te"]):
        raise DataError(
            f"{path} holds both whole tables (*_all.csv) and split ones (*_tr.csv, *_te.csv); "
            "which to use cannot be told: move one kind elsewhere"
        )
    if parts["all"]:
        return sorted(parts["all"]), ("all",)
    if not (parts["tr"] or parts["te"]):
        raise ReadError(
            f"{path} holds no table in MOGONET's format: expected 1_all.csv, 2_all.csv, … or "
            "1_tr.csv and 1_te.csv, …"
        )
    alone = parts["tr"] ^ parts["te"]
    if alone:
        number = min(alone)
        there, absent = ("tr", "te") if number in parts["tr"] else ("te", "tr")
        raise ReadError(f"{path} has {number}_{there}.csv but no {number}_{absent}.csv")
    return sorted(parts["tr"]), ("tr", "te")


def _view_names(numbers: Sequence[int], views: Sequence[str] | None) -> list[str]:
    if views is None:
        return [f"omic_{number}" for number in numbers]
    problems = view_name_problems(views)
    if problems:
        raise DataError("; ".join(problem.message for problem in problems))
    if len(set(views)) != len(views) or len(views) != len(numbers):
        raise DataError(
            f"views must name each of the {count(len(numbers), 'omic')} once; they are "
            f"{name_some(views, 20)}"
        )
    return list(views)


def _file(path: Path, stem: str) -> Path:
    """Return a file that must be there, plain or gzipped."""
    for ending in (".csv", ".csv.gz"):
        if (path / f"{stem}{ending}").exists():
            return path / f"{stem}{ending}"
    raise ReadError(f"{path} has no {stem}.csv")


def _view(
    path: Path, number: int, name: str, n_rows: dict[_Part, int], samples: pd.Index
) -> pd.DataFrame:
    """Read one omic: its parts stacked, its features named."""
    blocks: dict[_Part, npt.NDArray[np.float64]] = {}
    files = {part: _file(path, f"{number}_{part}") for part in n_rows}
    for part, file in files.items():
        blocks[part] = _numbers(file)
        if len(blocks[part]) != n_rows[part]:
            raise DataError(
                f"{file} has {count(len(blocks[part]), 'row')} for "
                f"{count(n_rows[part], 'label')} in labels_{part}.csv; the tables have no header "
                "and one row a sample"
            )
    widths = {part: block.shape[1] for part, block in blocks.items()}
    if len(set(widths.values())) > 1:
        raise DataError(
            f"{files['te']} has {count(widths['te'], 'column')}, but {files['tr'].name} has "
            f"{widths['tr']}; they must have the same features"
        )
    width = next(iter(widths.values()))
    features = _feature_names(path, number, name, width)
    return pd.DataFrame(np.vstack(list(blocks.values())), index=samples, columns=features)


def _feature_names(path: Path, number: int, name: str, width: int) -> pd.Index:
    """Read the names of an omic's features, or number them."""
    stem = f"{number}_featname"
    if not any((path / f"{stem}{ending}").exists() for ending in (".csv", ".csv.gz")):
        return pd.Index([f"{name}_{column + 1}" for column in range(width)])
    file = _file(path, stem)
    names = pd.Index([line.strip().strip('"') for line in _lines(file)])
    if len(names) != width:
        raise DataError(
            f"{file} has {count(len(names), 'name')} for {count(width, 'column')} of the table; "
            "it has one name a line and no header"
        )
    if names.has_duplicates:
        raise DataError(
            f"{file} names features twice: {name_some(names[names.duplicated()])}; tell them apart"
        )
    return names


def _labels(file: Path) -> npt.NDArray[np.int64]:
    """Read whole numbers, one per line."""
    labels = []
    lines = _lines(file)
    values = to_numbers(lines).values.tolist()
    for number, line in enumerate(lines, start=1):
        value = values[number - 1]
        if not (value.is_integer() and abs(value) < _MOST_LABEL):
            raise DataError(
                f"{file}, line {number}: {line.strip()[:40]!r} is not a whole number; labels are "
                "whole numbers, one a line, without a header"
            )
        labels.append(int(value))
    return np.array(labels, dtype=np.int64)


def _lines(file: Path) -> list[str]:
    return read_text(file).rstrip("\n").split("\n")


def _numbers(file: Path) -> npt.NDArray[np.float64]:
    """Read a table without names, of shape (n_samples, n_features)."""
    lines = _lines(file)
    width = lines[0].count(",")
    for number, line in enumerate(lines, start=1):
        if line.count(",") != width:
            raise DataError(
                f"{file}, line {number} has {count(line.count(',') + 1, 'field')}, expected "
                f"{width + 1} as in the first line"
            )
    # Numbers first: as text, a table of this size takes ten times as long.
    values = read_number_matrix(
        "\n".join(lines),
        delimiter=",",
        n_fields=width + 1,
        kept=range(width + 1),
        missing=MISSING_TOKENS,
    )
    cells = pd.DataFrame(values) if values is not None else _texts(file, lines, width + 1)
    # Lines and columns as one counts them in an editor.
    cells.index = pd.RangeIndex(1, cells.shape[0] + 1)
    cells.columns = pd.RangeIndex(1, cells.shape[1] + 1)
    names = CellNames(f"{file} (no header, no row names)", row_kind="line", column_kind="column")
    values, _ = as_numbers(cells, names)
    check_finite(cells, values, names)
    return values


def _texts(file: Path, lines: list[str], n_fields: int) -> pd.DataFrame:
    try:
        columns = read_text_columns(
            "\n".join(lines), delimiter=",", n_fields=n_fields, kept=range(n_fields)
        )
    except ValueError as error:
        raise ReadError(f"{file} cannot be parsed: {error}") from None
    return pd.DataFrame(
        {at: column.to_numpy(zero_copy_only=False) for at, column in enumerate(columns)},
        dtype=object,
    )
