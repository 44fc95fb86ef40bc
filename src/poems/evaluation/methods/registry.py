"""The methods of the benchmark by name; to add one, write its file and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from poems.config import Metric, Settings
from poems.errors import SettingsError
from poems.evaluation.methods.ablations import ABLATIONS
from poems.evaluation.methods.autoencoder import Autoencoder
from poems.evaluation.methods.interface import Method
from poems.evaluation.methods.mofa import Mofa, MofaSettings
from poems.evaluation.methods.mofaflex import MofaFlex
from poems.evaluation.methods.pca import Pca
from poems.evaluation.methods.poems_fit import Poems
from poems.evaluation.methods.snf import Snf
from poems.evaluation.methods.views_network import ViewsNetwork

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


TOOLS: Mapping[str, MethodFactory] = {
    "pca": _pca,
    "snf": _snf,
    "mofa": _mofa,
    "mofaflex": _mofaflex,
    "autoencoder": _autoencoder,
    "poems": partial(poems_variant, "POEMS", {}),
}

METHODS: Mapping[str, MethodFactory] = {
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

GROUPS: Mapping[str, tuple[str, ...]] = {
    "tools": tuple(TOOLS),
    "ablations": (*ABLATIONS, "views"),
    "all": tuple(METHODS),
}


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
    unknown = [name for name in chosen if name not in METHODS and name not in GROUPS]
    if unknown:
        raise SettingsError(
            f"no method {', '.join(map(repr, unknown))}; there are {', '.join(METHODS)}, and the "
            f"groups {', '.join(GROUPS)}"
        )
    return list(dict.fromkeys(each for name in chosen for each in GROUPS.get(name, (name,))))
