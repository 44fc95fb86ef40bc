"""How much each view counted, and whether the subtypes merely reflect which views were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from poems.findings import Finding
from poems.wording import p_text

# Patterns and subtypes of fewer samples are pooled: expected counts would be too small for the
# chi-squared distribution to hold.
FEWEST_POOLED: Final = 5
# Subtypes are said to follow the patterns below this.
THRESHOLD: Final = 1e-3
# Cells of the table that a finding names, at most, and their least excess in standard deviations.
_NAMED = 3
_MARKED = 2.0


def mean_weights(gates: pd.DataFrame) -> pd.Series:
    """Compute the mean weight of each view over the samples on which it was measured.

    Parameters
    ----------
    gates
        Weights of shape (n_samples, n_views), 0 where a view was not measured.

    Returns
    -------
    pandas.Series
        Of length n_views; ``NaN`` for a view that was measured on no sample.

    Examples
    --------
    >>> mean_weights(pd.DataFrame({"rna": [0.6, 1.0], "protein": [0.4, 0.0]})).to_dict()
    {'rna': 0.8, 'protein': 0.4}
    """
    return gates.where(gates > 0).mean()


@dataclass(frozen=True, eq=False)
class PatternAssociation:
    """How the subtypes of samples go with the views that were measured on them.

    Parameters
    ----------
    p_value
        Of the chi-squared test that subtype and pattern are independent.
    counts
        Number of samples by subtype (rows) and pattern (columns). A pattern is
        called after the views that are absent, as in ``"without rna and cnv"``.
    """

    p_value: float
    counts: pd.DataFrame

    def finding(self) -> Finding | None:
        """Return a warning if the subtypes follow the patterns (p < 0.001), else ``None``."""
        if self.p_value >= THRESHOLD:
            return None
        counts = self.counts.to_numpy()
        sizes = counts.sum(axis=0)
        expected = np.outer(counts.sum(axis=1), sizes) / sizes.sum()
        excess = (counts - expected) / np.sqrt(expected)
        # Of each pattern the subtype that is most in excess; the most telling patterns first.
        rows = excess.argmax(axis=0)
        order = np.argsort(-excess.max(axis=0), kind="stable")
        named = max(1, min(int((excess.max(axis=0) > _MARKED).sum()), _NAMED))
        parts = [
            f"of the {sizes[at]} samples {self.counts.columns[at]}, {counts[rows[at], at]} are in "
            f"{self.counts.index[rows[at]]} ({expected[rows[at], at]:.0f} expected)"
            for at in order[:named]
        ]
        text = (
            f"subtypes follow which views were measured ({p_text(self.p_value)}): "
            f"{'; '.join(parts)}. They may tell what was measured rather than what is the matter; "
            "compare with a fit to the samples that have every view (samples='intersection')"
        )
        return Finding("warning", "subtypes-follow-missingness", text)


def pattern_association(assignment: pd.Series, gates: pd.DataFrame) -> PatternAssociation | None:
    """Test whether subtypes depend on which views were measured, by chi-squared.

    Patterns of fewer than 5 samples are pooled, and so are subtypes. If such a
    pool is still smaller, its samples are left out of the test.

    Parameters
    ----------
    assignment
        Subtype of each sample.
    gates
        Weights of shape (n_samples, n_views) of the same samples; a view was
        measured where its weight is above 0.

    Returns
    -------
    PatternAssociation or None
        ``None`` if fewer than 2 patterns or 2 subtypes are there to compare.

    Examples
    --------
    >>> gates = pd.DataFrame({"rna": [0.5] * 10 + [1.0] * 10, "cnv": [0.5] * 10 + [0.0] * 10})
    >>> found = pattern_association(pd.Series(["S1"] * 10 + ["S2"] * 10), gates)
    >>> found.counts.columns.tolist()
    ['with every view', 'without cnv']
    >>> found.p_value < 0.001
    True
    """
    from scipy.stats import chi2_contingency

    measured = gates.to_numpy() > 0
    patterns = pd.Series([_pattern(gates.columns, row) for row in measured], index=gates.index)
    table = pd.DataFrame(
        {
            "subtype": _pooled(assignment.loc[gates.index], "rare subtypes"),
            "pattern": _pooled(patterns, "with rare combinations of views"),
        }
    ).dropna()
    counts = pd.crosstab(table["subtype"], table["pattern"])
    if min(counts.shape, default=0) < 2:
        return None
    return PatternAssociation(float(chi2_contingency(counts.to_numpy()).pvalue), counts)


def pattern_findings(assignment: pd.Series, gates: pd.DataFrame) -> tuple[Finding, ...]:
    """Return a warning if subtypes follow which views were measured; none otherwise."""
    association = pattern_association(assignment, gates)
    finding = None if association is None else association.finding()
    return () if finding is None else (finding,)


def _pattern(views: pd.Index, measured: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    if measured.all():
        return "with every view"
    return f"without {' and '.join(str(view) for view in views[~measured])}"


def _pooled(groups: pd.Series, name: str) -> pd.Series:
    """Rename rare groups to ``name``, and to missing if they are few even together."""
    rare = groups.map(groups.value_counts()) < FEWEST_POOLED
    return groups.astype(object).mask(rare, name if rare.sum() >= FEWEST_POOLED else np.nan)
