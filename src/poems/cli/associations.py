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
    from poems.fitted import FittedPoems

_KIND: Literal["association-table"] = "association-table"
# Of a feature's name, so that two fit on a line.
_WIDTH: Final = 20
# What savefig writes of its own accord, by the ending of the file.
_UNDATED: Final[dict[str, dict[str, str | None]]] = {"png": {}, "svg": {"Date": None}}


def load_model(path: Path) -> FittedPoems:
    """Load the model of a run folder, or a model."""
    from poems.fitted import load
    from poems.run_folder import read_run

    return read_run(path).model if path.is_dir() else load(path)


def read_cis(given: str) -> pd.DataFrame | Literal["names"]:
    """Read a table of cis pairs, all of it as text; ``"names"`` stays as it is.

    Raises
    ------
    ReadError
        If the file is missing, empty or damaged.
    """
    if given == "names" and not Path(given).exists():
        return "names"
    import pandas as pd

    from poems.errors import ReadError

    separator = "\t" if {".tsv", ".txt"} & set(Path(given).suffixes) else ","
    try:
        table: pd.DataFrame = pd.read_csv(
            given, sep=separator, dtype=str, keep_default_na=False, na_values=[""]
        )
    except (OSError, ValueError) as error:
        raise ReadError(
            f"cannot read the table of cis pairs {given}: {error}; give a .csv or .tsv with a "
            "header and two columns, or view, feature and gene, or 'names'"
        ) from None
    return table


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
    from poems._files import atomic_path
    from poems._version import __version__
    from poems.analysis.pair_graph import write_graph
    from poems.csv_tables import write_csv, write_findings
    from poems.output_folder import write_marker
    from poems.plots import plot_pair_circle, plot_pair_network

    write_marker(folder, _KIND, {}, complete=False)
    written = []
    for name, table in found.tables.items():
        write_csv(folder / f"{name}.csv", table, index=False)
        written.append(f"{name}.csv")
    written += write_graph(folder, found.table)
    for name, plot in (("circle", plot_pair_circle), ("network", plot_pair_network)):
        figure = plot(found.table, views=found.views, top=top).get_figure(root=True)
        if figure is not None:
            for ending in ("png", "svg"):
                with atomic_path(folder / f"{name}.{ending}") as temporary:
                    figure.savefig(temporary, dpi=150, metadata=_UNDATED[ending])
                written.append(f"{name}.{ending}")
    write_findings(folder / "findings.csv", found.findings)
    summary = {
        "poems": __version__,
        "n_tested": found.n_tested,
        "n_significant": found.n_significant,
        "overall_p": None if found.overall_p != found.overall_p else found.overall_p,
    }
    write_marker(folder, _KIND, {**about, **summary})
    return [*written, "findings.csv"]


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
