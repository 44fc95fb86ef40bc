"""What subtypes of new samples are worth where a view is absent, by what the fit measured."""

from __future__ import annotations

import pandas as pd

from poems.analysis.subtypes.assignment import LEAST_PROBABILITY
from poems.findings import Finding, Severity, count, name_some


def doubt_without_views(
    assigned: pd.DataFrame, gates: pd.DataFrame, switched: pd.Series
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Flag samples as uncertain that lack a view on which the subtypes depend.

    A sample's probabilities are those of the latent space. They do not know
    that its latents would be elsewhere with the view that it lacks. How often that
    changes the subtype was measured on the training samples, by withholding the
    view. Where fewer than 80 % keep theirs, no sample without the view is sure of its own.

    Parameters
    ----------
    assigned
        What :meth:`poems.analysis.subtypes.assignment.SubtypeModel.assign` returned.
    gates
        Weights of the views on the same samples, (n_samples, n_views), 0 where
        a view is absent.
    switched
        Share of the training samples that get another subtype without each
        view: ``switched_share`` of :func:`poems.analysis.contributions.tables`, by view.

    Returns
    -------
    The table with more samples flagged, and findings that say why.

    Examples
    --------
    >>> index = pd.Index(["x", "y"])
    >>> assigned = pd.DataFrame({"subtype": "S1", "uncertain": False}, index=index)
    >>> gates = pd.DataFrame({"rna": [1.0, 0.5], "protein": [0.0, 0.5]}, index=index)
    >>> doubted, findings = doubt_without_views(assigned, gates, pd.Series({"protein": 0.3}))
    >>> doubted["uncertain"].tolist()
    [True, False]
    """
    uncertain = assigned["uncertain"].copy()
    findings = []
    for view, share in switched.dropna().items():
        lacking = gates.index[gates[str(view)] == 0]
        if not len(lacking) or not share:
            continue
        much = share > 1 - LEAST_PROBABILITY
        text = (
            f"{count(len(lacking), 'sample')} without {view} ({name_some(lacking)}): in the fit, "
            f"{share:.0%} of the training samples got another subtype when it was withheld"
        )
        if much:
            uncertain |= gates[str(view)] == 0
            text += "; " + ("it is" if len(lacking) == 1 else "they are") + " flagged as uncertain"
        severity: Severity = "warning" if much else "note"
        findings.append(
            Finding(severity, "assigned-without-view", text, str(view), tuple(map(str, lacking)))
        )
    return assigned.assign(uncertain=uncertain), tuple(findings)
