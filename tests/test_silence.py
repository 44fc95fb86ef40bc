"""Whatever silences a warning, cuts a number or catches everything says why, right there."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import poems

SOURCE = Path(poems.__file__).parent
SILENCING = {"simplefilter", "filterwarnings", "catch_warnings", "errstate", "suppress"}
CUTTING = {"clip", "clip_", "clamp", "clamp_", "clamp_min", "clamp_min_", "clamp_max", "nan_to_num"}
BROAD = {"Exception", "BaseException"}


def is_constant(node: ast.expr) -> bool:
    """A number, its negative, or a name in capitals."""
    if isinstance(node, ast.UnaryOp):
        return is_constant(node.operand)
    if isinstance(node, ast.Name):
        return node.id.isupper()
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float))


def hides(node: ast.AST) -> bool:
    """Is this a place where a wrong answer could be hidden?"""
    if isinstance(node, ast.ExceptHandler):
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        return any(each is None or getattr(each, "id", "") in BROAD for each in caught)
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in SILENCING | CUTTING:
        return True
    if name == "maximum":
        return any(map(is_constant, node.args))
    zero = any(isinstance(arg, ast.Constant) and arg.value == 0 for arg in node.args)
    return name == "max" and isinstance(node.func, ast.Name) and zero


def places(tree: ast.AST, statement: ast.stmt | None = None) -> Iterator[tuple[ast.AST, int, int]]:
    """Yield each such place with the first and last line where its comment may stand."""
    for node in ast.iter_child_nodes(tree):
        own = node if isinstance(node, ast.stmt) else statement
        if hides(node):
            holder = node if isinstance(node, ast.ExceptHandler) else own
            assert holder is not None
            body = getattr(holder, "body", None)
            # Of a block the head, and the line that follows it.
            last = body[0].lineno - 1 if body else holder.end_lineno or holder.lineno
            yield node, holder.lineno - 1, max(last, holder.lineno)
        yield from places(node, own)


def unexplained(source: str) -> list[int]:
    """Lines of such places without a comment on them, in their statement, or directly above."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    explained = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    found = []
    for node, first, last in sorted(places(ast.parse(source)), key=lambda place: place[1]):
        if explained.isdisjoint(range(first, last + 1)):
            found.append(node.lineno)  # type: ignore[attr-defined]
        else:
            # One comment serves the statements of its kind that follow without a gap.
            explained.add(last)
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.stem)
def test_what_may_hide_a_wrong_answer_says_why_it_does_not(path: Path) -> None:
    lines = unexplained(path.read_text("utf-8"))
    assert not lines, f"{path.relative_to(SOURCE)}: say why, on or above lines {lines}"


@pytest.mark.parametrize(
    "source",
    [
        "x = max(y, 0)",
        "x = np.maximum(y, 0.0)",
        "x = np.maximum(y, -LEAST)",
        "x = (y\n    .clip(0, 1))",
        "x = y.clamp_min(1e-9)",
        "np.nan_to_num(x)",
        "with np.errstate(all='ignore'):\n    x = 1\n    # too far down",
        "# another statement's\ny = 1\nx.clip(0, 1)",
        "try:\n    f()\nexcept Exception:\n    pass",
        "try:\n    f()\nexcept (OSError, BaseException):\n    pass",
        "try:\n    f()\nexcept:\n    pass",
        "def f():\n    warnings.simplefilter('ignore')",
        "with suppress(ValueError):\n    f()",
        "x = '# no comment'; y = x.clip(0, 1)",
    ],
)
def test_silence_without_a_reason_is_caught(source: str) -> None:
    assert len(unexplained(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "# A share.\nx = y.clip(0, 1)",
        "x = y.clip(0, 1)  # a share",
        "x = f(\n    # A share.\n    y.clip(0, 1),\n)",
        "with np.errstate(all='ignore'):\n    # Why.\n    x = y / z",
        "with catch_warnings():\n    # Why.\n    simplefilter('ignore')",
        "# Why.\nsimplefilter('ignore')\nsimplefilter('error')",
        "try:\n    f()\nexcept Exception:  # why\n    pass",
        "try:\n    f()\nexcept ValueError:\n    pass",
        "x = np.maximum(y, z)",
        "x = max(y, 1)",
    ],
)
def test_a_reason_is_enough(source: str) -> None:
    assert unexplained(source) == []
