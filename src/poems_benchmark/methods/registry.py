"""The methods of the benchmark by name.

To add one here, write its file and a line in ``TOOLS``. A package of its own adds one with
:func:`register_method`, or without being imported first by an entry point of the group
``poems_benchmark.methods``: the method's short name, and where its factory is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from poems.errors import SettingsError
from poems.settings.schema import Metric, Settings
from poems_benchmark.methods.ablations import ABLATIONS
from poems_benchmark.methods.autoencoder import Autoencoder
from poems_benchmark.methods.interface import Method
from poems_benchmark.methods.keys import is_key
from poems_benchmark.methods.mofa import Mofa, MofaSettings
from poems_benchmark.methods.mofaflex import MofaFlex
from poems_benchmark.methods.pca import Pca
from poems_benchmark.methods.poems_fit import Poems
from poems_benchmark.methods.snf import Snf
from poems_benchmark.methods.views_network import ViewsNetwork

# Epochs of the paper preset here; the published 5000 take hours on some cohorts.
PAPER_EPOCHS = 300
_QUICK_EPOCHS = 20


class MethodFactory(Protocol):
    """Makes a method; ``quick`` for one that is trained only briefly, to try things out."""

    def __call__(self, *, quick: bool = False) -> Method:
        """Make the method."""
        ...


def _pca(*, quick: bool = False) -> Method:
    return Pca()


def _snf(*, quick: bool = False) -> Method:
    return Snf()


def _views(*, quick: bool = False) -> Method:
    return ViewsNetwork()


def _mofa(*, quick: bool = False) -> Method:
    return Mofa(MofaSettings(iterations=50)) if quick else Mofa()


def _mofaflex(*, quick: bool = False) -> Method:
    return MofaFlex(max_epochs=50) if quick else MofaFlex()


def _autoencoder(*, quick: bool = False) -> Method:
    return Autoencoder(Settings().updated(epochs=_QUICK_EPOCHS)) if quick else Autoencoder()


def poems_variant(
    name: str,
    overrides: Mapping[str, Any],
    *,
    preset: str = "default",
    metric: Metric | None = None,
    quick: bool = False,
) -> Method:
    """Return POEMS with some settings overridden, as a method called ``name``."""
    brief = {"epochs": _QUICK_EPOCHS} if quick else {}
    return Poems(name, preset, {**overrides, **brief}, metric)


# What is ranked against each other, and what else there is beside it.
TOOLS: dict[str, MethodFactory] = {
    "pca": _pca,
    "snf": _snf,
    "mofa": _mofa,
    "mofaflex": _mofaflex,
    "autoencoder": _autoencoder,
    "poems": partial(poems_variant, "POEMS", {}),
}

METHODS: dict[str, MethodFactory] = {
    **TOOLS,
    "paper": partial(
        poems_variant,
        f"POEMS paper preset, {PAPER_EPOCHS} epochs",
        {"epochs": PAPER_EPOCHS},
        preset="paper",
    ),
    **{
        key: partial(
            poems_variant, f"POEMS, {ablation.name}", ablation.overrides, metric=ablation.metric
        )
        for key, ablation in ABLATIONS.items()
    },
    "views": _views,
}

_ABLATIONS = (*ABLATIONS, "views")


def register_method(key: str, make: MethodFactory) -> None:
    """Add a method to the benchmark, as one of the tools, for as long as this process runs.

    Parameters
    ----------
    key
        Its short name.
    make
        Makes the method; see :class:`poems_benchmark.methods.interface.Method`. The method is
        sent to other processes by pickle, and so must be importable there.

    Raises
    ------
    SettingsError
        If the name is taken, or has other signs than letters, digits and ``_ . + -``.

    Examples
    --------
    >>> register_method("pca", partial(poems_variant, "Mine", {}))
    Traceback (most recent call last):
    ...
    poems.errors.SettingsError: there is a method 'pca' already; choose another name
    """
    if not is_key(key):
        raise SettingsError(f"'{key}' is no name for a method: letters, digits, '_.+-' alone")
    if key in METHODS or key in groups():
        what = "method" if key in METHODS else "group"
        raise SettingsError(f"there is a {what} '{key}' already; choose another name")
    METHODS[key] = TOOLS[key] = make


def register_installed(entries: Iterable[EntryPoint]) -> None:
    """Add the methods that installed packages name; each is loaded when it is asked for.

    Raises
    ------
    SettingsError
        As :func:`register_method`; the text names the package.
    """
    for entry in entries:
        try:
            register_method(entry.name, _Installed(entry))
        except SettingsError as error:
            raise SettingsError(f"{_origin(entry)} adds a method: {error}") from None


@dataclass(frozen=True)
class _Installed:
    """A method of another package."""

    entry: EntryPoint

    def __call__(self, *, quick: bool = False) -> Method:
        try:
            make: MethodFactory = self.entry.load()
        except (ImportError, AttributeError) as error:
            raise SettingsError(
                f"the method '{self.entry.name}' of {_origin(self.entry)} cannot be loaded: "
                f"{error}; mend that package, or uninstall it"
            ) from error
        return make(quick=quick)


def _origin(entry: EntryPoint) -> str:
    return f"the package {entry.dist.name if entry.dist else entry.module}"


def groups() -> dict[str, tuple[str, ...]]:
    """Return the names that stand for several methods, and for which."""
    return {"tools": tuple(TOOLS), "ablations": _ABLATIONS, "all": tuple(METHODS)}


def method_names(chosen: list[str]) -> list[str]:
    """Return the names of methods, groups spelled out, each once.

    Raises
    ------
    SettingsError
        If there is no such method or group.

    Examples
    --------
    >>> method_names(["mofa", "tools"])[:3]
    ['mofa', 'pca', 'snf']
    """
    unknown = [name for name in chosen if name not in METHODS and name not in groups()]
    if unknown:
        raise SettingsError(
            f"no method {', '.join(map(repr, unknown))}; there are {', '.join(METHODS)}, and the "
            f"groups {', '.join(groups())}"
        )
    return list(dict.fromkeys(each for name in chosen for each in groups().get(name, (name,))))


register_installed(entry_points(group="poems_benchmark.methods"))
