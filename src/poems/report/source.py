"""What a report is made from: the run, the tables beside it, and what is computed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

import pandas as pd

from poems.analysis.survival.copies import outcome_columns
from poems.findings import Finding
from poems.report.blocks import Notice
from poems.settings.schema import Metric

if TYPE_CHECKING:
    from poems.fitting.stored import StoredFit
    from poems.runs.folder import Run

FOLDER: Final = "analysis"
# Tables that are of the obs table's columns alone.
_OF_OBS: Final = ("factor_obs", "background_obs", "subtype_obs")
# Of subtypes, too.
_BY_GROUP: Final = "contributions_by_group"
FINDING_COLUMNS: Final = ["severity", "code", "view", "message"]


@dataclass(frozen=True, eq=False)
class Source:
    """A run with the tables that a report shows.

    Parameters
    ----------
    run
        As :func:`poems.runs.folder.read_run` gives it.
    tables
        By file stem: those of the run's ``analysis`` folder, and those computed
        for the report.
    computed
        Stems of those computed for the report.
    tables_folder
        Name of the folder that holds those, for captions.
    findings
        What was noticed at the fit and since, but of survival: columns ``severity``,
        ``code``, ``view``, ``message``.
    labels
        The column that subtypes are to be compared with, if one was named.
    time
        The column of follow-up times, if one was named.
    survival
        What the survival analysis says of itself, or why there is none; ``None`` if it
        was not asked for.
    time_unit
        Unit of the follow-up times, if it was named.
    event
        The column that says whether the event was seen, if one was named.
    """

    run: Run
    tables: Mapping[str, pd.DataFrame]
    computed: frozenset[str] = frozenset()
    tables_folder: str = ""
    findings: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=FINDING_COLUMNS))
    labels: str | None = None
    time: str | None = None
    survival: tuple[Finding, ...] | None = None
    time_unit: str = ""
    event: str | None = None

    @property
    def model(self) -> StoredFit:
        """What the fit found, from the model file."""
        return self.run.fit

    @property
    def subtypes(self) -> pd.Series:
        """Subtype of each sample."""
        return self.run.subtypes["subtype"].astype(str)

    @property
    def gates(self) -> pd.DataFrame:
        """Weights of the views, by the names that the run's tables have."""
        return self.model.gates.set_axis(self.run.obs.index)

    @cached_property
    def of_survival(self) -> list[str]:
        """Columns of the obs table that tell of survival, if it was asked for."""
        return outcome_columns(self.run.obs, self.time, self.event)

    @property
    def metric(self) -> Metric:
        """The embedding that the subtypes were found in."""
        named = self.run.summary.get("subtypes", {}).get("metric")
        return cast(Metric, named or self.model.default_metric)

    def embedding(self, metric: Metric | None = None) -> pd.DataFrame:
        """Return an embedding, that of the subtypes by default."""
        return self.model.embedding(metric or self.metric).set_axis(self.run.obs.index)

    def get(self, stem: str) -> pd.DataFrame | None:
        """Return a table that is there and has rows, else ``None``.

        What columns of the obs table tell of survival has an analysis of its own, which
        knows what censoring is: tables of the obs table are shown without them.
        """
        table = self.tables.get(stem)
        if table is not None and stem in (*_OF_OBS, _BY_GROUP):
            table = table[~table["column"].astype(str).isin(self.of_survival)]
        return table if table is not None and len(table) else None

    def where(self, stem: str) -> str:
        """Return the file that holds a table, as a reader finds it."""
        if stem in self.computed:
            return f"{self.tables_folder}/{stem}.csv"
        return f"{FOLDER}/{stem}.csv in the run folder"

    def absent(self, stem: str, what: str) -> Notice:
        """Say that a table is missing, or empty, and which command makes it."""
        if stem in self.tables:
            return Notice(f"There is nothing to show of {what} in {self.where(stem)}.")
        return Notice(
            f"This run has no table of {what} ({FOLDER}/{stem}.csv). Fit again with this version, "
            "and not with `--no-analysis` (`poems fit … --overwrite`): that writes it."
        )

    def adding(self, tables: Mapping[str, pd.DataFrame]) -> Source:
        """Return the source with tables computed for the report; those of the run stay."""
        new = {stem: table for stem, table in tables.items() if stem not in self.tables}
        return replace(self, tables={**self.tables, **new}, computed=self.computed | frozenset(new))


def with_obs(source: Source, obs: pd.DataFrame) -> Source:
    """Return the source with another obs table, without what was computed of the run's own."""
    tables = {stem: table for stem, table in source.tables.items() if stem not in _OF_OBS}
    by_group = tables.get(_BY_GROUP)
    if by_group is not None:
        tables[_BY_GROUP] = by_group[by_group["column"] == "subtype"]
    return replace(source, run=replace(source.run, obs=obs), tables=tables)


def read_source(run: Run) -> Source:
    """Take the tables in the run's ``analysis`` folder; a run of an older version has none."""
    return Source(run, dict(run.analysis))
