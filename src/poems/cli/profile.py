"""The table of ``poems fit --profile``."""

from __future__ import annotations

from poems.cli.printing import heading, output, print_table
from poems.profiling import WallTimes


def print_profile(times: WallTimes) -> None:
    """Print where the time went, parts in the order in which they began."""
    console = output()
    heading(console, "Where the time went")
    table = times.table()
    shown = table.assign(
        seconds=[f"{value:.2f}" for value in table["seconds"]],
        share=[f"{100 * value:.0f} %" for value in table["share"]],
        calls=[str(value) for value in table["calls"]],
    )
    shown["ms a call"] = [f"{value:.2f}" for value in table["ms a call"]]
    print_table(console, shown, index="part")
