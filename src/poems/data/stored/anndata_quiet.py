"""What AnnData and MuData say about their own workings, silenced; and a key of theirs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# MuData orders its samples by view; the order of the cohort is kept under this key of `uns`.
ORDER_KEY = "poems_samples"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what mudata and anndata say about their own workings, and no more."""
    # Their plans for coming versions, nothing about the file: the categories say so.
    with warnings.catch_warnings():
        for module in ("anndata", "mudata"):
            for category in (FutureWarning, DeprecationWarning):
                # As above.
                warnings.filterwarnings("ignore", category=category, module=module)
        # Genes measured both ways share a name; here names are unique within a view.
        warnings.filterwarnings("ignore", message="var_names are not unique", category=UserWarning)
        yield
