"""A fingerprint of source code, so that results are not taken for those of other code.

It follows imports: a root module, what it imports, what that imports, and so on, as
far as packages of this project go. Nothing is listed, so a module that is moved or
added cannot be forgotten. Modules are read, not run.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

# Followed from any root, besides the root's own package.
_PACKAGES = ("poems", "poems_benchmark")
# A module named in a text, as tables of what is imported on demand do, also with what is
# taken from it.
_NAMED = re.compile(rf"((?:{'|'.join(_PACKAGES)})(?:\.\w+)+)(?::\w+)?")


@lru_cache
def source_digest(*roots: str) -> str:
    """Return twelve hexadecimal digits that change when code does that the roots import.

    Imports within functions count, and modules that a text names in full; imports for type
    checkers alone do not, nor do comments, docstrings and layout. Followed are the modules of
    POEMS, of its benchmark, and of a root's own package.

    Parameters
    ----------
    roots
        Modules by their full names; a method gives its own, ``__name__``.

    Raises
    ------
    ModuleNotFoundError
        If a root, or a module of these packages that is imported, is not there.

    Examples
    --------
    >>> len(source_digest("poems.settings.schema"))
    12
    """
    digest = hashlib.sha256()
    for module in imported_modules(*roots):
        digest.update(f"{module} {_source(module).code}\n".encode())
    return digest.hexdigest()[:12]


def imported_modules(*roots: str) -> tuple[str, ...]:
    """Return the modules that :func:`source_digest` looks at, sorted.

    >>> imported_modules("poems.errors")
    ('poems', 'poems._lazy', 'poems._version', 'poems.errors')
    """
    _find.cache_clear()  # files may have come or gone
    packages = {*_PACKAGES, *(_top(root) for root in roots)}
    known: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module not in known and _top(module) in packages:
            known.add(module)
            waiting += _Imports(module, packages)
    return tuple(sorted(known))


@dataclass(frozen=True)
class _Source:
    """What a file holds.

    ``code`` is a digest of its syntax. ``imports`` are pairs of a module, its leading dots kept,
    and the names taken from it, none if it is imported whole. ``on_demand`` are those for type
    checkers where the file is that of a package that loads names on demand; ``named`` are the
    modules that texts name.
    """

    code: str
    imports: tuple[tuple[str, tuple[str, ...]], ...] = ()
    on_demand: Mapping[str, str] | None = None
    named: tuple[str, ...] = ()


class _Imports:
    """The modules that a module imports, by their full names."""

    def __init__(self, module: str, packages: set[str]) -> None:
        self._module, self._packages = module, packages
        is_package = _spec(module).submodule_search_locations is not None
        self._package = module if is_package else module.rpartition(".")[0]

    def __iter__(self) -> Iterator[str]:
        source = _source(self._module)
        # Python runs the package that a module lies in before the module itself.
        yield from filter(None, [self._module.rpartition(".")[0]])
        yield from (name for name in source.named if _find(name) is not None)
        for written, names in source.imports:
            base = self._absolute(written)
            if _top(base) in self._packages:
                yield base
                yield from self._taken(base, names)

    def _absolute(self, written: str) -> str:
        name = written.lstrip(".")
        levels = len(written) - len(name)
        if not levels:
            return name
        parts = self._package.split(".")
        return ".".join([*parts[: len(parts) - levels + 1], *filter(None, [name])])

    def _taken(self, base: str, names: Sequence[str]) -> Iterator[str]:
        """Yield what taking names from a module, or all where there are none, loads besides it."""
        on_demand = _source(base).on_demand or {}
        if not names or "*" in names:
            yield from on_demand.values()
        for name in names:
            if name in on_demand:
                yield on_demand[name]
            elif _find(f"{base}.{name}") is not None:
                yield f"{base}.{name}"


def _top(module: str) -> str:
    return module.partition(".")[0]


@cache
def _find(module: str) -> ModuleSpec | None:
    """Find a module without importing it, or the packages that it lies in."""
    package = module.rpartition(".")[0]
    if not package:
        return PathFinder.find_spec(module)
    around = _find(package)
    if around is None or around.submodule_search_locations is None:
        return None
    return PathFinder.find_spec(module, around.submodule_search_locations)


def _spec(module: str) -> ModuleSpec:
    spec = _find(module)
    if spec is None:
        raise ModuleNotFoundError(f"no source of the module '{module}' to follow", name=module)
    return spec


def _source(module: str) -> _Source:
    origin = _spec(module).origin
    if origin is None:
        return _Source("")  # a folder without a file of its own
    path = Path(origin)
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@cache
def _read(path: Path, changed: int, size: int) -> _Source:
    """Read a file; the numbers are those of the file as it is, so that a changed one is read."""
    content = path.read_bytes()
    if path.suffix != ".py":
        return _Source(hashlib.sha256(content).hexdigest())
    tree = ast.parse(content)
    whole, for_checkers = list[ast.AST](), list[ast.AST]()
    _sort_nodes(tree, whole, for_checkers)
    on_demand = None
    if _loads_on_demand(tree):
        on_demand = {name: base for base, names in _imports(for_checkers) for name in names}
    texts = {node.value for node in whole if isinstance(node, ast.Constant)}
    matches = (_NAMED.fullmatch(text) for text in texts if isinstance(text, str))
    named = {match[1] for match in matches if match}
    imports = tuple(_imports(whole))
    code = hashlib.sha256(_code_only(tree).encode()).hexdigest()
    return _Source(code, imports, on_demand, () if on_demand else tuple(sorted(named)))


def _loads_on_demand(tree: ast.Module) -> bool:
    """Tell whether a module has a ``__getattr__``, as a function or assigned."""
    made = [node for part in tree.body for node in ast.walk(part) if isinstance(node, ast.Name)]
    assigned = {node.id for node in made if isinstance(node.ctx, ast.Store)}
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return "__getattr__" in assigned | defined


def _sort_nodes(tree: ast.AST, whole: list[ast.AST], for_checkers: list[ast.AST]) -> None:
    """Sort the syntax below a node into what runs and what is for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for_checkers += [each for part in node.body for each in ast.walk(part)]
            _sort_nodes(ast.Module(node.orelse, []), whole, for_checkers)
        else:
            whole.append(node)
            _sort_nodes(node, whole, for_checkers)


def _imports(nodes: Sequence[ast.AST]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            written = "." * node.level + (node.module or "")
            yield written, tuple(alias.name for alias in node.names)


def _code_only(tree: ast.Module) -> str:
    """Return the syntax of a module without its docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)
