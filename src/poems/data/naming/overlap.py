"""Do the sample names of the views fit each other, and if not, why not?"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import pandas as pd

from poems.data.naming.changes import TCGA_BARCODE, best_change
from poems.data.naming.near import twice_named, twice_named_in_obs
from poems.data.naming.row_numbers import numbered_from, row_number_problems
from poems.data.tables import Table
from poems.findings import Finding, count, name_some

# Names that no sample has: CpG probes, Ensembl genes and transcripts, microRNAs, SNPs.
_FEATURE_NAME = re.compile(r"cg\d{8}|ENS[A-Z]*[GTP]\d{11}(\.\d+)?|hsa-(mir|miR|let)-.+|rs\d{3,}")
# Accessions of GEO, the sequence read archives and BioSample; barcodes of cells.
_ACCESSION = re.compile(r"GSM\d{3,}|[SED]R[RSX]\d{5,}|SAM(N|D|EA)\d{5,}|[ACGT]{12,}-\d+")
_NEARLY_ALL = 0.9
# Above this many views, trying all ways to turn them would take too long.
_MOST_TURNED = 10


def name_problems(
    tables: Mapping[str, Table], obs_names: pd.Index | None, *, united: bool = True
) -> list[Finding]:
    """Return what is wrong with how the names of views and obs fit together.

    Errors: a view that shares no sample with any other, an obs table that
    shares none with the views, views whose features stand in rows, and, where
    the samples of all views are kept (``united``), two names for what seems to be
    one sample. Warnings where a simple change of the names would match far more samples,
    and where names look like those of features or samples but stand in the
    other place.
    """
    isolated = _isolated({name: set(table.samples) for name, table in tables.items()}, obs_names)
    if isolated:
        swapped = _swapped(tables, obs_names)
        if swapped is not None:
            return [swapped]
    findings = [_no_overlap(name, tables) for name in isolated if name is not None]
    findings += row_number_problems(tables, obs_names)
    twice = twice_named(tables, united=united)
    findings += twice
    if not twice:
        findings += _nearly_matching(tables, isolated)
    if obs_names is not None:
        in_obs = twice_named_in_obs(tables, obs_names)
        findings += _obs_overlap(tables, obs_names) if in_obs is None else [in_obs]
    return findings + list(_seemingly_swapped(tables))


def _isolated(samples: Mapping[str, set[str]], obs_names: pd.Index | None) -> list[str | None]:
    """Return the views that share no sample with another; ``None`` stands for the obs table."""
    isolated: list[str | None] = [
        name
        for name, names in samples.items()
        if len(samples) > 1
        and all(names.isdisjoint(rest) for other, rest in samples.items() if other != name)
    ]
    if obs_names is not None and set().union(*samples.values()).isdisjoint(obs_names):
        isolated.append(None)
    return isolated


def _swapped(tables: Mapping[str, Table], obs_names: pd.Index | None) -> Finding | None:
    """Return an error if turning some views round makes all names fit, else ``None``."""
    no_obs = obs_names is None
    for n_turned in range(1, len(tables) + 1):
        if len(tables) > _MOST_TURNED and 1 < n_turned < len(tables):
            continue
        fits = [
            turned
            for turned in combinations(tables, n_turned)
            if not _isolated(
                {
                    name: set(table.features if name in turned else table.samples)
                    for name, table in tables.items()
                },
                obs_names,
            )
        ]
        if fits:
            seeming = set(_turned_by_kind(tables))
            likely = [t for t in fits if set(t) == seeming]
            return _swapped_finding(tables, likely or fits, doubtful=not likely and no_obs)
    return None


def _swapped_finding(
    tables: Mapping[str, Table], fits: Sequence[Sequence[str]], *, doubtful: bool
) -> Finding:
    first = fits[0]
    table = tables[first[0]]
    if len(fits) == 1:
        where = f" in views {', '.join(map(repr, first))}" if len(first) > 1 else ""
        text = (
            f"samples and features look swapped{where}: the sample names "
            f"({name_some(table.samples, 2)}) match nothing, but the feature names "
            f"({name_some(table.features, 2)}) match "
        )
        if doubtful and len(first) == len(tables):
            # Genes have one name in all omics, so this may as well be said of features.
            text += (
                "those of another view. If these are features, the views share no sample: rename "
                "the samples. If they are samples, do this. "
            )
        else:
            text += "the samples elsewhere. "
        text += _remedy(tables, first)
    else:
        text = "samples and features look swapped, in one of several ways: " + "; ".join(
            f"if {name_some(tables[turned[0]].features, 2)} are samples, "
            f"{_uncapitalised(_remedy(tables, turned))}"
            for turned in fits
        )
    return Finding(
        "error", "swapped", text, view=first[0] if len(fits) == len(first) == 1 else None
    )


def _uncapitalised(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _remedy(tables: Mapping[str, Table], turned: Sequence[str]) -> str:
    rows = [name for name, table in tables.items() if table.transposed != (name in turned)]
    if not rows:
        return "Leave out features_in_rows (on the command line, --features-in-rows[-of])"
    if len(rows) == len(tables):
        which, flags = "True", "--features-in-rows"
    else:
        which = repr(rows)
        flags = " ".join(f"--features-in-rows-of {shlex.quote(name)}" for name in rows)
    instead = any(table.transposed for table in tables.values())
    return (
        f"Pass features_in_rows={which} (on the command line, {flags})"
        f"{' in place of what was given' if instead else ''}"
    )


def _no_overlap(name: str, tables: Mapping[str, Table]) -> Finding:
    table = tables[name]
    others = _other_samples(tables, name)
    text = (
        f"none of its samples ({len(table.samples)}: {name_some(table.samples)}) is in any other "
        f"view ({name_some(others)}). "
    )
    change = best_change(table.samples, others)
    turned = _turned_by_kind(tables)
    if numbered_from(table.samples) is not None and change is None:
        text += (
            "These are the numbers of its rows: put the sample names in the first column (the "
            "index of a DataFrame)"
        )
    elif name in turned:
        text += f"Samples and features look swapped. {_remedy(tables, list(turned))}"
    elif change is None:
        text += "Samples are matched by name: rename them, or leave this view out"
    else:
        text += f"{change[0]} would match {change[1]}: rename the samples"
    return Finding("error", "no-overlap", text, view=name)


def _nearly_matching(
    tables: Mapping[str, Table], isolated: Sequence[str | None]
) -> Iterator[Finding]:
    for name, table in tables.items():
        if len(tables) == 1 or name in isolated:
            continue
        others = _other_samples(tables, name)
        matched = int(table.samples.isin(others).sum())
        if 2 * matched >= len(table.samples):
            continue  # no change could match twice as many, and trying takes long for many names
        change = best_change(table.samples, others)
        if change is not None and change[0] > 2 * matched:
            text = (
                f"only {matched} of its {count(len(table.samples), 'sample')} "
                f"{'is' if matched == 1 else 'are'} in another view, but "
                f"{change[0]} would be {change[1]}. Compare {name_some(table.samples, 2)} with "
                f"{name_some(others, 2)}"
            )
            yield Finding("warning", "names-nearly-match", text, view=name)


def _obs_overlap(tables: Mapping[str, Table], obs_names: pd.Index) -> Iterator[Finding]:
    samples = _samples_of(tables.values())
    matched = int(obs_names.isin(samples).sum())
    if matched and 2 * matched >= len(obs_names):
        return
    change = best_change(obs_names, samples)
    hint = f"; {change[0]} would match {change[1]}" if change is not None else ""
    if matched == 0:
        text = (
            f"none of the rows of the obs table ({len(obs_names)}: {name_some(obs_names)}) names "
            f"a sample ({name_some(samples)}){hint}. Its first column must hold the sample names"
        )
        yield Finding("error", "obs-no-overlap", text)
    elif change is not None and change[0] > 2 * matched:
        text = (
            f"only {matched} of the {count(len(obs_names), 'row')} of the obs table "
            f"{'names' if matched == 1 else 'name'} a sample{hint}. "
            f"Compare {name_some(obs_names, 2)} with {name_some(samples, 2)}"
        )
        yield Finding("warning", "names-nearly-match", text)


def _seemingly_swapped(tables: Mapping[str, Table]) -> Iterator[Finding]:
    turned = _turned_by_kind(tables)
    # One remedy for all of them: each by itself would set the others wrong.
    for name, reason in turned.items():
        text = f"samples and features look swapped: {reason}. {_remedy(tables, list(turned))}"
        yield Finding("warning", "looks-swapped", text, view=name)


def _turned_by_kind(tables: Mapping[str, Table]) -> dict[str, str]:
    """Return the views whose names are of the other kind than their place, and why."""
    reasons = ((name, _looks_swapped(table)) for name, table in tables.items())
    return {name: reason for name, reason in reasons if reason is not None}


def _looks_swapped(table: Table) -> str | None:
    """Return what speaks for features in the place of samples, or the reverse, if anything does."""
    if _nearly_all(_is_feature_name, table.samples):
        return (
            f"{name_some(table.samples)} are names of features, yet stand where samples are "
            "expected"
        )
    # Between samples and samples (a table of similarities) there is nothing to turn.
    if _nearly_all(_is_sample_name, table.features) and not _nearly_all(
        _is_sample_name, table.samples
    ):
        return (
            f"{name_some(table.features)} are names of samples, yet stand where features are "
            "expected"
        )
    return None


def _is_feature_name(name: str) -> bool:
    return _FEATURE_NAME.fullmatch(name) is not None


def _is_sample_name(name: str) -> bool:
    return (TCGA_BARCODE.fullmatch(name) or _ACCESSION.fullmatch(name)) is not None


def _nearly_all(holds: Callable[[str], bool], names: pd.Index) -> bool:
    return sum(map(holds, names)) >= _NEARLY_ALL * len(names)


def _other_samples(tables: Mapping[str, Table], name: str) -> pd.Index:
    return _samples_of([table for other, table in tables.items() if other != name])


def _samples_of(tables: Iterable[Table]) -> pd.Index:
    names = dict.fromkeys(sample for table in tables for sample in table.samples)
    index: pd.Index = pd.Index(list(names), dtype=object)
    return index
