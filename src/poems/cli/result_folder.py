"""The folder that a command writes what it found into: tables, pictures, findings, a marker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from poems.findings import Finding
    from poems.output_folder import Kind


def write_result(
    folder: Path,
    kind: Kind,
    about: Mapping[str, object],
    *,
    tables: Mapping[str, pd.DataFrame | None],
    findings: Iterable[Finding],
    matrices: Mapping[str, pd.DataFrame | None] | None = None,
    figures: Mapping[str, Axes | Figure] | None = None,
) -> list[str]:
    """Write into a folder that was claimed; return the names of the files.

    The marker, which says that the folder is complete, comes last.

    Parameters
    ----------
    folder, kind
        The folder, and what it was claimed as.
    about
        What the marker says beside the version.
    tables
        Tidy tables by their name; one that is ``None`` is removed, if an earlier result
        had it.
    findings
        What is to be said of the result.
    matrices
        Tables whose index is written, too.
    figures
        Pictures by their name, for ``figures/``, each as PNG and as SVG.
    """
    from poems._version import __version__
    from poems.csv_tables import write_csv, write_findings
    from poems.output_folder import write_marker
    from poems.plots.saving import save_figure

    write_marker(folder, kind, {}, complete=False)
    written = []
    for group, index in ((tables, False), (matrices or {}, True)):
        for name, table in group.items():
            path = folder / f"{name}.csv"
            if table is None:
                path.unlink(missing_ok=True)
                continue
            write_csv(path, table, index=index)
            written.append(path)
    write_findings(folder / "findings.csv", findings)
    written.append(folder / "findings.csv")
    for ending in ("png", "svg"):
        for stale in (folder / "figures").glob(f"*.{ending}"):
            stale.unlink()
    for name, drawn in (figures or {}).items():
        written += save_figure(drawn, folder / "figures" / name, ["png", "svg"])
    write_marker(folder, kind, {"poems": __version__, **about})
    return [path.relative_to(folder).as_posix() for path in written]
