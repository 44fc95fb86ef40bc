"""Columns that hold no measurements: annotations of features, and row numbers that leaked in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.numeric import shorten
from poems.data.obs.missing import missing_in_numbers
from poems.files.text_numbers import NUMBER
from poems.findings import Finding, name_some

# Without case and separators. No sample is called so.
_SURE: Final = frozenset(
    ("entrezgeneid", "entrezid", "entrezgene", "entrez", "ncbigeneid", "geneid",
     "hugosymbol", "hgncsymbol", "hgncid", "genesymbol", "genename", "genenames",
     "genedescription", "genetype", "genebiotype", "genelength", "genestart", "geneend",
     "genechr", "ensembl", "ensemblid", "ensemblgeneid", "ensembltranscriptid",
     "transcriptid", "transcriptname", "transcriptlength", "exonlength", "seqnames",
     "seqname", "chromosome", "chromosomename", "genomiclocation", "startposition",
     "endposition", "txstart", "txend", "cdsstart", "cdsend", "cytoband", "probeid",
     "probesetid", "idref", "refseq", "refseqid", "uniprot", "uniprotid", "uniprotkb",
     "proteinid", "proteinids", "proteinname", "proteinnames", "majorityproteinids",
     "fastaheaders", "fastaheader", "compositeelementref", "compositeelement", "featureid",
     "featurename", "featuretype", "gccontent", "percentagegccontent", "kegg", "keggid",
     "hmdb", "hmdbid", "pubchem", "pubchemid", "inchikey", "chebiid", "casnumber",
     "sequencelength", "molweightkda", "qvalue", "pvalue", "adjpval", "logfc", "basemean",
     "compoundname", "retentiontime", "padj", "fdr", "log2fc", "log2foldchange", "foldchange",
     "lfcse", "adjustedpvalue", "pval", "qval")
)  # fmt: skip
# Columns of features, and words that may as well name a sample: their values have to agree.
_DOUBTFUL: Final = frozenset(
    ("symbol", "symbols", "gene", "genes", "id", "ids", "name", "names", "description",
     "desc", "length", "len", "width", "chr", "chrom", "start", "end", "stop", "strand",
     "biotype", "type", "class", "category", "location", "position", "pos", "band", "mz",
     "rt", "rtime", "mass", "formula", "smiles", "accession", "annotation", "definition",
     "title", "source", "alias", "aliases", "synonyms", "locus", "transcript", "protein",
     "peptide", "probe", "organism", "species", "cas", "score", "mean", "sum", "total",
     "variance", "gc")
)  # fmt: skip
_LEAKED: Final = re.compile(
    r"unnamed: ?\d+(_level_\d+)?|index|level_\d+|x(\.\d+)?|\.{3}1|v1|rownames?|row\.names|row_names"
    r"|rowid|row_?number|\.?rownumber",
    re.IGNORECASE,
)
_FEWEST_ROWS: Final = 3
_TO_TELL_NUMBERS: Final = 10
_SCALE: Final = 5.0
_WIDELY: Final = 100.0
_FEW_COLUMNS: Final = 3

Array = npt.NDArray[np.float64]


def words_among_samples(frame: pd.DataFrame, where: str) -> Finding | None:
    """Return an error if a few columns hold words while the others hold numbers.

    Parameters
    ----------
    frame
        As it was read: features in rows, samples in columns.
    where
        The table, for messages.

    Examples
    --------
    >>> frame = pd.DataFrame({"chr": ["chr1", "chrX"], "s1": [1.0, 2.0], "s2": [0.5, 0.2]})
    >>> print(words_among_samples(frame, "t.csv"))
    error: t.csv: column 'chr' holds words (such as 'chr1') while the other 2 hold numbers: ...
    """
    texts = [at for at in range(frame.shape[1]) if _holds_words(frame.iloc[:, at])]
    names = [str(frame.columns[at]) for at in texts]
    known = all(_bare(name) in _SURE | _DOUBTFUL for name in names)
    if not texts or len(texts) == frame.shape[1]:
        return None
    if not known and (len(frame) < _FEWEST_ROWS or 2 * len(texts) > frame.shape[1]):
        return None
    cells = frame.iloc[:, texts[0]].dropna()
    text = (
        f"{where}: {_columns(names)} {'holds' if len(names) == 1 else 'hold'} words (such as "
        f"{shorten(cells.iloc[0])}) while the other {frame.shape[1] - len(names)} hold numbers: "
        f"{_annotations(names)}. {_drop(names)}"
    )
    return Finding("error", "annotation-columns", text, items=tuple(names))


def annotation_features(features: pd.Index, where: str) -> list[Finding]:
    """Warn of features that are called as only annotations of features are."""
    found = [str(name) for name in features if _bare(name) in _SURE]
    if not found or len(found) == len(features):
        return []
    text = (
        f"{where}: {_columns(found)} {_annotations(found, 'is').replace('sample', 'measurement')}. "
        "If features stand in rows, pass features_in_rows (--features-in-rows[-of]). "
        f"{_drop(found)}"
    )
    return [Finding("warning", "annotation-columns", text, items=tuple(found))]


def annotation_columns(samples: pd.Index, values: Array, where: str) -> list[Finding]:
    """Find columns of a table with features in rows that are annotations rather than samples.

    An error where the name is that of an annotation, and (unless no sample is called so) the
    values fit the other columns badly: whole numbers among others that are not, another scale, or
    an order of their own. A warning where only the values say so, as plainly as can be.

    Parameters
    ----------
    samples
        What was taken for samples.
    values
        Of shape (n_samples, n_features).
    where
        The table, for messages.

    Examples
    --------
    >>> values = np.vstack([[671.0, 7157.0, 1956.0], np.eye(3) + 0.5])
    >>> (found,) = annotation_columns(pd.Index(["Entrez_Gene_Id", "s1", "s2", "s3"]), values, "t")
    >>> print(found)
    error: t: column 'Entrez_Gene_Id' is an annotation of the features, no sample. Remove it ...
    """
    bare = [_bare(name) for name in samples]
    sure = [at for at, name in enumerate(bare) if name in _SURE]
    doubtful = [at for at, name in enumerate(bare) if name in _DOUBTFUL]
    rest = np.setdiff1d(np.arange(len(samples)), [*sure, *doubtful])
    if not len(rest):
        return []  # nothing to compare with: all are called so, by design
    odd = _odd_ones(values, rest) if doubtful else None
    unlike = [at for at in doubtful if odd is not None and odd(at)]
    named = [str(samples[at]) for at in sorted([*sure, *unlike])]
    findings = []
    if named:
        text = f"{where}: {_columns(named)} {_annotations(named, 'is')}. {_drop(named)}"
        findings.append(Finding("error", "annotation-columns", text, items=tuple(named)))
    # Annotations stand before the samples, or behind them.
    ends = dict.fromkeys([*rest[:_FEW_COLUMNS].tolist(), *rest[-_FEW_COLUMNS:].tolist()])
    apart = [at for at in ends if len(rest) > len(ends) and _looks_apart(values, at, rest)]
    if apart:
        names = [str(samples[at]) for at in apart]
        text = (
            f"{where}: {_columns(names)} {'holds' if len(names) == 1 else 'hold'} whole numbers "
            "on another scale than all other columns, which are not whole. If "
            f"{_annotations(names, 'this is')}: {_drop(names)}"
        )
        findings.append(Finding("warning", "annotation-columns", text, items=tuple(names)))
    return findings


def leaked_index(names: pd.Index, values: Array, kind: str, where: str) -> Iterator[Finding]:
    """Find columns that hold the numbers of the rows: an index written with the values.

    An error where the name says so, too, and a warning where it is another.

    Parameters
    ----------
    names
        Of the columns of the table as it is written.
    values
        Of shape (n_rows, n_columns).
    kind
        What was taken to stand in columns: ``"feature"`` or ``"sample"``.
    where
        The table, for messages.

    Examples
    --------
    >>> values = np.array([[0.0, 1.2], [1.0, 3.4], [2.0, 0.3]])
    >>> print(*leaked_index(pd.Index(["index", "TP53"]), values, "feature", "rna.csv"))
    error: rna.csv: column 'index' holds the numbers of the rows, and would be taken ...
    """
    n = len(values)
    if n < _FEWEST_ROWS:
        return
    first, last = values[0], values[-1] - (n - 1)
    numbered = np.flatnonzero((first == last) & np.isin(first, (0, 1)))
    for at in numbered.tolist():
        if not (values[:, at] == np.arange(n) + values[0, at]).all():
            continue
        sure = _LEAKED.fullmatch(str(names[at])) is not None
        if not sure and n < _TO_TELL_NUMBERS:
            continue
        text = (
            f"{where}: column {shorten(names[at])} holds the numbers of the rows, and would be "
            f"taken for a {kind}. "
        )
        if sure:
            text += "Remove it (from pandas, write the table without such a column; its "
            text += "names belong in the first one)"
        else:
            text += "Remove it if it is no measurement"
        yield Finding("error" if sure else "warning", "leaked-index", text, items=(str(names[at]),))


def _bare(name: object) -> str:
    return re.sub(r"[\W_]", "", str(name)).casefold()


def _holds_words(column: pd.Series) -> bool:
    """Does a column hold no number at all, but something?"""
    if column.dtype.kind in "fiub":
        return False
    known = [str(cell).strip() for cell in column.dropna()]
    words = (cell for cell in known if not missing_in_numbers(cell))
    if any(NUMBER.fullmatch(cell) for cell in known):
        return False
    return any(cell.lower() not in ("true", "false") for cell in words)


def _columns(names: Sequence[str]) -> str:
    return f"{'column' if len(names) == 1 else 'columns'} {name_some(map(shorten, names), 5)}"


def _annotations(names: Sequence[str], one: str = "it is") -> str:
    if len(names) == 1:
        return f"{one} an annotation of the features, no sample"
    many = {"it is": "they are", "is": "are", "this is": "these are"}[one]
    return f"{many} annotations of the features, no samples"


def _drop(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "")
    return (
        f"Remove {'it' if len(names) == 1 else 'them'} from the table (in pandas, "
        f"table.drop(columns=[{shown}]))"
    )


def _odd_ones(values: Array, rest: npt.NDArray[np.intp]) -> Any:
    """Return a function that says whether a row of ``values`` is unlike the samples ``rest``."""
    others = values[rest]
    middles = _medians(np.abs(others))
    whole = bool(np.all((others == np.round(others)) | np.isnan(others)))
    centre = _centre(others)
    usual = np.array([_likeness(row, centre) for row in others[:50]])

    def odd(at: int) -> bool:
        row = values[at]
        known = row[~np.isnan(row)]
        if not len(known):
            return True
        if not whole and bool((known == np.round(known)).all()):
            return True
        middle = float(np.median(np.abs(known)))
        low, high = float(middles.min()), float(middles.max())
        if middle > _SCALE * high or middle < low / _SCALE:
            return True
        if len(np.unique(known)) == 1:
            return True
        # Samples of one omic go with each other; lengths and positions do not go with them.
        return bool(len(known) >= _TO_TELL_NUMBERS and _likeness(row, centre) < usual.min() - 0.2)

    return odd


def _looks_apart(values: Array, at: int, rest: npt.NDArray[np.intp]) -> bool:
    """Does a row hold whole numbers of a far larger scale, while no other row is whole?"""
    row = values[at][~np.isnan(values[at])]
    if len(row) < _TO_TELL_NUMBERS or not (row == np.round(row)).all():
        return False
    between = values[rest[len(rest) // 2]]  # most tables are told by one row
    if ((between == np.round(between)) | np.isnan(between)).all():
        return False
    others = values[rest[rest != at]]
    whole = ((others == np.round(others)) | np.isnan(others)).all(axis=1)
    if whole.any():
        return False
    return float(np.median(np.abs(row))) > _WIDELY * float(_medians(np.abs(others)).max())


def _medians(rows: Array) -> Array:
    found = [np.median(row[~np.isnan(row)]) if not np.isnan(row).all() else 0.0 for row in rows]
    return np.array(found)


def _centre(rows: Array) -> Array:
    """Return the mean of each column over its known values."""
    known = ~np.isnan(rows)
    sums = np.where(known, rows, 0.0).sum(axis=0)
    # A column without a known value has a sum of 0, and a mean of 0 that no row is compared with.
    means: Array = sums / np.maximum(known.sum(axis=0), 1)
    return means


def _likeness(row: Array, centre: Array) -> float:
    """Return the rank correlation of a row with the means of the features; 0 if it has none."""
    known = ~np.isnan(row)
    if known.sum() < _FEWEST_ROWS:
        return 0.0
    ranks = [pd.Series(part[known]).rank().to_numpy() for part in (row, centre)]
    ranks = [part - part.mean() for part in ranks]
    norm = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / norm if norm else 0.0
