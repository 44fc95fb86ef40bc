"""What is added to a run once its model is written: each by itself, none at the model's cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from poems.analysis.contributions.gates import pattern_findings
from poems.analysis.subtypes.assignment_storage import save_subtype_model
from poems.data.disk.view import BackedCohort
from poems.diagnosis.nuisance import batch_subtypes
from poems.errors import PoemsError
from poems.files.csv_tables import write_csv, write_findings
from poems.files.output_folder import added_to_folder
from poems.findings import Finding, name_some, unsaid
from poems.fitting.failures import failure
from poems.runs.analysis import PARTS, analyse_part, left_out, samples_of_fit, write_tables
from poems.runs.figures import run_figures
from poems.steps import step, steps_of
from poems.training.interrupts import interrupts_let_through

if TYPE_CHECKING:
    from poems.analysis.subtypes.finding import Subtypes
    from poems.data import MultiOmics
    from poems.fitting.result import FittedPoems

MODEL_STEM: Final = "subtype_model"
_FINDINGS: Final = "findings.csv"

# What was noticed, and what writes what was made into a folder.
_Made = tuple[Sequence[Finding], Callable[[Path], None]]


@dataclass(frozen=True)
class Addition:
    """A part of a run that it can do without.

    Parameters
    ----------
    title
        What it is called where it is missing.
    make
        Computes it; returns what there is to say, and what writes it into a folder.
    command
        The command that computes it by itself, if there is one.
    """

    title: str
    make: Callable[[], _Made]
    command: str | None = None


def add_to_run(
    folder: Path, additions: Sequence[Addition], known: Sequence[Finding]
) -> tuple[Finding, ...]:
    """Compute and write additions one after another; return what there is to say of them.

    One that fails is a finding, and the next follows. Each is added as a whole,
    together with a ``findings.csv`` that says what is still missing, so that
    it is right whenever the process ends. An interrupt ends the additions, not
    the run.

    Parameters
    ----------
    folder
        A complete run, written with these additions missing.
    additions
        In the order in which they are computed.
    known
        Findings of the run so far, which head ``findings.csv``.

    Raises
    ------
    KeyboardInterrupt
        If interrupted; its text says what was kept and what is missing.
    """
    reported: list[Finding] = []
    unwritten: OSError | PoemsError | None = None
    for at, addition in enumerate(steps_of("analysis", additions)):
        missing = still_missing(folder, additions[at + 1 :])
        try:
            # What was made is written whole, whatever comes meanwhile.
            with interrupts_let_through(), step(addition.title):
                noticed, write = addition.make()
            news = unsaid(noticed, (*known, *reported))
            with added_to_folder(folder) as fresh:
                write(fresh)
                write_findings(fresh / _FINDINGS, (*known, *reported, *news, *missing))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_kept(folder, additions[at:])) from None
        # Broad on purpose: whatever goes wrong here, the model is whole and the rest can follow.
        except Exception as error:
            reported.append(left_out(addition.title, error))
            unwritten = _say(folder, (*known, *reported, *missing))
        else:
            reported.extend(news)
            unwritten = None
    if unwritten is not None:
        text = f"{_FINDINGS} could not be brought up to date: it calls missing what is there"
        reported.append(failure(text, unwritten, code="findings-failed"))
    return tuple(reported)


def _say(folder: Path, findings: Sequence[Finding]) -> OSError | PoemsError | None:
    """Write the findings; return what keeps this from being done."""
    try:
        with added_to_folder(folder) as fresh:
            write_findings(fresh / _FINDINGS, findings)
    except (OSError, PoemsError) as error:
        return error
    return None


def still_missing(folder: Path, missing: Sequence[Addition]) -> tuple[Finding, ...]:
    """Return what is said of additions as long as they are not there."""
    if not missing:
        return ()
    return (Finding("warning", "analysis-missing", _missing(folder, missing)),)


def _kept(folder: Path, missing: Sequence[Addition]) -> str:
    return (
        f"the model, its subtypes and its tables are whole in {folder}; {_missing(folder, missing)}"
    )


def _missing(folder: Path, missing: Sequence[Addition]) -> str:
    titles = name_some([each.title for each in missing], len(missing))
    commands = dict.fromkeys(each.command for each in missing if each.command is not None)
    text = (
        f"the fit ended before these were there: {titles}. To have them, fit again with --overwrite"
    )
    if not commands:
        return text
    named = " or ".join(f"`poems {command} {folder} …`" for command in commands)
    return f"{text}, or compute them from the run and the data with {named}"


def all_additions(
    model: FittedPoems,
    cohort: MultiOmics,
    subtypes: Subtypes,
    *,
    analysis: bool = True,
    figures: bool = True,
    seed: int = 0,
) -> tuple[Addition, ...]:
    """Return everything that a run has beside its model and tables.

    Parameters
    ----------
    model, cohort, subtypes
        What the run is of.
    analysis, figures
        With the tables of ``RUN/analysis/``, and with the pictures.
    seed
        Of everything random.
    """
    return (
        Addition("what assigns new samples to the subtypes", partial(_assigner, model, subtypes)),
        Addition(
            "whether subtypes follow missing views or batches",
            partial(_patterns, model, cohort, subtypes),
        ),
        *(_analyses(model, cohort, subtypes, seed) if analysis else ()),
        Addition(
            "pca.csv, the baseline that poems evaluate shows",
            partial(_baseline, model, cohort),
        ),
        *(_pictures(model, subtypes) if figures else ()),
    )


def _nothing(_: Path) -> None:
    """Write nothing: there is something to say alone."""


def _assigner(model: FittedPoems, subtypes: Subtypes) -> _Made:
    learnt = subtypes.assigner(model)

    def write(folder: Path) -> None:
        save_subtype_model(learnt, folder / f"{MODEL_STEM}.json")

    return learnt.findings, write


def _patterns(model: FittedPoems, cohort: MultiOmics, subtypes: Subtypes) -> _Made:
    own = subtypes.assignment
    # Where some are patterns themselves their own finding tells, and says more.
    follow = () if subtypes.patterns else pattern_findings(own, model.gates)
    return (*follow, *batch_subtypes(own, cohort.obs)), _nothing


def _analyses(
    model: FittedPoems, cohort: MultiOmics, subtypes: Subtypes, seed: int
) -> Iterator[Addition]:
    samples = samples_of_fit(model, cohort)

    def make(title: str) -> _Made:
        made = analyse_part(title, model, cohort, subtypes, seed=seed, samples=samples)

        def write(folder: Path) -> None:
            write_tables(folder, made.tables)

        return made.findings, write

    for title, command in PARTS.items():
        yield Addition(title, partial(make, title), command)


def _baseline(model: FittedPoems, cohort: MultiOmics) -> _Made:
    """Compute the baseline, on the same scale as the model's where that is not linear."""
    from poems.evaluation.baselines import pca_embedding

    if isinstance(cohort, BackedCohort):
        text = (
            "pca.csv, the baseline that poems evaluate shows, was left out: it takes all values in "
            "memory"
        )
        return (Finding("note", "pca-left-out", text),), _nothing
    logged = {
        name: replace(view, values=np.log1p(view.values))
        for name, view in cohort.views.items()
        if name in model.settings.preprocessing.log1p or _is_of_counts(model, name)
    }
    found: pd.DataFrame = pca_embedding(replace(cohort, views={**cohort.views, **logged}))

    def write(folder: Path) -> None:
        write_csv(folder / "pca.csv", found.rename_axis("sample"))

    return (), write


def _is_of_counts(model: FittedPoems, view: str) -> bool:
    scaling = model.preprocessing.views.get(view)
    return scaling is not None and scaling.own is not None and scaling.own.kind == "counts"


def _pictures(model: FittedPoems, subtypes: Subtypes) -> Iterator[Addition]:
    from poems.plots.saving import save_figure

    def make(name: str) -> _Made:
        figure = run_figures(model, subtypes)[name]()

        def write(folder: Path) -> None:
            save_figure(figure, folder / "figures" / name)

        return (), write

    for name in run_figures(model, subtypes):
        yield Addition(f"figures/{name}.png", partial(make, name))
