"""A module imports from lower floors only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import networkx
import pytest

import poems
import poems_benchmark

SOURCE = Path(poems.__file__).parent

# The rooms of the house, from the ground up: each imports from those before it.
ROOMS = (
    "_lazy",
    "_version",
    "errors",
    "wording",
    "findings",
    "notebook",
    "steps",
    "settings",
    "files",
    "data",
    "scaling",
    "simulation",
    "nn",
    "training",
    "clustering",
    "diagnosis",
    "fitting",
    "resampling",
    "analysis",
    "evaluation",
    "plots",
    "pl",
    "runs",
    "report",
    "cli",
    "__main__",
)
FLOORS = {room: floor for floor, room in enumerate(ROOMS)}
# Methods of results that call what computes from these: the one exception, imported when called.
THIN_METHODS = {
    ("fitting.result", "fitting.diagnosing"),
    ("fitting.result", "fitting.mudata"),
    ("fitting.result", "fitting.storage"),
    ("resampling.result", "resampling.storage"),
}
# Gathers the public names of all floors, each loaded on first use.
EXEMPT = "__init__"


def part_of(module: str) -> str:
    """The part of the package that a dotted name below `poems` belongs to."""
    return module.split(".")[0]


def imports(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[str]:
    """Yield the dotted names below `poems` that a module imports, also inside functions."""
    for node in runtime_nodes(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                own = ["poems", *module.split(".")]
                package = own[: len(own) - node.level + is_package]
                base = ".".join([*package, *([base] if base else [])])
            # `from poems import plots` imports a module, `from poems.plots import x` a name.
            names = [f"poems.{a.name}" for a in node.names] if base == "poems" else [base]
        else:
            continue
        yield from (name.removeprefix("poems.") for name in names if name.startswith("poems."))


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk over everything but blocks under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield other
                yield from runtime_nodes(other)
            continue
        yield node
        yield from runtime_nodes(node)


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Imports of a module from floors above its own, or from parts without a floor."""
    own = FLOORS[part_of(module)]
    found = []
    for name in imports(ast.parse(source), module, is_package=is_package):
        part = part_of(name)
        if part in poems.__all__:
            found.append(f"{module} imports '{part}' from poems itself; name its module")
        elif part not in FLOORS:
            found.append(f"{module} imports poems.{name}, which has no floor")
        elif FLOORS[part] > own:
            found.append(f"{module} (floor {own}) imports poems.{name} (floor {FLOORS[part]})")
    return found


def modules() -> dict[str, Path]:
    """Every module of the package but its root, by its dotted name below `poems`."""
    paths = {path.relative_to(SOURCE).with_suffix(""): path for path in SOURCE.rglob("*.py")}
    names = {".".join(name.parts).removesuffix(".__init__"): path for name, path in paths.items()}
    return {name: path for name, path in names.items() if name != EXEMPT}


def test_every_module_has_a_floor() -> None:
    without = {name for name in modules() if part_of(name) not in FLOORS}
    assert not without, f"add to FLOORS: {sorted(without)}"


# Of the benchmark, which is a package of its own, by the first part below `poems_benchmark`.
BENCHMARK = Path(poems_benchmark.__file__).parent
BENCHMARK_FLOORS = {
    "digest": 0,
    "cohorts": 0,
    "methods": 1,
    "scores": 2,
    "running": 3,
    "folder": 4,
    "paper": 4,
    "command": 5,
}


def imported_names(path: Path) -> set[str]:
    """What a file imports by full names, also inside functions and for type checkers."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
    return found


def test_poems_does_not_know_its_benchmark() -> None:
    knowing = {
        path.name
        for path in SOURCE.rglob("*.py")
        if any(name.split(".")[0] == "poems_benchmark" for name in imported_names(path))
    }
    assert not knowing


@pytest.mark.parametrize("path", sorted(BENCHMARK.rglob("*.py")), ids=lambda path: path.stem)
def test_imports_of_the_benchmark_go_down(path: Path) -> None:
    parts = path.relative_to(BENCHMARK).with_suffix("").parts
    if parts == ("__init__",):
        return
    for name in imported_names(path):
        package, *below = name.split(".")
        if package == "poems_benchmark":
            assert BENCHMARK_FLOORS[below[0]] <= BENCHMARK_FLOORS[parts[0]], name


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_go_down(module: str) -> None:
    path = modules()[module]
    assert violations(path.read_text("utf-8"), module, is_package=path.stem == "__init__") == []


def edges() -> dict[str, set[str]]:
    """Which modules each module imports, also inside functions."""
    known = modules()
    found: dict[str, set[str]] = {}
    for module, path in known.items():
        is_package = path.stem == "__init__"
        found[module] = set()
        for node in runtime_nodes(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("poems."):
                base = (node.module or "").removeprefix("poems.")
                names = [f"{base}.{alias.name}" for alias in node.names]
                found[module] |= {name if name in known else base for name in names}
            elif isinstance(node, ast.Import):
                found[module] |= set(imports(ast.Module([node], []), module, is_package=is_package))
        found[module] -= {module}
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import one another."""
    drawn = networkx.DiGraph((a, b) for a, targets in graph.items() for b in targets)
    return [sorted(part) for part in networkx.strongly_connected_components(drawn) if len(part) > 1]


def test_no_circle_is_left_but_for_thin_methods() -> None:
    graph = edges()
    assert all(b in graph[a] for a, b in THIN_METHODS), "an exception that is none any more"
    for a, b in THIN_METHODS:
        graph[a].remove(b)
    assert circles(graph) == []


def test_a_circle_is_seen() -> None:
    assert circles({"a.x": {"a.y"}, "a.y": {"a.z"}, "a.z": {"a.x"}, "b": {"a.x"}}) == [
        ["a.x", "a.y", "a.z"]
    ]


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from poems.fitting.fit import fit", "nn.encoder"),
        ("import poems.fitting.fit", "nn.encoder"),
        ("import numpy, poems.fitting.fit as f", "nn.encoder"),
        ("from poems import fitting", "nn.encoder"),
        ("from ..fitting import fit", "nn.encoder"),
        ("def f():\n    from poems.fitting.fit import fit", "nn.model"),
        (
            "class A:\n    def f(self):\n        import poems.plots.style",
            "analysis.subtypes.finding",
        ),
        ("try:\n    import poems.cli\nexcept ImportError:\n    pass", "runs.folder"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import poems.cli", "runs.folder"),
        ("from poems import fit", "analysis.subtypes.finding"),
        ("from poems.unheard_of import x", "cli"),
    ],
)
def test_an_import_from_above_is_caught(source: str, module: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from poems.errors import DataError", "nn.encoder"),
        ("from poems.scaling.batch import Batch", "nn.encoder"),
        ("from .batch import Batch", "nn.encoder"),
        ("from poems import plots", "runs.folder"),
        ("import torch\nfrom poems_elsewhere import x", "nn.encoder"),
        ("if TYPE_CHECKING:\n    from poems.fitting.result import FittedPoems", "data.readers"),
        (
            "if typing.TYPE_CHECKING:\n    from poems.fitting.result import FittedPoems",
            "data.readers",
        ),
    ],
)
def test_other_imports_are_not(source: str, module: str) -> None:
    assert violations(source, module) == []


def test_relative_imports_of_a_package_start_at_itself() -> None:
    assert violations("from .checks import check", "data", is_package=True) == []
    assert len(violations("from ..fitting import fit", "data", is_package=True)) == 1
