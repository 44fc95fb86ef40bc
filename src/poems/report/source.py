"""What a report is made from: the run, the tables beside it, and what is computed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import pandas as pd

from poems.config import Metric
from poems.errors import StorageError
from poems.report.blocks import Notice

if TYPE_CHECKING:
    from poems.fitted import FittedPoems
    from poems.run_folder import Run

FOLDER: Final = "analysis"
# Columns that hold names: '007' and 'NA' are names there.
_NAMES: Final = frozenset(
    (
        "sample",
        "view",
        "feature",
        "factor",
        "factors",
        "other",
        "subtype",
        "group",
        "column",
        "view_a",
        "view_b",
        "feature_a",
        "feature_b",
        "direction",
        "shape",
        "test",
        "measure",
        "lowest",
        "highest",
        "gene_set",
        "genes",
    )
)


@dataclass(frozen=True, eq=False)
class Source:
    """A run with the tables that a report shows.

    Parameters
    ----------
    run
        As :func:`poems.run_folder.read_run` gives it.
    tables
        By file stem: those of the run's ``analysis`` folder, and those computed
        for the report.
    computed
        Stems of those computed for the report.
    tables_folder
        Name of the folder that holds those, for captions.
    """

    run: Run
    tables: Mapping[str, pd.DataFrame]
    computed: frozenset[str] = frozenset()
    tables_folder: str = ""

    @property
    def model(self) -> FittedPoems:
        """The fitted model."""
        return self.run.model

    @property
    def subtypes(self) -> pd.Series:
        """Subtype of each sample."""
        return self.run.subtypes["subtype"].astype(str)

    @property
    def gates(self) -> pd.DataFrame:
        """Weights of the views, by the names that the run's tables have."""
        return self.model.gates.set_axis(self.run.obs.index)

    @property
    def metric(self) -> Metric:
        """The embedding that the subtypes were found in."""
        named = self.run.summary.get("subtypes", {}).get("metric")
        return cast(Metric, named or self.model.default_metric)

    def embedding(self, metric: Metric | None = None) -> pd.DataFrame:
        """Return an embedding, that of the subtypes by default."""
        return self.model.embedding(metric or self.metric).set_axis(self.run.obs.index)

    def get(self, stem: str) -> pd.DataFrame | None:
        """Return a table that is there and has rows, else ``None``."""
        table = self.tables.get(stem)
        return table if table is not None and len(table) else None

    def where(self, stem: str) -> str:
        """Return the file that holds a table, as a reader finds it."""
        if stem in self.computed:
            return f"{self.tables_folder}/{stem}.csv"
        return f"{FOLDER}/{stem}.csv in the run folder"

    def absent(self, stem: str, what: str) -> Notice:
        """Say that a table is missing, or empty, and which command makes it."""
        if stem in self.tables:
            return Notice(f"There is nothing to show of {what}: {self.where(stem)} has no rows.")
        return Notice(
            f"This run has no table of {what} ({FOLDER}/{stem}.csv). Fit again with this version "
            "(`poems fit … --overwrite`), which writes it."
        )

    def adding(self, tables: Mapping[str, pd.DataFrame]) -> Source:
        """Return the source with tables computed for the report; those of the run stay."""
        new = {stem: table for stem, table in tables.items() if stem not in self.tables}
        return replace(self, tables={**self.tables, **new}, computed=self.computed | frozenset(new))


def read_source(run: Run) -> Source:
    """Read the tables in the run's ``analysis`` folder; a run of an older version has none."""
    folder = run.folder / FOLDER
    return Source(run, {path.stem: read_table(path) for path in sorted(folder.glob("*.csv"))})


def read_table(path: Path) -> pd.DataFrame:
    """Read a tidy table, names as text.

    Raises
    ------
    StorageError
        If the file cannot be read as a table.
    """
    try:
        header = [str(name) for name in pd.read_csv(path, nrows=0).columns]
        table: pd.DataFrame = pd.read_csv(
            path,
            dtype={name: "str" for name in header if name in _NAMES},
            keep_default_na=False,
            na_values=[""],
            float_precision="round_trip",
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}; fit again") from None
    return table
