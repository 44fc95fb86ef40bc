"""read(): from files, DataFrames, AnnData or MuData to one checked cohort."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from poems.data.assemble import SampleRule, assemble, merge_obs
from poems.data.container import MultiOmics
from poems.data.disk.reading import assemble_backed, clean_view, open_sources
from poems.data.files import all_problems
from poems.data.formats import reader_of, require_unpacked, suffixes, table_suffix
from poems.data.layers import Layer, layers_of
from poems.data.mudata_io import split_mudata
from poems.data.naming.names import view_name_problems
from poems.data.naming.overlap import name_problems
from poems.data.obs.values import clean_obs
from poems.data.stored.in_memory import Split
from poems.data.tables import Table, is_anndata, load_obs, load_table
from poems.errors import DataError, ReadError, SettingsError
from poems.findings import Finding, name_some


@dataclass(frozen=True)
class Loaded:
    """What came of reading: the tables that could be read, all findings, and the cohort if any."""

    tables: Mapping[str, Table]
    findings: tuple[Finding, ...]
    cohort: MultiOmics | None = None


def read(
    views: Any,
    *,
    obs: Any = None,
    features_in_rows: bool | Collection[str] = False,
    samples: SampleRule = "union",
    backed: bool = False,
    layer: str | Mapping[str, str] | None = None,
) -> MultiOmics:
    """Read the views of a cohort and match their samples by name.

    Parameters
    ----------
    views
        Mapping of view name to a path (``.csv``, ``.tsv``, ``.txt``, each
        also ``.gz``; ``.xlsx``; ``.parquet``; ``.h5ad``), DataFrame or AnnData; or one
        ``.h5mu`` or ``.h5ad`` path, a MuData or an AnnData. In a table the
        first row holds feature names and the first column sample names; empty
        cells, ``NA``, ``NaN``, ``N/A``, ``NULL`` and other words of
        :mod:`poems.data.obs.missing` are missing values; a finding says which were
        taken so.
    obs
        Sample annotations (path or DataFrame), matched by name. Without, those
        of the MuData or AnnData are taken.
    features_in_rows
        ``True`` if features stand in rows in every view, or the names of the
        views in which they do.
    samples
        ``"union"`` keeps every sample, with views marked unmeasured where
        they are missing; ``"intersection"`` keeps the samples measured in
        every view.
    backed
        Leave the values on disk, for cohorts larger than memory: names and
        annotations are read, values in blocks when they are needed. Takes one
        ``.h5mu`` or ``.h5ad`` file, one ``.zarr`` folder, or a mapping of view
        name to ``.h5ad``, ``.zarr`` or ``.parquet``; matrices dense or CSR,
        samples in rows. Files of other kinds can be read once their reader is
        registered (:mod:`poems.data.formats`).
    layer
        Of AnnData and MuData, the layer whose values are taken in place of ``X``: its
        name, or view name to name. Of a workbook, the sheet; that of ``obs`` by the name
        ``"obs"``.

    Returns
    -------
    MultiOmics
        Samples in order of first appearance. Whatever was assumed or left out
        is told in its ``findings``. With ``backed`` a
        :class:`~poems.data.disk.view.BackedCohort`, whose files stay open.

    Raises
    ------
    ReadError
        If files cannot be read.
    DataError
        If names are duplicated or do not fit each other, or cells are not
        numbers. All problems found are listed.
    SettingsError
        If an option has a value that is not allowed.

    Examples
    --------
    >>> import pandas as pd
    >>> rna = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=["s1", "s2"], columns=["g1", "g2"])
    >>> protein = pd.DataFrame({"s2": [0.5]}, index=["p1"])
    >>> cohort = read({"rna": rna, "protein": protein}, features_in_rows=["protein"])
    >>> print(cohort.findings[0])
    note: protein: not measured on 1 of 2 samples (s1); it is kept and rests on the other views
    """
    loaded = load(
        views,
        obs=obs,
        features_in_rows=features_in_rows,
        samples=samples,
        backed=backed,
        layer=layer,
    )
    if loaded.cohort is None:
        raise _error(loaded.findings)
    return loaded.cohort


def load(
    views: Any,
    *,
    obs: Any = None,
    features_in_rows: bool | Collection[str] = False,
    samples: SampleRule = "union",
    backed: bool = False,
    layer: str | Mapping[str, str] | None = None,
) -> Loaded:
    """Read as :func:`read` does, but return what is wrong with the data as findings.

    Raises
    ------
    SettingsError
        If an option has a value that is not allowed.
    """
    if samples not in get_args(SampleRule):
        raise SettingsError(f"samples must be 'union' or 'intersection', not {samples!r}")
    order, store = None, None
    layer, sheet = _without_obs(layer, views, obs)
    try:
        if backed:
            store = open_sources(views, layer)
            sources, own_obs = dict(store.views), store.obs
        else:
            sources, own_obs, order = _sources(views, layer)
        # Of a file that holds all views they are taken already.
        taken = isinstance(views, str | Path) and not all(map(_is_path, sources.values()))
        layers = {} if taken else layers_of(layer, sources)
    except DataError as error:
        return Loaded({}, (_problem(error),))
    findings = list(view_name_problems(sources))
    rows = _views_in_rows(features_in_rows, sources)
    if store is not None and rows:
        raise SettingsError(
            "backed=True reads samples, which have to stand in rows; write the table the other way "
            "round and leave out features_in_rows (--features-in-rows)"
        )
    tables = {}
    for name, source in sources.items():
        try:
            table = (
                load_table(source, features_in_rows=name in rows, layer=layers.get(name))
                if store is None
                else clean_view(source)
            )
        except DataError as error:
            findings.append(_problem(error, name))
        else:
            tables[name] = table
            findings += [replace(finding, view=name) for finding in table.findings]
    obs_table = None
    try:
        if obs is not None or own_obs is not None:
            obs_table, obs_findings = load_obs(obs if obs is not None else own_obs, sheet)
            findings += obs_findings
        else:
            merged, obs_findings = merge_obs(tables)
            findings += obs_findings
            if merged is not None:
                obs_table, obs_findings = clean_obs(merged)
                findings += obs_findings
    except DataError as error:
        findings.append(_problem(error))
    if _no_errors(findings):
        names = None if obs_table is None else obs_table.index
        findings += name_problems(tables, names, united=samples == "union")
    if not _no_errors(findings):
        return Loaded(tables, tuple(findings))
    try:
        cohort = (
            assemble(tables, obs=obs_table, samples=samples, order=order, findings=tuple(findings))
            if store is None
            else assemble_backed(
                store, tables, obs=obs_table, samples=samples, findings=tuple(findings)
            )
        )
    except DataError as error:
        return Loaded(tables, (*findings, _problem(error)))
    return Loaded(tables, cohort.findings, cohort)


def _without_obs(layer: Layer, views: Any, obs: Any) -> tuple[Layer, str | None]:
    """Return the layers of the views, and the sheet of the table of the samples if one is named."""
    is_view = isinstance(views, Mapping) and "obs" in views
    if layer is None or isinstance(layer, str) or "obs" not in layer or obs is None or is_view:
        return layer, None
    rest = {name: each for name, each in layer.items() if name != "obs"}
    return rest or None, layer["obs"]


def _is_path(source: Any) -> bool:
    return isinstance(source, str | Path)


def _sources(views: Any, layer: str | Mapping[str, str] | None) -> Split:
    """Return the source of each view, and what a MuData says of obs and the order of samples."""
    if isinstance(views, str | Path):
        return _whole_cohort(Path(views), layer)
    if type(views).__module__.partition(".")[0] == "mudata":
        return split_mudata(views)
    if is_anndata(views):
        return {"view": views}, None, None
    if not isinstance(views, Mapping):
        raise DataError(
            "expected a mapping of view name to table, such as {'rna': 'rna.csv'}, not "
            f"{type(views).__name__}"
        )
    if not views:
        raise DataError("no views given; a cohort needs at least one")
    return dict(views), None, None


def _whole_cohort(path: Path, layer: str | Mapping[str, str] | None) -> Split:
    reader = reader_of(path)
    if reader is None or (reader.cohort is None and reader.table is not None):
        raise DataError(
            f"a single path must be {suffixes('cohort')}, not {path.name}; give the view a name: "
            f"{{'{path.name.partition('.')[0] or 'view'}': {str(path)!r}}}"
        )
    if reader.cohort is None:
        raise DataError(
            f"{path} is a {table_suffix(path).lstrip('.')} store, which is read with backed=True "
            "(--backed)"
        )
    require_unpacked(path, reader)
    return reader.cohort(path, layer) if reader.layers else reader.cohort(path)


def _views_in_rows(features_in_rows: bool | Collection[str], sources: Collection[str]) -> set[str]:
    if isinstance(features_in_rows, bool):
        return set(sources) if features_in_rows else set()
    names = {features_in_rows} if isinstance(features_in_rows, str) else set(features_in_rows)
    unknown = names.difference(sources)
    if unknown:
        raise SettingsError(
            f"features_in_rows names {name_some(map(repr, sorted(unknown)))}, but there are views "
            f"{name_some(map(repr, sources), 20)}"
        )
    return names


def _problem(error: DataError, view: str | None = None) -> Finding:
    code = "unreadable" if isinstance(error, ReadError) else "unusable"
    return Finding("error", code, str(error), view=view)


def _no_errors(findings: Collection[Finding]) -> bool:
    return all(finding.severity != "error" for finding in findings)


def _error(findings: Collection[Finding]) -> DataError:
    """Return one exception that lists all errors among the findings."""
    errors = [finding for finding in findings if finding.severity == "error"]
    kind = ReadError if all(finding.code == "unreadable" for finding in errors) else DataError
    texts = [
        finding.message if finding.view is None else f"view '{finding.view}': {finding.message}"
        for finding in errors
    ]
    return all_problems(kind, texts)
