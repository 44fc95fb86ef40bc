"""Subtypes: the samples assigned to groups, and what is known of how many there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import pandas as pd

from poems.analysis.subtypes.assignment import SubtypeModel, learn_subtypes
from poems.analysis.subtypes.choice_words import close_call, explain_choice
from poems.analysis.subtypes.patterns import SubtypePattern, named_by_pattern, pattern_findings
from poems.clustering.close_calls import close_calls
from poems.clustering.kmeans import FEWEST_SAMPLES
from poems.clustering.names import natural_order
from poems.clustering.tried import NumberTried
from poems.findings import Finding, count, name_some
from poems.notebook import card
from poems.settings.schema import Metric

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

Method = Literal["kmeans", "mixture"]


@dataclass(frozen=True, eq=False, repr=False)
class Subtypes:
    """Samples assigned to subtypes, ``"S1"`` the largest.

    Parameters
    ----------
    assignment
        Subtype of each sample: Series named ``"subtype"``, of length n_samples.
    silhouette
        Mean silhouette by number of subtypes tried; ``NaN`` where it is not
        defined (a single subtype, or one sample each).
    smallest
        Number of samples in the smallest subtype, by number of subtypes tried.
    sample_silhouette
        Silhouette of each sample in its subtype, from -1 to 1.
    method
        ``"kmeans"`` or ``"mixture"``.
    metric
        Name of the embedding clustered; ``None`` for the model's default.
    probability
        Probability of the assigned subtype under the mixture prior;
        ``None`` for k-means, which has none.
    n_clustered
        Samples that were clustered, or whose silhouettes were computed, where
        there are too many (more than 20,000) for all: a random subset. The
        others joined the cluster whose centre is nearest, and have no
        silhouette. ``None`` if all were.
    tried
        What speaks for each number of subtypes tried, and what against it; none for a mixture.
    asked
        Whether the number was given rather than chosen.
    patterns
        Those of the subtypes that go with which omics were measured, as
        :meth:`by_measured_omics` finds them. Their names say so.
    """

    assignment: pd.Series
    silhouette: pd.Series
    smallest: pd.Series
    sample_silhouette: pd.Series
    method: Method = "kmeans"
    metric: Metric | None = None
    probability: pd.Series | None = None
    n_clustered: int | None = None
    tried: tuple[NumberTried, ...] = ()
    asked: bool = False
    patterns: tuple[SubtypePattern, ...] = ()

    def by_measured_omics(self, measured: pd.DataFrame) -> Subtypes:
        """Name the subtypes that go with which omics were measured after these.

        They are patterns of missing omics rather than subtypes; see
        :func:`poems.analysis.subtypes.patterns.find_patterns`.

        Parameters
        ----------
        measured
            Whether each omic was measured on each sample, of shape (n_samples, n_views).
        """
        assignment, patterns = named_by_pattern(self.assignment, measured)
        return replace(self, assignment=assignment, patterns=patterns)

    @property
    def apart_from_patterns(self) -> list[str]:
        """Names of the subtypes that do not go with which omics were measured."""
        left_out = {each.subtype for each in self.patterns}
        return [str(name) for name in self.sizes.index if name not in left_out]

    def __repr__(self) -> str:
        n_samples = count(len(self.assignment), "sample")
        if self.n_subtypes < 2:
            return f"Subtypes: none of {n_samples}\n  {self.explanation}"
        again = self.found_again
        rows = [
            f"  {name}: {count(int(size), 'sample')}"
            + (f", found again {again[str(name)]:.2f}" if str(name) in again else "")
            for name, size in self.sizes.items()
        ]
        title = f"Subtypes: {count(self.n_subtypes, 'subtype')} of {n_samples}"
        return "\n".join([title, f"  {self.explanation}", *rows])

    def _repr_html_(self) -> str:
        """Show the subtypes in a notebook: why so many, their sizes, how well they are found."""
        n_samples = count(len(self.assignment), "sample")
        if self.n_subtypes < 2:
            return card(f"No subtypes of {n_samples}", [self.explanation], findings=self.findings)
        again = self.found_again
        rows = [
            (name, int(size), f"{again[str(name)]:.2f}" if str(name) in again else "")
            for name, size in self.sizes.items()
        ]
        return card(
            f"{count(self.n_subtypes, 'subtype')} of {n_samples}",
            [self.explanation],
            ("subtype", "samples", "found again"),
            rows,
            self.findings,
        )

    @property
    def explanation(self) -> str:
        """Why there are so many subtypes, and which other numbers hold."""
        if not self.patterns:
            return self.reason
        named = [each.subtype for each in self.patterns]
        kept, several = len(self.apart_from_patterns), len(named) > 1
        groups = self.reason.replace(
            count(self.n_subtypes, "subtype"), count(self.n_subtypes, "group"), 1
        )
        return (
            f"{count(kept, 'subtype') if kept > 1 else 'No subtypes'}, and beside "
            f"{'them' if kept > 1 else 'the rest'} {name_some(named, 8)}, which "
            f"{'go' if several else 'goes'} with which omics were measured. {groups}"
        )

    @property
    def reason(self) -> str:
        """The same of all groups that were formed, whatever they go with."""
        if self.method == "mixture":
            said = "the components of the mixture prior that hold samples"
            return f"{count(self.n_subtypes, 'subtype')}: {said}."
        return explain_choice(self.tried, self.n_subtypes, asked=self.asked)

    @property
    def judged(self) -> NumberTried | None:
        """What the reported number has for it and against it; ``None`` if it was not judged."""
        return next((each for each in self.tried if each.n_clusters == self.n_subtypes), None)

    @property
    def found_again(self) -> dict[str, float]:
        """Mean Jaccard index of each subtype when samples are drawn anew; empty if unknown."""
        names = list(map(str, self.sizes.index))
        return dict(zip(names, self.judged.jaccard, strict=True)) if self.judged else {}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be said of how the subtypes were found, and of how far they hold."""
        found = list(pattern_findings(self.patterns))
        if self.n_clustered is not None:
            text = (
                f"subtypes were found on a random subset of {self.n_clustered} of "
                f"{len(self.assignment)} samples, and silhouettes are known of these alone; the "
                "others joined the subtype whose centre is nearest"
                if self.method == "kmeans"
                else f"silhouettes were computed on a random subset of {self.n_clustered} of "
                f"{len(self.assignment)} samples"
            )
            found.append(Finding("note", "subtypes-subset", text))
        own = self.judged
        if self.asked and self.n_subtypes > 1 and own is not None and not own.holds:
            text = f"the number of subtypes that was asked for does not hold. {self.explanation}"
            found.append(Finding("warning", "asked-number-does-not-hold", text))
        elif not self.asked and self.n_subtypes == 1 and self.tried:
            found.append(Finding("note", "no-distinct-groups", self.explanation))
        others = () if self.asked else close_calls(self.tried)
        if others:
            said = close_call(self.tried)
            items = tuple(map(str, others))
            text = f"{said[:1].lower()}{said[1:].removesuffix('.')}"
            found.append(Finding("note", "number-is-a-close-call", text, items=items))
        if self.tiny and self.n_subtypes > 1:
            verb = "holds" if len(self.tiny) == 1 else "hold"
            text = (
                f"{name_some(self.tiny, 8)} {verb} fewer than {FEWEST_SAMPLES} samples: outliers "
                "rather than subtypes; look at these samples, or ask for another number"
            )
            found.append(Finding("warning", "subtypes-tiny", text, items=tuple(self.tiny)))
        return tuple(found)

    @property
    def n_subtypes(self) -> int:
        """Number of subtypes that hold at least one sample."""
        return int(self.assignment.nunique())

    @property
    def sizes(self) -> pd.Series:
        """Number of samples by subtype, in the order S1, S2, …."""
        counts = self.assignment.value_counts()
        return counts.loc[sorted(counts.index, key=natural_order)]

    @property
    def tiny(self) -> list[str]:
        """Names of the subtypes with fewer than 3 samples."""
        return [str(name) for name in self.sizes.index[self.sizes < FEWEST_SAMPLES]]

    def choice(self) -> pd.DataFrame:
        """Return one row a number of subtypes tried: mean silhouette and smallest subtype."""
        return pd.DataFrame({"silhouette": self.silhouette, "smallest": self.smallest})

    def table(self) -> pd.DataFrame:
        """Return one row a sample: subtype, silhouette and, for a mixture, probability."""
        columns = {"subtype": self.assignment, "silhouette": self.sample_silhouette}
        if self.probability is not None:
            columns["probability"] = self.probability
        return pd.DataFrame(columns)

    def assigner(self, model: FittedPoems) -> SubtypeModel:
        """Return what assigns new samples to these subtypes of a model's training samples.

        It is learnt once, and kept as long as the model is.
        """
        if model not in self._assigners:
            self._assigners[model] = learn_subtypes(
                model.latent, self.assignment, model.latent_variance
            )
        return self._assigners[model]

    @cached_property
    def _assigners(self) -> WeakKeyDictionary[FittedPoems, SubtypeModel]:
        return WeakKeyDictionary()

    def own_probability(self, model: FittedPoems) -> pd.Series:
        """Return the probability that the assigner gives each training sample's own subtype."""
        assigned = self.assigner(model).probabilities(model.latent, model.latent_variance)
        own = [assigned.at[sample, name] for sample, name in self.assignment.items()]
        return pd.Series(own, index=self.assignment.index, name="probability")


def component_table(probabilities: pd.DataFrame) -> pd.DataFrame:
    """Return the mixture prior's probabilities with the likeliest component of each sample.

    Parameters
    ----------
    probabilities
        Of shape (n_samples, n_components).

    Examples
    --------
    >>> component_table(pd.DataFrame({"component_1": [0.9], "component_2": [0.1]}))
       component_1  component_2    component
    0          0.9          0.1  component_1
    """
    return probabilities.assign(component=probabilities.idxmax(axis=1))
