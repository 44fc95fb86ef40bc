"""Results that were there, while what is to replace them is killed, doubled or out of space.

    python benchmarks/kills.py [--fits 100] [--others 8] [--only report ...] [--pairs 20]
                               [--sizes 20] [--out kills.csv]

A small simulated cohort is fitted twice, and every writing command is run of both fits: what comes
of the first is there, and what comes of the second is written over it, with --overwrite, in a
process that is ended by SIGKILL before a random one of its operations on files (open to write,
rename, remove, make or remove a folder). What takes long and writes nothing is computed once,
before; commands that write as they compute are run as a whole. After that the result is read as any
reader does. It is "old" or "new" if all files are there and whole by their checksums and every one
is of this result; a fit may have its analyses missing, if it says so. Anything else is "lost". A
file of the user's own lies in each folder, and has to stay.

"two writers": two fits begin to write into one folder at the same time; one has to be refused.
"full disk": the same as the kills on a disk of a random size, which takes leave to mount a tmpfs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

import poems
import poems.cli.commands.stability
import poems.cli.driver
from poems.cli import main as run_poems
from poems.cli.result import CommandResult, OutputFolder
from poems.cli.writing import write_result
from poems.errors import PoemsError
from poems.files.markers import Kind
from poems.files.output_folder import claimed_folder, release_folders
from poems.files.placing import read_manifest
from poems.runs.additions import add_to_run, all_additions
from poems.runs.inputs import record_inputs
from poems.runs.writing import write_core
from what_is_left import NOTE, left, left_of_fit

Rows = Iterator[tuple[str, str, str, str]]
Writer = Callable[[Path], object]
FIT = ["--epochs", "6", "--n-latent", "3", "--n-subtypes", "2", "--quiet"]
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")


@dataclass(frozen=True)
class Command:
    """A writing command: its arguments of a run, and what it writes.

    ``whole``: it writes as it computes, so that it is run as a whole.
    """

    name: str
    arguments: Callable[[Path], list[object]]
    kind: Kind | None
    suffix: str = ""
    in_place: bool = False
    whole: bool = False


def commands(data: Path) -> list[Command]:
    """Return the writing commands."""
    views = [data / "view1.csv.gz", data / "view2.csv.gz"]
    sets = data / "sets.gmt"
    survival = ["--time", "time", "--event", "event", "--repeats", "0"]
    return [
        Command(
            "simulate", lambda run: ["--seed", run.name[-1], *_SIZES], "simulation", whole=True
        ),
        Command("transform", lambda run: [run, *views], "projection"),
        Command("factors", lambda run: [run, *views], "factor-table"),
        Command("subtypes", lambda run: [run], "subtype-table"),
        Command("contributions", lambda run: [run, *views], "contribution-table"),
        Command("associations", lambda run: [run, "--n-permutations", "9"], "association-table"),
        Command("survival", lambda run: [run, *survival], "survival"),
        Command("genesets", lambda run: [run, "--gmt", sets], "gene-sets"),
        Command("stability", lambda run: [*views, "--seed", run.name[-1], *_REFITS], "stability"),
        Command(
            "report",
            lambda run: [run, "--title", run.name, "--quiet"],
            "run",
            in_place=True,
            whole=True,
        ),
        Command("export csv", lambda run: [run, "--to", "csv"], "export", whole=True),
        Command("export xlsx", lambda run: [run, "--to", "xlsx"], None, ".xlsx", whole=True),
        Command("export h5mu", lambda run: [run, "--to", "h5mu"], None, ".h5mu", whole=True),
    ]


_SIZES = ["--n-samples", "30", "--n-features", "12", "--n-views", "2", "--n-factors", "3"]
_REFITS = ["--n-runs", "2", "--n-permutations", "0", *FIT]


def main() -> None:
    """Kill, and print what was left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=100, help="kills of fits")
    parser.add_argument("--others", type=int, default=8, help="kills of each other command")
    parser.add_argument("--only", nargs="+", help="the first words of those other commands")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of writers")
    parser.add_argument("--sizes", type=int, default=20, help="disks that are too small, or not")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("kills.csv"))
    given = parser.parse_args()
    random.seed(given.seed)
    rows: list[tuple[str, str, str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        data = prepare(work)
        others = [
            each for each in commands(data) if not given.only or each.name.split()[0] in given.only
        ]
        fits = [fit_writer(data, seed) for seed in (0, 1)]
        for seed, writer in enumerate(fits):
            writer(work / f"run{seed}")
        for found in (
            kills_of_fits(fits[1], work, given.fits),
            two_writers(fits, work, given.pairs),
            full_disks(fits[1], work, given.sizes),
            *(kills_of(each, work, given.others) for each in others),
        ):
            rows += found
            table = pd.DataFrame(rows, columns=["command", "fault", "moment", "left"])
            table.to_csv(given.out, index=False)
    left_of = table.groupby(["command", "fault"], sort=False)["left"]
    print(left_of.value_counts().unstack(fill_value=0).to_string())


def prepare(work: Path) -> Path:
    """Simulate a cohort and fit it with two seeds: ``run0`` and ``run1``."""
    data = work / "data"
    sizes = ["--n-samples", 40, "--n-features", 16, "--n-factors", 2, "--n-subtypes", 2]
    done(begun(run("simulate", "--out", data, "--n-views", 2, *sizes)))
    obs = pd.read_csv(data / "obs.csv", index_col=0)
    obs["time"] = [1.0 + at % 7 for at in range(len(obs))]
    obs["event"] = [at % 2 for at in range(len(obs))]
    obs.to_csv(data / "clinical.csv")
    names = [f"view{v}_{at:04d}" for v in (1, 2) for at in range(1, 9)]
    (data / "sets.gmt").write_text("\t".join(["a set", "", *names]) + "\n")
    return data


def fit_writer(data: Path, seed: int) -> Writer:
    """Fit, compute everything that a run has, and return what writes it."""
    views = {name: data / f"{name}.csv.gz" for name in ("view1", "view2")}
    cohort = poems.read(views, obs=data / "clinical.csv")
    model = poems.fit(cohort, seed=seed, epochs=6, n_latent=3, progress=False)
    subtypes = poems.find_subtypes(model, 2)
    additions = []
    for each in all_additions(model, cohort, subtypes, figures=False):
        with contextlib.suppress(PoemsError):
            made = each.make()
            additions.append(replace(each, make=lambda made=made: made))
    inputs = record_inputs(views, None, data.parent / "run", {"features_in_rows": False})

    def write(folder: Path) -> None:
        with claimed_folder(folder, "run", overwrite=True):
            about = {"inputs": inputs.record()}
            write_core(folder, model, cohort, subtypes, missing=additions, about=about)
            add_to_run(folder, additions, (*model.findings, *subtypes.findings))

    return write


def computed(verb: str, arguments: list[object]) -> Writer:
    """Run a command but for its writing, and return what does that."""
    caught: list[CommandResult | tuple[object, ...]] = []
    drive, stable = poems.cli.driver._write, poems.cli.commands.stability._write
    poems.cli.driver._write = lambda result: caught.append(result) or []
    poems.cli.commands.stability._write = lambda _, *given: caught.append(given)
    try:
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
            run_poems([verb, *map(str, arguments)])
    finally:
        poems.cli.driver._write, poems.cli.commands.stability._write = drive, stable
        release_folders()
    first = caught[0]
    if isinstance(first, tuple):
        return lambda folder: stable(folder, *first)
    drawn = {name: partial(_as_is, draw()) for name, draw in first.figures.items()}

    def write(folder: Path) -> None:
        assert first.folder is not None
        with claimed_folder(folder, first.folder.kind, overwrite=True):
            into = OutputFolder(folder, first.folder.kind)
            write_result(replace(first, figures=drawn), into)

    return write


def _as_is(drawn: object) -> object:
    return drawn


def begun(work: Callable[[], object], watch: Callable[[], None] = lambda: None) -> int:
    """Begin work in a process of its own, a copy of this one; return its number."""
    process = os.fork()
    if process:
        return process
    code = 70
    with contextlib.suppress(BaseException):
        # Nothing of this process may go on in the copy, whatever happens in it.
        sys.stdout = sys.stderr = io.StringIO()
        watch()
        try:
            work()
            code = 0
        except (PoemsError, OSError):
            code = 1
        except SystemExit as stop:
            code = int(stop.code or 0)
    os._exit(code)


def run(*arguments: object) -> Callable[[], None]:
    """Return what runs a command."""
    return lambda: run_poems([str(each) for each in arguments])


def done(process: int) -> int:
    """Wait for a process; return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def counting(folder: Path, last: int | None, into: Path | None) -> Callable[[], None]:
    """Return what counts operations on files of a result, and ends the process at one."""

    # A file is written under a name that ends in its own.
    below = folder.name if folder.suffix else str(folder)

    def watch() -> None:
        count = 0

        def see(event: str, given: tuple[object, ...]) -> None:
            nonlocal count
            writes = event == "open" and isinstance(given[2], int) and given[2] & 3
            if not (writes or event in CHANGES) or below not in str(given[0]):
                return
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
            if into is not None:
                os.write(handle, b".")

        handle = -1 if into is None else os.open(into, os.O_WRONLY | os.O_CREAT)
        sys.addaudithook(see)

    return watch


def killed(
    work: Callable[[], object], lay: Callable[[], None], victim: Path, n: int
) -> Iterator[str]:
    """End work before random operations, each time over what was laid; yield which."""
    if not n:
        return
    log = victim.parent / "operations"
    log.unlink(missing_ok=True)
    lay()
    if done(begun(work, counting(victim, None, log))):
        raise SystemExit(f"what should replace {victim.name} failed")
    n_operations = log.stat().st_size
    for _ in range(n):
        k = random.randint(1, n_operations)
        lay()
        done(begun(work, counting(victim, k, None)))
        yield f"operation {k} of {n_operations}"


def kills_of_fits(writer: Writer, work: Path, n: int) -> Rows:
    """Kill fits over an earlier run."""
    victim = work / "victim"
    old, new = (read_manifest(work / f"run{seed}") or {} for seed in (0, 1))
    lay = lambda: laid(work / "run0", victim)  # noqa: E731
    for moment in killed(lambda: writer(victim), lay, victim, n):
        yield "fit", "kill", moment, left_of_fit(victim, old, new)


def kills_of(command: Command, work: Path, n: int) -> Rows:
    """Kill another command over an earlier result of its own."""
    verb, *to = command.name.split()
    victim = work / f"victim{command.suffix}"
    made = [work / f"{verb}{''.join(to)}{seed}{command.suffix}" for seed in (0, 1)]

    def writer(seed: int) -> Writer:
        given = command.arguments(work / f"run{seed}")
        if command.in_place:
            return lambda place: run(verb, place, *given[1:])()
        if command.whole:
            return lambda place: run(verb, *given, "--out", place, "--overwrite")()
        return computed(verb, [*given, "--out", work / "computed"])

    writers = [writer(seed) for seed in (0, 1)]
    for place, write in zip(made, writers, strict=True):
        if command.in_place:
            shutil.copytree(work / "run0", place)
        if done(begun(lambda write=write, place=place: write(place))):
            raise SystemExit(f"{command.name} failed")
    lay = lambda: laid(made[0], victim)  # noqa: E731
    for moment in killed(lambda: writers[1](victim), lay, victim, n):
        yield command.name, "kill", moment, left(victim, command.kind, *made)
    for place in (*made, victim):
        shutil.rmtree(place) if place.is_dir() else place.unlink()


def laid(source: Path, folder: Path) -> None:
    """Put a result in a place, with a file of the user's own beside it."""
    if source.is_file():
        for stale in folder.parent.glob(f".poems-*{folder.name}"):
            stale.unlink()
        shutil.copy2(source, folder)
        return
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    (folder / NOTE).write_text("mine")


def two_writers(fits: list[Writer], work: Path, n: int) -> Rows:
    """Let two fits begin to write into one folder at the same time."""
    folder = work / "shared"
    manifests = [read_manifest(work / f"run{seed}") or {} for seed in (0, 1)]
    for at in range(n):
        shutil.rmtree(folder, ignore_errors=True)
        both = [begun(lambda write=write: write(folder)) for write in fits]
        codes = [done(process) for process in both]
        (folder / NOTE).write_text("mine")
        found = left_of_fit(folder, *manifests)
        # On a busy machine one may have come to its end before the other begins.
        one = sorted(codes) == [0, 1] and found in ("old", "new")
        yield "fit", "two writers", str(at), "one refused" if one else f"lost: {codes}, {found}"


def full_disks(writer: Writer, work: Path, n: int) -> Rows:
    """Write over an earlier run on small disks."""
    disk = work / "disk"
    disk.mkdir()
    old, new = (read_manifest(work / f"run{seed}") or {} for seed in (0, 1))
    files = [path.stat().st_size for path in (work / "run0").rglob("*") if path.is_file()]
    # In pages of 4 kB, with some for the folders.
    size = sum(-(-each // 4096) for each in files) * 4 + 60
    for _ in range(n):
        room = random.randint(size, size * 5 // 2)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={room}k", "tmpfs", str(disk)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            print("no leave to mount a small disk: left out")
            return
        try:
            laid(work / "run0", disk / "run")
            code = done(begun(lambda: writer(disk / "run")))
            found = left_of_fit(disk / "run", old, new)
            yield "fit", "full disk", f"{room} kB, exit {code}", found
        finally:
            subprocess.run(["umount", str(disk)], check=True)


if __name__ == "__main__":
    main()
