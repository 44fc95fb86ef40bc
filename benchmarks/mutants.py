"""Faults put into the code one at a time, and whether the tests notice.

    python benchmarks/mutants.py [--part 1/4] [--only networks] [--again] [--out mutants.csv]

Each place of mutants.toml is changed in a copy of the source, and the tests that are named for it
run, with the examples of the changed module. "caught": one of them failed. "survived": all passed,
so that the fault would have gone unnoticed. "slow": they took longer than 300 s. Before, all these
tests have to pass without a change; --unchanged runs them so.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_SECONDS, _NOT_RUN = 300, 9
# Imported once, before the forks; nothing of POEMS, whose code is another each time.
_LIBRARIES = (
    "torch", "pandas", "scipy.stats", "sklearn.cluster", "sklearn.metrics", "numba", "lifelines",
    "pyarrow.parquet", "anndata", "pydantic", "matplotlib.pyplot", "networkx",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """What is changed in a file, and the tests of it, below ``tests``."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def places() -> list[Place]:
    """Read mutants.toml; every ``old`` has to stand in its file."""
    listed = tomllib.loads((ROOT / "benchmarks" / "mutants.toml").read_text("utf-8"))["place"]
    found = [Place(**{**each, "tests": tuple(each["tests"])}) for each in listed]
    gone = [each for each in found if each.old not in source(ROOT, each).read_text("utf-8")]
    if gone:
        raise SystemExit("\n".join(f"not in {each.file} any more: {each.old}" for each in gone))
    return found


def results(path: Path) -> dict[tuple[str, str], str]:
    """Return the last result of each place in a file that was written before."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {(row[0], row[1]): row[3] for row in csv.reader(file)}


def source(root: Path, place: Place) -> Path:
    return root / "src" / "poems" / place.file


def tried(place: Place, copy: Path) -> str:
    """Change a place in the copy, run its tests, and put it back."""
    path = source(copy, place)
    text = path.read_text("utf-8")
    path.write_text(text.replace(place.old, place.new, 1), "utf-8")
    try:
        return run([*(f"tests/{each}" for each in place.tests), str(path)], copy)
    finally:
        path.write_text(text, "utf-8")


def run(tests: list[str], copy: Path) -> str:
    """Run tests in a fork of this process, which has imported what takes long already."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if not child:
            _as_pytest(tests, copy, said.fileno())
        end = time.monotonic() + _SECONDS
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return "slow"
            time.sleep(0.1)
        code = os.waitstatus_to_exitcode(ended[1])
        if code not in (0, 1):
            said.seek(0)
            raise SystemExit(said.read().decode(errors="replace")[-3000:])
    return "caught" if code else "survived"


def _as_pytest(tests: list[str], copy: Path, said: int) -> None:
    """Become pytest, and end with its exit code."""
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(copy)
    os.environ["PYTHONPATH"] = str(copy / "src")
    sys.path.insert(0, str(copy / "src"))
    try:
        options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
        # Of the libraries that are imported already; their own asserts are of no interest.
        options += ["-W", "ignore:Module already imported so cannot be rewritten"]
        code = int(pytest.main([*options, *tests]))
    except BaseException:  # what is left of this process must not go on as its parent
        traceback.print_exc()
        code = _NOT_RUN
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", default="1/1", help="which of how many parts of the list")
    parser.add_argument("--only", default="", help="places in files with this in their name")
    parser.add_argument("--again", action="store_true", help="those that survived in --out")
    parser.add_argument("--unchanged", action="store_true", help="run the tests of all as they are")
    parser.add_argument("--out", type=Path, default=Path("mutants.csv"))
    given = parser.parse_args()
    part, parts = map(int, given.part.split("/"))
    chosen = [each for each in places() if given.only in each.file][part - 1 :: parts]
    known = results(given.out)
    wanted = "survived" if given.again else None  # else where it stopped, it goes on
    chosen = [each for each in chosen if known.get((each.file, each.old)) == wanted]
    sys.dont_write_bytecode = True
    for library in _LIBRARIES:
        import_module(library)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("src", "tests", "benchmarks"):
            shutil.copytree(ROOT / name, copy / name)
        for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
            shutil.copy(ROOT / name, copy)
        if given.unchanged:
            tests = sorted({f"tests/{test}" for each in chosen for test in each.tests})
            print("without a change:", run(tests, copy))
            return
        with given.out.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            for each in chosen:
                start = time.monotonic()
                result = tried(each, copy)
                seconds = time.monotonic() - start
                writer.writerow([each.file, each.old, each.new, result, f"{seconds:.0f}"])
                file.flush()
                print(
                    f"{result:9}{seconds:5.0f} s  {each.file}: {each.old} -> {each.new}", flush=True
                )


if __name__ == "__main__":
    main()
