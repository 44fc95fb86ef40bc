"""Matching the samples of several tables by name into one cohort."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics, View
from poems.data.precision import far_from_zero
from poems.data.tables import Table, has_values
from poems.errors import DataError
from poems.findings import Finding, count, name_some

SampleRule = Literal["union", "intersection"]
AnyView = TypeVar("AnyView", bound=View)


def assemble(
    tables: Mapping[str, Table],
    *,
    obs: pd.DataFrame | None = None,
    samples: SampleRule = "union",
    order: pd.Index | None = None,
    findings: tuple[Finding, ...] = (),
) -> MultiOmics:
    """Return the cohort of tables whose names are unique and fit each other.

    Parameters
    ----------
    tables
        Mapping of view name to table.
    obs
        Sample annotations, unique names in the index.
    samples
        ``"union"`` keeps every sample, with views unmeasured where they are
        missing; ``"intersection"`` keeps those measured in every view.
    order
        The order of the samples; that of first appearance without.
    findings
        What was noticed before, carried on.

    Raises
    ------
    DataError
        If a sample has no value in any view, or the intersection is empty.
    """
    index = all_samples(tables, order)
    aligned = {name: _aligned(table, index) for name, table in tables.items()}
    empty = [finding for name, table in tables.items() for finding in _empty_rows(name, table)]
    views, index, notes = chosen_samples(aligned, index, samples)
    aligned_obs, obs_notes = align_obs(obs, index)
    return MultiOmics(views, index, aligned_obs, (*findings, *empty, *notes, *obs_notes))


def all_samples(tables: Mapping[str, Table], order: Iterable[str] | None) -> pd.Index:
    """Return the samples of all tables, in that order or in that of first appearance."""
    names = dict.fromkeys(sample for table in tables.values() for sample in table.samples)
    if order is not None:
        names = {sample: None for sample in order if sample in names}
    return pd.Index(list(names), dtype=object)


def chosen_samples(
    views: Mapping[str, AnyView], index: pd.Index, rule: SampleRule
) -> tuple[dict[str, AnyView], pd.Index, list[Finding]]:
    """Keep the samples that a rule asks for, and note who was dropped and what is unmeasured.

    Raises
    ------
    DataError
        If a sample has no value in any view, or the intersection is empty.
    """
    kept, notes = dict(views), list[Finding]()
    measured = np.column_stack([view.measured for view in views.values()])
    empty = index[np.flatnonzero(~measured.any(axis=1))]
    if len(empty):
        raise DataError(
            f"{count(len(empty), 'sample has', 'samples have')} no value in any view: "
            f"{name_some(empty)}. Remove {'its row' if len(empty) == 1 else 'their rows'}"
        )
    if rule == "intersection":
        keep = np.flatnonzero(measured.all(axis=1))
        notes += dropped_findings(kept, index, keep)
        kept = {name: cast(AnyView, view.take(keep)) for name, view in kept.items()}
        index = index[keep]
    for name, view in kept.items():
        notes += unmeasured_findings(name, view, index)
    return kept, index, notes


def merge_obs(tables: Mapping[str, Table]) -> tuple[pd.DataFrame | None, tuple[Finding, ...]]:
    """Return the annotations that came with the tables, joined by sample and column name.

    Where two views annotate a sample differently the first one counts, with
    a finding.
    """
    merged: pd.DataFrame | None = None
    findings = []
    for name, table in tables.items():
        obs = table.obs
        if obs is None or not len(obs.columns) or obs.index.has_duplicates:
            continue
        if obs.columns.has_duplicates:
            continue  # an error was found in the table
        if merged is None:
            merged = obs
            continue
        rows = merged.index.union(obs.index, sort=False)
        merged, obs = merged.reindex(rows), obs.reindex(rows)
        for column in obs.columns:
            if column not in merged:
                merged[column] = obs[column]
                continue
            ours, theirs = merged[column].astype(object), obs[column].astype(object)
            conflict = rows[ours.notna() & theirs.notna() & (ours != theirs)]
            if len(conflict):
                text = (
                    f"obs column '{column}' differs from that of an earlier view for "
                    f"{count(len(conflict), 'sample')} ({name_some(conflict)}); the earlier one "
                    "was kept"
                )
                findings.append(
                    Finding("warning", "obs-conflict", text, view=name, items=tuple(conflict))
                )
            filled = ours.where(ours.notna(), theirs)
            merged[column] = filled.infer_objects()
    return merged, tuple(findings)


def _aligned(table: Table, index: pd.Index) -> View:
    precision = np.float64 if far_from_zero(table.values).any() else np.float32
    values = np.full((len(index), len(table.features)), np.nan, dtype=precision)
    values[index.get_indexer(table.samples)] = table.values
    return View(values, table.features, has_values(values))


def _empty_rows(name: str, table: Table) -> Iterator[Finding]:
    empty = tuple(table.samples[~has_values(table.values)])
    if empty:
        text = (
            f"{count(len(empty), 'sample has', 'samples have')} a row but no value "
            f"({name_some(empty)}); taken as unmeasured"
        )
        yield Finding("note", "rows-all-missing", text, view=name, items=empty)


def unmeasured_findings(name: str, view: View, index: pd.Index) -> Iterator[Finding]:
    """Say on which samples a view was not measured."""
    unmeasured = tuple(index[~view.measured])
    if unmeasured:
        text = (
            f"not measured on {len(unmeasured)} of {len(index)} samples ({name_some(unmeasured)}); "
            + ("it is kept and rests" if len(unmeasured) == 1 else "they are kept and rest")
            + " on the other views"
        )
        yield Finding("note", "samples-unmeasured", text, view=name, items=unmeasured)


def dropped_findings(
    views: Mapping[str, View], index: pd.Index, keep: npt.NDArray[np.intp]
) -> Iterator[Finding]:
    """Say which samples are not measured in every view; refuse if none is.

    Raises
    ------
    DataError
        If ``keep`` is empty.
    """
    if not len(keep):
        counts = ", ".join(f"'{name}' on {view.measured.sum()}" for name, view in views.items())
        raise DataError(
            f"no sample is measured in every view (of {len(index)}: {counts}). Pass "
            "samples='union' to keep samples with views unmeasured, or leave a view out"
        )
    dropped = tuple(np.delete(index.to_numpy(), keep))
    if dropped:
        text = (
            f"{len(dropped)} of {len(index)} samples "
            f"{'was' if len(dropped) == 1 else 'were'} dropped as not measured in every view "
            f"({name_some(dropped)})"
        )
        yield Finding("note", "samples-dropped", text, items=dropped)


def align_obs(obs: pd.DataFrame | None, index: pd.Index) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the annotations in the order of the samples, and what is missing or left out."""
    if obs is None:
        return pd.DataFrame(index=index), []
    findings = []
    without = tuple(index.difference(obs.index, sort=False))
    if without:
        text = (
            f"{len(without)} of {count(len(index), 'sample')} "
            f"{'has' if len(without) == 1 else 'have'} no row in the obs table "
            f"({name_some(without)}); {'its' if len(without) == 1 else 'their'} annotations are "
            "missing"
        )
        findings.append(Finding("warning", "samples-without-obs", text, items=without))
    extra = tuple(obs.index.difference(index, sort=False))
    if extra:
        text = (
            f"{count(len(extra), 'row')} of the obs table "
            f"{'belongs' if len(extra) == 1 else 'belong'} to no sample of the cohort "
            f"({name_some(extra)}); left out"
        )
        findings.append(Finding("note", "obs-rows-unused", text, items=extra))
    return obs.reindex(index), findings
