"""POEMS without the model: the network of the views alone, in the same coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from poems.clustering.networks import network_coordinates
from poems.data.container import MultiOmics
from poems.evaluation.baselines import standardised
from poems_benchmark.digest import source_digest
from poems_benchmark.methods.interface import MethodResult


@dataclass(frozen=True)
class ViewsNetwork:
    """What POEMS's default embedding is without the latents, to tell what these add."""

    name: str = "POEMS, network of the views alone"
    requires: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    deterministic: bool = True

    @property
    def options(self) -> dict[str, Any]:
        """Code; there are no settings."""
        return {"code": source_digest(__name__)}

    def fit(self, cohort: MultiOmics, seed: int) -> MethodResult:
        """Return the coordinates; the seed plays no part."""
        views = [
            (standardised(view), np.isfinite(view.values) & view.measured[:, None])
            for view in cohort.views.values()
        ]
        points = network_coordinates(None, views)
        columns = [f"network_{number + 1}" for number in range(points.shape[1])]
        return MethodResult(pd.DataFrame(points, index=cohort.samples, columns=columns))
