"""How the tables of the factors are printed and written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from poems.analysis.variance import ALL
from poems.cli.console import brief, clean, decimal, heading, say
from poems.findings import Finding, count

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.analysis.associations import Associations
    from poems.analysis.factors import FactorTables
    from poems.fitted import FittedPoems

# False discovery rate above which an association is not spoken of as one.
SIGNIFICANT: Final = 0.05
# Factors whose ranks correlate more than this share what they explain.
_CORRELATED = 0.5
_MOST_PAIRS = 5
# Features of each factor and view in top_features.csv.
_WRITTEN = 20
# A share of variance that rounds to nothing.
_LEAST_SHOWN = 0.005
_MEASURES = {"rho": "rho", "rank-biserial": "r", "epsilon squared": "ε²"}
_KEY = (
    "+ up and - down with the factor, ~ but flat at one end; ∪ up and ∩ down at both ends; "
    "= hardly moved"
)


def print_factors(console: Console, model: FittedPoems, found: FactorTables, top: int) -> None:
    """Print what all factors explain, a line for each factor, and which go together."""
    say(console, f"{count(model.n_active, 'factor')}, {_samples(model, found)}.", "bold")
    if not model.n_active:
        say(console, "No factor drives any feature; `poems diagnose` says what to try.", "yellow")
        return
    if found.variance is not None:
        wide = found.variance.wide()
        shares = ", ".join(f"{view} {decimal(float(r2))}" for view, r2 in wide.loc[ALL].items())
        say(console, f"R² of all factors: {shares}")
    heading(console, f"Factors: R², and the features that load most, of each view {top} at most")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for factor in model.factor_names:
        text = Text(clean(_features(model, found, factor, top)))
        if found.associations is not None:
            text.append(clean(f" | {_association(found.associations, factor)}"), style="cyan")
        grid.add_row(Text(f"  {factor}"), text)
    console.print(grid)
    say(console, _KEY, "dim")
    _print_correlations(console, found.correlations)
    if found.associations is not None:
        _print_tests(console, found.associations)


def write_factors(
    folder: Path, found: FactorTables, noticed: Iterable[Finding], *, run: str, seed: int
) -> list[str]:
    """Write the tables into a folder that was claimed; return the names of the files."""
    from poems.analysis.effects import top_features
    from poems.cli.result_folder import write_result

    about: dict[str, object] = {"run": run, "seed": seed}
    if found.variance is not None:
        about |= {
            "n_samples": found.variance.n_samples,
            "n_trained_on": found.variance.n_trained_on,
        }
    return write_result(
        folder,
        "factor-table",
        about,
        tables={
            "effects": found.effects,
            "top_features": top_features(found.effects, _WRITTEN),
            "correlations": found.correlations,
            "variance": None if found.variance is None else found.variance.table,
            "associations": None if found.associations is None else found.associations.table,
        },
        findings=(*noticed, *found.findings),
    )


def _samples(model: FittedPoems, found: FactorTables) -> str:
    if found.variance is None:
        return f"{count(len(model.samples), 'training sample')} (no tables given: no R²)"
    text = found.variance.samples
    return text if text[0].isdigit() else f"{found.variance.n_samples} {text}"


def _features(model: FittedPoems, found: FactorTables, factor: str, top: int) -> str:
    """Say what a factor explains of each view and which features load most, the leading view first.

    Views of which it explains nothing are left out, if any is left.
    """
    own = found.effects[found.effects["factor"] == factor]
    tables = {view: own[own["view"] == view] for view in model.view_names}
    tables = {view: table for view, table in tables.items() if len(table)}
    strength = {
        view: float((table["loading"] ** 2).sum()) / len(model.features(view))
        for view, table in tables.items()
    }
    shares: dict[str, str] = {}
    if found.variance is not None:
        row = found.variance.wide().loc[factor]
        told = {view: float(row[view]) for view in tables if row[view] >= _LEAST_SHOWN}
        shares = {view: f" {r2:.2f}" for view, r2 in told.items()}
        if told:
            strength = told
        else:
            shares = {view: " <0.01" for view in tables if row[view] < _LEAST_SHOWN}
    parts = []
    for view in sorted(strength, key=lambda view: -strength[view]):
        lead = tables[view].head(top)
        columns = (lead["direction"], lead["shape"], lead["feature"])
        marked = " ".join(_mark(str(d), str(s), f) for d, s, f in zip(*columns, strict=True))
        parts.append(f"{view}{shares.get(view, '')}: {marked}")
    return "; ".join(parts)


def _mark(direction: str, shape: str, feature: object) -> str:
    """Write a feature with its direction and shape.

    >>> _mark("up", "monotone", "ESR1"), _mark("down", "saturating", "KRT5")
    ('+ESR1', '-KRT5~')
    """
    signs = {"up": "+", "down": "-", "ends up": "∪", "ends down": "∩"}
    return f"{signs.get(direction, '=')}{brief(feature)}{'~' if shape == 'saturating' else ''}"


def _association(associations: Associations, factor: str) -> str:
    """Say what goes with a factor most."""
    own = associations.table[(associations.table["factor"] == factor)].dropna(subset=["p"])
    if not len(own):
        return "no column to compare with"
    best = own.iloc[0]
    name = " ".join(str(best["column"]).split())
    if best["q"] > SIGNIFICANT:
        return f"no column (closest {name}, q {best['q']:.1g})"
    size = f"{_MEASURES[best['measure']]} {best['effect']:.2f}"
    groups = "" if best["test"] == "Spearman" else f" {best['lowest']} < {best['highest']}"
    return f"{name}{groups} ({size}, q {best['q']:.1g})"


def _print_correlations(console: Console, correlations: pd.DataFrame) -> None:
    close = correlations[correlations["spearman"].abs() >= _CORRELATED]
    if not len(close):
        return
    shown = [
        f"{row.factor} and {row.other} ({row.spearman:.2f})"
        for row in close.head(_MOST_PAIRS).itertuples()
    ]
    rest = len(close) - _MOST_PAIRS
    more = f" and {count(rest, 'more pair')}" if rest > 0 else ""
    say(
        console,
        f"Correlated factors (Spearman's rho): {', '.join(shown)}{more}. What two of them both "
        "tell counts for neither in R².",
    )


def _print_tests(console: Console, associations: Associations) -> None:
    tested = associations.table.dropna(subset=["p"])
    if len(tested):
        n_found = int((tested["q"] <= SIGNIFICANT).sum())
        say(
            console,
            f"{n_found} of {count(len(tested), 'test')} of a factor against a column of the obs "
            f"table {'is' if n_found == 1 else 'are'} significant at a false discovery rate of "
            f"{SIGNIFICANT:.0%}",
            "dim",
        )
