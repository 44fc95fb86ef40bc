"""The folder of a benchmark: units, and what is written of them at the end.

units/COHORT/METHOD-seedN-….json   one finished or failed unit
results.csv                        a row per unit and label column
summary.md, summary.png            means, ranks, differences, times
benchmark.json                     what makes the folder one of ours
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from poems.errors import SettingsError
from poems.files.atomic import write_text
from poems.files.csv_tables import write_csv
from poems.files.markers import write_marker
from poems.files.output_folder import added_to_folder, claimed_folder
from poems.findings import name_some
from poems_benchmark.cohorts import CohortSpec
from poems_benchmark.methods.interface import Method
from poems_benchmark.methods.registry import METHODS, TOOLS
from poems_benchmark.running.runner import Finished, run_units
from poems_benchmark.running.units import Unit, plan_units, read_record
from poems_benchmark.scores.report import markdown_report
from poems_benchmark.scores.summary import METRICS, RANKED, mean_ranks, results_table, spread

REFERENCE = "poems"
HELD_TO_BEST_OF = ("pca", "snf", "mofa")


@dataclass(frozen=True, eq=False)
class BenchmarkResult:
    """What came of a benchmark.

    Parameters
    ----------
    table
        One row per unit and label column, of all finished units of the folder
        that belong to its cohorts and to methods as they are now.
    computed
        Units computed in this call, failed ones among them.
    n_reused
        Units that had a result already.
    failures
        Units that failed, to the line that says why.
    """

    table: pd.DataFrame
    computed: tuple[Finished, ...]
    n_reused: int
    failures: Mapping[str, str]


def run_benchmark(
    cohorts: Sequence[CohortSpec],
    methods: Mapping[str, Method],
    out: str | Path,
    *,
    n_seeds: int = 5,
    jobs: int = 1,
    quick: bool = False,
    choose_among: Sequence[str] = (),
    started: Callable[[int, int], None] = lambda n_units, n_reused: None,
    report: Callable[[Finished], None] = lambda finished: None,
) -> BenchmarkResult:
    """Run methods on cohorts over seeds, and write the results and their summary.

    What was computed before, by the same methods with the same settings and
    code on the same data, is not computed again; results in the folder of
    methods that are not among ``methods`` are in the summary as well.

    Parameters
    ----------
    cohorts
        The cohorts.
    methods
        Short name to method.
    out
        Folder to write to: a new or empty one, or that of an earlier benchmark.
    n_seeds
        Seeds 0, 1, … of each method that is not deterministic.
    jobs
        Processes, of one thread each.
    quick
        Whether the methods are quick ones, so that stored results of others
        of that kind are looked for.
    choose_among
        Methods to choose among by leaving one cohort out.
    started
        Told how many units there are, and how many have a result.
    report
        Called after each computed unit.

    Raises
    ------
    SettingsError
        If the folder holds something else, a method's distribution is not
        installed, or a number is out of range.
    ReadError
        If a cohort's tables are not there.
    """
    for name, value in (("seeds", n_seeds), ("jobs", jobs)):
        if value < 1:
            raise SettingsError(f"{name} must be at least 1, not {value}")
    known = _registered(quick=quick) | dict(methods)
    unknown = [name for name in choose_among if name not in known]
    if unknown:
        raise SettingsError(
            f"cannot choose among {name_some(unknown)}: no such method; a variant has to be given "
            f"with its settings, also where its results are there already. There are "
            f"{', '.join(known)}"
        )
    units = plan_units(cohorts, methods, n_seeds)
    for unit in units:
        _ = unit.settings  # what is not installed is told before anything is computed
    with claimed_folder(out, "benchmark", overwrite=True) as folder:
        n_reused = sum(read_record(unit, folder) is not None for unit in units)
        started(len(units), n_reused)
        computed = run_units(units, folder, jobs=jobs, report=report)
        failures = {
            f"{each.unit.method.name} on {each.unit.cohort.name}, seed {each.unit.seed}": each.error
            for each in computed
            if each.error is not None
        }
        table = results_table(_stored(folder, cohorts, known))
        with added_to_folder(folder, remove=("summary.*",)) as fresh:
            _write(fresh, table, cohorts, choose_among, failures)
            write_marker(fresh, "benchmark", {"cohorts": [each.name for each in cohorts]})
    return BenchmarkResult(table, tuple(computed), n_reused, failures)


def _registered(*, quick: bool) -> dict[str, Method]:
    """Return all methods but those of other packages that cannot be loaded."""
    known = {}
    for key, make in METHODS.items():
        try:
            known[key] = make(quick=quick)
        except SettingsError:
            continue  # its stored results cannot be told from those of other code
    return known


def _stored(
    folder: Path, cohorts: Sequence[CohortSpec], methods: Mapping[str, Method]
) -> list[dict[str, Any]]:
    """Read the finished units of the cohorts, of any seed, by methods as they are now."""
    records = []
    for unit in _sample_units(cohorts, methods):
        pattern = unit.path(folder).name.replace("-seed0-", "-seed[0-9]*-", 1)
        for path in unit.path(folder).parent.glob(pattern):
            seed = int(path.name.removeprefix(f"{unit.key}-seed").partition("-")[0])
            own = Unit(unit.key, unit.method, unit.cohort, seed, unit.data)
            record = read_record(own, folder)
            if record is not None:
                records.append(record)
    order = {key: at for at, key in enumerate(methods)}
    names = {cohort.name: at for at, cohort in enumerate(cohorts)}
    return sorted(records, key=lambda r: (names[r["cohort"]], order[r["method"]], r["seed"]))


def _sample_units(cohorts: Sequence[CohortSpec], methods: Mapping[str, Method]) -> list[Unit]:
    """Return a unit of each cohort and method, of methods that are installed."""
    installed = {}
    for key, method in methods.items():
        try:
            _ = Unit(key, method, cohorts[0], 0, "").versions
        except SettingsError:
            continue  # whether a stored result is by the same version cannot be told
        installed[key] = method
    return plan_units(cohorts, installed, 1)


def _write(
    folder: Path,
    table: pd.DataFrame,
    cohorts: Sequence[CohortSpec],
    choose_among: Sequence[str],
    failures: Mapping[str, str],
) -> None:
    write_csv(folder / "results.csv", table, index=False)
    if table.empty:
        return
    text = markdown_report(
        table,
        tools=tuple(TOOLS),
        reference=REFERENCE,
        held_to_best_of=HELD_TO_BEST_OF,
        choose_among=choose_among,
        studies={cohort.name: cohort.source for cohort in cohorts},
        notes={cohort.name: cohort.note for cohort in cohorts},
        failures=failures,
    )
    write_text(folder / "summary.md", text)
    _draw(folder / "summary.png", table)


def _draw(path: Path, table: pd.DataFrame) -> None:
    from poems.plots.saving import save_figure
    from poems_benchmark.scores.plots import benchmark_figure

    present = set(table["method"])
    tools = [method for method in TOOLS if method in present] or list(dict.fromkeys(table.method))
    found = {metric: spread(table, metric, tools) for metric in METRICS}
    ranks, counts = mean_ranks(table, tools)
    ranks = ranks[[metric for metric in RANKED if counts[metric]]]
    axes = benchmark_figure(
        {metric: (each.mean, each.sd) for metric, each in found.items()},
        ranks if len(tools) > 1 and ranks.shape[1] else pd.DataFrame(),
        names=dict(zip(table["method"], table["name"], strict=True)),
        metrics=METRICS,
    )
    save_figure(axes, path.with_suffix(""))
