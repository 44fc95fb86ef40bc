"""Is W dense, and are there too many or too few factors?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from poems.diagnosis.check import Check

Mask = npt.NDArray[np.bool_]

# Share of non-zero loadings beyond which W is called dense.
MOST_NON_ZERO: Final = 0.5
# A view with fewer features than this many times the factors is a small panel: every feature
# may well follow several factors.
_PANEL: Final = 2
# Components that the data support, as a multiple of the factors that there was room for.
MANY_MORE: Final = 1.5


def loading_checks(
    included: Mapping[str, Mask], n_latent: int, *, exact: bool, finished: bool
) -> tuple[Check, ...]:
    """Judge what share of each view's W, pruned factors counted, is not zero.

    Parameters
    ----------
    included
        View name to whether a loading is in, of shape (n_features, n_active).
    n_latent
        Factors that the fit started from.
    exact
        Whether the fit sets loadings to zero (``proximal``). Otherwise those
        count as in whose inclusion probability is above one half.
    finished
        Whether the sparsity reached its full strength.

    Examples
    --------
    >>> (check,) = loading_checks({"rna": np.ones((8, 2), bool)}, 3, exact=True, finished=True)
    >>> round(check.value, 2), check.verdict
    (0.67, 'warning')
    """
    checks = []
    for name, mask in included.items():
        value = np.count_nonzero(mask) / (mask.shape[0] * n_latent)
        dense = value > MOST_NON_ZERO
        panel = mask.shape[0] < _PANEL * n_latent
        if panel:
            remedy = "read them as a ranking, or set lambda_slab well above 1"
        elif not finished:
            remedy = "train to the end, or set ramp_end lower"
        else:
            remedy = (
                "set lambda_slab well above 1, or leave lambda_spike_scale (or lambda_spike) at "
                "its default"
            )
        checks.append(
            Check(
                "loadings-dense",
                "share non-zero" if exact else "share with inclusion above 0.5",
                float(value),
                MOST_NON_ZERO,
                ("note" if panel else "warning") if dense else "ok",
                view=name,
                meaning=""
                if not dense
                else "most loadings of this small panel are in: factors name no short list of it"
                if panel
                else "W is dense: factors name no short lists of features",
                remedy=remedy if dense else "",
            )
        )
    return tuple(checks)


def factor_checks(
    n_active: int, n_informative: int, n_latent: int, n_supported: int | None
) -> tuple[Check, ...]:
    """Judge how many of the factors were used.

    Parameters
    ----------
    n_active
        Factors with a loading.
    n_informative
        Those whose posterior is not the prior.
    n_latent
        Factors that the fit started from.
    n_supported
        Principal components above those of permuted data; ``None`` if unknown.

    Examples
    --------
    >>> [check.verdict for check in factor_checks(8, 8, 16, 8)]
    ['note', 'not judged']
    >>> [check.verdict for check in factor_checks(16, 16, 16, 30)]
    ['note', 'not judged']
    """
    pruned = n_latent - n_active
    number: dict[str, Any] = {"quantity": "factors pruned", "value": float(pruned)}
    if not n_active:
        first = Check(
            "no-factors",
            threshold=float(n_latent),
            verdict="warning",
            meaning="no factor drives any feature, so there are no latents",
            remedy="check that the views hold signal, then penalise less (lambda_spike_scale below "
            "its default)",
            **number,
        )
    elif pruned:
        first = Check(
            "factors-unused",
            threshold=0.0,
            verdict="note",
            meaning=f"pruned as not needed: {pruned} of {n_latent} factors",
            **number,
        )
    elif n_informative == n_latent and (n_supported or 0) > MANY_MORE * n_latent:
        first = Check(
            "factors-all-used",
            threshold=0.0,
            # There may be more to find; what was found is none the worse for it.
            verdict="note",
            meaning=f"none of the {n_latent} factors was pruned, while {n_supported} principal "
            "components stand out from permuted data: there may be more to find",
            remedy=f"compare with n_latent={2 * n_latent}",
            **number,
        )
    else:
        first = Check("factors-all-used", threshold=0.0, verdict="ok", **number)
    supported = Check(
        "factors-all-used",
        "components above noise",
        None if n_supported is None else float(n_supported),
        MANY_MORE * n_latent,
        "not judged",
    )
    return first, supported
