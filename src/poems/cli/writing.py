"""The folder that a command writes what it found into: tables, pictures, findings, a marker."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poems.cli.result import CommandResult, OutputFolder


def write_result(result: CommandResult, into: OutputFolder) -> list[str]:
    """Write a result into a folder that was claimed; return the names of the files.

    The marker, which says that the folder is complete, comes last.
    """
    from poems._version import __version__
    from poems.files.csv_tables import write_csv, write_findings
    from poems.files.output_folder import write_marker
    from poems.plots.saving import save_figure

    folder, kind = into.path, into.kind
    # Drawn first: a picture that fails should leave an earlier result as it is.
    figures = {name: draw() for name, draw in result.figures.items()}
    write_marker(folder, kind, {}, complete=False)
    written = []
    for group, index in ((result.tables, False), (result.matrices, True)):
        for name, table in group.items():
            path = folder / f"{name}.csv"
            if table is None:
                path.unlink(missing_ok=True)
                continue
            write_csv(path, table, index=index)
            written.append(path)
    write_findings(folder / "findings.csv", result.findings)
    written.append(folder / "findings.csv")
    for ending in ("png", "svg"):
        for stale in (folder / "figures").glob(f"*.{ending}"):
            stale.unlink()
    for name, drawn in figures.items():
        written += save_figure(drawn, folder / "figures" / name, ["png", "svg"])
    names = [path.relative_to(folder).as_posix() for path in written]
    if result.files is not None:
        names += result.files(folder)
    write_marker(folder, kind, {"poems": __version__, **result.about})
    return names
