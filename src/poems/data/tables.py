"""One view as it was handed in: a file, DataFrame or AnnData becomes a named table of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.decimal_commas import with_decimal_points
from poems.data.files import existing_file
from poems.data.formats import Contents, reader_of, require_unpacked, suffixes, table_suffix
from poems.data.formats.h5ad import anndata_contents
from poems.data.layers import has_layers
from poems.data.long_tables import require_wide
from poems.data.naming.annotation import (
    annotation_columns,
    annotation_features,
    leaked_index,
    words_among_samples,
)
from poems.data.naming.excel_dates import date_findings
from poems.data.naming.names import clean_names
from poems.data.naming.strays import stray_findings
from poems.data.numeric import CellNames, as_numbers, check_finite, plain_types
from poems.data.obs.values import clean_obs
from poems.errors import DataError, ReadError, SettingsError
from poems.findings import Finding, count


@dataclass(frozen=True, eq=False)
class Table:
    """A view before its samples are matched with those of the others.

    Parameters
    ----------
    values
        Array of shape (n_samples, n_features), float64, NaN where missing.
    samples, features
        The names, as strings; may hold duplicates.
    where
        The file, or what kind of object it was, for messages.
    transposed
        Whether features stood in rows.
    findings
        What was assumed, and what is wrong with the names.
    obs
        The sample annotations that came with the values (AnnData).
    """

    values: npt.NDArray[np.float64]
    samples: pd.Index
    features: pd.Index
    where: str
    transposed: bool = False
    findings: tuple[Finding, ...] = ()
    obs: pd.DataFrame | None = None


_REMEDIES: Final = {
    "export the sheet as CSV": ".xls .xlsb .ods .numbers",
    "unpack it, or pack it with gzip (.gz)": ".bz2 .xz .zst .zip .7z .rar .lz4 .tgz .tar",
    "write it as a table in R: write.csv(x, 'table.csv')": ".rds .rda .rdata .robj .qs",
    "read it with scanpy or anndata, and write it as .h5ad": ".loom .mtx .h5 .hdf5 .h5seurat",
    "write it as a table: pandas.DataFrame(…, samples, features).to_csv('table.csv')": (
        ".npy .npz .mat .pkl .pickle .feather .arrow .ipc .orc .json .sav .dta .sas7bdat"
    ),
    "write it as a table of samples by features: biom convert --to-tsv": ".biom",
    "make a table of samples by genes of it": ".vcf .maf .bed .seg .bcf .gtf .gff .gff3",
    "count its reads by gene, and give the table of counts": ".bam .sam .cram .fastq .fq .fasta",
}


def load_table(
    source: object, *, features_in_rows: bool = False, layer: str | None = None
) -> Table:
    """Return the table of numbers in a file, DataFrame or AnnData, in its X or a layer.

    Raises
    ------
    ReadError
        If a file cannot be read.
    DataError
        If the source is of another kind, or a cell is not a finite number.
    """
    if isinstance(source, pd.DataFrame):
        return _from_frame(source, "the DataFrame", features_in_rows)
    if isinstance(source, str | Path):
        return _from_file(Path(source), features_in_rows, layer)
    if is_anndata(source):
        found = anndata_contents(source, "the AnnData", layer)
        return _from_contents(found, "the AnnData", features_in_rows)
    raise DataError(
        f"expected a path, a DataFrame or an AnnData, not {type(source).__name__}; an array has "
        "no names, so wrap it in a DataFrame that has"
    )


def load_obs(source: object, sheet: str | None = None) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Return the table of sample annotations in a file or DataFrame, its index as strings.

    What is missing in it, and which columns are numbers, goes by
    :func:`poems.data.obs.values.clean_obs`.

    Parameters
    ----------
    source
        The file or DataFrame.
    sheet
        The sheet of a workbook that holds several.

    Raises
    ------
    ReadError
        If a file cannot be read.
    DataError
        If the source is of another kind, or names are missing.
    SettingsError
        If a sheet is named of what has none.
    """
    if sheet is not None and not has_layers(source):
        raise SettingsError(
            f"layer names the sheet {sheet!r} of the obs table, which is no workbook and has no "
            "sheets; leave obs out of it"
        )
    if isinstance(source, pd.DataFrame):
        found, where = Contents(source), "the obs table"
    elif isinstance(source, str | Path):
        path = existing_file(Path(source))
        reader, where = reader_of(path), str(path)
        if reader is None or reader.annotations is None:
            raise ReadError(f"{path}: the obs table must be {suffixes('annotations')}")
        require_unpacked(path, reader)
        found = reader.annotations(path, sheet) if reader.layers else reader.annotations(path)
    else:
        raise DataError(f"obs must be a path or a DataFrame, not {type(source).__name__}")
    frame = found.cells
    index, index_findings = clean_names(frame.index, "sample", where)
    columns, column_findings = clean_names(frame.columns, "column", where)
    frame = plain_types(frame).set_axis(index, axis=0).set_axis(columns, axis=1)
    frame, cell_findings = clean_obs(frame, typed=found.untyped)
    return frame, (*found.findings, *index_findings, *column_findings, *cell_findings)


def named_obs(
    obs: pd.DataFrame, samples: pd.Index, where: str
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Return the annotations that came with a view, its columns named by clean strings."""
    columns, findings = clean_names(obs.columns, "column", f"{where}, obs")
    return plain_types(obs).set_axis(samples, axis=0).set_axis(columns, axis=1), findings


def has_values(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.bool_]:
    """Say for each row of an array whether it holds any value, of shape (n_rows,)."""
    rows: npt.NDArray[np.bool_] = np.count_nonzero(~np.isnan(values), axis=1) > 0
    return rows


def is_anndata(source: object) -> bool:
    """Say whether ``source`` is an AnnData, without importing anndata for other things."""
    return type(source).__module__.partition(".")[0] == "anndata"


def _from_file(path: Path, features_in_rows: bool, layer: str | None) -> Table:
    reader = reader_of(path)
    if reader is None or not reader.folder:
        existing_file(path)
    if reader is None:
        suffix = table_suffix(path)
        raise ReadError(
            f"{path} has extension '{suffix}', expected {suffixes('table')}; {_of_suffix(path)}"
        )
    if reader.table is None:
        remedy = (
            "is read with backed=True (--backed)"
            if reader.cohort is None
            else "holds several views; pass the path by itself rather than as one view"
        )
        raise ReadError(f"{path} {remedy}")
    require_unpacked(path, reader)
    found = reader.table(path, layer) if reader.layers else reader.table(path)
    return _from_contents(found, str(path), features_in_rows)


def _of_suffix(path: Path) -> str:
    """Say what to do with a file that nothing here reads, by its name."""
    suffix = path.suffix.lower()
    for remedy, those in _REMEDIES.items():
        if suffix in those.split():
            return remedy
    return "name it by what it holds"


def _from_contents(found: Contents, where: str, features_in_rows: bool) -> Table:
    # A format that is known to have features in rows needs no one to say so.
    features_in_rows = features_in_rows or found.features_in_rows
    obs = None if features_in_rows else found.obs
    return _from_frame(found.cells, where, features_in_rows, found.findings, obs)


def _from_frame(
    frame: pd.DataFrame,
    where: str,
    features_in_rows: bool,
    findings: tuple[Finding, ...] = (),
    obs: pd.DataFrame | None = None,
) -> Table:
    if 0 in frame.shape:
        n_rows, n_columns = frame.shape
        raise DataError(
            f"{where} is empty: {count(n_rows, 'row')} and {count(n_columns, 'column')}"
        )
    kinds = ("feature", "sample") if features_in_rows else ("sample", "feature")
    names = CellNames(where, *kinds)
    require_wide(frame, where)
    rows, row_findings = clean_names(frame.index, kinds[0], where)
    columns, column_findings = clean_names(frame.columns, kinds[1], where, in_header=True)
    frame, comma_findings = with_decimal_points(frame, names)
    worded = words_among_samples(frame, where) if features_in_rows else None
    if worded is not None:
        numbers = ~frame.columns.isin(worded.items)
        frame, columns = frame.loc[:, numbers], columns[numbers]
    values, value_findings = as_numbers(frame, names)
    check_finite(frame, values, names)
    odd = [*leaked_index(columns, values, kinds[1], where)]
    if features_in_rows:
        rows, columns, values = columns, rows, values.T
        odd += annotation_columns(rows, values, where)
    else:
        odd += annotation_features(columns, where)
    odd += stray_findings(rows, columns, values, where)
    odd += date_findings(columns, where)
    if worded is not None:
        odd.insert(0, worded)
    if obs is not None:
        obs, obs_findings = named_obs(obs, rows, where)
        odd += obs_findings
    return Table(
        values=values,
        samples=rows,
        features=columns,
        where=where,
        transposed=features_in_rows,
        findings=(
            *findings,
            *row_findings,
            *column_findings,
            *comma_findings,
            *odd,
            *value_findings,
        ),
        obs=obs,
    )
