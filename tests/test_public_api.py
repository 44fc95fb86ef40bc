from __future__ import annotations

import subprocess
import sys

import pytest

import poems
from poems import errors

PUBLIC = [
    "DataError",
    "FittedPoems",
    "MultiOmics",
    "PoemsError",
    "ReadError",
    "Settings",
    "SettingsError",
    "StorageError",
    "TrainingError",
    "__version__",
    "check",
    "find_subtypes",
    "fit",
    "load",
    "pl",
    "read",
    "simulate",
    "stability",
]


def test_the_public_names_are_these() -> None:
    """Adding a name, or taking one away, is a decision: change this list with it."""
    assert poems.__all__ == PUBLIC
    assert dir(poems) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(poems, name) is not None
    if name != "__version__":
        assert getattr(poems, name).__doc__


def test_other_names_are_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="module 'poems' has no attribute 'fitt'"):
        _ = poems.fitt


def test_errors_form_one_tree() -> None:
    for name in PUBLIC:
        if name.endswith("Error"):
            assert issubclass(getattr(poems, name), errors.PoemsError)
    assert issubclass(poems.ReadError, poems.DataError)


def run(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_importing_alone_is_light() -> None:
    heavy = "torch pandas numpy sklearn anndata mudata pyarrow matplotlib pydantic"
    code = f"import sys, poems; print(*(set('{heavy}'.split()) & sys.modules.keys()))"
    assert run(code).strip() == ""


@pytest.fixture(scope="module")
def imported() -> list[str]:
    """What a process finds that imports what fits and what draws, a line each; one for both."""
    heavy = "anndata mudata matplotlib sklearn rich typer"
    code = (
        "import sys, warnings, torch, numpy as np; torch.manual_seed(5); a = torch.get_rng_state();"
        "t = torch.get_num_threads(); f = list(warnings.filters);"
        f"import poems; poems.fit; print(*(set('{heavy}'.split()) & sys.modules.keys()));"
        "import poems.fitting.fit, poems.plots;"
        "print(torch.equal(a, torch.get_rng_state()), t == torch.get_num_threads(),"
        " torch.get_default_dtype() == torch.float32)"
    )
    return run(code).splitlines()


def test_fitting_does_not_load_what_it_does_not_need(imported: list[str]) -> None:
    assert imported[0].strip() == ""


def test_importing_leaves_global_state_alone(imported: list[str]) -> None:
    assert imported[1].split() == ["True"] * 3
