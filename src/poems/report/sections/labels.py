"""The subtypes beside known labels, and beside principal components as the baseline."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from poems.findings import count
from poems.report.blocks import Block, Notice, Section, Sentence, Text
from poems.report.source import Source
from poems.report.tables import Column, make_table
from poems.report.wording import listing, number, percent

BASELINE = "PCA"
# Mutual information of labels and clusters that is next to nothing, and a difference that is none.
_HARDLY, _ALIKE = 0.05, 0.03


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


def label_sentences(source: Source, column: str) -> Iterable[Sentence]:
    """Say how the subtypes agree with the labels."""
    agreement = source.get("label_agreement")
    if agreement is None:
        return
    row = agreement.iloc[0]
    n_groups = source.subtypes.nunique()
    if n_groups > 1:
        yield Sentence("Known labels", _agreement(source, column, row, n_groups), target="labels")
    scores = source.get("label_scores")
    if scores is None or BASELINE not in set(scores["embedding"]):
        return
    own, pca = scores.iloc[0], scores[scores["embedding"] == BASELINE].iloc[0]
    if pd.isna(own["nmi"]):
        return
    against = f"(NMI {number(own['nmi'])} against {number(pca['nmi'])})"
    whose = f"the model's {own['embedding']} embedding"
    if max(own["nmi"], pca["nmi"]) < _HARDLY:
        told = f"neither {whose} nor plain principal components find them {against}."
    else:
        told = f"{whose} finds them {_beside_pca(own, pca)} {against}."
    yield Sentence(
        "Known labels",
        f"{'' if n_groups > 1 else 'Though the samples form no distinct groups: '}"
        f"{'C' if n_groups > 1 else 'c'}lustered into as many groups as there are labels, {told}",
        target="labels",
    )


def _beside_pca(own: pd.Series, pca: pd.Series) -> str:
    """Compare two embeddings; a difference that another seed could undo is none."""
    if abs(own["nmi"] - pca["nmi"]) < _ALIKE:
        return "about as well as plain principal components do"
    if own["nmi"] > pca["nmi"]:
        return "better than plain principal components do"
    return "less well than plain principal components do"


def _held(n: int, of: int) -> str:
    """Say in how many subtypes labelled samples are."""
    return count(of, "subtype") if n == of else f"in {n} of {count(of, 'subtype')}"


def _agreement(source: Source, column: str, row: pd.Series, n_groups: int) -> str:
    """Say how pure the subtypes are; how many samples match only where the numbers are equal."""
    counts = source.get("label_counts")
    samples = count(int(row["n_samples"]), "labelled sample")
    rates = f"NMI {number(row['nmi'])}, ARI {number(row['ari'])}"
    if counts is None:
        return f"Of {samples} and '{column}': {rates}."
    table = counts.iloc[:, 1:].to_numpy(dtype=float)
    # Of more values than subtypes none can have its own: whether each lies in one is asked.
    finer = table.shape[1] > len(table) > 1
    pure = table.max(axis=0 if finer else 1).sum() / max(table.sum(), 1.0)
    told = (
        f"are in the subtype that most of their value of '{column}' are in"
        if finer
        else f"have the commonest value of '{column}' in their subtype"
    )
    text = (
        f"{percent(pure)} of {samples} {told} "
        f"({_held(len(table), n_groups)}, {count(table.shape[1], 'value')}; {rates})"
    )
    if len(table) == n_groups == table.shape[1]:
        text += f"; matched one to one, {percent(row['accuracy'])} agree"
    return f"{text}."
