"""`poems fit` and `poems report` beside another version of POEMS: processor seconds, page's size.

    python benchmarks/speed/commands.py OTHER_SRC COHORT_DIR ... [--rounds 3] [--warm] [--out speed]

The other version is a folder with its package: what `git archive VERSION src | tar -x -C DIR`
leaves in DIR/src. A cohort is a folder with a table a view, *.csv.gz, and obs.csv. Everything is
what a user runs, start-up included, with defaults and one thread; the two versions alternate, and
the table holds medians over rounds. Processor time, that of the program and of the system for it,
is what a shared machine lengthens least. Before the first round each version fits once, so that
what is compiled on first use is on disk; --warm says that it is.

The tables of both runs are compared: the largest difference of a number, as a share of the largest
of its column, and how many columns differ in anything else.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import pandas as pd

from measuring import parser, show

OWN = Path(__file__).parents[2] / "src"
VERSIONS = ("before", "now")


def seconds(source: Path, *arguments: str | Path) -> float:
    """Run a command with the package in ``source``; return its processor time."""
    environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    # Who installs a package has it compiled once; without this each start would compile it again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "poems", *map(str, arguments), "--quiet"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(cohort: Path, run: Path) -> dict[str, list[str | Path]]:
    """Return what is timed, by name."""
    tables = sorted(cohort.glob("*.csv.gz"))
    views = [f"--view={table.name.removesuffix('.csv.gz')}={table}" for table in tables]
    fit = ["fit", *views, "--obs", cohort / "obs.csv", "--out", run, "--overwrite"]
    return {"fit": fit, "report": ["report", run]}


def difference(one: Path, other: Path) -> tuple[float, int]:
    """Compare the tables of two runs: numbers relatively, and columns that differ otherwise."""
    furthest, others = 0.0, 0
    for path in sorted(one.rglob("*.csv")):
        left, right = (pd.read_csv(root / path.relative_to(one)) for root in (one, other))
        if list(left.columns) != list(right.columns) or len(left) != len(right):
            others += 1
            continue
        for name in left.columns:
            a, b = left[name], right[name]
            if a.dtype.kind != "f" or b.dtype.kind not in "fi" or not a.isna().equals(b.isna()):
                others += not a.equals(b)
                continue
            largest = float(a.abs().max()) if a.notna().any() else 0.0
            if largest > 0:
                furthest = max(furthest, float((a - b).abs().max()) / largest)
    return furthest, others


def row(cohort: Path, sources: dict[str, Path], rounds: range, folder: Path) -> dict[str, float]:
    """Time both versions on a cohort; return the cells of its row."""
    runs = {name: folder / name / cohort.name for name in sources}
    times: dict[tuple[str, str], list[float]] = {}
    for round_ in rounds:
        for name, source in sources.items():
            runs[name].parent.mkdir(exist_ok=True)
            for what, arguments in commands(cohort, runs[name]).items():
                taken = seconds(source, *arguments)
                print(cohort.name, name, what, f"{taken:.2f} s", flush=True)
                if round_ >= 0:
                    times.setdefault((what, name), []).append(taken)
    cells: dict[str, float] = {}
    for what in ("fit", "report"):
        before, now = (median(times[what, name]) for name in VERSIONS)
        cells |= {f"{what} before": before, f"{what} now": now, f"{what} ratio": now / before}
    sizes = [(runs[name] / "report.html").stat().st_size / 1e6 for name in VERSIONS]
    furthest, others = difference(*(runs[name] for name in VERSIONS))
    return cells | {
        "MB before": sizes[0],
        "MB now": sizes[1],
        "numbers differ by 1e-9": furthest / 1e-9,
        "other columns that differ": others,
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("other", type=Path, metavar="OTHER_SRC")
    arguments.add_argument("cohorts", type=Path, nargs="+", metavar="COHORT_DIR")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--warm", action="store_true", help="leave out the first round")
    args = arguments.parse_args()
    sources = {"before": args.other.resolve(), "now": OWN}
    with tempfile.TemporaryDirectory() as folder:
        rows = {
            cohort.name: row(
                cohort.resolve(), sources, range(0 if args.warm else -1, args.rounds), Path(folder)
            )
            for cohort in args.cohorts
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    told = f"processor seconds, medians of {args.rounds} rounds, one thread"
    show(table, f"Two versions of the commands, {told}", args.out, "commands")


if __name__ == "__main__":
    main()
