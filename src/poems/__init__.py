"""POEMS: product-of-experts integration of multi-omic cohorts with sparse decoding.

>>> import poems
>>> cohort = poems.simulate(n_samples=60, seed=0).cohort
>>> model = poems.fit(cohort, seed=0, epochs=20, progress=False)
>>> model.latent.shape[0]
60
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from poems._lazy import lazily
from poems._version import __version__

if TYPE_CHECKING:
    from poems import pl
    from poems.analysis.subtypes.finding import find_subtypes
    from poems.data import MultiOmics, check, read
    from poems.errors import (
        DataError,
        PoemsError,
        ReadError,
        SettingsError,
        StorageError,
        TrainingError,
    )
    from poems.fitting.fit import fit
    from poems.fitting.result import FittedPoems, load
    from poems.resampling.stability import stability
    from poems.settings.schema import Settings
    from poems.simulation.cohort import simulate

# Where each public name lives. Loaded on first use, so that `import poems` is quick.
_HOMES = {
    "DataError": "poems.errors",
    "FittedPoems": "poems.fitting.result",
    "MultiOmics": "poems.data",
    "PoemsError": "poems.errors",
    "ReadError": "poems.errors",
    "Settings": "poems.settings.schema",
    "SettingsError": "poems.errors",
    "StorageError": "poems.errors",
    "TrainingError": "poems.errors",
    "check": "poems.data",
    "find_subtypes": "poems.analysis.subtypes.finding",
    "fit": "poems.fitting.fit",
    "load": "poems.fitting.result",
    "pl": "poems.pl",
    "read": "poems.data",
    "simulate": "poems.simulation.cohort",
    "stability": "poems.resampling.stability",
}

__all__ = [
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

__getattr__, __dir__ = lazily(__name__, _HOMES)
