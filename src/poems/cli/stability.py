"""From a cohort to a folder of stability results, with what is printed on the way."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from poems.cli.console import decimal, heading, output, print_findings, print_table, say
from poems.errors import SettingsError
from poems.output_folder import claim_folder, write_marker

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from poems.config import Settings
    from poems.data import MultiOmics
    from poems.resampling.consensus import ConsensusSubtypes
    from poems.resampling.draws import Resample
    from poems.resampling.result import Stability

# Numbers of clusters to form in each refit.
_CANDIDATES = range(2, 9)
# Biomarkers of each factor that are printed; the file has them all.
_SHOWN = 3


@dataclass(frozen=True)
class StabilityRequest:
    """How to refit, and where to write what comes of it."""

    settings: Settings | None
    run: Path | None
    out: Path
    overwrite: bool
    seed: int
    n_runs: int
    resample: Resample
    n_permutations: int
    fdr: float
    n_subtypes: int | None
    jobs: int
    quiet: bool


def stability_and_write(cohort: MultiOmics, request: StabilityRequest) -> Stability:
    """Refit ``cohort``, write the folder and print a summary.

    Raises
    ------
    DataError
        If the cohort cannot be fitted, or is not that of the run.
    SettingsError
        If more subtypes than samples are asked for, or the folder cannot be
        written to.
    KeyboardInterrupt
        If it was interrupted; nothing is kept.
    """
    from poems.data import quality_findings
    from poems.resampling.stability import stability
    from poems.run_folder import read_run
    from poems.run_log import log_findings, run_log

    if request.n_subtypes is not None and request.n_subtypes >= cohort.n_samples:
        raise SettingsError(
            f"--n-subtypes is {request.n_subtypes}, but there are only {cohort.n_samples} samples; "
            "ask for fewer subtypes"
        )
    reference = None if request.run is None else read_run(request.run).model
    folder = claim_folder(request.out, "stability", overwrite=request.overwrite)
    console = output()
    start = time.monotonic()
    with run_log(folder):
        settings = request.settings if reference is None else reference.settings
        log1p = () if settings is None else settings.preprocessing.log1p
        known = (*cohort.findings, *quality_findings(cohort, log1p=log1p))
        log_findings(known)
        if not request.quiet:
            say(console, repr(cohort))
            print_findings(console, known, all_notes=True)
        extra = () if request.n_subtypes is None else (request.n_subtypes,)
        found = stability(
            cohort,
            n_runs=request.n_runs,
            resample=request.resample,
            n_permutations=request.n_permutations,
            reference=reference,
            seed=request.seed,
            settings=request.settings,
            candidates=(*_CANDIDATES, *extra),
            n_jobs=request.jobs,
            progress=not request.quiet,
        )
        subtypes = found.consensus_subtypes(request.n_subtypes)
        _write(folder, found, subtypes, request.fdr)
    if not request.quiet:
        seconds = time.monotonic() - start
        _print_summary(console, found, subtypes, request, seconds)
    return found


def _write(folder: Path, found: Stability, subtypes: ConsensusSubtypes, fdr: float) -> None:
    from poems.csv_tables import write_csv
    from poems.plots import plot_consensus
    from poems.plots.saving import save_figure

    write_marker(folder, "stability", {}, complete=False)
    (folder / "biomarkers.csv").unlink(missing_ok=True)
    if found.n_permutations:
        write_csv(folder / "biomarkers.csv", found.biomarkers(fdr), index=False)
    matrix = found.consensus_matrix(subtypes.n_subtypes)
    write_csv(folder / "subtypes.csv", subtypes.table().rename_axis("sample"))
    write_csv(folder / "subtype_choice.csv", subtypes.choice)
    write_csv(folder / "consensus_matrix.csv", matrix.rename_axis("sample"))
    drawn = plot_consensus(matrix, subtypes.assignment)
    save_figure(drawn, folder / "figures" / "consensus", ["png", "svg"])
    # Last, for it marks the folder as complete.
    found.save(folder)


def _print_summary(
    console: Console,
    found: Stability,
    subtypes: ConsensusSubtypes,
    request: StabilityRequest,
    seconds: float,
) -> None:
    heading(console, f"{len(found.runs)} refits ({request.resample}), {seconds:.0f} s in all.")
    _print_factors(console, found, request.fdr)
    if len(found.held_out_r2):
        heading(console, "R² of samples left out (predicting the mean: 0)")
        table = found.held_out_r2.groupby("view", sort=False)[["model", "pca"]].mean()
        shown = table.rename(columns={"model": "POEMS", "pca": "PCA"}).map(decimal)
        print_table(console, shown, index="view")
    heading(console, "Consensus subtypes")
    widths = subtypes.agreement.groupby(subtypes.assignment).mean()
    sizes = subtypes.assignment.value_counts().loc[widths.index]
    print_table(
        console, sizes.to_frame("samples").assign(agreement=widths.map(decimal)), index="subtype"
    )
    heading(console, f"Written to {request.out}")
    written = "biomarkers.csv, " if found.n_permutations else ""
    say(
        console,
        f"  {written}factors.csv, subtypes.csv, consensus_latent.csv, consensus_matrix.csv, "
        "frequency/, q_values/, figures/, …",
    )


def _print_factors(console: Console, found: Stability, fdr: float) -> None:
    heading(console, "Factors")
    table = found.factor_stability
    shown = table[["similarity", "chance"]].map(decimal)
    shown["found in"] = table["found"].map("{:.0%}".format)
    if not found.n_permutations:
        print_table(console, shown, index="factor")
        say(console, "no biomarkers without --n-permutations", "dim")
        return
    biomarkers = found.biomarkers(fdr)
    counts = biomarkers["factor"].value_counts()
    shown["biomarkers"] = counts.reindex(table.index, fill_value=0)
    shown["strongest"] = [_strongest(biomarkers, factor) for factor in table.index]
    print_table(console, shown, index="factor")
    say(
        console,
        f"{len(biomarkers)} biomarkers (pairs of feature and factor) at a false discovery rate "
        f"of {fdr:.0%}",
    )
    unstable = int((table["found"] < 0.5).sum())
    if unstable:
        verb = "is" if unstable == 1 else "are"
        say(console, f"{unstable} of {len(table)} factors {verb} found in fewer than half of the "
            "refits: do not build on them", "yellow")  # fmt: skip


def _strongest(biomarkers: pd.DataFrame, factor: str) -> str:
    names = biomarkers.loc[biomarkers["factor"] == factor, "feature"].head(_SHOWN)
    return ", ".join(map(str, names)) or "–"
