"""Long tables: one row a value, a mutation or a segment, in place of one row a sample."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.numeric import shorten
from poems.errors import DataError
from poems.files.text_numbers import to_numbers

_MOST_COLUMNS: Final = 12
_FEWEST_ROWS: Final = 4
# A complete table has as many rows as pairs of names; what was zero or missing may be left out.
_FEWEST_PAIRS: Final = 0.05
_SAMPLE = re.compile(
    r"(sample|patient|subject|participant|case|donor|individual|person|barcode|cell|cellline|"
    r"tumorsamplebarcode|sampleid|patientid|samplename|specimen|run)(id|s|name|barcode)?"
)
_FEATURE = re.compile(
    r"(feature|gene|protein|metabolite|probe|cpg|analyte|compound|transcript|peptide|mirna|taxon|"
    r"variable|entrezgene|hugosymbol|genesymbol|ensembl|assay|marker|otu|asv)(id|s|name|symbol)?"
)
_VALUE = re.compile(
    r"(value|expression|intensity|abundance|count|beta|mvalue|npx|tpm|fpkm|rpkm|level|signal|"
    r"concentration|measurement|quantity|log2?fc|area|reads)(s|value)?"
)
_VIEW = re.compile(r"(view|omics?|modality|assaytype|layer|datatype|platform|panel)")


def require_wide(frame: pd.DataFrame, where: str) -> None:
    """Refuse a table that has one row a value (long, tidy), a mutation (MAF) or a segment.

    Parameters
    ----------
    frame
        As it was read: its index the first column of a file.
    where
        The table, for messages.

    Raises
    ------
    DataError
        If it is one; the text says how it becomes wide.

    Examples
    --------
    >>> rows = [("s1", "TP53", 1.0), ("s1", "KRAS", 0.5), ("s2", "TP53", 0.1), ("s2", "KRAS", 2.0)]
    >>> long = pd.DataFrame(rows, columns=["sample", "gene", "value"]).set_index("sample")
    >>> require_wide(long, "rna.csv")
    Traceback (most recent call last):
    poems.errors.DataError: rna.csv is a long table: each row holds one value ('value') of one ...
    """
    # Of many columns, those of mutations or segments would hold words among them.
    if frame.shape[1] > _MOST_COLUMNS and not any(each.kind == "O" for each in frame.dtypes):
        return
    names = {_bare(name): str(name) for name in [frame.index.name or "", *frame.columns]}
    if {"hugosymbol", "tumorsamplebarcode", "variantclassification"} <= set(names):
        raise DataError(
            f"{where} is a MAF: a row is one mutation. Make a table of samples by genes of those "
            "that count, in pandas: maf = maf[maf['Variant_Classification'] != 'Silent']; "
            "pd.crosstab(maf['Tumor_Sample_Barcode'], maf['Hugo_Symbol']).clip(upper=1), and add "
            "a row of zeros for each sample without a mutation"
        )
    if {"chrom", "locstart", "locend"} <= set(names) or (
        {"chromosome", "start", "end"} <= set(names)
        and bool({"segmentmean", "segmean"} & set(names))
    ):
        raise DataError(
            f"{where} is a table of segments: a row is one segment of a chromosome. Take the "
            "table of genes by samples that GISTIC or the like makes of it"
        )
    if frame.shape[1] > _MOST_COLUMNS or len(frame) < _FEWEST_ROWS:
        return
    found = _parts(frame)
    if found is not None:
        raise DataError(_text(where, found))


def _parts(frame: pd.DataFrame) -> Mapping[str, str] | None:
    """Return the names of the columns of samples, features and values, and of views if any."""
    table = frame.reset_index(names=frame.index.name or "the first column")
    table.columns = pd.Index([str(name) for name in table.columns], dtype=object)
    if table.columns.has_duplicates:
        return None
    numbers = {name: _are_numbers(table[name]) for name in table.columns}
    keys = [name for name in table.columns if not numbers[name]]
    by_role = {
        role: [name for name in table.columns if pattern.fullmatch(_bare(name))]
        for role, pattern in
        (("sample", _SAMPLE), ("feature", _FEATURE), ("value", _VALUE), ("view", _VIEW))
    }  # fmt: skip
    values = [name for name in by_role["value"] if numbers[name]]
    values = values or [name for name in table.columns if numbers[name]]
    if not values:
        return None
    # What is called so may be numbers, too: identifiers of patients, Entrez genes.
    keys = list(dict.fromkeys([*keys, *by_role["sample"], *by_role["feature"], *by_role["view"]]))
    keys = [name for name in keys if name not in values[:1]]
    named = bool(by_role["sample"] and by_role["feature"])
    best: tuple[float, str, str] | None = None
    for at, one in enumerate(keys):
        for other in keys[at + 1 :]:
            views = [name for name in keys if name not in (one, other) and name in by_role["view"]]
            share = _crossed(table, one, other, views)
            both = {one, other}
            if named and not (both & set(by_role["sample"]) and both & set(by_role["feature"])):
                continue
            if share is not None and (best is None or share > best[0]):
                best = share, one, other
    if best is None:
        return None
    first, second = best[1:]
    if first in by_role["feature"] or second in by_role["sample"]:
        first, second = second, first
    view = [name for name in by_role["view"] if name not in (first, second)]
    found = {"sample": first, "feature": second, "value": values[0]}
    return {**found, "view": view[0]} if view else found


def _crossed(table: pd.DataFrame, one: str, other: str, views: Sequence[str]) -> float | None:
    """Return which share of all pairs of two columns' names has a row, if each has one at most."""
    n = len(table)
    n_one, n_other = table[one].nunique(dropna=False), table[other].nunique(dropna=False)
    if n_one < 2 or n_other < 2 or n_one == n or n_other == n:
        return None
    pairs = table.groupby([one, other, *views], dropna=False, sort=False).ngroups
    share = n / (n_one * n_other)
    return share if pairs == n and share >= _FEWEST_PAIRS else None


def _are_numbers(column: pd.Series) -> bool:
    if column.dtype.kind in "fiub":
        return True
    cells: npt.NDArray[Any] = column.dropna().astype(object).to_numpy()
    found = to_numbers(cells)
    return bool(len(cells)) and bool(np.mean(~found.wrong) > 0.5)


def _text(where: str, found: Mapping[str, str]) -> str:
    sample, feature, value = found["sample"], found["feature"], found["value"]
    text = (
        f"{where} is a long table: each row holds one value ({shorten(value)}) of one sample "
        f"({shorten(sample)}) and feature ({shorten(feature)}). POEMS takes wide ones, a row a "
        "sample and a column a feature. In pandas: table = pd.read_csv(…); "
    )
    pivot = f"pivot(index={sample!r}, columns={feature!r}, values={value!r})"
    if "view" not in found:
        return text + f"table.{pivot}.to_csv('wide.csv')"
    view = found["view"]
    return text + (
        f"for view, part in table.groupby({view!r}): part.{pivot}.to_csv(f'{{view}}.csv'), which "
        f"writes one table for each of {shorten(view)}"
    )


def _bare(name: object) -> str:
    return re.sub(r"[\W_]", "", str(name)).casefold()
