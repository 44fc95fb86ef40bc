"""Everything that the tables say of the factors of a model, gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from poems.analysis.contributions.gates import THRESHOLD, pattern_association
from poems.analysis.factors.associations import Associations, associate, factor_correlations
from poems.analysis.factors.effects import factor_effects
from poems.analysis.factors.variance import VarianceExplained, variance_explained
from poems.analysis.testing.obs_columns import testable_columns
from poems.data import MultiOmics
from poems.findings import Finding, name_some
from poems.fitting.projection import Inferred, inferred, projection_of
from poems.notebook import Shown
from poems.wording import p_text

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems


@dataclass(frozen=True, eq=False, repr=False)
class FactorTables(Shown):
    """What the factors of a model drive, explain and go with.

    Parameters
    ----------
    effects
        A row per non-zero loading, see :func:`poems.analysis.factor_effects`.
    correlations
        A row per pair of factors, see :func:`poems.analysis.factor_correlations`.
    variance
        See :func:`poems.analysis.variance_explained`; ``None`` without a cohort.
    associations
        See :func:`poems.analysis.associate`; ``None`` without an obs table.
    background
        The same of the background factors; ``None`` also where there are none.
    """

    effects: pd.DataFrame
    correlations: pd.DataFrame
    variance: VarianceExplained | None = None
    associations: Associations | None = None
    background: Associations | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was absent, unknown or left out."""
        return (
            *(() if self.variance is None else self.variance.findings),
            *(() if self.associations is None else self.associations.findings),
        )


def describe_factors(
    model: FittedPoems,
    cohort: MultiOmics | Mapping[str, Any] | None = None,
    *,
    obs: pd.DataFrame | None = None,
    seed: int = 0,
    samples: Inferred | None = None,
) -> FactorTables:
    """Say what each factor of a model drives, explains and goes with.

    Parameters
    ----------
    model
        The fitted model.
    cohort
        The samples on which variance explained, correlations and associations
        are computed: the training cohort or another one. Without it the latter two are
        of the training samples, and the first is left out: a model keeps no data.
    obs
        Table of the samples to associate the factors with; that of the cohort,
        if it has columns, by default.
    seed
        Of the draws that effects are averaged over.
    samples
        The samples as inferred before, where they were; inferred anew by default.

    Raises
    ------
    DataError
        If the cohort shares nothing with the model, or the obs table nothing
        with the samples.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(n_samples=60, n_features=40, seed=0).cohort
    >>> model = poems.fit(cohort, seed=0, epochs=30, progress=False)
    >>> tables = describe_factors(model, cohort)
    >>> tables.associations.table["column"].unique().tolist()
    ['subtype']
    """
    if cohort is not None and samples is None:
        samples = inferred(model, cohort)
    given = None if samples is None else samples.cohort
    latent, gates, background = model.latent, model.gates, model.background
    if samples is not None:
        projection = projection_of(model, samples)
        latent, gates = projection.latent, projection.gates
        background = background if projection.background is None else projection.background
    if obs is None and given is not None and len(given.obs.columns):
        obs = given.obs
    associations = of_background = None
    if obs is not None:
        if len(background.columns):
            of_background = associate(background, obs)
        associations = associate(latent, obs)
        noticed = missingness_findings(obs, gates)
        associations = replace(associations, findings=(*associations.findings, *noticed))
    return FactorTables(
        effects=factor_effects(model, seed=seed),
        correlations=factor_correlations(latent),
        variance=None
        if samples is None
        else variance_explained(model, samples.cohort, samples=samples),
        associations=associations,
        background=of_background,
    )


def missingness_findings(obs: pd.DataFrame, gates: pd.DataFrame) -> tuple[Finding, ...]:
    """Warn of columns that go with which views were measured, as some batches do.

    A factor that is read from a view is near its mean where the view is
    absent, and so goes with such a column whatever the biology.

    Parameters
    ----------
    obs
        One row per sample.
    gates
        Weights of shape (n_samples, n_views); a view was measured where its
        weight is above 0.

    Examples
    --------
    >>> gates = pd.DataFrame({"rna": [0.5] * 10 + [1.0] * 10, "cnv": [0.5] * 10 + [0.0] * 10})
    >>> obs = pd.DataFrame({"centre": ["a"] * 10 + ["b"] * 10, "sex": ["f", "m"] * 10})
    >>> [finding.items for finding in missingness_findings(obs, gates)]
    [('centre',)]
    """
    following = columns_following(obs, gates)
    if not following:
        return ()
    named = name_some((f"{name} ({p_text(p)})" for name, p in following), 20)
    text = (
        f"which views were measured goes with {named}: a factor that is read from a view is near "
        "its mean where the view is absent, so what goes with this may tell no more than that. "
        "Repeat it on the samples that have every view"
    )
    items = tuple(name for name, _ in following)
    return (Finding("warning", "obs-follows-missingness", text, items=items),)


def columns_following(obs: pd.DataFrame, gates: pd.DataFrame) -> list[tuple[str, float]]:
    """Return the columns that go with which views were measured, each with its p-value."""
    columns, _ = testable_columns(obs.reindex(gates.index))
    following = []
    for column in columns:
        groups = column.values
        if column.kind == "numeric":
            groups = (groups > groups.median()).map(str).where(groups.notna())
        association = pattern_association(groups, gates)
        if association is not None and association.p_value < THRESHOLD:
            following.append((column.name, association.p_value))
    return following
