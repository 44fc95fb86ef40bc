"""Results that were there, while what is to replace them is killed, doubled or out of space.

    python benchmarks/kills.py [--fits 60] [--others 10] [--pairs 20] [--sizes 20] [--out kills.csv]

A small simulated cohort is fitted twice, and every writing command is run of both fits: what comes
of the first is there, and the command is run of the second with --overwrite, in a process that is
ended by SIGKILL at a random moment: half of them before a random one of the operations on files
(open to write, rename, remove, make or remove a folder), half at a random time. After that the
result is read as any reader does. It is "old" or "new" if all files are there and whole by their
checksums and every one is of this result; a fit may have its analyses missing, if it says so.
Anything else is "lost". A file of the user's own lies in each folder, and has to stay.

"two writers": two fits into one folder begin at the same time; one has to be refused. "full disk":
the same as the kills on a disk of a random size, which takes leave to mount a tmpfs.
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
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import poems.runs.fitting  # so that forked processes have it
from poems.cli import main as run_poems
from poems.data.mudata_io import read_h5mu
from poems.errors import PoemsError
from poems.files.output_folder import Kind, read_marker
from poems.files.placing import MANIFEST, read_manifest
from poems.runs.folder import read_run

# Without subtypes to find, which takes most of the time and writes nothing.
FIT = ["--epochs", "6", "--n-latent", "3", "--n-subtypes", "2", "--quiet"]
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")
NOTE = "mine.txt"


@dataclass(frozen=True)
class Command:
    """A writing command: its arguments of a run, and what it writes."""

    name: str
    arguments: Callable[[Path], list[object]]
    kind: Kind | None
    suffix: str = ""
    in_place: bool = False


def commands(data: Path) -> list[Command]:
    """Return the writing commands."""
    views = [data / "view1.csv.gz", data / "view2.csv.gz"]
    sets = data / "sets.gmt"
    survival = ["--time", "time", "--event", "event", "--repeats", "0"]
    obs = ["--obs", data / "clinical.csv"]
    return [
        Command("simulate", lambda run: ["--seed", run.name[-1], *_SIZES], "simulation"),
        Command("transform", lambda run: [run, *views], "projection"),
        Command("factors", lambda run: [run, *views], "factor-table"),
        Command("subtypes", lambda run: [run], "subtype-table"),
        Command("contributions", lambda run: [run, *views], "contribution-table"),
        Command("associations", lambda run: [run, "--n-permutations", "9"], "association-table"),
        Command("survival", lambda run: [run, *survival, *obs], "survival"),
        Command("genesets", lambda run: [run, "--gmt", sets], "gene-sets"),
        Command("stability", lambda run: [*views, "--seed", run.name[-1], *_REFITS], "stability"),
        Command("report", lambda run: [run, "--title", run.name, "--quiet"], "run", in_place=True),
        Command("export csv", lambda run: [run, "--to", "csv"], "export"),
        Command("export xlsx", lambda run: [run, "--to", "xlsx"], None, ".xlsx"),
        Command("export h5mu", lambda run: [run, "--to", "h5mu"], None, ".h5mu"),
    ]


_SIZES = ["--n-samples", "30", "--n-features", "12", "--n-views", "2", "--n-factors", "3"]
_REFITS = ["--n-runs", "2", "--n-permutations", "0", *FIT]


def main() -> None:
    """Kill, and print what was left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=60, help="kills of fits")
    parser.add_argument("--others", type=int, default=10, help="kills of each other command")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of writers")
    parser.add_argument("--sizes", type=int, default=20, help="disks that are too small, or not")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("kills.csv"))
    given = parser.parse_args()
    random.seed(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        data = prepare(work)
        rows = [*kills_of_fits(work, data, given.fits)]
        for command in commands(data):
            rows += kills_of(command, work, data, given.others)
            table = pd.DataFrame(rows, columns=["command", "fault", "moment", "left"])
            table.to_csv(given.out, index=False)
        rows += [*two_writers(work, data, given.pairs), *full_disks(work, data, given.sizes)]
    table = pd.DataFrame(rows, columns=["command", "fault", "moment", "left"])
    table.to_csv(given.out, index=False)
    print(
        table.groupby(["command", "fault"], sort=False)["left"].value_counts().unstack(fill_value=0)
    )


def prepare(work: Path) -> Path:
    """Simulate a cohort and fit it with two seeds: ``run0`` and ``run1``."""
    data = work / "data"
    done(run("simulate", "--out", data, "--n-samples", 40, "--n-features", 16, "--n-views", 2,
             "--n-factors", 2, "--n-subtypes", 2))  # fmt: skip
    obs = pd.read_csv(data / "obs.csv", index_col=0)
    obs["time"] = [1.0 + at % 7 for at in range(len(obs))]
    obs["event"] = [at % 2 for at in range(len(obs))]
    obs.to_csv(data / "clinical.csv")
    names = [f"view{v}_{at:04d}" for v in (1, 2) for at in range(1, 9)]
    (data / "sets.gmt").write_text("\t".join(["a set", "", *names]) + "\n")
    for seed in (0, 1):
        done(run("fit", *_fit(data, seed), "--out", work / f"run{seed}"))
    return data


def _fit(data: Path, seed: int) -> list[object]:
    return [data / "view1.csv.gz", data / "view2.csv.gz", "--seed", seed, *FIT]


def run(*arguments: object, watch: Callable[[], None] = lambda: None) -> int:
    """Begin a command in a process of its own, a copy of this one; return its number."""
    process = os.fork()
    if process:
        return process
    code = 70
    with contextlib.suppress(BaseException):
        # Nothing of this process may go on in the copy, whatever happens in it.
        sys.stdout = sys.stderr = io.StringIO()
        watch()
        try:
            run_poems([str(each) for each in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
    os._exit(code)


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
    arguments: list[object], folder: Path, n: int
) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield moments, and what runs the command and ends it there; counts and times it first."""
    log = folder.parent / "operations"
    log.unlink(missing_ok=True)
    start = time.monotonic()
    done(run(*arguments, watch=counting(folder, None, log)))
    seconds, n_operations = time.monotonic() - start, log.stat().st_size

    def at_operation(k: int) -> int:
        return done(run(*arguments, watch=counting(folder, k, None)))

    def at_time(t: float) -> int:
        process = run(*arguments)
        time.sleep(t)
        with contextlib.suppress(ProcessLookupError):
            # It may have come to its end before.
            os.kill(process, signal.SIGKILL)
        return done(process)

    for at in range(n):
        if at % 2:
            moment = random.uniform(0, seconds)
            yield f"{moment:.2f} s of {seconds:.2f}", lambda t=moment: at_time(t)
        else:
            k = random.randint(1, n_operations)
            yield f"operation {k} of {n_operations}", lambda k=k: at_operation(k)


def kills_of_fits(work: Path, data: Path, n: int) -> Iterator[tuple[str, str, str, str]]:
    """Kill fits over an earlier run."""
    folder = work / "victim"
    old, new = (read_manifest(work / f"run{seed}") or {} for seed in (0, 1))
    arguments = ["fit", *_fit(data, 1), "--out", folder, "--overwrite"]
    laid(work / "run0", folder)
    for moment, kill in killed(arguments, folder, n):
        laid(work / "run0", folder)
        kill()
        yield "fit", "kill", moment, left_of_fit(folder, old, new)


def kills_of(
    command: Command, work: Path, data: Path, n: int
) -> Iterator[tuple[str, str, str, str]]:
    """Kill another command over an earlier result of its own."""
    made = []
    verb, *to = command.name.split()
    for seed in (0, 1):
        place = work / f"{verb}{''.join(to)}{seed}{command.suffix}"
        source = work / f"run{seed}"
        if command.in_place:
            shutil.copytree(work / "run0", place)
            arguments = [verb, place, *command.arguments(source)[1:]]
        else:
            arguments = [verb, *command.arguments(source), "--out", place]
        if done(run(*arguments)):
            raise SystemExit(f"{command.name} failed")
        made.append(place)
    victim = work / f"victim{command.suffix}"
    rest = [victim, *command.arguments(work / "run1")[1:]]
    over = ["--out", victim, "--overwrite"]
    arguments = [verb, *(rest if command.in_place else [*command.arguments(work / "run1"), *over])]
    laid(made[0], victim)
    for moment, kill in killed(arguments, victim, n):
        laid(made[0], victim)
        kill()
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


def left(victim: Path, kind: Kind | None, old: Path, new: Path) -> str:
    """Say whose result is there: old, new, or that it is lost."""
    if kind is None:
        for name, source in (("old", old), ("new", new)):
            if victim.is_file() and victim.read_bytes() == source.read_bytes():
                return name
        # The same cohort is not the same bytes in HDF5.
        return "new" if victim.suffix == ".h5mu" and len(read_h5mu(victim).samples) else "lost"
    try:
        read_marker(victim, kind)
    except PoemsError as error:
        return f"lost: {error}"
    found = read_manifest(victim) or {}
    amiss = _amiss(victim, found)
    if amiss:
        return f"lost: {amiss}"
    for name, source in (("old", old), ("new", new)):
        if _but_paths(found) == _but_paths(read_manifest(source) or {}):
            return name
    return "lost: neither"


def _but_paths(manifest: dict[str, str]) -> dict[str, str]:
    # Of reports the page names its folder, of a run its marker says where its inputs lie.
    return {k: v for k, v in manifest.items() if k not in ("report.html", "run.json")}


def left_of_fit(folder: Path, old: dict[str, str], new: dict[str, str]) -> str:
    """Say which run is there; one whose analyses are missing has to say so."""
    try:
        model = read_run(folder).model
    except PoemsError as error:
        return f"lost: {error}"
    found = read_manifest(folder) or {}
    amiss = _amiss(folder, found)
    if amiss:
        return f"lost: {amiss}"
    name, whole = ("old", old) if model.seed == 0 else ("new", new)
    beside = ("run.json", "findings.csv")
    if any(whole.get(k) != v for k, v in found.items() if k not in beside):
        return "lost: files of two runs"
    said = "analysis-missing" in (folder / "findings.csv").read_text()
    if (set(found) == set(whole)) == said:
        return "lost: the findings do not say what is missing"
    return name if not said else f"{name}, analyses missing and said so"


def _amiss(folder: Path, manifest: dict[str, str]) -> str:
    """Return what of a folder is not as its list says."""
    from hashlib import sha256

    if (folder / NOTE).read_text() != "mine":
        return "the user's file"
    for name, checksum in manifest.items():
        path = folder / name
        if not path.is_file() or sha256(path.read_bytes()).hexdigest() != checksum:
            return f"{name} is not whole"
    known = {*manifest, MANIFEST, NOTE, "run.log"}
    files = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    stray = [each for each in files if each not in known and not each.startswith(".poems-")]
    stray = [each for each in stray if "/.poems-" not in each]
    return f"{stray[0]} is of no result" if stray else ""


def two_writers(work: Path, data: Path, n: int) -> Iterator[tuple[str, str, str, str]]:
    """Begin two fits into one folder at the same time."""
    folder = work / "shared"
    for at in range(n):
        shutil.rmtree(folder, ignore_errors=True)
        seeds = (0, 1)
        out = ["--out", folder, "--overwrite"]
        both = [run("fit", *_fit(data, seed), *out) for seed in seeds]
        codes = [done(process) for process in both]
        (folder / NOTE).write_text("mine")
        manifests = [read_manifest(work / f"run{seed}") or {} for seed in seeds]
        found = left_of_fit(folder, *manifests)
        one = sorted(codes) == [0, 1] and found in ("old", "new")
        yield "fit", "two writers", str(at), "one refused" if one else f"lost: {codes}, {found}"


def full_disks(work: Path, data: Path, n: int) -> Iterator[tuple[str, str, str, str]]:
    """Fit over an earlier run on small disks."""
    disk = work / "disk"
    disk.mkdir()
    old, new = (read_manifest(work / f"run{seed}") or {} for seed in (0, 1))
    files = [path.stat().st_size for path in (work / "run0").rglob("*") if path.is_file()]
    # In pages of 4 kB, with some for the folders.
    size = sum(-(-each // 4096) for each in files) * 4 + 40
    for _ in range(n):
        room = random.randint(size, size * 5 // 2)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={room}k", "tmpfs", str(disk)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            print("no leave to mount a small disk: left out")
            return
        try:
            laid(work / "run0", disk / "run")
            with_no_question = _unasked()
            out = ["--out", disk / "run", "--overwrite"]
            code = done(run("fit", *_fit(data, 1), *out, watch=with_no_question))
            yield "fit", "full disk", f"{room} kB, exit {code}", left_of_fit(disk / "run", old, new)
        finally:
            subprocess.run(["umount", str(disk)], check=True)


def _unasked() -> Callable[[], None]:
    """Return what keeps a fit from asking for space beforehand, which would end it at once."""

    def watch() -> None:
        poems.runs.fitting.require_space = lambda *_: None

    return watch


if __name__ == "__main__":
    main()
