"""Who is in each subtype: the columns of the obs table by subtype, each with a test ("table 1")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.factors.associations import false_discovery_rates, matched
from poems.analysis.testing.group_tests import chi_squared, kruskal_wallis
from poems.analysis.testing.obs_columns import ObsColumn, testable_columns
from poems.clustering.names import natural_order
from poems.errors import DataError
from poems.findings import Finding
from poems.wording import general

# Shuffles where groups are too small for the chi-squared distribution; the smallest p is 1 in
# as many and one.
_SHUFFLES: Final = 4999
_FEWEST_EXPECTED: Final = 5.0
ALL: Final = "all"


@dataclass(frozen=True, eq=False)
class Characteristics:
    """The columns of the obs table by subtype.

    Parameters
    ----------
    table
        Rows by column: one for a number, one per group of a column of groups. ``column``,
        ``group`` (empty for numbers), ``summary`` (``"median (quartiles)"`` or
        ``"n (share)"``), a column of text for each subtype and for ``"all"`` samples, ``test``,
        ``n_samples`` with a value, ``p`` and ``q`` (Benjamini-Hochberg over the columns); of
        groups the test stands in the first row, and is NaN in the others.
    subtypes
        The names of the subtypes' columns, in their order.
    findings
        The columns left out, and why.
    """

    table: pd.DataFrame
    subtypes: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def characteristics(obs: pd.DataFrame, subtypes: pd.Series, *, seed: int = 0) -> Characteristics:
    """Summarise each column of the obs table by subtype and test whether subtypes differ in it.

    Numbers by Kruskal and Wallis. Groups by the chi-squared test; where it would expect fewer
    than 5 samples in a cell, its statistic is compared with that of 4,999 shuffles instead. The
    p-values hold for columns that played no part in the fit. Shares are of the samples with a
    value; groups of fewer than 5 samples are left out.

    Parameters
    ----------
    obs
        One row per sample, matched by name.
    subtypes
        Subtype by sample.
    seed
        Of the shuffles.

    Raises
    ------
    DataError
        If there are fewer than two subtypes, or no sample has a row in ``obs``.

    Examples
    --------
    >>> subtypes = pd.Series(["S1", "S2"] * 10)
    >>> obs = pd.DataFrame({"age": np.arange(20.0) ** 0.5, "sex": ["f", "f", "m", "m"] * 5})
    >>> found = characteristics(obs, subtypes).table
    >>> found.loc[found["column"] == "sex", ["group", "S1"]].to_numpy().tolist()
    [['f', '5 (50 %)'], ['m', '5 (50 %)']]
    """
    known = subtypes.dropna().astype(str)
    names = sorted(known.unique(), key=natural_order)
    if len(names) < 2:
        raise DataError(f"a comparison needs two subtypes; there is {len(names)}")
    columns, findings = testable_columns(matched(obs, known.index))
    rng = np.random.default_rng(seed)
    blocks = [_block(column, known, names, rng) for column in columns]
    fields = ["column", "group", "summary", *names, ALL, "test", "n_samples", "p"]
    table = pd.DataFrame([row for block in blocks for row in block], columns=fields)
    table["q"] = false_discovery_rates(table["p"].to_numpy(dtype=np.float64))
    return Characteristics(table, tuple(names), findings)


def _block(
    column: ObsColumn, known: pd.Series, names: Sequence[str], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return the rows of one column."""
    values = column.values.dropna()
    subtype = known.loc[values.index]
    parts = {**{name: values[subtype == name] for name in names}, ALL: values}
    about: dict[str, Any] = {"column": column.name, "n_samples": len(values)}
    if column.kind == "numeric":
        cells = {name: _quartiles(part.to_numpy(dtype=float)) for name, part in parts.items()}
        test, p = _kruskal([part.to_numpy(dtype=float) for part in parts.values()][:-1])
        row = {**about, "group": "", "summary": "median (quartiles)", **cells}
        return [{**row, "test": test, "p": p}]
    groups = sorted(values.unique(), key=natural_order)
    counts = np.array([[int((parts[n] == g).sum()) for n in names] for g in groups])
    test, p = _chi_squared(counts, values.to_numpy(), subtype.to_numpy(), rng)
    rows = []
    for at, group in enumerate(groups):
        cells = {
            name: _share(int((part == group).sum()), len(part)) for name, part in parts.items()
        }
        tested = {"test": test, "p": p} if at == 0 else {"test": "", "p": np.nan}
        rows.append({**about, "group": str(group), "summary": "n (share)", **cells, **tested})
    return rows


def _quartiles(values: npt.NDArray[np.float64]) -> str:
    if not len(values):
        return "–"
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{general(middle)} ({general(low)}–{general(high)})"


def _share(n: int, of: int) -> str:
    return f"{n} ({100 * n / of:.0f} %)" if of else "–"


def _kruskal(parts: Sequence[npt.NDArray[np.float64]]) -> tuple[str, float]:
    there = [part for part in parts if len(part)]
    if len(there) < 2 or np.ptp(np.concatenate(there)) == 0:
        return "Kruskal-Wallis", np.nan
    return "Kruskal-Wallis", kruskal_wallis(there)[1]


def _chi_squared(
    counts: npt.NDArray[np.intp],
    values: npt.NDArray[Any],
    subtype: npt.NDArray[Any],
    rng: np.random.Generator,
) -> tuple[str, float]:
    """Test a table of groups by subtypes; subtypes without any value are left out."""
    there = counts[:, counts.sum(axis=0) > 0]
    if there.shape[1] < 2:
        return "chi-squared", np.nan
    p, least = chi_squared(there)
    if least >= _FEWEST_EXPECTED:
        return "chi-squared", p
    rows, columns = pd.factorize(values)[0], pd.factorize(subtype)[0]
    n_columns = int(columns.max()) + 1
    cells = int(rows.max() + 1) * n_columns
    margins = [np.bincount(codes).astype(float) for codes in (rows, columns)]
    expected = np.outer(*margins).ravel() / len(rows)

    def statistic(shuffled: npt.NDArray[np.intp]) -> float:
        observed = np.bincount(rows * n_columns + shuffled, minlength=cells)
        return float((observed**2 / expected).sum())

    own = statistic(columns)
    # As large but for rounding.
    larger = sum(statistic(rng.permutation(columns)) >= own - 1e-9 for _ in range(_SHUFFLES))
    return "chi-squared, shuffled", (1 + larger) / (1 + _SHUFFLES)
