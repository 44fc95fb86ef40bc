"""What documents name is there: files, modules, names, sections, and the rooms in their order."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from poems.cli.commands import ENTRY_POINTS
from poems.data.formats import READERS
from poems.report.sections import SECTIONS
from poems.settings.parts import DECODERS, FUSIONS, GATES, LIKELIHOODS, PRIORS, SIZES, STARTS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
CODE = list((ROOT / "benchmarks").rglob("*.py"))
REGISTRIES = (LIKELIHOODS, FUSIONS, GATES, PRIORS, DECODERS, STARTS, SIZES, READERS, SECTIONS)
# Names of entry points, which look like modules.
GROUPS = {f"poems.{registry.kind.replace(' ', '_')}" for registry in REGISTRIES} | {
    ENTRY_POINTS,
    "poems_benchmark.methods",
}
# Where a path that a document names may start.
BASES = (".", "src", "src/poems", "docs")
FILE = re.compile(r"(?<![\w./-])(?:[\w-]+/)*[\w-]+\.py\b")
DOTTED = re.compile(r"\bpoems(?:_benchmark)?(?:\.[A-Za-z_]\w*)+(?!\w*\()")
FOLDER = re.compile(r"`((?:[a-z_]+/)+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def lost_files(text: str, base: Path | None = None) -> list[str]:
    """Paths of Python files in a text that lead nowhere."""
    bases = [ROOT / each for each in BASES] + ([base] if base else [])
    return [
        name
        for name in sorted(set(FILE.findall(text)))
        if not any((each / name).is_file() for each in bases)
    ]


def lost_names(text: str) -> list[str]:
    """Dotted names below the packages that cannot be imported."""
    return [name for name in sorted(set(DOTTED.findall(text)) - GROUPS) if not exists(name)]


def exists(name: str) -> bool:
    parts = name.split(".")
    for at in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:at]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[at:]:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


def anchors(document: Path) -> set[str]:
    """Of the headings, as they are made on the page."""
    headings = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings}


def lost_links(document: Path) -> Iterator[str]:
    for link in LINK.findall(document.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text("utf-8")
    assert lost_files(text) == []
    assert lost_names(text) == []
    assert [*lost_links(document)] == []


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.stem)
def test_what_a_script_names_is_there(path: Path) -> None:
    text = path.read_text("utf-8")
    assert lost_files(text, path.parent) == []
    assert lost_names(text) == []


@pytest.mark.parametrize("name", ["architecture.md", "design.md"])
def test_folders_that_are_named_are_there(name: str) -> None:
    folders = FOLDER.findall((ROOT / "docs" / name).read_text("utf-8"))
    lost = [each for each in folders if not any((ROOT / b / each).is_dir() for b in BASES)]
    assert lost == []


def rooms_of_the_floors() -> list[str]:
    """The rooms of ``test_floors.py`` from the ground up, but for modules of one name."""
    text = (ROOT / "tests/test_floors.py").read_text("utf-8")
    literal = re.search(r"^ROOMS = (\(.*?^\))", text, re.MULTILINE | re.DOTALL)
    assert literal is not None
    return [room for room in ast.literal_eval(literal[1]) if not room.startswith("_")]


def test_the_rooms_are_drawn_in_their_order() -> None:
    rooms = rooms_of_the_floors()
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    drawn = [line.split()[0] for line in text.split("```")[3].splitlines() if line.strip()]
    assert drawn == rooms[::-1]
    design = (ROOT / "docs/design.md").read_text("utf-8")
    listed = next(part for part in design.split("\n\n") if part.startswith("`errors` <"))
    assert re.findall(r"`(\w+)`", listed) == rooms


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_the_map_says_how_each_kind_is_added(registry: object) -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    kind = registry.kind  # type: ignore[attr-defined]
    assert f"| {kind}" in text
    assert f"`poems.{kind.replace(' ', '_')}`" in text


def test_what_is_not_there_is_caught() -> None:
    assert lost_files("in `nn/nope.py` and nn/model.py") == ["nn/nope.py"]
    names = "`poems.nope`, poems.fitting.fit.nope, `poems.read`, `poems.reader`"
    assert lost_names(names) == ["poems.fitting.fit.nope", "poems.nope"]
