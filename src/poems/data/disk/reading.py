"""Reading a cohort whose views stay on disk: names are matched, values only passed over once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from poems.data.assemble import SampleRule, align_obs, all_samples, chosen_samples
from poems.data.disk.layers import layer_of
from poems.data.disk.scan import scan
from poems.data.disk.stamps import Stamp, stamp
from poems.data.disk.stores import OpenStore, OpenView
from poems.data.disk.view import BackedCohort, BackedView
from poems.data.formats import reader_of, suffixes
from poems.data.layers import Layer
from poems.data.naming.annotation import annotation_features
from poems.data.naming.excel_dates import date_findings
from poems.data.naming.names import clean_names
from poems.data.tables import Table, named_obs
from poems.errors import DataError, ReadError
from poems.findings import Finding, count, name_some

# Gaps of this many rows on average are more than missing samples: the order is another.
_SCATTERED = 64


def open_sources(views: Any, layer: Layer = None) -> OpenStore:
    """Open what ``poems.read(views, backed=True)`` was given.

    Raises
    ------
    DataError
        If it is not a file that can be read in parts.
    ReadError
        If a file is missing or damaged.
    """
    if isinstance(views, str | Path):
        return _open_path(Path(views), layer=layer)
    if not isinstance(views, Mapping):
        raise DataError(
            f"backed=True leaves the values in their files, so it takes {suffixes('parts')} files, "
            f"not {type(views).__name__}"
        )
    if not views:
        raise DataError("no views given; a cohort needs at least one")
    opened: dict[str, OpenView] = {}
    handles: list[Any] = []
    stamps: dict[Path, Stamp] = {}
    for name, source in views.items():
        if not isinstance(source, str | Path):
            raise DataError(
                f"backed=True leaves the values in their files, but view '{name}' is a "
                f"{type(source).__name__}; give its path, or leave backed out"
            )
        store = _open_path(Path(source), view=name, layer=layer_of(name, layer))
        handles += store.handles
        opened[name] = next(iter(store.views.values()))
        stamps |= store.stamps
    return OpenStore(opened, handles=tuple(handles), stamps=stamps)


def clean_view(opened: OpenView) -> Table:
    """Return the names of a view as a table without values, checked as :func:`poems.read` does.

    Raises
    ------
    DataError
        If a name is empty, or the table is.
    """
    where = opened.matrix.where
    if 0 in opened.matrix.shape:
        n_rows, n_columns = opened.matrix.shape
        raise DataError(
            f"{where} is empty: {count(n_rows, 'row')} and {count(n_columns, 'column')}"
        )
    samples, sample_findings = clean_names(opened.samples, "sample", where)
    features, feature_findings = clean_names(opened.features, "feature", where, in_header=True)
    obs, obs_findings = None, tuple[Finding, ...]()
    if opened.obs is not None:
        obs, obs_findings = named_obs(opened.obs, samples, where)
    odd = (*annotation_features(features, where), *date_findings(features, where))
    return Table(
        values=np.empty((0, 0)),
        samples=samples,
        features=features,
        where=where,
        findings=(*opened.findings, *sample_findings, *feature_findings, *odd, *obs_findings),
        obs=obs,
    )


def assemble_backed(
    store: OpenStore,
    tables: Mapping[str, Table],
    *,
    obs: pd.DataFrame | None,
    samples: SampleRule,
    findings: tuple[Finding, ...],
) -> BackedCohort:
    """Match the samples by name, and pass over the values once to see what is there.

    Raises
    ------
    DataError
        If a value is infinite, a sample has no value in any view, or the
        intersection is empty.
    """
    order = None if store.order is None else [str(sample).strip() for sample in store.order]
    index = all_samples(tables, order)
    placed: dict[str, BackedView] = {}
    notes: list[Finding] = []
    for name, table in tables.items():
        position = table.samples.get_indexer(index).astype(np.int64)
        view = BackedView(store.views[name].matrix, table.features, position)
        placed[name], some = _present(name, view, index)
        view.matrix.trust()
        notes += some
        notes += _scattered(name, view)
    views, index, further = chosen_samples(placed, index, samples)
    notes += further
    aligned, obs_notes = align_obs(obs, index)
    noted = (*findings, *notes, *obs_notes)
    return BackedCohort(views, index, aligned, noted, store.handles, store.stamps)


def _open_path(path: Path, view: str | None = None, layer: Layer = None) -> OpenStore:
    reader = reader_of(path)
    if reader is None or reader.parts is None:
        raise ReadError(
            f"{path} has extension '{path.suffix.lower()}', which cannot be read in parts; "
            f"backed=True takes {suffixes('parts')}. Convert it, for example by poems.read(…) and "
            "to_mudata(cohort).write_h5mu(…) on a machine with the memory"
        )
    before = {path: stamp(path)}
    store = reader.parts(path, view, layer) if reader.layers else reader.parts(path, view)
    return replace(store, stamps=before)


def _present(name: str, view: BackedView, index: pd.Index) -> tuple[BackedView, list[Finding]]:
    """Take samples without any value as unmeasured."""
    empty = scan(view, name, index).empty
    if not len(empty):
        return view, []
    position = view.position.copy()
    position[empty] = -1
    items = tuple(index[empty])
    text = (
        f"{count(len(items), 'sample has', 'samples have')} a row but no value "
        f"({name_some(items)}); taken as unmeasured"
    )
    found = Finding("note", "rows-all-missing", text, view=name, items=items)
    return BackedView(view.matrix, view.features, position), [found]


def _scattered(name: str, view: BackedView) -> Iterator[Finding]:
    """Say if neighbours in the cohort lie far apart in the file, which makes reading slow."""
    there = view.position[view.measured]
    if len(there) > 1 and np.abs(np.diff(there)).mean() > _SCATTERED:
        text = (
            f"its samples stand in another order in {view.matrix.where} than in the cohort, so "
            "rows are read one by one, which is slow; write the views with samples in one order"
        )
        yield Finding("warning", "order-differs", text, view=name)
