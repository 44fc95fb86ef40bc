"""The subtypes beside known labels, and beside principal components as the baseline."""

from __future__ import annotations

import pandas as pd

from poems.report.blocks import Block, Notice, Section, Text
from poems.report.source import Source
from poems.report.tables import Column, make_table
from poems.report.wording import listing

BASELINE = "PCA"


def labels_section(source: Source) -> Section | None:
    """Return the section that compares with a column of labels, if one was named.

    It shows the tables ``label_counts``, ``label_scores`` and ``label_agreement``.
    """
    column = source.labels
    if column is None:
        return None
    blocks: list[Block] = []
    several = source.subtypes.nunique() > 1
    counts = source.get("label_counts") if several else None
    if not several:
        text = "There is one group, so there are no subtypes to set beside the labels."
        blocks.append(Text(text))
    if counts is not None:
        names = [str(name) for name in counts.columns[1:]]
        table = counts.copy()
        table.columns = pd.Index(["subtype", *[f"n{at}" for at in range(len(names))]])
        blocks.append(
            make_table(
                "label-counts",
                f"Samples by subtype (rows) and by '{column}' (columns).",
                table,
                [
                    Column("subtype", "Subtype"),
                    *[Column(f"n{at}", name, "integer") for at, name in enumerate(names)],
                ],
                where=source.where("label_counts"),
                sortable=False,
            )
        )
    agreement = source.get("label_agreement") if several else None
    if agreement is not None:
        blocks.append(
            make_table(
                "label-agreement",
                f"Agreement of the subtypes with '{column}'.",
                agreement,
                [
                    Column("n_samples", "Samples labelled", "integer"),
                    Column("n_subtypes", "Subtypes", "integer"),
                    Column("n_classes", "Labels", "integer"),
                    Column("accuracy", "Accuracy", "number", "Matched one to one, if as many"),
                    Column("purity", "Purity", "number", "Share with their subtype's main label"),
                    Column("homogeneity", "Homogeneity", "number", "1: one label a subtype"),
                    Column("completeness", "Completeness", "number", "1: one subtype a label"),
                    Column("nmi", "NMI", "number", "Normalised mutual information"),
                    Column("ari", "ARI", "number", "Adjusted Rand index; 0 by chance"),
                ],
                where=source.where("label_agreement"),
                sortable=False,
            )
        )
    scores = source.get("label_scores")
    if scores is not None:
        blocks.append(
            make_table(
                "label-scores",
                "Embeddings compared: k-means into as many clusters as there are labels, and "
                "nearest neighbours.",
                scores,
                [
                    Column("embedding", "Embedding"),
                    Column("accuracy", "Accuracy", "number"),
                    Column("nmi", "NMI", "number"),
                    Column("ari", "ARI", "number"),
                    Column("silhouette", "Silhouette", "number"),
                    Column("knn", "Neighbours right", "number"),
                ],
                where=source.where("label_scores"),
                note="Means over 5 seeds of k-means and 5 splits for the neighbours. PCA is the "
                "baseline: principal components of the data, without a model. What the model does "
                "not beat it has not earned.",
                sortable=False,
            )
        )
        undefined = list(scores.loc[scores["nmi"].isna(), "embedding"])
        if undefined:
            blocks.append(
                Notice(f"The model has no factor, so {listing(undefined)} cannot be scored.")
            )
        if BASELINE not in set(scores["embedding"]):
            blocks.append(Notice("This run has no pca.csv, so there is no baseline to compare."))
    blocks.append(Text(f"The labels in '{column}' played no part in the fit."))
    return Section("labels", f"Beside the labels in '{column}'", blocks)
