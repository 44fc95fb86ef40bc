"""``poems evaluate``: embeddings and subtypes of a run beside known labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from poems.cli import checks, inputs
from poems.cli.driver import add_command
from poems.cli.printing import heading, print_findings, print_table, say
from poems.cli.result import CommandResult
from poems.findings import count
from poems.wording import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from rich.console import Console

    from poems.findings import Finding

_TITLES: Final = {"nmi": "NMI", "ari": "ARI", "knn": "kNN"}
_AGREEMENT: Final = ("accuracy", "purity", "homogeneity", "completeness", "nmi", "ari")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    add_command(app, evaluate)


def evaluate(
    run: inputs.RunFolder,
    labels: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of the run's obs table that holds labels.")
    ],
    metric: inputs.MetricOption = None,
    groups: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of the obs table that says which samples belong together, such as those "
            "of one patient: none is on both sides of a split.",
        ),
    ] = None,
) -> CommandResult:
    """Compare the embedding and the subtypes of a run with known labels."""
    checks.require_run(run)
    checks.require_columns(
        run, None, {"--labels": [labels], "--groups": [groups] if groups else []}
    )

    from poems.data.obs.values import clean_obs
    from poems.evaluation.labelled import (
        compare_embeddings,
        compare_subtypes,
        group_column,
        label_column,
    )
    from poems.runs.folder import read_run

    read = read_run(run)
    known = label_column(read.obs, labels, str(read.folder))
    # Of runs whose obs table was not cleaned when they were fitted.
    _, noticed = clean_obs(read.obs.loc[:, [str(name) == labels for name in read.obs.columns]])
    together: pd.Series | None = None
    told: tuple[Finding, ...] = ()
    if groups is not None:
        together, told = group_column(read.obs, groups, known, str(read.folder))
    metrics = read.fit.metrics if metric is None else (metric,)
    embeddings = {str(name): read.fit.embedding(name) for name in metrics}
    if read.pca is not None:
        embeddings["PCA"] = read.pca
    counts, scores = compare_subtypes(read.subtypes["subtype"], known)
    found = _Evaluation(
        known,
        compare_embeddings(embeddings, known, together),
        counts,
        scores,
        read.fit.n_active,
    )
    return CommandResult(
        partial(_show, found=found, noticed=(*noticed, *told)),
        {
            "run": run,
            "labels": labels,
            "groups": groups,
            "n_samples": len(known),
            "n_labelled": known.notna().sum(),
            "n_classes": known.nunique(),
            "subtypes": {name: scores[name] for name in _AGREEMENT},
        },
        tables={
            "embeddings": found.embeddings,
            "subtypes": found.pairs(),
        },
        findings=(*noticed, *told),
    )


@dataclass(frozen=True, eq=False)
class _Evaluation:
    """Labels, scores of the embeddings, subtypes against classes, their agreement, factors."""

    known: pd.Series
    embeddings: pd.DataFrame
    counts: pd.DataFrame
    scores: Mapping[str, float]
    n_factors: int

    def pairs(self) -> pd.DataFrame:
        """Return how many samples each subtype has of each class, a row per pair."""
        import pandas as pd

        rows = [
            {"subtype": subtype, "label": label, "n_samples": self.counts.at[subtype, label]}
            for subtype in self.counts.index
            for label in self.counts.columns
        ]
        return pd.DataFrame(rows, columns=["subtype", "label", "n_samples"])


def _show(console: Console, found: _Evaluation, noticed: Sequence[Finding]) -> None:
    print_findings(console, noticed, all_notes=True)
    known, counts, scores = found.known, found.counts, found.scores
    n_classes = known.nunique()
    say(console, f"{known.notna().sum()} of {len(known)} samples labelled, {n_classes} classes.")
    heading(console, "Embeddings: k-means into as many clusters as classes, and neighbours")
    print_table(console, _written(found.embeddings), index="embedding")
    if not found.n_factors:
        say(
            console,
            "the model has no factor: its embeddings hold nothing to score, or the omics alone",
        )
    say(console, "mean ± sd: of k-means over 5 seeds, of neighbours over 5 splits", "dim")
    if (found.embeddings["embedding"] == "PCA").any():
        say(console, "PCA is the baseline: principal components of the data, no model", "dim")
    heading(console, "Subtypes found, against the labels")
    # A table of more columns does not fit into a terminal.
    if counts.shape[1] > 16:
        say(
            console,
            f"{counts.shape[1]} classes are too many to print, and many for labels of groups: "
            "numbers are better compared by `poems factors`",
            "yellow",
        )
    else:
        print_table(console, counts, index="subtype")
    known_scores = [name for name in _AGREEMENT if scores[name] == scores[name]]
    listed = ", ".join(f"{_TITLES.get(name, name)} {number(scores[name])}" for name in known_scores)
    say(console, listed)
    if "accuracy" not in known_scores:
        say(
            console,
            f"no accuracy: {count(counts.shape[0], 'subtype')} and "
            f"{count(counts.shape[1], 'class', 'classes')} cannot be matched "
            "one to one. purity: share of the samples with the most frequent class of their "
            "subtype; homogeneity: does a subtype hold one class; completeness: does a class "
            "lie in one subtype",
            "dim",
        )


def _written(scores: pd.DataFrame) -> pd.DataFrame:
    """Write scores as "mean ± sd", an embedding a row."""
    import pandas as pd

    names = [name for name in scores.columns if f"{name}_sd" in scores.columns]
    return pd.DataFrame(
        {
            _TITLES.get(name, name): [
                f"{number(mean)} ± {number(sd)}" if mean == mean else "–"
                for mean, sd in zip(scores[name], scores[f"{name}_sd"], strict=True)
            ]
            for name in names
        },
        index=pd.Index(scores["embedding"].astype(str)),
    )
