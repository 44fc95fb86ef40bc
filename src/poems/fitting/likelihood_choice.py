"""The likelihoods that are left to be chosen (``auto``): by the values, before the fit."""

from __future__ import annotations

from poems.data import MultiOmics
from poems.data.likelihoods import chosen_likelihoods, likelihood_findings
from poems.findings import Finding
from poems.scaling.sizes import from_counts
from poems.settings.schema import Settings


def choose_likelihoods(
    cohort: MultiOmics, settings: Settings
) -> tuple[Settings, tuple[Finding, ...]]:
    """Return settings in which each view has a likelihood, and why.

    Views that are logged by ``log1p`` stay Gaussian.

    Raises
    ------
    SettingsError
        If a likelihood is set for a view that is not among the cohort's.

    Examples
    --------
    >>> import numpy as np, pandas as pd, poems
    >>> values = np.random.default_rng(0).integers(0, 2, size=(30, 4))
    >>> calls = pd.DataFrame(values).add_prefix("gene").rename("s{}".format)
    >>> chosen, findings = choose_likelihoods(poems.read({"calls": calls}), Settings())
    >>> chosen.model.likelihood, findings[0].code
    ({'calls': 'bernoulli'}, 'likelihood-chosen')
    """
    views = tuple(cohort.views)
    undecided = settings.model.to_be_chosen(views)
    if not undecided:
        return settings, ()
    looked_at = set(undecided) - set(settings.preprocessing.log1p)
    sized = {name for name in views if from_counts(settings.preprocessing.sizes_of(name))}
    found = tuple(likelihood_findings(cohort, looked_at, sized))
    names = dict(zip(views, settings.model.likelihoods_of(views), strict=True))
    names |= chosen_likelihoods(found)
    # All of them by name: a refit on some of the samples is of the same likelihoods.
    gaussian = set(names.values()) == {"gaussian"}
    return settings.updated(likelihood="gaussian" if gaussian else names), found
