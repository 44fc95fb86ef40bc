"""How much each view counted: the gate's weight, and beside it what happens without the view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from poems.analysis.contributions.gate_against_effect import disagreements
from poems.analysis.contributions.withheld import Withheld, withhold_views
from poems.analysis.factors.associations import compare, false_discovery_rates, matched
from poems.analysis.factors.tables import columns_following
from poems.analysis.subtypes.assignment import SubtypeModel, learn_subtypes
from poems.analysis.subtypes.finding import Subtypes
from poems.analysis.testing.obs_columns import (
    FEWEST_IN_GROUP,
    NOT_TESTED,
    ObsColumn,
    testable_columns,
)
from poems.clustering.agreement import ari
from poems.clustering.names import natural_order
from poems.data import MultiOmics
from poems.findings import Finding, count, name_some
from poems.fitting.projection import Inferred, inferred
from poems.notebook import Shown
from poems.wording import p_text

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

# The column of the table by group that holds the subtypes, and the group that stands for all
# samples with a number.
SUBTYPE: Final = "subtype"
NUMBERS: Final = "(numbers)"

BY_VIEW: Final = [
    "view",
    "n_samples",
    "mean_gate",
    "mean_shift",
    "mean_subtype_change",
    "switched_share",
    "ari_with",
    "ari_without",
    "gate_rank",
    "effect_rank",
]
BY_GROUP: Final = [
    "column",
    "group",
    "view",
    "n_samples",
    "mean_gate",
    "mean_shift",
    "test",
    "measure",
    "effect",
    "p",
    "q",
    "effect_gate",
    "p_gate",
    "q_gate",
]


@dataclass(frozen=True, eq=False, repr=False)
class ViewContributions(Shown):
    """How much each view counted, by sample, in the cohort, and by group of samples.

    Samples with one view are in none of the tables: nothing is left without it.

    Parameters
    ----------
    by_sample
        One row per sample and view, see :class:`poems.analysis.contributions.withheld.Withheld`.
    by_view
        One row per view. Means are over the samples that have it and another
        view. ``mean_subtype_change``: change of the probability of a sample's
        subtype when the view is withheld; ``switched_share``: share of samples
        whose likeliest subtype changes; ``ari_without`` and ``ari_with``:
        adjusted Rand index of the likeliest subtypes, without the view and with
        all, with the subtypes given; ``gate_rank`` and ``effect_rank``: 1 for
        the view with the largest mean gate and mean shift. ``NaN`` for a view
        that was never withheld, and what is of subtypes where there is but one.
    by_group
        One row per group and view, the subtypes first (not where there is but one), then
        columns of the obs table. For a column of numbers the group is ``"(numbers)"``: all samples
        with a value. ``test``, ``measure``, ``effect``, ``p`` and ``q`` are of
        the shift against the column (Spearman, Mann-Whitney or Kruskal-Wallis,
        as in :func:`poems.analysis.associate`), and the same on every row of a
        column and view; ``effect_gate``, ``p_gate`` and ``q_gate`` are of the
        gate. q is the false discovery rate over all tests of the table, those
        of the gate and of the shift. The subtypes were found in the latents
        that the views make: their p-values describe, and prove nothing.
    findings
        What was left out, and where gate and effect disagree.
    """

    by_sample: pd.DataFrame
    by_view: pd.DataFrame
    by_group: pd.DataFrame
    findings: tuple[Finding, ...] = ()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by the names of their files."""
        return {
            "contributions_by_sample": self.by_sample,
            "contributions_by_view": self.by_view,
            "contributions_by_group": self.by_group,
        }


def view_contributions(
    model: FittedPoems,
    cohort: MultiOmics | Mapping[str, Any],
    subtypes: Subtypes | pd.Series,
    obs: pd.DataFrame | None = None,
    *,
    subtype_model: SubtypeModel | None = None,
    samples: Inferred | None = None,
) -> ViewContributions:
    """Compute how much each view counted: its gate, and what changes when it is withheld.

    A gate is a weight on a view's opinion. A large one on an opinion that the
    other views share changes nothing, a small one on an opinion of its own may
    change much. So each view of each sample is withheld as if it had not been
    measured: how far does the posterior mean move, and how does the probability
    of the sample's subtype change? Withholding one view alone does not show
    what another view says as well.

    Parameters
    ----------
    model
        The fitted model.
    cohort
        The training cohort, or other samples, in memory or on disk.
    subtypes
        The subtypes of the training samples. Samples that are not among them
        are assigned, see :class:`SubtypeModel`.
    obs
        Table to compare with, one row per sample; that of the cohort by default.
    subtype_model
        Gives the probabilities of subtypes; learnt from ``subtypes`` by default.
    samples
        The samples as inferred before, where they were; inferred anew by default.

    Raises
    ------
    DataError
        If no view or no feature is known, a sample has nothing measured, a
        training sample has no subtype, or ``obs`` is of other samples.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(n_samples=60, n_features=40, seed=0).cohort
    >>> model = poems.fit(cohort, seed=0, epochs=30, progress=False)
    >>> found = view_contributions(model, cohort, poems.analysis.find_subtypes(model))
    >>> found.by_view["view"].tolist(), len(found.by_sample)
    (['view1', 'view2', 'view3'], 180)
    """
    samples = inferred(model, cohort) if samples is None else samples
    given = samples.cohort
    known = subtypes.assignment if isinstance(subtypes, Subtypes) else subtypes
    if subtype_model is None:
        subtype_model = (
            subtypes.assigner(model)
            if isinstance(subtypes, Subtypes)
            else learn_subtypes(model.latent, known, model.latent_variance)
        )
    columns = given.obs if obs is None else matched(obs, given.samples)
    withheld = withhold_views(model, samples, subtype_model, known)
    several = len(subtype_model.sizes) > 1
    by_view = _by_view(withheld, model.view_names, several=several)
    by_group, left_out = _by_group(withheld.table, columns, model.view_names, several=several)
    return ViewContributions(
        by_sample=withheld.table,
        by_view=by_view,
        by_group=by_group,
        findings=(
            *withheld.findings,
            *_alone(withheld),
            *left_out,
            *_following(columns, withheld),
            *disagreements(withheld.table, by_view),
        ),
    )


def _by_view(withheld: Withheld, views: tuple[str, ...], *, several: bool) -> pd.DataFrame:
    records = []
    for view in views:
        rows = withheld.table[withheld.table["view"] == view]
        record: dict[str, Any] = {"view": view, "n_samples": len(rows)}
        if len(rows):
            record |= {
                "mean_gate": float(rows["gate"].mean()),
                "mean_shift": float(rows["shift"].mean()),
            }
        # From the only subtype none can change to another.
        if len(rows) and several:
            record |= {
                "mean_subtype_change": float(rows["subtype_change"].mean()),
                "switched_share": float(rows["switched"].mean()),
                "ari_with": ari(rows["subtype"].astype(str), rows["nearest"]),
                "ari_without": ari(rows["subtype"].astype(str), rows["nearest_without"]),
            }
        records.append(record)
    table = pd.DataFrame(records, columns=BY_VIEW)
    for rank, mean in (("gate_rank", "mean_gate"), ("effect_rank", "mean_shift")):
        table[rank] = table[mean].astype(float).rank(ascending=False, method="min").astype("Int64")
    return table


def _by_group(
    table: pd.DataFrame, obs: pd.DataFrame, views: tuple[str, ...], *, several: bool
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Compare gate and shift of each view between groups of the samples that have it."""
    if not len(table):
        return pd.DataFrame(columns=BY_GROUP), ()
    samples = pd.Index(table["sample"].unique())
    _, findings = testable_columns(obs.reindex(samples))
    left_out = {name for each in findings if each.code == NOT_TESTED for name in each.items}
    records: list[dict[str, Any]] = []
    for view in views:
        own = table[table["view"] == view].set_index("sample")
        if not len(own):
            continue
        values = own[["shift", "gate"]].to_numpy(dtype=np.float64)
        columns, lacking = testable_columns(obs.reindex(own.index))
        compared = [_renamed(column) for column in columns]
        if several:
            compared.insert(0, ObsColumn(SUBTYPE, "groups", own["subtype"].astype(str)))
        for column in compared:
            records += _records(column, view, values)
        for finding in lacking:
            # What is left out of every view is said once.
            rest = [name for name in finding.items if name not in left_out]
            if rest and finding.code == NOT_TESTED:
                text = f"on the samples with it, not tested: {name_some(rest, 20)}"
                findings += (Finding("note", "obs-not-tested", text, view, tuple(rest)),)
    frame = pd.DataFrame(records, columns=[*BY_GROUP, "test_number"])
    frame["test_number"] = frame.groupby(["column", "view"], sort=False).ngroup()
    once = frame.drop_duplicates("test_number")
    p = once[["p", "p_gate"]].to_numpy(dtype=np.float64)
    q = pd.DataFrame(false_discovery_rates(p.ravel()).reshape(p.shape), index=once["test_number"])
    frame["q"] = frame["test_number"].map(q[0]).astype(float)
    frame["q_gate"] = frame["test_number"].map(q[1]).astype(float)
    order = list(dict.fromkeys([SUBTYPE, *frame["column"]]))
    frame = frame.sort_values("column", key=lambda names: names.map(order.index), kind="stable")
    return frame[BY_GROUP].reset_index(drop=True), findings


def _renamed(column: ObsColumn) -> ObsColumn:
    """Tell a column of the obs table from the subtypes that were found."""
    return replace(column, name=f"{SUBTYPE} (obs)") if column.name == SUBTYPE else column


def _records(column: ObsColumn, view: str, values: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    """Return a row for each group: means, and the tests that all rows of the column share."""
    known = column.values.notna().to_numpy()
    groups = column.values.to_numpy(dtype=object)
    if column.kind == "numeric":
        groups = np.where(known, NUMBERS, groups)
    sizes = column.values.map(column.values.value_counts())
    if column.kind == "groups":
        # Small groups have their means, but no part in the test.
        column = replace(column, values=column.values.where(sizes >= FEWEST_IN_GROUP))
    tests: dict[str, Any] = {}
    if column.values.nunique() > 1:
        shift, gate = compare(column, values)
        tests = {key: shift[key] for key in ("test", "measure", "effect", "p")}
        tests |= {"effect_gate": gate["effect"], "p_gate": gate["p"]}
    records = []
    for name in sorted(set(groups[known]), key=natural_order):
        own = values[known & (groups == name)]
        means = {"mean_shift": own[:, 0].mean(), "mean_gate": own[:, 1].mean()}
        place = {"column": column.name, "group": name, "view": view, "n_samples": len(own)}
        records.append({**place, **means, **tests})
    return records


def _alone(withheld: Withheld) -> tuple[Finding, ...]:
    """Say how many samples have one view alone, and which views were never withheld."""
    n_left = withheld.n_samples - withheld.table["sample"].nunique()
    if not n_left:
        return ()
    text = (
        f"{n_left} of {count(withheld.n_samples, 'sample')} have one view alone, so nothing can be "
        "withheld from them; they are not among the contributions"
    )
    return (Finding("note", "one-view-alone", text),)


def _following(obs: pd.DataFrame, withheld: Withheld) -> tuple[Finding, ...]:
    """Warn of columns that go with which views were measured: gates then follow them anyway."""
    if not len(withheld.table) or not len(obs.columns):
        return ()
    gates = withheld.table.pivot(index="sample", columns="view", values="gate").fillna(0.0)
    following = columns_following(obs, gates)
    if not following:
        return ()
    text = (
        "which views were measured goes with "
        f"{name_some((f'{name} ({p_text(p)})' for name, p in following), 20)}: a view counts more "
        "where others are absent, so that its contribution goes with this may tell no more than "
        "that"
    )
    items = tuple(name for name, _ in following)
    return (Finding("warning", "obs-follows-missingness", text, items=items),)
