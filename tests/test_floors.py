"""A module imports from lower floors only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import poems
import poems_benchmark

SOURCE = Path(poems.__file__).parent

# By the first part of the dotted name below `poems`.
FLOORS = {
    "_files": 0,
    "_version": 0,
    "arguments": 0,
    "cluster_names": 0,
    "config": 0,
    "csv_tables": 0,
    "errors": 0,
    "failures": 0,
    "findings": 0,
    "interrupts": 0,
    "output_folder": 0,
    "parts": 0,
    "profiling": 0,
    "registry": 0,
    "settings_file": 0,
    "text_numbers": 0,
    "data": 1,
    "backed": 2,
    "distributions": 1,
    "factor_matching": 1,
    "nn": 2,
    "preprocessing": 2,
    "scaling": 2,
    "simulation": 2,
    "simulation_arguments": 2,
    "simulation_effects": 2,
    "elbo": 3,
    "model": 3,
    "networks": 3,
    "principal_coordinates": 3,
    "diagnosis": 4,
    "estimates": 4,
    "embeddings": 4,
    "storage": 4,
    "training": 4,
    "model_record": 5,
    "fitted": 5,
    "fitted_diagnosis": 5,
    "fitted_mudata": 5,
    "fitted_projection": 5,
    "fitted_storage": 5,
    "after_training": 6,
    "fitting": 6,
    "resampling": 7,
    "analysis": 8,
    "evaluation": 8,
    "plots": 9,
    "export": 10,
    "run_additions": 10,
    "run_analysis": 10,
    "run_figures": 10,
    "run_fitting": 10,
    "run_folder": 10,
    "run_log": 10,
    "run_writing": 10,
    "report": 11,
    "cli": 12,
    "__main__": 12,
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


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from poems.fitting import fit", "nn.encoder"),
        ("import poems.fitting", "nn.encoder"),
        ("import numpy, poems.fitting as f", "nn.encoder"),
        ("from poems import fitting", "nn.encoder"),
        ("from ..fitting import fit", "nn.encoder"),
        ("def f():\n    from poems.fitting import fit", "model"),
        ("class A:\n    def f(self):\n        import poems.plots.style", "analysis.subtypes"),
        ("try:\n    import poems.cli\nexcept ImportError:\n    pass", "run_folder"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import poems.cli", "run_folder"),
        ("from poems import fit", "analysis.subtypes"),
        ("from poems.unheard_of import x", "cli"),
    ],
)
def test_an_import_from_above_is_caught(source: str, module: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from poems.errors import DataError", "nn.encoder"),
        ("from poems.nn.batch import Batch", "nn.encoder"),
        ("from .batch import Batch", "nn.encoder"),
        ("from poems import plots", "run_folder"),
        ("import torch\nfrom poems_elsewhere import x", "nn.encoder"),
        ("if TYPE_CHECKING:\n    from poems.fitted import FittedPoems", "data.readers"),
        ("if typing.TYPE_CHECKING:\n    from poems.fitted import FittedPoems", "data.readers"),
    ],
)
def test_other_imports_are_not(source: str, module: str) -> None:
    assert violations(source, module) == []


def test_relative_imports_of_a_package_start_at_itself() -> None:
    assert violations("from .checks import check", "data", is_package=True) == []
    assert len(violations("from ..fitting import fit", "data", is_package=True)) == 1
