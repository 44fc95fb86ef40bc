"""``poems benchmark --protocol paper``: the experiments of the POEMS paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from poems.cli.printing import heading, output, print_table, say

if TYPE_CHECKING:
    import pandas as pd

    from poems.evaluation.paper.experiments import PaperResult, PaperTask
    from poems_benchmark.cohorts import CohortSpec


@dataclass(frozen=True)
class PaperRequest:
    """What was asked for.

    Parameters
    ----------
    data
        Folder in MOGONET's format, or of such folders; not looked at where
        ``specs`` are given.
    specs
        Cohorts that are tables with an obs table.
    out
        Folder to write to; with several cohorts or columns of labels, each has
        a sub-folder.
    methods
        Methods of the comparison; all if empty.
    epochs
        Epochs at most of the published settings.
    seed
        Seed of the fits and draws.
    groups
        Column of the obs table that names each sample's patient.
    overwrite
        Replace earlier results.
    quiet
        Print errors only.
    """

    data: Path
    specs: Sequence[CohortSpec]
    out: Path
    methods: Sequence[str] = ()
    epochs: int | None = None
    seed: int = 0
    groups: str | None = None
    overwrite: bool = False
    quiet: bool = False


def mogonet_folders(data: Path) -> list[Path]:
    """Return the folder itself if it is in MOGONET's format, else those of its sub-folders."""
    from poems.data.text.mogonet import is_mogonet

    if is_mogonet(data):
        return [data]
    return [folder for folder in sorted(data.glob("*/")) if is_mogonet(folder)]


def run_paper(request: PaperRequest) -> None:
    """Run the protocol on every cohort, write it, and print the scores.

    Raises
    ------
    PoemsError
        If a cohort cannot be read, split, fitted or scored, a method is
        unknown, or a folder holds earlier results.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from poems.evaluation.paper.experiments import DEFAULT_EPOCHS
    from poems.files.output_folder import claim_folder, release_folder
    from poems_benchmark.paper.folder import write_paper
    from poems_benchmark.paper.methods import PAPER_METHODS, compare_paper_methods

    console = output()

    def tell(text: str, style: str = "") -> None:
        if not request.quiet:
            say(console, text, style)

    tasks = _tasks(request)
    folders = {name: request.out if len(tasks) == 1 else request.out / name for name in tasks}
    # Before anything is computed, for hours perhaps.
    for folder in folders.values():
        claim_folder(folder, "paper", overwrite=request.overwrite)
    for name, task in tasks.items():
        parts = (len(part) for part in (task.split.train, task.split.validation, task.split.test))
        tell("{}: {} samples to train, {} to validate, {} to test".format(name, *parts), "bold")
        # Problems of this size only get slower with more threads.
        with threadpool_limits(limits=1):
            results = compare_paper_methods(
                task,
                methods=list(request.methods) or list(PAPER_METHODS),
                epochs=DEFAULT_EPOCHS if request.epochs is None else request.epochs,
                seed=request.seed,
                progress=lambda method: tell(f"  {method}: {PAPER_METHODS[method].about}"),
            )
            undrawn = write_paper(folders[name], results)
        release_folder(folders[name])
        if request.quiet:
            continue
        heading(console, "k-means with five seeds and neighbours on five splits, test samples")
        print_table(console, _shown(results), index="method")
        for text in undrawn:
            tell(f"not drawn: {text}", "yellow")
        tell(f"Written to {folders[name]}: scores.md, scores.csv, figures/, model.poems, …", "bold")


def _tasks(request: PaperRequest) -> dict[str, PaperTask]:
    """Read the cohorts and split them."""
    from poems.data.text.mogonet import LABEL, SPLIT, read_mogonet
    from poems.evaluation.paper.experiments import paper_task
    from poems_benchmark.cohorts import read_benchmark_cohort

    tasks = {}
    for spec in request.specs:
        cohort = read_benchmark_cohort(spec)
        for label in spec.labels:
            name = spec.name if len(spec.labels) == 1 else f"{spec.name}-{label}"
            tasks[name] = paper_task(cohort, label, groups=request.groups)
    for folder in () if request.specs else mogonet_folders(request.data):
        cohort = read_mogonet(folder)
        published = SPLIT if SPLIT in cohort.obs else None
        name = folder.resolve().name
        tasks[name] = paper_task(cohort, LABEL, groups=request.groups, published=published)
    return tasks


def _shown(results: dict[str, PaperResult]) -> pd.DataFrame:
    """Return the means; their deviations are in scores.md, for a terminal is narrow."""
    from poems.cli.printing import decimal
    from poems_benchmark.paper.methods import paper_table

    table = paper_table(results)
    names = {"nmi": "NMI", "ari": "ARI", "knn": "KNN", "knn_balanced": "balanced"}
    shown = table.drop(columns=["silhouette", "seconds"]).rename(columns=names).map(decimal)
    shown["seconds"] = table["seconds"].round().astype(int)
    return shown.reset_index("embedding")
