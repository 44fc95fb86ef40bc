"""The survival analysis of a fitted cohort: one call, its tables and what is to be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.factors.associations import false_discovery_rates
from poems.analysis.subtypes.patterns import find_patterns
from poems.analysis.survival.concordance import FEWEST_IN_FOLD, Features, Refit, concordance_table
from poems.analysis.survival.covariates import Term, complete_cases, covariate_terms, group_terms
from poems.analysis.survival.cox import COLUMNS, PH_COLUMNS, CoxFit, fit_cox
from poems.analysis.survival.curves import Curves, survival_curves
from poems.analysis.survival.logrank import logrank_table
from poems.analysis.survival.measured_alike import measured_alike
from poems.analysis.survival.outcome import Outcome, read_outcome
from poems.analysis.survival.sentences import cohort_findings, result_findings
from poems.analysis.testing.obs_columns import FEWEST_IN_GROUP
from poems.errors import SettingsError
from poems.findings import Finding, count, name_some
from poems.notebook import Shown
from poems.settings.rates import FDR

_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class Survival(Shown):
    """What subtypes and factors say about survival. Made by :func:`survival_analysis`.

    Parameters
    ----------
    curves
        Kaplan-Meier curves, numbers at risk and a summary of each subtype.
    logrank
        Log-rank tests, see :func:`poems.analysis.survival.logrank.logrank_table`.
    cox
        Cox models, a row per coefficient and one for the test of each model. Columns ``model``,
        ``adjusted_for``, ``term``, ``level`` and ``reference`` (of groups), ``role`` (``"test"``
        of all terms of interest together, ``"term"``, ``"covariate"``), ``hazard_ratio`` (per
        standard deviation of a factor, per unit of a covariate, against the reference of a group)
        with 95 % limits ``lower`` and ``upper``, ``p``, ``test``, ``df``, ``n_samples``,
        ``n_events``, ``penalty`` (of the ridge; 0 without). A model that could not be fitted is
        one row whose ``test`` is ``"not fitted"``.
    proportional
        Check of proportional hazards: ``model``, ``adjusted_for``, ``term``, ``level``,
        ``statistic``, ``p``, ``note`` (``"not fitted"``, or why there is no test), ``q``
        (Benjamini-Hochberg over the table), ``violated`` (q <= 0.05).
    concordance
        See :func:`poems.analysis.survival.concordance.concordance_table`; empty where it could
        not be computed, which a finding says.
    tests
        The tests that decide what is reported: ``test``, ``what``, ``adjusted_for``, ``how``
        (``"likelihood ratio"``, ``"Wald (ridge)"``, ``"chi-squared"`` or ``"not fitted"``), ``p``,
        ``q`` (Benjamini-Hochberg over this table) and ``reported`` (q <= ``fdr``).
    fdr
        False discovery rate at which a result is reported.
    findings
        What was left out and assumed, and what came out, in sentences.
    """

    curves: Curves
    logrank: pd.DataFrame
    cox: pd.DataFrame
    proportional: pd.DataFrame
    concordance: pd.DataFrame
    tests: pd.DataFrame
    fdr: float
    findings: tuple[Finding, ...] = field(default=())

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by the stem of their files."""
        return {
            "survival_summary": self.curves.summary,
            "survival_km": self.curves.km,
            "survival_at_risk": self.curves.at_risk,
            "survival_tests": self.tests,
            "survival_logrank": self.logrank,
            "survival_cox": self.cox,
            "survival_ph": self.proportional,
            "survival_concordance": self.concordance,
        }

    @property
    def reported(self) -> pd.DataFrame:
        """The tests whose result is reported at the false discovery rate."""
        return self.tests[self.tests["reported"].astype(bool)]


def survival_analysis(
    latent: pd.DataFrame,
    subtypes: pd.Series,
    time: pd.Series,
    event: pd.Series,
    covariates: Sequence[str] = (),
    *,
    obs: pd.DataFrame | None = None,
    event_value: object | None = None,
    embedding: pd.DataFrame | None = None,
    measured: pd.DataFrame | None = None,
    fdr: float = FDR,
    n_folds: int = 5,
    n_repeats: int = 5,
    seed: int = 0,
    time_unit: str = "",
) -> Survival:
    """Relate subtypes and factors to survival, of which the model has seen nothing.

    Kaplan-Meier curves of each subtype; log-rank tests of all and of every two; Cox models of the
    subtypes and of each factor (in units of its standard deviation), adjusted for covariates, and
    of all factors together; a check that hazards stay proportional; and the concordance on samples
    held out of both the Cox model and the clustering, beside that of the covariates alone.

    Reported is what has a q-value of at most ``fdr`` among the overall log-rank test, the test of
    the subtypes in the Cox model, and that of each factor, by Benjamini and Hochberg (1995) over
    these. Pairs of subtypes are spoken of only where one of the first two is reported.

    Parameters
    ----------
    latent
        Factors of shape (n_samples, n_factors), such as ``model.latent``.
    subtypes
        Subtype of each sample, such as ``find_subtypes(model).assignment``.
    time
        Follow-up of each sample, in any unit.
    event
        Whether the event was seen at that time, as people write it: see
        :func:`poems.analysis.survival.outcome.read_outcome`.
    covariates
        Columns of ``obs`` to adjust for: numbers, or groups. Samples that lack one are left out of
        the adjusted models.
    obs
        One row per sample, matched by name.
    event_value
        The value of ``event`` that means an event, where the values alone do not show it.
    embedding
        Where the subtypes were found, (n_samples, n_dimensions), to repeat the clustering within
        the folds; ``latent`` by default.
    measured
        Whether each omic was measured, of shape (n_samples, n_views), such as ``model.gates > 0``.
        If given, subtypes that go with which omics were measured
        (:func:`poems.analysis.subtypes.patterns.find_patterns`) are left out of the tests, and
        all are compared once more among samples that have the same omics.
    fdr
        False discovery rate at which results are reported.
    n_folds, n_repeats
        Of the cross-validation of the concordance; no repeats leave it out.
    seed
        Of folds and clusterings.
    time_unit
        Unit of ``time``, such as ``"days"``, for the sentences.

    Raises
    ------
    DataError
        If times or events cannot be understood, there are fewer than 10 events, or a covariate
        cannot be used.
    SettingsError
        If ``fdr`` is not between 0 and 1, or there are fewer than 2 folds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> names = [f"s{at}" for at in range(80)]
    >>> latent = pd.DataFrame({"factor_1": rng.normal(size=80)}, index=names)
    >>> time = pd.Series(rng.exponential(np.exp(-latent["factor_1"])), names)
    >>> subtypes = latent["factor_1"].gt(0).map({True: "S1", False: "S2"})
    >>> event = pd.Series("dead", names)
    >>> found = survival_analysis(latent, subtypes, time, event, n_repeats=1)
    >>> found.reported["what"].tolist()
    ['subtype', 'subtype', 'factor_1']
    """
    if not 0 < fdr < 1:
        raise SettingsError(f"fdr must be between 0 and 1, not {fdr:g}")
    if n_folds < 2 or n_repeats < 0:
        raise SettingsError(
            f"the cross-validation needs at least 2 folds and no negative number of repeats, not "
            f"{n_folds} and {n_repeats}"
        )
    outcome = read_outcome(time, event, latent.index, event_value=event_value)
    samples = outcome.time.index
    adjusting, noticed = covariate_terms(obs, covariates, samples)
    complete, lacking = complete_cases(adjusting, samples)
    groups = subtypes.reindex(samples).map(str, na_action="ignore")
    findings = [*outcome.findings, *noticed, *lacking]
    patterns = () if measured is None else find_patterns(subtypes, measured)
    compared = groups.mask(groups.isin([each.subtype for each in patterns]))
    tested, small = _tested_groups(compared, several=subtypes.nunique() > 1)
    findings += small
    drawn = groups.notna()
    curves = survival_curves(
        outcome.time[drawn], outcome.event[drawn],
        groups[drawn] if drawn.any() else groups,
    )  # fmt: skip
    logrank = logrank_table(outcome.time[tested], outcome.event[tested], groups[tested])
    if measured is not None and patterns:
        again, said = measured_alike(outcome, groups, measured, patterns)
        logrank = pd.concat([logrank, again], ignore_index=True) if len(logrank) else logrank
        findings.append(said)
    factors = _standardised(latent.loc[samples])
    fits = _cox_models(outcome, groups.where(tested), factors, adjusting, complete)
    findings += cohort_findings(outcome, groups, fits)
    tests = _tests(logrank, fits, bool(adjusting), fdr)
    points = (latent if embedding is None else embedding).loc[samples]
    concordance, why = _concordance(
        outcome,
        compared,
        latent.loc[samples],
        points,
        adjusting,
        complete,
        n_folds,
        n_repeats,
        seed,
    )
    findings += why
    check = _check(fits)
    findings += result_findings(tests, curves, logrank, fits, check, concordance, fdr, time_unit)
    return Survival(
        curves=curves,
        logrank=logrank,
        cox=pd.DataFrame([row for fit in fits for row in fit.rows], columns=COLUMNS),
        proportional=check,
        concordance=concordance,
        tests=tests,
        fdr=fdr,
        findings=tuple(findings),
    )


def _tested_groups(groups: pd.Series, *, several: bool) -> tuple[pd.Series, list[Finding]]:
    """Say which samples are of a subtype that is large enough to be tested.

    Smaller ones are drawn, but have too few events for the chi-squared distribution to hold.
    ``several``: whether there is more than one subtype, whatever is known of its survival.
    """
    sizes = groups.value_counts()
    small = sorted(str(name) for name, size in sizes.items() if size < FEWEST_IN_GROUP)
    findings = []
    if small:
        text = (
            f"{count(len(small), 'subtype')} with fewer than {FEWEST_IN_GROUP} samples of known "
            f"follow-up left out of the tests, the curves show them: {name_some(small, 8)}"
        )
        findings.append(Finding("note", "survival-small-subtypes", text, items=tuple(small)))
    tested = groups.notna() & ~groups.isin(small)
    if groups[tested].nunique() < 2:
        text = "subtypes were not compared: " + (
            f"follow-up is known of {groups[tested].nunique()} subtype with at least "
            f"{FEWEST_IN_GROUP} samples, and two are needed"
            if several
            else "all samples are in one group"
        )
        findings.append(Finding("note", "survival-one-subtype", text))
    return tested, findings


def _standardised(latent: pd.DataFrame) -> pd.DataFrame:
    """Bring each factor to mean 0 and standard deviation 1; constant ones to 0."""
    centred = latent - latent.mean()
    spread = latent.std(ddof=0)
    return centred / spread.where(spread > 1e-12 * latent.abs().max(), np.inf)


def _cox_models(
    outcome: Outcome,
    groups: pd.Series,
    factors: pd.DataFrame,
    adjusting: Sequence[Term],
    complete: _Bools,
) -> list[CoxFit]:
    """Fit all models: subtypes, subtypes adjusted, each factor (adjusted), all factors."""
    time = outcome.time.to_numpy(dtype=np.float64)
    event = outcome.event.to_numpy(dtype=bool)

    def fit(model: str, terms: Sequence[Term], beside: Sequence[Term], rows: _Bools) -> CoxFit:
        parts = [
            [Term(t.name, t.level, t.reference, t.values[rows]) for t in some]
            for some in (terms, beside)
        ]
        return fit_cox(model, parts[0], parts[1], time[rows], event[rows])

    fits = []
    everyone = np.ones(len(time), dtype=bool)
    known = groups.notna().to_numpy()
    for beside, rows in [([], known), *([(adjusting, known & complete)] if adjusting else [])]:
        if groups[rows].nunique() > 1 and event[rows].any():
            # Coded anew: the largest subtype may be another one among the complete cases.
            terms = group_terms("subtype", groups.where(pd.Series(rows, groups.index)))
            fits.append(fit("subtype", terms, beside, rows))
    rows = complete if adjusting else everyone
    terms = [Term(str(name), "", "", factors[name].to_numpy(np.float64)) for name in factors]
    if event[rows].any():
        fits += [fit(term.name, [term], adjusting, rows) for term in terms]
        if len(terms) > 1:
            fits.append(fit("all factors", terms, adjusting, rows))
    return fits


def _tests(
    logrank: pd.DataFrame, fits: Sequence[CoxFit], adjusted: bool, fdr: float
) -> pd.DataFrame:
    """Gather the tests that decide, and their q-values."""
    rows = []
    if len(logrank):
        p = logrank.iloc[0]["p"]
        head = {"test": "log-rank", "what": "subtype", "adjusted_for": "", "how": "chi-squared"}
        rows.append({**head, "p": p})
    for at, fit in enumerate(fits):
        head = fit.rows[0]
        # Of the subtype's models the adjusted one, which is the later.
        superseded = any(other.rows[0]["model"] == head["model"] for other in fits[at + 1 :])
        if head["model"] != "all factors" and not superseded:
            what, beside, how = head["model"], head["adjusted_for"], head["test"]
            common = {"test": "Cox", "what": what, "adjusted_for": beside, "how": how}
            rows.append({**common, "p": fit.p})
    table = pd.DataFrame(rows, columns=["test", "what", "adjusted_for", "how", "p"])
    table["q"] = false_discovery_rates(table["p"].to_numpy(dtype=np.float64))
    table["reported"] = table["q"] <= fdr
    return table


def _check(fits: Sequence[CoxFit]) -> pd.DataFrame:
    """Gather the checks of proportional hazards, with their q-values.

    Covariates are checked in the models of the subtypes alone, not again beside every factor.
    """
    rows = []
    for fit in fits:
        if fit.rows[0]["model"] == "all factors":
            continue
        # A model that was not fitted has a row of the test alone.
        own = {row["term"] for row in fit.rows if row["role"] == "term"} or {fit.rows[0]["term"]}
        of_subtypes = "subtype" in own
        rows += [row for row in fit.proportional if of_subtypes or row["term"] in own]
    table = pd.DataFrame(rows, columns=PH_COLUMNS)
    table["q"] = false_discovery_rates(table["p"].to_numpy(dtype=np.float64))
    table["violated"] = table["q"] <= 0.05
    return table


def _concordance(
    outcome: Outcome,
    groups: pd.Series,
    latent: pd.DataFrame,
    points: pd.DataFrame,
    adjusting: Sequence[Term],
    complete: _Bools,
    n_folds: int,
    n_repeats: int,
    seed: int,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Cross-validate what there is: covariates, subtypes, factors, and both with covariates."""
    rows = (groups.notna().to_numpy() & complete).nonzero()[0]
    event = outcome.event.to_numpy(dtype=bool)[rows]
    if not n_repeats:
        return _none(), []
    if event.sum() < FEWEST_IN_FOLD * n_folds:
        text = (
            f"the concordance was not cross-validated: {count(int(event.sum()), 'event')} among "
            f"the complete cases, and {FEWEST_IN_FOLD * n_folds} are needed for {n_folds} folds"
        )
        return _none(), [Finding("note", "survival-no-concordance", text)]
    z = latent.to_numpy(dtype=np.float64)[rows]
    n_subtypes = groups.iloc[rows].nunique()
    sets: dict[str, list[Features]] = {}
    beside: list[Features] = []
    if adjusting:
        fixed = np.stack([term.values[rows] for term in adjusting], axis=1)
        beside = [lambda learn: fixed]
        sets["covariates"] = beside
    own: dict[str, Features] = {}
    if n_subtypes > 1 and z.shape[1]:
        where = points.to_numpy(dtype=np.float64)[rows]
        own["subtypes"] = Refit(where, z, n_subtypes, seed)
    if z.shape[1]:
        own["factors"] = lambda learn: z
    for name, features in own.items():
        sets[name] = [features]
        if adjusting:
            sets[f"{name} + covariates"] = [features, *beside]
    if not sets:
        return _none(), []
    table = concordance_table(
        sets, outcome.time.to_numpy(dtype=np.float64)[rows], event,
        n_folds=n_folds, n_repeats=n_repeats, seed=seed,
    )  # fmt: skip
    return table, []


def _none() -> pd.DataFrame:
    columns = "features concordance sd n_repeats n_folds n_failed n_samples n_events"
    return pd.DataFrame(columns=columns.split())
