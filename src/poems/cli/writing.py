"""The folder that a command writes what it found into: tables, pictures, findings, a marker."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poems.cli.result import CommandResult, OutputFolder


def write_result(result: CommandResult, into: OutputFolder) -> list[str]:
    """Write a result into a folder that was claimed; return the names of the files.

    It replaces an earlier one as a whole: either is there at any moment.
    """
    from poems._version import __version__
    from poems.files.csv_tables import write_csv, write_findings
    from poems.files.markers import write_marker
    from poems.files.output_folder import replaced_folder
    from poems.plots.saving import save_figure

    kind = into.kind
    # Drawn first: what takes long should not keep files of a half-written result around.
    figures = {name: draw() for name, draw in result.figures.items()}
    tables = {**result.tables, **result.matrices}
    # Of folders of before there were lists of what was written.
    older = (*(f"{name}.csv" for name in tables), "findings.csv", "figures/*.png", "figures/*.svg")
    with replaced_folder(into.path, kind, older=older) as fresh:
        written = []
        for name, table in tables.items():
            if table is not None:
                path = fresh / f"{name}.csv"
                write_csv(path, table, index=name in result.matrices)
                written.append(path)
        write_findings(fresh / "findings.csv", result.findings)
        written.append(fresh / "findings.csv")
        for name, drawn in figures.items():
            written += save_figure(drawn, fresh / "figures" / name, ["png", "svg"])
        names = [path.relative_to(fresh).as_posix() for path in written]
        if result.files is not None:
            names += result.files(fresh)
        write_marker(fresh, kind, {"poems": __version__, **result.about})
    return names
