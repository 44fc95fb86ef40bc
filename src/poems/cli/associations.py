"""How cross-omic pairs are read, printed and written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from poems.cli.console import brief, heading, print_table, say
from poems.findings import count

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.analysis.cross_omic import CrossOmic

# Of a feature's name, so that two fit on a line.
_WIDTH: Final = 20


def read_cis(given: str) -> pd.DataFrame | Literal["names"]:
    """Read a table of cis pairs, all of it as text; ``"names"`` stays as it is.

    Raises
    ------
    ReadError
        If the file is missing, empty or damaged, or a row has too many or too few cells.
    """
    if given == "names" and not Path(given).exists():
        return "names"
    from poems.data.gene_files import read_names

    table = read_names(Path(given), "table of cis pairs")
    return table.mask(table == "")


def print_pairs(console: Console, found: CrossOmic, top: int) -> None:
    """Print how many pairs there are, and the best."""
    n, shown = len(found.table), found.table.head(top)
    pairs = count(found.n_significant, "cross-omic pair")
    say(console, f"{pairs} of {count(found.n_tested, 'tested pair')}.", "bold")
    if not n:
        return
    heading(console, "The pair" if n == 1 else f"The {len(shown)} highest scores of {n}")
    print_table(console, _short(shown).set_index("feature"), index="feature")


def write_pairs(folder: Path, found: CrossOmic, top: int, about: Mapping[str, object]) -> list[str]:
    """Write tables, the network and pictures into a folder that was claimed; return the names."""
    from poems.analysis.pair_graph import write_graph
    from poems.cli.result_folder import write_result
    from poems.plots import plot_pair_circle, plot_pair_network

    graph = write_graph(folder, found.table)
    summary = {
        "n_tested": found.n_tested,
        "n_significant": found.n_significant,
        "overall_p": None if found.overall_p != found.overall_p else found.overall_p,
    }
    written = write_result(
        folder,
        "association-table",
        {**about, **summary},
        tables=found.tables,
        findings=found.findings,
        figures={
            "circle": plot_pair_circle(found.table, views=found.views, top=top),
            "network": plot_pair_network(found.table, views=found.views, top=top),
        },
    )
    return [*written, *graph]


def _short(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that are printed, numbers short."""
    short = table[["feature_a", "feature_b", "score", "correlation", "q", "factors"]].copy()
    short["feature_a"] = table["view_a"].astype(str) + " " + table["feature_a"].map(_named)
    short["feature_b"] = table["view_b"].astype(str) + " " + table["feature_b"].map(_named)
    for name in ("score", "correlation"):
        short[name] = [f"{value:.2f}" for value in table[name]]
    short["q"] = [f"{value:.2g}" for value in table["q"]]
    short["factors"] = [str(each).replace("factor_", "") for each in table["factors"]]
    if "support" in table:
        short["support"] = [f"{value:.2f}" for value in table["support"]]
    names = {"feature_a": "feature", "feature_b": "with", "correlation": "r"}
    return short.rename(columns=names)


def _named(feature: object) -> str:
    return brief(feature, _WIDTH)
