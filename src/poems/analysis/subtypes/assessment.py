"""How sure the subtypes are: their number, each sample's place, each subtype's stability."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.analysis.subtypes.certainty import (
    STABLE,
    UNSTABLE,
    Evidence,
    certainty_of_samples,
    certainty_of_subtypes,
)
from poems.analysis.subtypes.choice_words import choice_table
from poems.analysis.subtypes.finding import Subtypes
from poems.analysis.subtypes.numbers import SubtypeNumbers, other_criteria, subtype_numbers
from poems.analysis.subtypes.other_clusterings import compare_clusterings, other_clusterings
from poems.analysis.subtypes.subsampling import (
    consensus_of,
    jaccard_of,
    subsampled_clusterings,
)
from poems.clustering.kmeans import finite_points
from poems.errors import DataError
from poems.findings import Finding, name_some
from poems.notebook import Shown
from poems.resampling.consensus import co_association
from poems.scaling.disk.subset import random_rows
from poems.settings.arguments import require_whole

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems
    from poems.resampling.result import Stability

Codes = npt.NDArray[np.intp]

# Consensus holds a number for every two samples: of more, a random subset is clustered.
_MOST_SAMPLES: Final = 2000


@dataclass(frozen=True, eq=False, repr=False)
class SubtypeAssessment(Shown):
    """What speaks for the subtypes, and what against them. Made by :func:`assess_subtypes`.

    Parameters
    ----------
    numbers
        Criteria of the number of subtypes, and what each would choose.
    explanation
        Sentences that explain the number, and say what other criteria would choose.
    choice
        What each number tried has for it and against it, as
        :func:`poems.analysis.subtypes.choice_words.choice_table`.
    samples
        One row per sample: ``sample``, ``subtype``, ``probability`` of it (``NaN`` if
        unknown), ``consensus``: the share of subsamples that put it together with
        another sample of its subtype, on average; ``next_subtype`` and
        ``next_consensus``, the same of the subtype that comes next; ``silhouette``;
        ``uncertain``, if the probability is below 0.75, or so are both the consensus
        and its share of that with the own and the next subtype (missing where nothing
        is known). With refits also ``refit_consensus``.
    subtypes
        One row per subtype: ``subtype``, ``n_samples``, mean ``consensus`` of its
        samples, ``jaccard``, how well subsamples find it again (Hennig 2007),
        mean ``silhouette`` and ``probability``, ``n_uncertain``. With refits also
        ``refit_consensus`` and ``refit_jaccard``.
    clusterings
        One row per pair of clusterings: ``clustering``, ``n_subtypes``, ``other``,
        ``n_other`` and ``ari``, their adjusted Rand index.
    assignments
        Subtype of each sample by every clustering, (n_samples, n_clusterings); names
        are those of the reported subtypes that they go with, ``"-"`` and a number for others.
    consensus
        Consensus of every two samples over the subsamples, (n_samples, n_samples).
    refit_consensus
        The same over refits; ``None`` without.
    findings
        What is to be said of all this.
    """

    numbers: SubtypeNumbers
    explanation: str
    choice: pd.DataFrame
    samples: pd.DataFrame
    subtypes: pd.DataFrame
    clusterings: pd.DataFrame
    assignments: pd.DataFrame
    consensus: pd.DataFrame
    refit_consensus: pd.DataFrame | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by the stems of their files."""
        return {
            "subtype_choice": self.choice,
            "subtype_numbers": self.numbers.table,
            "subtype_samples": self.samples,
            "subtype_stability": self.subtypes,
            "subtype_clusterings": self.clusterings,
            "subtype_assignments": self.assignments.rename_axis("sample").reset_index(),
        }


def assess_subtypes(
    model: FittedPoems,
    subtypes: Subtypes,
    *,
    probability: pd.Series | None = None,
    stability: Stability | None = None,
    candidates: Iterable[int] = range(2, 11),
    n_rounds: int = 100,
    share: float = 0.8,
    seed: int = 0,
) -> SubtypeAssessment:
    """Say how sure subtypes are: by subsamples, other clusterings, and refits if there are any.

    Random subsamples are clustered by k-means in the embedding of the subtypes. The
    embedding itself is that of all samples, so that this says how distinct the subtypes
    are there; only refits (``stability``) say what another fit would find.

    Parameters
    ----------
    model
        The fitted model.
    subtypes
        Subtypes of its samples.
    probability
        Probability of each sample's subtype; by default that of the mixture prior
        if the subtypes are its components.
    stability
        Refits of the same cohort.
    candidates
        Numbers of subtypes to judge.
    n_rounds, share
        Subsamples, and the share of the samples in each.
    seed
        Of the subsamples and of k-means.

    Raises
    ------
    DataError
        If the subtypes or the refits are of other samples.
    SettingsError
        If ``n_rounds`` is below 2.

    Examples
    --------
    >>> import poems
    >>> from poems.analysis.subtypes.finding import find_subtypes
    >>> cohort = poems.simulate(90, 40, 3, n_views=2, density=0.3, n_subtypes=3, seed=0).cohort
    >>> model = poems.fit(cohort, epochs=20, progress=False)
    >>> found = assess_subtypes(model, find_subtypes(model, 3), n_rounds=20)
    >>> found.subtypes["subtype"].tolist()
    ['S1', 'S2', 'S3']
    """
    require_whole("n_rounds", n_rounds, 2)
    _require_same(model, subtypes.assignment.index, "the subtypes are")
    names = [str(name) for name in subtypes.sizes.index]
    points = finite_points(model.embedding(subtypes.metric))
    if probability is None:
        probability = subtypes.probability
    rows = random_rows(len(points), _MOST_SAMPLES, seed).numpy()
    all_codes = np.array([names.index(str(name)) for name in subtypes.assignment], dtype=np.intp)
    codes = all_codes[rows]
    components = model.component_probabilities
    numbers = subtype_numbers(
        points[rows],
        len(names),
        latent=finite_points(model.latent)[rows],
        candidates=candidates,
        components=None if components is None else components.iloc[rows],
        seed=seed,
    )
    rounds = subsampled_clusterings(
        points[rows], len(names), n_rounds=n_rounds, share=share, seed=seed
    )
    findings = list(_subset_findings(len(rows), len(points)))
    if rounds is None:
        findings.append(_no_subsamples(len(names), len(rows)))
        rounds = np.full((1, len(rows)), -1, dtype=np.intp)
    evidence = Evidence.of(consensus_of(rounds), jaccard_of(codes, rounds, len(names)), codes)
    refits = None
    if stability is not None:
        _require_same(model, stability.samples, "the refits are")
        if len(names) in stability.clusterings:
            labels = stability.clusterings[len(names)].astype(np.intp)[:, rows]
            refits = Evidence.of(
                co_association(list(labels.astype(np.int32))),
                jaccard_of(codes, labels, len(names)),
                codes,
            )
        else:
            findings.append(_not_among_refits(len(names), stability))
    others = other_clusterings(
        model,
        subtypes,
        rows,
        consensus=evidence.matrix,
        refit_consensus=None if refits is None else refits.matrix,
        seed=seed,
    )
    samples = certainty_of_samples(subtypes, names, rows, evidence, refits, probability)
    table = certainty_of_subtypes(samples, names, evidence, refits)
    besides = other_criteria(numbers)
    index = model.samples[rows]
    return SubtypeAssessment(
        numbers=numbers,
        explanation=f"{subtypes.explanation} {besides}".strip(),
        choice=choice_table(subtypes.tried),
        samples=samples,
        subtypes=table,
        clusterings=compare_clusterings(others),
        assignments=others,
        consensus=pd.DataFrame(evidence.matrix, index=index, columns=index),
        refit_consensus=None
        if refits is None
        else pd.DataFrame(refits.matrix, index=index, columns=index),
        findings=(
            *findings,
            *((Finding("note", "number-of-subtypes", besides),) if besides else ()),
            *_certainty_findings(samples, table),
        ),
    )


def _certainty_findings(samples: pd.DataFrame, table: pd.DataFrame) -> list[Finding]:
    """Name the subtypes and the samples that are not to be relied on."""
    findings = []
    measures = [name for name in ("jaccard", "refit_jaccard") if name in table]
    lowest = table.set_index("subtype")[measures].min(axis=1).dropna()
    how = "subsamples or refits" if len(measures) > 1 else "subsamples"
    unstable = lowest[lowest < UNSTABLE]
    doubtful = lowest[(lowest >= UNSTABLE) & (lowest < STABLE)]
    if len(unstable):
        text = (
            f"over {how} some subtypes are not found again; do not build on them: "
            f"{_with_values(unstable)}"
        )
        findings.append(Finding("warning", "subtypes-unstable", text, items=_items(unstable.index)))
    if len(doubtful):
        text = (
            f"over {how} some subtypes are found again, but not with the same samples: "
            f"{_with_values(doubtful)}"
        )
        findings.append(Finding("note", "subtypes-doubtful", text, items=_items(doubtful.index)))
    uncertain = samples.loc[samples["uncertain"].fillna(False).astype(bool), "sample"]
    if len(uncertain):
        text = (
            f"{len(uncertain)} of {len(samples)} samples are uncertain, and may belong to the next "
            f"subtype: {name_some(uncertain)}"
        )
        findings.append(Finding("note", "samples-uncertain", text, items=_items(uncertain)))
    return findings


def _with_values(jaccard: pd.Series) -> str:
    listed = ", ".join(f"{name} ({value:.2f})" for name, value in jaccard.items())
    return f"{listed} (mean Jaccard index)"


def _items(names: Iterable[object]) -> tuple[str, ...]:
    return tuple(map(str, names))


def _subset_findings(n_some: int, n_samples: int) -> list[Finding]:
    if n_some == n_samples:
        return []
    text = (
        f"consensus and criteria rest on a random subset of {n_some} of {n_samples} samples; of "
        "the others no consensus is known"
    )
    return [Finding("note", "assessment-subset", text)]


def _no_subsamples(n_subtypes: int, n_samples: int) -> Finding:
    text = (
        f"{n_samples} samples are too few, or too many of them alike, to form {n_subtypes} "
        "subtypes of a part of them again: their stability is not known"
    )
    return Finding("warning", "too-few-for-subsamples", text)


def _not_among_refits(n_subtypes: int, stability: Stability) -> Finding:
    text = (
        f"the refits formed {name_some(stability.clusterings, 20)} clusters, not {n_subtypes}: "
        "they tell nothing of these subtypes. Name the number among the candidates of the "
        "stability analysis"
    )
    return Finding("warning", "refits-of-other-numbers", text)


def _require_same(model: FittedPoems, samples: pd.Index, what: str) -> None:
    if list(map(str, samples)) != list(map(str, model.samples)):
        raise DataError(
            f"{what} of {len(samples)} samples that are not the model's {len(model.samples)} in "
            "their order; give those of the same fit"
        )
