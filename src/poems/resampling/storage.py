"""A Stability to and from a folder.

::

    folder/
      stability.json       what it is: format, versions, how the refits were drawn
      reference.poems      the reference fit, for ``poems.load``
      factors.csv  runs.csv  held_out_r2.csv  consensus_latent.csv  ensemble.csv
      frequency/<view>.csv  mean_loadings/<view>.csv  q_values/<view>.csv
      selected/<view>.csv  a row per loading that any refit has, with the refits that do
      clusterings/<number>.csv
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems._version import __version__
from poems.errors import StorageError
from poems.files.csv_tables import read_csv, write_csv
from poems.files.markers import read_marker, write_marker
from poems.files.output_folder import replaced_folder
from poems.fitting.result import load

if TYPE_CHECKING:
    from poems.resampling.result import Stability

_KIND: Final = "stability"
_MODEL = "reference.poems"
# Folder to the field that holds its tables, one per view.
_BY_VIEW = {
    "frequency": "selection_frequency",
    "mean_loadings": "mean_loadings",
    "q_values": "q_values",
}
_SELECTED = "selected"
_BY_SAMPLE = ("consensus_latent", "ensemble")
# What a result of an earlier version may have beside what each has.
OLDER: Final = tuple(f"{part}/*.csv" for part in (*_BY_VIEW, _SELECTED, "clusterings"))


def save(stability: Stability, folder: str | Path) -> None:
    """Write everything into a folder, in place of an earlier result as a whole."""
    with replaced_folder(folder, _KIND, older=OLDER) as fresh:
        write_stability(stability, fresh)


def write_stability(stability: Stability, path: Path) -> None:
    """Write everything into a new folder, and mark it."""
    stability.reference.save(path / _MODEL)
    write_csv(path / "factors.csv", stability.factor_stability.rename_axis("factor"))
    write_csv(path / "runs.csv", stability.runs.rename_axis("run"))
    write_csv(path / "held_out_r2.csv", stability.held_out_r2.rename_axis("row"))
    for name in _BY_SAMPLE:
        write_csv(path / f"{name}.csv", getattr(stability, name).rename_axis("sample"))
    for part, field in _BY_VIEW.items():
        for view, table in getattr(stability, field).items():
            write_csv(path / part / f"{view}.csv", table.rename_axis("feature"))
    for view, selected in (stability.selected or {}).items():
        write_csv(
            path / _SELECTED / f"{view}.csv",
            _selected_table(selected, stability.selection_frequency[view]),
            index=False,
        )
    for k, labels in stability.clusterings.items():
        table = pd.DataFrame(labels.T, index=stability.samples, columns=stability.runs.index)
        write_csv(path / "clusterings" / f"{k}.csv", table.rename_axis("sample"))
    about = {
        "poems": __version__,
        "resample": stability.resample,
        "n_permutations": stability.n_permutations,
        "seed": stability.seed,
        "clusterings": sorted(stability.clusterings),
    }
    write_marker(path, _KIND, about)


def load_stability(folder: str | Path) -> Stability:
    """Read what :func:`save` wrote.

    Raises
    ------
    ReadError
        If the folder does not exist, is none of these, or is not complete.
    StorageError
        If a file is missing or damaged, or does not go with the others.
    """
    from poems.resampling.result import Stability

    path = Path(folder)
    about = read_marker(path, _KIND)
    reference = load(path / _MODEL)
    factors = reference.factor_names
    factor_stability = _table(path / "factors.csv", factors)
    runs = read_csv(path / "runs.csv")
    runs.index = pd.RangeIndex(1, len(runs) + 1, name="run")
    held_out_r2 = read_csv(path / "held_out_r2.csv").reset_index(drop=True)
    held_out_r2.columns.name = None
    by_view = {
        field: {
            view: _table(path / part / f"{view}.csv", columns=factors)
            for view in reference.view_names
        }
        for part, field in _BY_VIEW.items()
    }
    samples = list(map(str, reference.samples))
    try:
        return Stability(
            reference=reference,
            resample=about["resample"],
            n_permutations=about["n_permutations"],
            seed=about["seed"],
            factor_stability=factor_stability,
            runs=runs,
            held_out_r2=held_out_r2,
            consensus_latent=_table(path / "consensus_latent.csv", samples, factors),
            ensemble=_table(path / "ensemble.csv", samples),
            clusterings={
                k: _table(path / "clusterings" / f"{k}.csv", samples).to_numpy(np.int32).T.copy()
                for k in about["clusterings"]
            },
            selected=_read_selected(path, by_view["selection_frequency"], len(runs)),
            **by_view,
        )
    except (KeyError, TypeError) as error:
        raise StorageError(
            f"{path} does not hold what its stability.json says ({error}); repeat `poems stability`"
        ) from error


def _selected_table(selected: npt.NDArray[np.bool_], like: pd.DataFrame) -> pd.DataFrame:
    """Name each loading that any refit has, and number the refits that do, as in ``"1 4 5"``."""
    rows, columns = np.nonzero(selected.any(axis=0))
    runs = [
        " ".join(map(str, np.flatnonzero(selected[:, j, k]) + 1))
        for j, k in zip(rows, columns, strict=True)
    ]
    return pd.DataFrame(
        {"feature": like.index[rows], "factor": like.columns[columns], "refits": runs}
    )


def _read_selected(
    folder: Path, like: dict[str, pd.DataFrame], n_runs: int
) -> dict[str, npt.NDArray[np.bool_]] | None:
    """Read which loadings each refit has; ``None`` from a folder of an older version."""
    if not any((folder / _SELECTED).glob("*.csv")):
        return None
    selected = {}
    for view, frequency in like.items():
        path = folder / _SELECTED / f"{view}.csv"
        table = read_csv(path)
        rows = frequency.index.get_indexer(table.index)
        columns = frequency.columns.get_indexer(pd.Index(table["factor"]))
        selected[view] = np.zeros((n_runs, *frequency.shape), dtype=bool)
        for j, k, text in zip(rows, columns, table["refits"].astype(str), strict=True):
            runs = np.array(text.split(), dtype=np.intp) - 1
            if j < 0 or k < 0 or not len(runs) or runs.min() < 0 or runs.max() >= n_runs:
                raise StorageError(
                    f"{path} does not go with the tables beside it; was it edited? Repeat "
                    "`poems stability`"
                )
            selected[view][runs, j, k] = True
    return selected


def _table(
    path: Path, index: list[str] | None = None, columns: list[str] | None = None
) -> pd.DataFrame:
    """Read a table whose rows and columns must be those of the reference."""
    table = read_csv(path)
    for what, found, expected in (
        ("rows", table.index, index),
        ("columns", table.columns, columns),
    ):
        if expected is not None and list(found) != expected:
            raise StorageError(
                f"the {what} of {path} are not those of the reference model beside it; was it "
                "edited? Repeat `poems stability`"
            )
    return table
