"""False discovery rates (Benjamini & Hochberg 1995) at which results are spoken of."""

from __future__ import annotations

from typing import Final

# Of pairs, markers, gene sets, survival and selected features, unless another is asked for.
FDR: Final = 0.1
# Of associations with columns of the obs table: up to this, a factor is said to go with one.
FDR_OBS: Final = 0.05
