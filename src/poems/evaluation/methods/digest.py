"""A fingerprint of source code, so that results are not taken for those of other code."""

from __future__ import annotations

import ast
import hashlib
from functools import lru_cache
from pathlib import Path

_ROOT = Path(__file__).parents[2]

# What decides about a fit of POEMS.
CORE = (
    "config",
    "data",
    "distributions",
    "elbo",
    "embeddings",
    "estimates",
    "fitted",
    "fitting",
    "model",
    "networks",
    "nn",
    "parts",
    "preprocessing",
    "principal_coordinates",
    "registry",
    "scaling",
    "training",
)


@lru_cache
def source_digest(*parts: str) -> str:
    """Return twelve hexadecimal digits that change when the code of modules of POEMS does.

    Comments, docstrings and layout do not count.

    Parameters
    ----------
    parts
        Modules or packages below ``poems``, such as ``"nn"`` or
        ``"evaluation.metrics"``; those that do not exist add nothing.

    Examples
    --------
    >>> len(source_digest("nn", "config"))
    12
    """
    digest = hashlib.sha256()
    for part in sorted(set(parts)):
        path = _ROOT.joinpath(*part.split("."))
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        for file in files:
            if file.exists():
                tree = ast.parse(file.read_text(encoding="utf-8"))
                digest.update(file.relative_to(_ROOT).as_posix().encode())
                digest.update(_code_only(tree).encode())
    return digest.hexdigest()[:12]


def _code_only(tree: ast.Module) -> str:
    """Return the syntax of a module without its docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)
