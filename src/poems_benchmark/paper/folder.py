"""The folder of the paper's protocol: scores, split, embeddings and the paper's figures.

::

    out/
      paper.json           what it is: versions, seeds, sizes
      scores.csv           mean of each score by method and embedding
      scores.md            the same with standard deviations, for reading
      runs.csv             every run: method, embedding, score, seed, value
      split.csv            part and label of each sample
      embeddings/<method>.csv    the test samples, as scored
      model.poems          the fitted model of the first method that is POEMS
      figures/*.png        figures of that model
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from poems._version import __version__
from poems.errors import DataError, SettingsError
from poems.evaluation.paper.experiments import SCORES, PaperResult
from poems.files.atomic import write_text
from poems.files.csv_tables import write_csv
from poems.files.markers import write_marker
from poems.files.output_folder import replaced_folder
from poems_benchmark.paper.methods import paper_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from poems.fitting.result import FittedPoems

logger = logging.getLogger(__name__)

KIND: Final = "paper"
# Below this the paper's code calls a raw weight zero; its training yields no exact zeros.
PAPER_THRESHOLD = 0.01
_OLDER = ("embeddings/*.csv", "figures/*.png", "model.poems")


def write_paper(folder: str | Path, results: Mapping[str, PaperResult]) -> tuple[str, ...]:
    """Write the results of the paper's protocol, each file whole or not at all.

    Parameters
    ----------
    folder
        The folder, claimed before the fits, or a new one.
    results
        Results by name of the method, all of the same task.

    Returns
    -------
    tuple
        What could not be drawn, and why: a sentence each.

    Raises
    ------
    SettingsError
        If there is no result, or the folder holds something else.
    """
    if not results:
        raise SettingsError("there is no result to write; run at least one method")
    with replaced_folder(folder, KIND, older=_OLDER) as fresh:
        return _write(fresh, results)


def _write(path: Path, results: Mapping[str, PaperResult]) -> tuple[str, ...]:
    """Write them into a new folder, and mark it."""
    first = next(iter(results.values()))
    task = first.task
    write_csv(path / "scores.csv", paper_table(results))
    write_text(path / "scores.md", scores_markdown(results))
    runs = pd.concat({name: result.runs for name, result in results.items()}, names=["method"])
    write_csv(path / "runs.csv", runs.reset_index("method"), index=False)
    parts = task.split.table().loc[task.cohort.samples].to_frame()
    write_csv(path / "split.csv", parts.assign(label=task.labels).rename_axis("sample"))
    for name, result in results.items():
        write_csv(path / "embeddings" / f"{name}.csv", result.embedding.rename_axis("sample"))
    shown = next((result for result in results.values() if result.model is not None), None)
    undrawn: tuple[str, ...] = ()
    if shown is not None and shown.model is not None:
        shown.model.save(path / "model.poems")
        undrawn = _write_figures(path / "figures", shown, shown.model)
    about = {
        "poems": __version__,
        "methods": list(results),
        "n_samples": task.cohort.n_samples,
        "n_test": len(task.split.test),
        "n_classes": task.n_classes,
        "neighbours_stratified": first.stratified,
    }
    write_marker(path, KIND, about)
    return undrawn


def scores_markdown(results: Mapping[str, PaperResult]) -> str:
    """Return a Markdown table of means ± standard deviations over the five runs.

    Parameters
    ----------
    results
        Results by name of the method.
    """
    titles = ("k-means accuracy", "NMI", "ARI", "silhouette", "KNN", "KNN, balanced")
    lines = [
        "| method | embedding | " + " | ".join(titles) + " | seconds |",
        "|---" * (len(titles) + 3) + "|",
    ]
    for name, result in results.items():
        mean, sd = result.scores, result.sd
        for embedding in mean.index:
            cells = [
                f"{mean.loc[embedding, score]:.2f} ± {sd.loc[embedding, score]:.2f}"
                for score in SCORES
            ]
            lines.append(
                f"| {name} | {embedding} | " + " | ".join(cells) + f" | {result.seconds:.0f} |"
            )
    return "\n".join(lines) + "\n"


def paper_figures(result: PaperResult, model: FittedPoems) -> dict[str, Callable[[], Figure | Any]]:
    """Return what draws each of the paper's figures, by name; each returns a Figure or Axes.

    Gates, correlations and maps are those of the test samples.

    Parameters
    ----------
    result
        What the protocol says of a POEMS model.
    model
        That model.
    """
    from poems import plots

    test = result.task.part(result.task.split.test)
    labels, embedding = result.labels, result.embedding
    inputs = {name: test.frame(name) for name in model.view_names}
    spaces = {**inputs, "latent": embedding}
    # The raw weights are what the paper draws; a dense decoder has none.
    weights = model.weights or model.loadings
    threshold = 0.0 if model.settings.sparsity.proximal else PAPER_THRESHOLD

    def correlations(centre: bool) -> Figure:
        tables = {
            name: plots.subtype_correlations(points, labels, centre=centre)
            for name, points in spaces.items()
        }
        return plots.plot_subtype_correlations(tables)

    return {
        "loadings": lambda: plots.plot_loadings(model.loadings),
        "top_features": lambda: plots.plot_top_features(model.loadings),
        "top_per_factor": lambda: plots.plot_top_per_factor(model.loadings),
        "gates": lambda: plots.plot_gates(model.transform(test).gates, labels),
        "subtype_correlations": lambda: correlations(False),
        "subtype_correlations_centred": lambda: correlations(True),
        "sparsity_mask": lambda: plots.plot_sparsity_mask(weights, threshold),
        "loading_histogram": lambda: plots.plot_loading_histogram(weights, threshold),
        "tsne": lambda: plots.plot_projection(embedding, labels, "tsne"),
        "umap": lambda: plots.plot_projection(embedding, labels, "umap"),
        "history": lambda: plots.plot_history(model.history),
    }


def _write_figures(folder: Path, result: PaperResult, model: FittedPoems) -> tuple[str, ...]:
    from poems.plots.saving import save_figure

    undrawn = []
    for name, draw in paper_figures(result, model).items():
        try:
            drawn = draw()
        except (SettingsError, DataError) as error:
            # UMAP is optional, and a map or a correlation may need more samples than there are.
            undrawn.append(f"{name}: {error}")
            logger.warning("no figures/%s.png: %s", name, error)
            continue
        save_figure(drawn, folder / name)
    return tuple(undrawn)
