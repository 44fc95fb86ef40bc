"""A benchmark's results as a Markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from poems.errors import DataError
from poems_benchmark.scores.choosing import By, chosen_on_all, leave_one_cohort_out
from poems_benchmark.scores.summary import (
    LABEL_METRICS,
    METRICS,
    RANKED,
    SURVIVAL_METRICS,
    Spread,
    differences,
    held_to,
    mean_ranks,
    spread,
)

_NONE = "–"


def markdown_report(
    table: pd.DataFrame,
    *,
    tools: Sequence[str],
    reference: str,
    held_to_best_of: Sequence[str],
    choose_among: Sequence[str] = (),
    studies: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    failures: Mapping[str, str] | None = None,
) -> str:
    """Return the summary of a benchmark as Markdown.

    Parameters
    ----------
    table
        As of :func:`poems_benchmark.scores.summary.results_table`.
    tools
        Methods that are ranked against each other; the others are compared
        with ``reference`` only.
    reference
        The method that the others are compared with.
    held_to_best_of
        Methods whose best the reference is held to.
    choose_among
        Methods to choose among by leaving one cohort out.
    studies
        Cohort to the study that its samples are from, for that choice.
    notes
        Cohort to what a reader should know.
    failures
        Unit to the line that says why it failed.
    """
    names = dict(zip(table["method"], table["name"], strict=True))
    present = list(dict.fromkeys(table["method"]))
    ranked = [method for method in tools if method in present]
    others = [method for method in present if method not in ranked]
    parts = ["# Benchmark", _preface(table)]
    for metric in (*LABEL_METRICS, *SURVIVAL_METRICS):
        shown = spread(table, metric, ranked)
        if not shown.mean.empty:
            parts += [f"## {METRICS[metric]}", _spread_table(shown, names)]
    parts += _ranks(table, ranked, names)
    parts += _held_to(table, reference, held_to_best_of, names)
    parts += _ablations(table, others, reference, names)
    parts += _choice(table, choose_among, reference, studies, names)
    parts += _times(table, present, names)
    parts += _closing(notes or {}, failures or {})
    return "\n\n".join(parts) + "\n"


def _preface(table: pd.DataFrame) -> str:
    return (
        f"{table['cohort'].nunique()} cohorts, {table['method'].nunique()} methods, "
        f"{table['seed'].nunique()} seeds at most. Labels were used for scoring only. Scores of "
        "clusters are means over five seeds of the clustering, into as many clusters as there are "
        "classes: k-means on the embedding, spectral clustering of its own graph for SNF. "
        "± is the standard deviation over fits with different seeds; methods without it are "
        "deterministic or were run once. The best mean of a row is bold."
    )


def _spread_table(found: Spread, names: Mapping[str, str]) -> str:
    best = found.mean.max(axis=1)
    rows = []
    for task in found.mean.index:
        cells = []
        for method in found.mean.columns:
            mean, sd = found.mean.loc[task, method], found.sd.loc[task, method]
            text = _NONE if pd.isna(mean) else f"{mean:.2f}"
            text = f"**{text}**" if mean == best[task] else text
            cells.append(text if pd.isna(sd) else f"{text} ± {sd:.2f}")
        rows.append([str(task), *cells])
    head = ["", *(names[method] for method in found.mean.columns)]
    return markdown_table(head, rows)


def _ranks(table: pd.DataFrame, ranked: Sequence[str], names: Mapping[str, str]) -> list[str]:
    if len(ranked) < 2:
        return []
    ranks, counts = mean_ranks(table, ranked)
    metrics = [metric for metric in RANKED if counts[metric]]
    if not metrics:
        return []
    rows = [[names[m], *(f"{ranks.loc[m, metric]:.2f}" for metric in metrics)] for m in ranked]
    rows.append(["cohorts", *(str(counts[metric]) for metric in metrics)])
    text = (
        "Among the tools above, 1 is best; over the cohorts on which all of them have a result, "
        "label columns of one cohort averaged first. Silhouettes are each measured in the method's "
        "own embedding and are not ranked."
    )
    return ["## Mean rank", text, markdown_table(["", *(METRICS[m] for m in metrics)], rows)]


def _held_to(
    table: pd.DataFrame, reference: str, others: Sequence[str], names: Mapping[str, str]
) -> list[str]:
    found = held_to(table, reference, others)
    if found.empty:
        return []
    rows = [
        [
            str(task),
            f"{row['reference']:.3f}" + ("" if pd.isna(row["sd"]) else f" ± {row['sd']:.3f}"),
            f"{row['score']:.3f} ({names[row['best']]})",
            f"{row['difference']:+.3f}",
        ]
        for task, row in found.to_dict("index").items()
    ]
    rows.append(["least", "", "", f"{found['difference'].min():+.3f}"])
    there = ", ".join(names[method] for method in others if method in names)
    head = ["", f"NMI of {names[reference]}", f"best of {there}", "difference"]
    return ["## Held to the best of the others", markdown_table(head, rows)]


def _ablations(
    table: pd.DataFrame, others: Sequence[str], reference: str, names: Mapping[str, str]
) -> list[str]:
    metrics = ("nmi", "accuracy", "ari", "knn", "knn_balanced", "concordance")
    if not others or reference not in names:
        return []
    found = differences(table, others, reference, metrics)
    shown = [m for m in metrics if m in found and found[m].notna().any()]
    rows = [
        [
            names[method],
            *(_signed(found.loc[method, metric]) for metric in shown),
            f"{found.loc[method, 'seconds']:.2f}",
        ]
        for method in found.index
    ]
    by_task = spread(table, "nmi", [reference, *others]).mean
    text = (
        f"Differences to {names[reference]}, means over the cohorts and labels that both have "
        "results on; time as a ratio."
    )
    parts = ["## Presets, ablations and variants", text]
    parts.append(markdown_table(["", *(METRICS[m] for m in shown), "time"], rows))
    if reference in by_task:
        delta = by_task.sub(by_task[reference], axis=0).drop(columns=reference)
        cells = [
            [names[method], *(_signed(delta.loc[task, method]) for task in delta.index)]
            for method in delta.columns
        ]
        parts += ["NMI, on each:", markdown_table(["", *map(str, delta.index)], cells)]
    return parts + _spreads(table, [reference, *others], shown, names)


def _spreads(
    table: pd.DataFrame, methods: Sequence[str], metrics: Sequence[str], names: Mapping[str, str]
) -> list[str]:
    """Tell how much scores differ between seeds, on the cohorts and labels that all have."""
    found = pd.DataFrame(
        {
            METRICS[metric]: spread(table, metric, methods).sd.dropna(how="any").mean()
            for metric in metrics
        }
    ).dropna(how="all")
    if found.empty:
        return []
    rows = [
        [names[method], *("–" if pd.isna(value) else f"{value:.3f}" for value in row)]
        for method, row in zip(found.index, found.to_numpy(), strict=True)
    ]
    text = "Standard deviation over seeds, mean over the cohorts and labels that all have:"
    return [text, markdown_table(["", *found.columns], rows)]


def _choice(
    table: pd.DataFrame,
    candidates: Sequence[str],
    reference: str,
    studies: Mapping[str, str] | None,
    names: Mapping[str, str],
) -> list[str]:
    if not candidates:
        return []
    own = names.get(reference, reference)
    parts = [
        "## Chosen on the other cohorts",
        "For each cohort the candidate that is best on the others, cohorts of the same study left "
        f"out with it, and its NMI on the one left out, beside that of {own}. Which candidate is "
        "best on the cohort itself could not be known. Candidates: "
        f"{'; '.join(names.get(each, each) for each in candidates)}.",
    ]
    headings: dict[By, str] = {"mean": "By mean NMI", "rank": "By mean rank of NMI"}
    for by, heading in headings.items():
        try:
            found = leave_one_cohort_out(
                table, candidates, reference=reference, studies=studies, by=by
            )
            on_all = chosen_on_all(table, candidates, by=by)
        except DataError as error:
            return [*parts, f"This could not be done: {error}."]
        rows = [
            [
                str(cohort),
                names[row["chosen"]],
                f"{row['score']:.3f}",
                _plain(row["reference"]),
                _signed(row["difference"]),
                f"{row['best']:.3f} ({names[row['best_candidate']]})",
            ]
            for cohort, row in found.to_dict("index").items()
        ]
        rows.append(
            [
                "mean",
                "",
                f"{found['score'].mean():.3f}",
                _plain(found["reference"].mean()),
                _signed(found["difference"].mean()),
                f"{found['best'].mean():.3f}",
            ]
        )
        head = [heading, "chosen on the others", "its NMI", f"NMI of {own}", "difference",
                "best candidate here"]  # fmt: skip
        parts.append(markdown_table(head, rows))
        parts.append(f"On all cohorts together: {names[on_all]}.")
    unused = [cohort for cohort in dict.fromkeys(table["cohort"]) if cohort not in found.index]
    if unused:
        parts.append(f"Not used, for not all candidates have results there: {', '.join(unused)}.")
    return parts


def _times(table: pd.DataFrame, methods: Sequence[str], names: Mapping[str, str]) -> list[str]:
    once = table.drop_duplicates(["cohort", "method", "seed"]).assign(task=lambda t: t["cohort"])
    seconds = spread(once, "seconds", methods).mean
    if seconds.empty:
        return []
    memory = once.groupby("method")["added_mb"].max()
    factors = spread(once, "n_factors", methods).mean
    rows = [
        [
            names[method],
            *(_NONE if pd.isna(s) else f"{s:.1f}" for s in seconds[method]),
            _NONE if pd.isna(memory[method]) else f"{memory[method]:.0f}",
            f"{factors[method].mean():.1f}",
        ]
        for method in seconds.columns
    ]
    head = ["", *map(str, seconds.index), "MB added", "factors"]
    text = (
        "Seconds of a fit with one thread, mean over seeds; the most that a fit added to its "
        "process's memory; the mean number of factors or dimensions."
    )
    return ["## Time, memory, factors", text, markdown_table(head, rows)]


def _closing(notes: Mapping[str, str], failures: Mapping[str, str]) -> list[str]:
    parts = []
    if failures:
        lines = [f"- {unit}: {' '.join(error.split())}" for unit, error in failures.items()]
        parts += ["## Failed", "\n".join(lines)]
    told = [f"- {cohort}: {note}" for cohort, note in notes.items() if note]
    if told:
        parts += ["## Cohorts", "\n".join(told)]
    return parts


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Return a table in Markdown; the first column stands left, the others right.

    Examples
    --------
    >>> print(markdown_table(["", "a|b"], [["x", "1"]]))
    |  | a\|b |
    |---|---:|
    | x | 1 |
    """
    lines = [head, *rows]
    text = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]
    rule = "|---|" + "---:|" * (len(head) - 1)
    return "\n".join([text[0], rule, *text[1:]])


def _plain(value: float) -> str:
    return _NONE if pd.isna(value) else f"{value:.3f}"


def _signed(value: float) -> str:
    return _NONE if pd.isna(value) else f"{value:+.3f}"
