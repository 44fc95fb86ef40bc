"""``poems factors``: what each factor drives, explains and goes with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from poems.cli import checks, inputs
from poems.cli.cohort_tables import TableFlags
from poems.cli.driver import add_command
from poems.cli.printing import brief, clean, decimal, heading, print_findings, print_grid, say
from poems.cli.result import CommandResult, claim
from poems.findings import count
from poems.settings.rates import FDR_OBS
from poems.wording import number, p_text

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.analysis.factors.associations import Associations
    from poems.analysis.factors.tables import FactorTables
    from poems.cli.result import Drawn
    from poems.data import MultiOmics
    from poems.findings import Finding
    from poems.fitting.result import FittedPoems

# Factors whose ranks correlate more than this share what they explain.
_CORRELATED = 0.5
_MOST_PAIRS = 5
# Features of each factor and view in top_features.csv.
_WRITTEN = 20
# The same in ranked_features.csv, which goes on where loadings are zero.
_RANKED = 100
# A share of variance that rounds to nothing.
_LEAST_SHOWN = 0.005
_MEASURES = {"rho": "rho", "rank-biserial": "r", "epsilon squared": "ε²"}
_KEY = (
    "+ up and - down with the factor, ~ but flat at one end; ∪ up and ∩ down at both ends; "
    "= hardly moved"
)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, factors)


def factors(
    path: inputs.RunOrModel,
    files: inputs.Files = None,
    view: inputs.Views = None,
    obs: inputs.RunObs = None,
    features_in_rows: inputs.FeaturesInRows = False,
    features_in_rows_of: inputs.FeaturesInRowsOf = None,
    layer: inputs.Layers = None,
    backed: inputs.Backed = False,
    top: Annotated[
        int, typer.Option(min=1, metavar="N", help="Features of each factor and omic to print.")
    ] = 3,
    out: inputs.AlsoOut = None,
    overwrite: inputs.Overwrite = False,
    seed: inputs.Seed = 0,
) -> CommandResult:
    """Say what each factor drives, explains and goes with.

    The tables of the fit are found again where they were. Give those of other samples, and
    variance explained and associations are of these.
    """
    flags = TableFlags(files, view, features_in_rows, features_in_rows_of, obs, layer)
    tables, unfound = flags.existing_or_of_run(path)
    checks.require_run_or_model(path)
    checks.require_files([obs])
    checks.require_output(out, "factor-table", overwrite=overwrite)

    from poems.analysis.factors.tables import describe_factors

    model, own_obs = _model_and_obs(path)
    cohort = None if tables is None else tables.read(backed=backed)
    known, noticed = _obs_table(model, cohort, obs, own_obs)
    folder = claim(out, "factor-table", overwrite=overwrite)
    found = describe_factors(model, cohort, obs=known, seed=seed)
    findings = (*unfound, *noticed, *found.findings)
    about: dict[str, object] = {"run": str(path), "seed": seed}
    if found.variance is not None:
        about |= {
            "n_samples": found.variance.n_samples,
            "n_trained_on": found.variance.n_trained_on,
        }
    return CommandResult(
        partial(_show, model=model, found=found, findings=findings, top=top),
        {**about, "factors": model.factor_names},
        tables=_tables(model, found),
        findings=findings,
        figures=_figures(model, found),
        folder=folder,
        about=about,
    )


def _tables(model: FittedPoems, found: FactorTables) -> dict[str, pd.DataFrame | None]:
    from poems.analysis.factors.effects import top_features
    from poems.analysis.factors.rankings import rank_features

    scored = bool(model.feature_estimates.score)
    return {
        "effects": found.effects,
        "top_features": top_features(found.effects, _WRITTEN),
        "ranked_features": rank_features(model, _RANKED) if scored else None,
        "correlations": found.correlations,
        "variance": None if found.variance is None else found.variance.table,
        "associations": None if found.associations is None else found.associations.table,
    }


def _figures(model: FittedPoems, found: FactorTables) -> dict[str, Callable[[], Drawn]]:
    """Return the pictures of the factors, those that there is something to draw for."""
    from poems import plots

    if not model.n_active:
        return {}
    figures: dict[str, Callable[[], Drawn]] = {
        "loadings": partial(plots.plot_loadings, model.loadings),
        "sparsity": partial(plots.plot_sparsity, model.loadings),
    }
    if found.variance is not None:
        figures["variance"] = partial(plots.plot_variance, found.variance)
    if found.associations is not None and found.associations.table["p"].notna().any():
        figures["associations"] = partial(plots.plot_associations, found.associations)
    return figures


def _model_and_obs(path: Path) -> tuple[FittedPoems, pd.DataFrame | None]:
    """Load a run with its obs table, or a model, which has none."""
    from poems.fitting.result import load
    from poems.runs.folder import read_run

    if not path.is_dir():
        return load(path), None
    run = read_run(path)
    return run.model, run.obs if len(run.obs.columns) else None


def _obs_table(
    model: FittedPoems, cohort: MultiOmics | None, given: Path | None, own: pd.DataFrame | None
) -> tuple[pd.DataFrame | None, tuple[Finding, ...]]:
    """Return the table to compare with: the cohort's, the given one, or the run's."""
    from poems.data.assemble import align_obs
    from poems.data.tables import load_obs

    if cohort is not None and len(cohort.obs.columns):
        return cohort.obs, ()
    if given is not None and cohort is None:
        table, noticed = load_obs(given)
        aligned, unmatched = align_obs(table, model.samples)
        return (aligned if table.index.isin(model.samples).any() else table), (
            *noticed,
            *unmatched,
        )
    samples = model.samples if cohort is None else cohort.samples
    if own is None or not own.index.isin(samples).any():
        return None, ()
    return own.reindex(samples), ()


def _show(
    console: Console,
    model: FittedPoems,
    found: FactorTables,
    findings: Sequence[Finding],
    top: int,
) -> None:
    print_factors(console, model, found, top)
    print_findings(console, findings, all_notes=True)


def print_factors(console: Console, model: FittedPoems, found: FactorTables, top: int) -> None:
    """Print what all factors explain, a line for each factor, and which go together."""
    say(console, f"{count(model.n_active, 'factor')}, {_samples(model, found)}.", "bold")
    if not model.n_active:
        say(console, "No factor drives any feature; `poems diagnose` says what to try.", "yellow")
        return
    if found.variance is not None:
        from poems.analysis.factors.variance import ALL

        wide = found.variance.wide()
        shares = ", ".join(
            f"{view} {decimal(float(r2))}"
            + (" (of deviance)" if model.share_of[str(view)] == "deviance" else "")
            for view, r2 in wide.loc[ALL].items()
        )
        say(console, f"R² of all factors: {shares}")
    heading(console, f"Factors: R², and the features that load most, of each omic {top} at most")
    rows = []
    for factor in model.factor_names:
        text = Text(clean(_features(model, found, factor, top)))
        if found.associations is not None:
            text.append(clean(f" | {_association(found.associations, factor)}"), style="cyan")
        rows.append((factor, text))
    print_grid(console, rows)
    say(console, _KEY, "dim")
    _print_correlations(console, found.correlations)
    if found.associations is not None:
        _print_tests(console, found.associations)


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
    if best["q"] > FDR_OBS:
        return f"no column (closest {name}, {p_text(best['q'], 'q')})"
    size = f"{_MEASURES[best['measure']]} {number(best['effect'])}"
    groups = "" if best["test"] == "Spearman" else f" {best['lowest']} < {best['highest']}"
    return f"{name}{groups} ({size}, {p_text(best['q'], 'q')})"


def _print_correlations(console: Console, correlations: pd.DataFrame) -> None:
    close = correlations[correlations["spearman"].abs() >= _CORRELATED]
    if not len(close):
        return
    shown = [
        f"{row.factor} and {row.other} ({number(row.spearman)})"
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
        n_found = int((tested["q"] <= FDR_OBS).sum())
        say(
            console,
            f"{n_found} of {count(len(tested), 'test')} of a factor against a column of the obs "
            f"table {'is' if n_found == 1 else 'are'} significant at a false discovery rate of "
            f"{FDR_OBS:.0%}",
            "dim",
        )
