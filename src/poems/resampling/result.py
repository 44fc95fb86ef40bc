"""Stability: what many refits of a cohort agree on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.clustering.tried import number_to_report
from poems.errors import SettingsError
from poems.findings import name_some
from poems.fitting.numbers import number_judgements
from poems.fitting.result import FittedPoems
from poems.notebook import card
from poems.resampling.consensus import ConsensusSubtypes, co_association, subtypes_of
from poems.resampling.draws import Resample
from poems.settings.rates import FDR


@dataclass(frozen=True, eq=False)
class Stability:
    """What refits say of a fit: stable factors, biomarkers, consensus. Made by `poems.stability`.

    Parameters
    ----------
    reference
        The fit of all samples, whose factors all tables are about.
    resample, n_permutations, seed
        How the samples of the refits were drawn, how many repetitions on
        permuted data calibrate the errors, and the seed of it all.
    factor_stability
        One row per factor: ``similarity``, the mean cosine of its absolute
        loadings to those of the matched factor of each refit; ``chance``, the
        same with features in random places, and ``chance_95``, the 95 %
        quantile over refits of that; ``found``, the share of refits that
        contain the factor (similarity of 0.5 or more).
    selection_frequency
        View to the share of refits in which each loading is not zero, of shape
        (n_features, n_factors); a refit without the factor selects nothing.
    mean_loadings
        View to the mean loading over the refits, zeros counted, of the same
        shape. Its absolute value orders the pairs of feature and factor.
    q_values
        View to estimated false discovery rates, of the same shape: that of all
        pairs whose mean loading is as large. All ``NaN`` without permutations.
    consensus_latent
        Each factor's latents averaged over the fits that contain it, of shape
        (n_samples, n_factors).
    ensemble
        The latents of all refits side by side, of shape (n_samples, sum of
        their numbers of factors).
    clusterings
        Number of clusters to k-means labels of shape (n_runs, n_samples).
    selected
        View to booleans of shape (n_runs, n_features, n_factors): which
        loadings each refit has that are not zero, of the factors matched to the
        reference's. ``None`` in a result that an older version wrote.
    runs
        One row per refit: ``seed``, ``n_samples`` drawn (different ones),
        ``n_factors`` kept and ``n_found``, those of the reference among them.
    held_out_r2
        One row per refit and view: ``model`` and ``pca``, the share of variance
        explained of the samples left out (the mean predictor has 0). Empty
        where none were.
    """

    reference: FittedPoems
    resample: Resample
    n_permutations: int
    seed: int
    factor_stability: pd.DataFrame
    selection_frequency: Mapping[str, pd.DataFrame]
    mean_loadings: Mapping[str, pd.DataFrame]
    q_values: Mapping[str, pd.DataFrame]
    consensus_latent: pd.DataFrame
    ensemble: pd.DataFrame
    clusterings: Mapping[int, npt.NDArray[np.int32]]
    runs: pd.DataFrame
    held_out_r2: pd.DataFrame
    selected: Mapping[str, npt.NDArray[np.bool_]] | None = None

    def __repr__(self) -> str:
        found = int((self.factor_stability["found"] >= 0.5).sum())
        lines = [
            f"Stability: {len(self.runs)} refits (resample='{self.resample}') of "
            f"{len(self.samples)} samples",
            f"  {found} of {len(self.factor_stability)} factors found in half of them or more",
        ]
        if self.n_permutations:
            lines.append(f"  {len(self.biomarkers())} biomarkers at a false discovery rate of 10 %")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Show the stability of the factors in a notebook."""
        first, *lines = repr(self).splitlines()
        rows = [
            (name, f"{row['found']:.0%}", f"{row['similarity']:.2f}", f"{row['chance_95']:.2f}")
            for name, row in self.factor_stability.iterrows()
        ]
        heads = ("factor", "found in refits", "similarity", "by chance at most")
        return card(first, lines, heads, rows)

    @property
    def samples(self) -> pd.Index:
        """Names of the samples."""
        return self.reference.samples

    @cached_property
    def n_subtypes(self) -> int:
        """Number of subtypes of the reference fit: what has most to speak for it, or 1.

        The same rule as everywhere (:func:`poems.clustering.tried.number_to_report`).
        """
        return number_to_report(number_judgements(self.reference))

    def biomarkers(self, fdr: float = FDR) -> pd.DataFrame:
        """Select pairs of feature and factor at a false discovery rate.

        Parameters
        ----------
        fdr
            The share of wrong pairs among the selected ones to expect.

        Returns
        -------
        One row per pair: ``view``, ``feature``, ``factor``, ``loading`` (the mean
        over the refits), ``frequency``, ``q``; by factor, then by the size of
        the loading.

        Raises
        ------
        SettingsError
            If ``fdr`` is not between 0 and 1, or no permutations were made.
        """
        if not 0 < fdr < 1:
            raise SettingsError(f"fdr must be between 0 and 1, not {fdr}")
        if not self.n_permutations:
            raise SettingsError(
                "biomarkers are selected by refits on permuted data, and there were none; repeat "
                "with n_permutations of at least 1"
            )
        parts = []
        for view, q in self.q_values.items():
            rows, columns = np.nonzero(q.to_numpy() <= fdr)
            parts.append(
                pd.DataFrame(
                    {
                        "view": view,
                        "feature": q.index[rows],
                        "factor": q.columns[columns],
                        "loading": self.mean_loadings[view].to_numpy()[rows, columns],
                        "frequency": self.selection_frequency[view].to_numpy()[rows, columns],
                        "q": q.to_numpy()[rows, columns],
                        "order": columns,
                    }
                )
            )
        table = pd.concat(parts, ignore_index=True)
        table["size"] = -table["loading"].abs()
        table = table.sort_values(["order", "size"], kind="stable", ignore_index=True)
        return table.drop(columns=["order", "size"])

    def consensus_subtypes(self, n_subtypes: int | None = None) -> ConsensusSubtypes:
        """Assign samples to the subtypes on which the refits agree.

        Average linkage on 1 - co-association, see
        :func:`poems.resampling.consensus.subtypes_of`.

        Parameters
        ----------
        n_subtypes
            Number of subtypes; :attr:`n_subtypes`, that of the reference fit, if not given.

        Raises
        ------
        SettingsError
            If the refits formed no clusterings of that size.
        """
        number = self.n_subtypes if n_subtypes is None else n_subtypes
        self._require_clusters(number)
        return subtypes_of(self._co_association, self.samples, number)

    def consensus_matrix(self, n_subtypes: int | None = None) -> pd.DataFrame:
        """Return the share of refits that put two samples in one cluster.

        Parameters
        ----------
        n_subtypes
            Number of clusters formed in each refit; :attr:`n_subtypes` if not given.

        Returns
        -------
        DataFrame of shape (n_samples, n_samples).

        Raises
        ------
        SettingsError
            If the refits formed no clusterings of that size.
        """
        number = self.n_subtypes if n_subtypes is None else n_subtypes
        self._require_clusters(number)
        together = np.ones((len(self.samples), len(self.samples)))
        matrix = self._co_association[number] if number > 1 else together
        return pd.DataFrame(matrix, index=self.samples, columns=self.samples)

    def save(self, folder: str | Path) -> None:
        """Write everything into a folder: CSV tables, JSON, and the reference model.

        Raises
        ------
        SettingsError
            If the folder holds something else.
        """
        from poems.resampling.storage import save

        save(self, folder)

    @classmethod
    def load(cls, folder: str | Path) -> Stability:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ReadError
            If the folder does not exist, is none of these, or is not complete.
        StorageError
            If a file is missing or damaged, or does not go with the others.
        """
        from poems.resampling.storage import load_stability

        return load_stability(folder)

    @cached_property
    def _co_association(self) -> dict[int, npt.NDArray[np.float64]]:
        return {k: co_association(list(labels)) for k, labels in self.clusterings.items()}

    def _require_clusters(self, n_subtypes: int) -> None:
        if n_subtypes != 1 and n_subtypes not in self.clusterings:
            raise SettingsError(
                f"the refits formed {name_some(self.clusterings, 20)} clusters, not {n_subtypes}; "
                "name it among the candidates of poems.stability"
            )
