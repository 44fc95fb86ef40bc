"""POEMS itself: a preset with some settings changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from poems.data.container import MultiOmics
from poems.fitting.fit import fit
from poems.settings.schema import Metric, Settings
from poems_benchmark.digest import source_digest
from poems_benchmark.methods.interface import MethodResult


@dataclass(frozen=True)
class Poems:
    """POEMS with a preset's settings, some of them overridden.

    Parameters
    ----------
    name
        How tables call it.
    preset
        ``"default"`` or ``"paper"``.
    overrides
        Single settings by name, as :func:`poems.fit` takes them.
    metric
        The embedding; the model's default if ``None``.
    """

    name: str = "POEMS"
    preset: str = "default"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    metric: Metric | None = None
    requires: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    deterministic: bool = False

    @property
    def settings(self) -> Settings:
        """All settings of the fit.

        Raises
        ------
        SettingsError
            If an override has no such name or value.
        """
        return Settings.preset(self.preset).updated(**self.overrides)

    @property
    def options(self) -> dict[str, Any]:
        """Settings and code."""
        code = source_digest(__name__)
        settings = self.settings.model_dump(mode="json")
        return {"settings": settings, "metric": self.metric, "code": code}

    def fit(self, cohort: MultiOmics, seed: int) -> MethodResult:
        """Fit POEMS, and return the embedding."""
        model = fit(cohort, seed=seed, settings=self.settings, progress=False)
        nonzero = sum(int(np.count_nonzero(table)) for table in model.loadings.values())
        return MethodResult(
            model.embedding(self.metric),
            loadings=model.loadings,
            n_factors=model.n_active,
            details={
                "epochs": len(model.history),
                "nonzero": nonzero,
                "r2": float(model.r2.mean()),
            },
        )
