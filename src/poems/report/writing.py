"""The report of a run: sections gathered, the page and the tables it computed written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from poems._version import __version__
from poems.errors import PoemsError, SettingsError
from poems.files.atomic import clear_temporary, write_text
from poems.files.csv_tables import write_csv
from poems.files.output_folder import added_to_folder
from poems.findings import Finding, count
from poems.fitting.failures import failure
from poems.notebook import Shown
from poems.report.blocks import (
    Block,
    Cautions,
    Fold,
    Notice,
    Section,
    Sentence,
    Sentences,
    Verdict,
)
from poems.report.computed import (
    factor_tables,
    gene_set_tables,
    label_tables,
    stability_tables,
    subtype_tables,
    survival_tables,
)
from poems.report.page import GENERATOR, render
from poems.report.sections import SECTIONS, in_order
from poems.report.sections.brief import brief_sections
from poems.report.source import FINDING_COLUMNS, Source, read_source, with_obs
from poems.report.standing import weak_factors
from poems.report.wording import listing, sentence
from poems.runs.folder import Run, read_run, run_obs
from poems.steps import step, steps_of

# In the run folder, unless another place is named.
DEFAULT_NAME = "report.html"
BRIEF_NAME = "brief.html"
_HEAD_BYTES = 4000
# Tables that reports compute: of an earlier report, those that the new one lacks are removed.
_OURS = (
    "summary",
    "factor_",
    "label_",
    "survival_",
    "gene_set",
    "stability_",
    "subtype_obs",
)


@dataclass(frozen=True, eq=False, repr=False)
class Report(Shown):
    """What :func:`write_report` wrote.

    Parameters
    ----------
    path
        The page.
    tables
        The tables that were computed for it, by file: everything else it shows
        lies in the run folder.
    sentences
        The summary: one row per sentence, ``topic``, ``sentence``, ``caution``, ``section``.
    findings
        What was noticed on the way.
    """

    path: Path
    tables: tuple[Path, ...]
    sentences: pd.DataFrame
    findings: tuple[Finding, ...] = ()


def write_report(
    run: Run | str | Path,
    out: str | Path | None = None,
    *,
    obs: str | Path | pd.DataFrame | None = None,
    labels: str | None = None,
    time: str | None = None,
    event: str | None = None,
    covariates: Sequence[str] = (),
    event_value: str | None = None,
    gene_sets: Sequence[str | Path] = (),
    gene_map: str | Path | None = None,
    stability: str | Path | None = None,
    time_unit: str = "",
    brief: bool = False,
    title: str | None = None,
    seed: int = 0,
) -> Report:
    """Write the report of a run: one HTML file that needs nothing beside it.

    Tables that the report computes itself are written to ``<out without
    its ending>_tables/``, each file whole or not at all; all others that it shows
    lie in the run folder.

    Parameters
    ----------
    run
        A run folder, or what :func:`poems.runs.folder.read_run` read.
    out
        Where to write the page; ``report.html`` in the run folder by default.
    obs
        Table of the samples, in place of the one that the run was fitted with.
    labels
        Column of the obs table with labels to compare subtypes with.
    time, event
        Columns of the obs table with follow-up times and whether the event was
        seen, for the section on survival.
    covariates
        Columns of the obs table that its Cox models are adjusted for.
    event_value
        The value of ``event`` that means an event, where this is not plain.
    gene_sets
        GMT files, for enrichment of the factors' features.
    gene_map
        Table with the columns ``feature`` and ``gene``, for features that are no
        genes.
    stability
        The folder that ``poems stability --run`` wrote of this run: factors that its refits do
        not find again are greyed and left out of what is said of factors.
    time_unit
        Unit of the follow-up times, such as ``"days"``.
    brief
        Write two pages for a meeting instead: the first screen and the tables behind it. Its
        file is ``brief.html`` by default.
    title
        At the head of the page; by default one with the run folder's name.
    seed
        Of what is drawn at random.

    Raises
    ------
    ReadError, StorageError
        If the run cannot be read.
    DataError
        If a column is not there or does not hold what it should, or ``stability`` is of
        another fit.
    SettingsError
        If only one of ``time`` and ``event`` is given, or ``out`` is there and
        is not a report.

    Examples
    --------
    >>> import tempfile
    >>> import poems
    >>> from poems.runs.folder import write_run
    >>> cohort = poems.simulate(n_samples=40, n_features=20, seed=0).cohort
    >>> model = poems.fit(cohort, seed=0, epochs=5, progress=False)
    >>> folder = tempfile.mkdtemp()
    >>> _ = write_run(folder, model, cohort, poems.find_subtypes(model, 2), figures=False)
    >>> report = write_report(folder)
    >>> report.path.name, report.sentences.loc[0, "topic"]
    ('report.html', 'Verdict')
    """
    if (time is None) != (event is None):
        raise SettingsError(
            "survival needs times and events; give both, time and event (--time, --event)"
        )
    if time is None and (covariates or event_value is not None):
        raise SettingsError(
            "`covariates` and `event_value` are of the survival analysis; give `time` and "
            "`event`, too"
        )
    if gene_map is not None and not gene_sets:
        raise SettingsError("gene_map is of the gene sets; give gene_sets, too")
    read = run if isinstance(run, Run) else read_run(run)
    path = read.folder / (BRIEF_NAME if brief else DEFAULT_NAME) if out is None else Path(out)
    _check_place(path)
    tables_folder = path.with_name(f"{path.stem}_tables")
    source = replace(read_source(read), tables_folder=tables_folder.name)
    findings: list[Finding] = []
    if obs is not None:
        table, notes = run_obs(read, obs)
        source, findings = with_obs(source, table), [*notes]
    with step("tables of factors and subtypes"):
        source = source.adding(factor_tables(source)).adding(subtype_tables(source, seed))
    if labels is not None:
        with step("comparison with the labels"):
            source = source.adding(label_tables(source, labels))
    if time is not None and event is not None:
        with step("survival"):
            tables, notes = survival_tables(
                source,
                time,
                event,
                covariates,
                event_value=event_value,
                seed=seed,
                time_unit=time_unit,
            )
        source, findings = source.adding(tables), [*findings, *notes]
    if stability is not None:
        source = source.adding(stability_tables(source, stability))
    if gene_sets:
        with step("gene sets"):
            tables, notes = gene_set_tables(source, gene_sets, gene_map)
        source, findings = source.adding(tables), [*findings, *notes]
    noticed = pd.DataFrame(_rows(findings), columns=FINDING_COLUMNS)
    known = pd.concat([_run_findings(read), noticed], ignore_index=True)
    of_survival = tuple(each for each in findings if each.code.startswith("survival-"))
    survival = None if time is None else of_survival
    shown = replace(
        source,
        findings=known,
        labels=labels,
        time=time,
        event=event,
        survival=survival,
        time_unit=time_unit,
    )
    sections = brief_sections(shown) if brief else _sections(shown)
    name = read.folder.resolve().name
    page = render(
        title or f"Multi-omic report: {name}",
        _about(shown, name),
        list(sections.values()),
        f"Made by POEMS {__version__}. One file, which loads nothing and sends nothing.",
        brief=brief,
    )
    sentences = _sentence_table(sections["summary"])
    computed = {stem: source.tables[stem] for stem in sorted(source.computed)}
    written = _write(read.folder, path, {"summary": sentences, **computed}, page)
    return Report(path, written, sentences, tuple(findings))


def _about(source: Source, name: str) -> str:
    """Return the line beneath the title: how large the cohort is, and what was made of it."""
    model = source.model
    weak = len(weak_factors(source))
    sound = f" ({weak} not to be built on)" if weak else ""
    return (
        f"{count(len(model.samples), 'sample')} · {listing(model.view_names, 5)} · "
        f"{count(model.n_active, 'factor')}{sound} · POEMS {__version__} · run folder {name}"
    )


def _sections(source: Source) -> dict[str, Section]:
    """Build the sections that there are for this run, by name and in order."""
    built = {name: _section(name, source) for name in steps_of("pages", list(in_order()))}
    return {name: section for name, section in built.items() if section is not None}


def _section(name: str, source: Source) -> Section | None:
    """Build a section; where this fails, one that says so stands in its place."""
    try:
        return SECTIONS.find(name)(source)
    except PoemsError:
        raise
    # Broad on purpose: sections may be of other packages and raise anything. A report without one
    # is better than none; the page says what is missing, and the log why.
    except Exception as error:
        text = f"the section on {name} was left out of the report"
        reason = failure(text, error, code="report-failed", log="the error output")
        return Section(name, name.capitalize(), [Notice(sentence(reason.message))])


def _run_findings(run: Run) -> pd.DataFrame:
    from poems.errors import StorageError

    path = run.folder / "findings.csv"
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)[FINDING_COLUMNS]
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(f"cannot read {path}: {error}; fit again") from None


def _rows(findings: Sequence[Finding]) -> list[tuple[str, str, str, str]]:
    return [
        (each.severity, each.code, each.view or "", each.message)
        for each in findings
        if not each.code.startswith("survival-")
    ]


def _check_place(path: Path) -> None:
    """Refuse to replace a file that is not a report."""
    if path.is_dir():
        raise SettingsError(f"{path} is a folder; name a file with --out")
    if path.exists():
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if GENERATOR.encode() not in head:
            raise SettingsError(
                f"{path} is there and is not a POEMS report, so it will not be replaced; choose "
                "another --out"
            )


def _sentence_table(summary: Section) -> pd.DataFrame:
    rows: list[Sentence] = []
    for block in _unfolded(summary.blocks):
        if isinstance(block, Verdict):
            rows.insert(0, Sentence("Verdict", block.text, target=block.target))
        elif isinstance(block, Sentences):
            rows += block.found
        elif isinstance(block, Cautions):
            rows += block.all
    rows.sort(key=lambda each: each.caution)
    return pd.DataFrame(
        {
            "topic": [each.topic for each in rows],
            "sentence": [each.text for each in rows],
            "caution": [each.caution for each in rows],
            "section": [each.target for each in rows],
        }
    )


def _unfolded(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        if isinstance(block, Fold):
            yield from _unfolded(block.blocks)
        else:
            yield block


def _write(run: Path, path: Path, tables: dict[str, pd.DataFrame], page: str) -> tuple[Path, ...]:
    """Write the page and its tables; those of an earlier report that this one lacks are removed.

    In a run folder page and tables take their place together, and go with the run.
    """
    folder = path.with_name(f"{path.stem}_tables")
    older = [f"{stem}*.csv" for stem in _OURS]
    if path.parent.resolve() == run.resolve():
        older = [f"{folder.name}/{each}" for each in older]
        gone = (f"{folder.name}/*.csv",)
        with added_to_folder(path.parent, remove=gone, older=(*older, path.name)) as fresh:
            _write_tables(fresh / folder.name, tables)
            write_text(fresh / path.name, page)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        with added_to_folder(folder, remove=("*.csv",), older=older) as fresh:
            _write_tables(fresh, tables)
        clear_temporary(path.parent)
        write_text(path, page)
    return tuple(folder / f"{stem}.csv" for stem in tables)


def _write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    for stem, table in tables.items():
        write_csv(folder / f"{stem}.csv", table, index=False)
