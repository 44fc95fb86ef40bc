from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import poems
from poems_benchmark.digest import imported_modules, source_digest

SOURCE = Path(poems.__file__).parents[1]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    source_digest.cache_clear()
    yield
    source_digest.cache_clear()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write the files of a package called ``toy``, by their paths below it."""
    monkeypatch.syspath_prepend(tmp_path)

    def files(texts: dict[str, str]) -> None:
        for name, text in {"__init__.py": "", **texts}.items():
            path = tmp_path / "toy" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return files


def digest() -> str:
    source_digest.cache_clear()
    return source_digest("toy.root")


@pytest.mark.parametrize(
    "root",
    [
        "import toy.deep.part",
        "import os, toy.deep.part as p",
        "from toy.deep.part import x",
        "from toy.deep import part",
        "from toy.deep import part as p, other",
        "from .deep.part import x",
        "from .deep import part",
        "def f():\n    from toy.deep.part import x",
        "class A:\n    def f(self):\n        import toy.deep.part",
        "try:\n    import toy.deep.part\nexcept ImportError:\n    pass",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import toy.deep.part",
        "from toy.between import y",
    ],
)
def test_what_is_imported_counts(root: str, write: Callable[..., None]) -> None:
    others = {
        "deep/__init__.py": "",
        "deep/other.py": "",
        "between.py": "def y():\n    from toy.deep.part import x\n    return x",
    }
    write({"root.py": root, "deep/part.py": "x = 1", **others})
    first = digest()
    write({"root.py": root, "deep/part.py": "x = 2  # changed", **others})
    assert digest() != first


def test_packages_that_a_module_lies_in_count(write: Callable[..., None]) -> None:
    """They may register what the module looks up."""
    files = {"root.py": "from toy.deep.part import x", "deep/part.py": "x = 1", "extra.py": "y = 1"}
    write({**files, "deep/__init__.py": "import toy.extra"})
    first = digest()
    write({**files, "deep/__init__.py": "import toy.extra", "extra.py": "y = 2"})
    assert digest() != first


@pytest.mark.parametrize(
    "root",
    [
        "if TYPE_CHECKING:\n    from toy.part import x",
        "if typing.TYPE_CHECKING:\n    import toy.part",
        "import numpy, toy",
        "'toy.part is not imported'",
    ],
)
def test_what_is_not_imported_does_not_count(root: str, write: Callable[..., None]) -> None:
    write({"root.py": root, "part.py": "x = 1"})
    first = digest()
    write({"root.py": root, "part.py": "x = 2  # changed"})
    assert digest() == first


def test_names_that_a_package_loads_on_demand_are_followed_to_their_module(
    write: Callable[..., None],
) -> None:
    lazy = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from toy.lazy.a import x\n    from toy.lazy.b import y\n"
        "def __getattr__(name): ...\n"
    )
    package = {"lazy/__init__.py": lazy, "lazy/a.py": "x = 1", "lazy/b.py": "y = 1"}
    write({"root.py": "from toy.lazy import x", **package})
    assert set(imported_modules("toy.root")) == {"toy", "toy.root", "toy.lazy", "toy.lazy.a"}
    write({"root.py": "import toy.lazy", **package})
    assert {"toy.lazy.a", "toy.lazy.b"} <= set(imported_modules("toy.root"))
    write({"root.py": "from toy.lazy.b import y", **package})
    assert "toy.lazy.a" not in imported_modules("toy.root")


def test_a_module_that_a_text_names_in_full_is_followed(write: Callable[..., None]) -> None:
    write(
        {
            "root.py": "TABLE = {'x': 'poems.clustering.networks'}\n"
            "SAID = 'poems.training is not meant'"
        }
    )
    found = imported_modules("toy.root")
    assert "poems.clustering.networks" in found
    assert "poems.training.loop" not in found


@pytest.mark.parametrize(
    "root", ["from toy.gone import x", "from .gone import x", "import toy.gone"]
)
def test_a_module_that_was_moved_away_is_an_error(root: str, write: Callable[..., None]) -> None:
    write({"root.py": root})
    with pytest.raises(ModuleNotFoundError, match=r"no source of the module 'toy\.gone'"):
        digest()
    with pytest.raises(ModuleNotFoundError, match=r"no source of the module 'toy\.nothing'"):
        source_digest("toy.nothing")


def test_comments_docstrings_and_layout_do_not_count(write: Callable[..., None]) -> None:
    write({"root.py": '"""Says."""\ndef f(x):\n    """Adds."""\n    return x + 1\n'})
    first = digest()
    write({"root.py": "# Another comment.\ndef f(x):\n\n    return (x + 1)\n"})
    assert digest() == first
    write({"root.py": "def f(x):\n    return x + 2\n"})
    assert digest() != first


def test_a_module_under_another_name_counts_as_another(write: Callable[..., None]) -> None:
    write({"root.py": "from toy.a import x", "a.py": "x = 1", "b.py": "x = 1"})
    first = digest()
    write({"root.py": "from toy.b import x"})
    assert digest() != first


def test_nothing_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    first = source_digest("poems.fitting.fit")
    source_digest.cache_clear()
    monkeypatch.setattr(ast, "parse", lambda _: pytest.fail("read again"))
    assert source_digest("poems.fitting.fit") == first


def test_all_that_a_fit_loads_is_followed() -> None:
    """What Python itself says was loaded, against what is found by reading."""
    code = (
        "import sys, poems\n"
        "cohort = poems.simulate(n_samples=40, n_features=10, seed=0).cohort\n"
        "before = set(sys.modules)\n"
        "poems.fit(cohort, epochs=2, n_latent=3, progress=False)\n"
        "print(*(name for name in set(sys.modules) - before if name.startswith('poems')))\n"
    )
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert len(loaded) > 40
    assert set(loaded) <= set(imported_modules("poems_benchmark.methods.poems_fit"))


@pytest.mark.slow
def test_a_change_to_any_module_that_a_fit_imports_changes_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = shutil.ignore_patterns("__pycache__")
    for package in ("poems", "poems_benchmark"):
        shutil.copytree(SOURCE / package, tmp_path / package, ignore=compiled)
    monkeypatch.syspath_prepend(tmp_path)
    root = "poems_benchmark.methods.poems_fit"
    first, modules = source_digest(root), imported_modules("poems.fitting.fit")
    unchanged = []
    for module in modules:
        path = tmp_path.joinpath(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        text = path.read_text("utf-8")
        path.write_text(f"{text}\n_CHANGED = 1\n", "utf-8")
        source_digest.cache_clear()
        unchanged += [module] if source_digest(root) == first else []
        path.write_text(text, "utf-8")
    source_digest.cache_clear()
    assert source_digest(root) == first
    assert unchanged == []
    assert len(modules) > 80


def test_a_tool_that_is_not_poems_does_not_depend_on_its_model() -> None:
    found = imported_modules("poems_benchmark.methods.mofa", "poems_benchmark.methods.pca")
    assert not [name for name in found if name.startswith(("poems.nn", "poems.fitting.fit"))]
