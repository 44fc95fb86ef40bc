"""How soon commands answer: each for a path that is not there, its help, and `info` on a run.

    python benchmarks/speed/answers.py

Every figure is the median of several child processes, in seconds of processor time
(user and system), which other work on the machine hardly changes. Which POEMS is timed
is decided by PYTHONPATH.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

# Each command with a path that is not there in its first place.
WRONG = {
    "demo": ["demo", "--out", "file.txt/run"],
    "simulate": ["simulate", "--out", "file.txt/sim"],
    "check": ["check", "nope.csv"],
    "fit": ["fit", "nope.csv", "--out", "o"],
    "transform": ["transform", "nope", "a.csv", "--out", "o"],
    "evaluate": ["evaluate", "nope", "--labels", "x"],
    "diagnose": ["diagnose", "nope"],
    "info": ["info", "nope"],
    "factors": ["factors", "nope"],
    "subtypes": ["subtypes", "nope"],
    "contributions": ["contributions", "nope", "a.csv"],
    "associations": ["associations", "nope", "a.csv"],
    "survival": ["survival", "nope", "--time", "t", "--event", "e"],
    "genesets": ["genesets", "nope", "--gmt", "a.gmt"],
    "stability": ["stability", "nope.csv", "--out", "o"],
    "report": ["report", "nope"],
    "export": ["export", "nope", "--to", "csv", "--out", "o"],
}
# Other things that are wrong with arguments that are read off a run or a table.
OTHERS = {
    "fit, absent --obs": ["fit", "a.csv", "--obs", "nope.csv", "--out", "o"],
    "fit, folder in use": ["fit", "a.csv", "--out", "run"],
    "evaluate, absent column": ["evaluate", "run", "--labels", "nope"],
    "survival, absent column": ["survival", "run", "--time", "nope", "--event", "nope"],
    "report, absent column": ["report", "run", "--labels", "nope"],
    "transform, absent table": ["transform", "run", "nope.csv", "--out", "o"],
    "subtypes, absent --stability": ["subtypes", "run", "--stability", "nope"],
}
GOOD = {
    "info RUN": ["info", "run"],
    "info MODEL": ["info", "run/model.poems"],
    "--help": ["--help"],
    "--version": ["--version"],
    "nonsense": ["nonsense"],
}


def seconds(arguments: list[str], cwd: Path, repeats: int) -> float:
    """Return the median processor time of the command line."""
    taken = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "poems", *arguments],
            cwd=cwd,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(taken)


def prepare(folder: Path) -> None:
    """Write a table, a run, and a file where a folder is asked for."""
    options = ["--n-samples", "60", "--n-features", "40", "--n-views", "2"]
    run(folder, "simulate", "--out", "sim", *options)
    tables = ["sim/view1.csv.gz", "sim/view2.csv.gz", "--obs", "sim/obs.csv"]
    run(folder, "fit", *tables, "--out", "run", "--epochs", "15", "-q", "--no-analysis")
    (folder / "a.csv").write_text("sample,g1,g2\ns1,1.5,2\ns2,2.5,1\n")
    (folder / "a.gmt").write_text("set\tabout\tg1\tg2\n")
    (folder / "file.txt").write_text("")


def run(folder: Path, *arguments: str) -> None:
    """Run a command that has to work."""
    command = [sys.executable, "-m", "poems", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        print(f"{'command':30} {'wrong path':>10} {'--help':>8}")
        for command, arguments in WRONG.items():
            wrong, helped = (
                seconds(each, folder, repeats) for each in (arguments, [command, "--help"])
            )
            print(f"{command:30} {wrong:10.2f} {helped:8.2f}", flush=True)
        for title, arguments in (OTHERS | GOOD).items():
            print(f"{title:30} {seconds(arguments, folder, repeats):10.2f}", flush=True)


if __name__ == "__main__":
    main()
