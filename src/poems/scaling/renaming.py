"""Features of new data under the names that a model knows them by, where a user asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from poems.data.container import MultiOmics, View
from poems.data.disk.view import BackedView
from poems.data.naming.near_features import CHANGES, FeatureMatch, matched_features
from poems.errors import DataError, SettingsError
from poems.findings import Finding, count, name_some


def renamed(
    cohort: MultiOmics,
    wanted: Mapping[str, pd.Index],
    match: FeatureMatch = "exact",
    names: Mapping[str, str] | None = None,
) -> MultiOmics:
    """Return a cohort whose features have the names that a model knows them by.

    Parameters
    ----------
    cohort
        New samples.
    wanted
        View name to the features of the model.
    match
        By which change names are matched that are not the same; two names that become one
        are left alone, and a finding lists them.
    names
        Name in the data to name in the model; what is not in it keeps its name.

    Raises
    ------
    SettingsError
        If there is no such change.
    DataError
        If ``names`` gives two features of a view one name.
    """
    if match != "exact" and match not in CHANGES:
        raise SettingsError(f"features are matched by exact, {', '.join(CHANGES)}, not {match!r}")
    if match == "exact" and not names:
        return cohort
    views, findings = dict(cohort.views), list(cohort.findings)
    for name, view in cohort.views.items():
        features = view.features
        if names:
            features = _by_map(name, features, names)
        if name in wanted:
            found = matched_features(features, wanted[name], match)
            features = pd.Index([found.pairs.get(each, each) for each in features], dtype=object)
            findings += _said(name, found.pairs, found.doubtful, match)
        views[name] = _with(view, features)
    return replace(cohort, views=views, findings=tuple(findings))


def _by_map(view: str, features: pd.Index, names: Mapping[str, str]) -> pd.Index:
    found = pd.Index([names.get(str(name), name) for name in features], dtype=object)
    if found.has_duplicates:
        twice = found[found.duplicated()].unique()
        raise DataError(
            f"view '{view}': the table of names would give {count(len(twice), 'name')} to more "
            f"than one feature ({name_some(twice)}); names are never merged, so leave all but one "
            "out"
        )
    return found


def _said(
    view: str, pairs: Mapping[str, str], doubtful: tuple[str, ...], match: FeatureMatch
) -> list[Finding]:
    findings = []
    if pairs:
        given, wanted = next(iter(pairs.items()))
        text = (
            f"{count(len(pairs), 'feature')} matched with the model's as asked for, "
            f"{CHANGES[match][0]} (such as {given!a} for {wanted!a})"
        )
        findings.append(Finding("note", "features-matched", text, view, tuple(pairs)))
    if doubtful:
        text = (
            f"{count(len(doubtful), 'feature')} left unmatched: two names would become one "
            f"({name_some(doubtful)}). Give a table of names for these"
        )
        findings.append(Finding("warning", "features-doubtful", text, view, doubtful))
    return findings


def _with(view: View, features: pd.Index) -> View:
    if isinstance(view, BackedView):
        return BackedView(view.matrix, features, view.position)
    return View(view.values, features, view.measured)
