"""Every measurement that the documents quote, one after the other.

    python benchmarks/all.py DATA_DIR --out DIR [--only fdr ranking] [--list]

The list is the documents themselves: the commands in README.md and docs/*.md that begin with
`python benchmarks/` or `poems benchmark DATA_DIR --cohorts benchmarks/`, in code blocks and between
backticks. Each runs in a folder of its own, DIR/NAME, where what it writes lies, warnings too
(stderr.txt); what it prints is DIR/NAME.txt, below the command, the version and the minutes that it
took. What is there already of the same command is not run again, so that an interrupt costs one
measurement; remove a file to repeat it. What ends with an error is kept as DIR/NAME.failed.txt and
tried again next time. A command that needs another version (BEFORE/src) is left out.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
CODE = re.compile(r"^```\w*\n(.*?)^```$|`([^`]+)`", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(
    r"python benchmarks/(?!all\.py)\S+\.py|poems benchmark DATA_DIR --cohorts benchmarks/"
)


def commands(text: str) -> list[str]:
    """Return the measurements that a document quotes, continued lines joined.

    >>> commands("See `python benchmarks/fdr.py` and `benchmarks/fdr.py`.")
    ['python benchmarks/fdr.py']
    """
    found = []
    for block, span in CODE.findall(text):
        lines = block.replace("\\\n", " ").splitlines() if block else [span]
        joined = (" ".join(line.split()) for line in lines)
        found += [command for command in joined if COMMAND.match(command)]
    return found


def named(quoted: Iterable[str]) -> dict[str, str]:
    """Name commands by their scripts, those of one script in their order: fdr, fdr-2.

    >>> named(["python benchmarks/fdr.py", "python benchmarks/fdr.py --seeds 2"])
    {'fdr': 'python benchmarks/fdr.py', 'fdr-2': 'python benchmarks/fdr.py --seeds 2'}
    """
    seen: Counter[str] = Counter()
    names = {}
    for command in dict.fromkeys(quoted):
        stem = Path(command.split()[1]).stem
        seen[stem] += 1
        names[stem if seen[stem] == 1 else f"{stem}-{seen[stem]}"] = command
    return names


def arguments(command: str, data: Path) -> list[str]:
    """Return the command as it runs in any folder."""
    first, *rest = shlex.split(command)
    program = [sys.executable] if first == "python" else [sys.executable, "-m", first]
    paths = [str(ROOT / each) if each.startswith("benchmarks/") else each for each in rest]
    return program + [each.replace("DATA_DIR", str(data.resolve())) for each in paths]


def run(name: str, command: str, data: Path, out: Path) -> bool:
    """Run one command unless its result is there; say whether it is there now."""
    done, failed = out / f"{name}.txt", out / f"{name}.failed.txt"
    head = f"$ {command}\n"
    if done.exists() and done.read_text("utf-8").startswith(head):
        print(f"{name}: there", flush=True)
        return True
    (out / name).mkdir(parents=True, exist_ok=True)
    start = time.time()
    warnings = out / name / "stderr.txt"
    with failed.open("w", encoding="utf-8") as file, warnings.open("w", encoding="utf-8") as log:
        print(head, f"running at {version()} since {time.ctime()}\n", sep="", file=file, flush=True)
        code = subprocess.run(
            arguments(command, data), cwd=out / name, stdout=file, stderr=log, check=False
        ).returncode
    minutes = (time.time() - start) / 60
    print(f"{name}: {minutes:.1f} minutes{f', exit {code}' if code else ''}", flush=True)
    if code:
        failed.write_text(failed.read_text("utf-8") + warnings.read_text("utf-8"), "utf-8")
        return False
    body = failed.read_text("utf-8").split("\n", 2)[2]
    done.write_text(f"{head}{version()}, {time.ctime()}, {minutes:.1f} minutes\n{body}", "utf-8")
    failed.unlink()
    return True


def version() -> str:
    """Return the commit of this checkout, or a word where there is none."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "no checkout"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("--out", type=Path, default=Path("measured"))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="scripts, or names from --list")
    parser.add_argument("--list", action="store_true", help="say what would run, and run nothing")
    given = parser.parse_args()
    texts = [document.read_text("utf-8") for document in DOCUMENTS]
    chosen = {
        name: command
        for name, command in named(each for text in texts for each in commands(text)).items()
        if "BEFORE" not in command
        and (given.only is None or {name, Path(command.split()[1]).stem} & set(given.only))
    }
    if given.list:
        print("\n".join(f"{name}: {command}" for name, command in chosen.items()))
        return
    given.out.mkdir(parents=True, exist_ok=True)
    there = [run(name, each, given.data, given.out) for name, each in chosen.items()]
    sys.exit(0 if all(there) else 1)


if __name__ == "__main__":
    main()
