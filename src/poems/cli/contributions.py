"""How contributions of views are printed and written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from poems.analysis.view_contributions import SUBTYPE
from poems.cli.console import decimal, heading, print_table, say
from poems.findings import count

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.analysis.view_contributions import ViewContributions

# False discovery rate above which a difference between groups is not spoken of as one.
SIGNIFICANT: Final = 0.05
_NAMES: Final = {
    "n_samples": "samples",
    "mean_gate": "weight",
    "mean_shift": "shift",
    "mean_subtype_change": "probability",
    "switched_share": "switched",
}
_KEY = (
    "weight: mean of the gate. Without the omic: shift, how far the latent moves (1: as far as a "
    "sample lies from the mean, on average); probability, by how much that of the sample's subtype "
    "changes; switched, samples that would be assigned to another subtype."
)


def print_contributions(console: Console, found: ViewContributions) -> None:
    """Print a line for each view, then weight and shift by subtype, and which columns differ."""
    heading(console, "How much each omic counted")
    table = found.by_view.set_index("view")[list(_NAMES)].rename(columns=_NAMES)
    for name in ("weight", "shift", "probability"):
        table[name] = table[name].map(decimal)
    table["switched"] = [_percent(share) for share in found.by_view["switched_share"]]
    print_table(console, table, index="omic")
    say(console, _KEY, "dim")
    groups = found.by_group[found.by_group["column"] == SUBTYPE]
    if not len(groups):
        return
    heading(console, "Weight / shift by subtype")
    cells = groups.assign(
        cell=[
            f"{decimal(gate)} / {decimal(shift)}"
            for gate, shift in zip(groups["mean_gate"], groups["mean_shift"], strict=True)
        ]
    ).pivot(index="group", columns="view", values="cell")
    order = sorted(groups["group"].unique(), key=lambda name: (len(name), name))
    wide = cells.reindex(
        index=order, columns=found.by_view["view"][found.by_view["n_samples"] > 0]
    ).fillna("–")
    print_table(console, wide, index="subtype")
    _print_tests(console, found.by_group)


def write_contributions(folder: Path, found: ViewContributions, *, run: str) -> list[str]:
    """Write tables and picture into a folder that was claimed; return the names of the files."""
    from poems.cli.result_folder import write_result
    from poems.plots import plot_contributions

    return write_result(
        folder,
        "contribution-table",
        {"run": run, "n_samples": found.by_sample["sample"].nunique()},
        tables=found.tables,
        findings=found.findings,
        figures={"contributions": plot_contributions(found.by_view, found.by_group)},
    )


def _print_tests(console: Console, by_group: pd.DataFrame) -> None:
    """Say how many columns of the obs table go with weight or shift of which views."""
    tests = by_group[by_group["column"] != SUBTYPE].drop_duplicates(["column", "view"])
    tests = tests.dropna(subset=["p"])
    if not len(tests):
        return
    gate, shift = ((tests[each] <= SIGNIFICANT).sum() for each in ("q_gate", "q"))
    say(
        console,
        f"{count(len(tests), 'pair')} of an omic and a column of the obs table compared: weights "
        f"differ in {gate}, shifts in {shift}, at a false discovery rate of {SIGNIFICANT:.0%}",
        "dim",
    )


def _percent(share: float) -> str:
    return "–" if share != share else f"{share:.0%}"
