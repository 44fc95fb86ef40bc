"""The linear models of benchmarks/nonlinear.py: MOFA+, sparse PCA and PCA as x = W z + b + e.

Each gives loadings to score, and the Gaussian density of new samples. Where a choice is left,
it is made by the likelihood of a quarter of the training samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from poems.data.container import MultiOmics
from poems.evaluation.likelihood import linear_gaussian_log_prob
from poems_benchmark.methods.mofa import MofaSettings, fit_mofa

Floats = npt.NDArray[np.float64]
Convergence = Literal["fast", "medium", "slow"]

N_FACTORS = 16
SPARSE_PCA_PENALTIES = (1.5, 2.2, 2.7, 3.2, 3.8, 4.5, 6.0)
PCA_COMPONENTS = (1, 2, 4, 6, 8, 12, 16)
# As a share of a standardised feature's variance.
LEAST_NOISE = 0.01


@dataclass(frozen=True, eq=False)
class LinearModel:
    """x = W z + b + e on standardised features, all views side by side.

    ``scores`` rank the loadings, ``found`` is the model's own choice of non-zeros; both
    are (n_features, n_factors) as ``loadings`` is, or ``None`` if it makes no such choice.
    """

    loadings: Floats
    noise_variance: Floats
    mean: Floats
    found: Floats | None
    choice: float = float("nan")

    def log_prob(self, x: Floats) -> Floats:
        """Log density of each sample."""
        return linear_gaussian_log_prob(x, self.loadings, self.noise_variance, self.mean)

    def predict(self, x: Floats) -> Floats:
        """Reconstruct samples from the posterior means of their factors."""
        precise = self.loadings.T / self.noise_variance
        inner = np.eye(self.loadings.shape[1]) + precise @ self.loadings
        factors = np.linalg.solve(inner, precise @ (x - self.mean).T)
        return factors.T @ self.loadings.T + self.mean


def mofa(
    x: Floats, cohort: MultiOmics, seed: int, convergence: Convergence = "fast"
) -> LinearModel:
    """Fit MOFA+ with its spike and slab and its automatic relevance determination.

    A loading is in where its inclusion probability is above one half; factors without any
    are dropped.
    """
    settings = MofaSettings(n_factors=N_FACTORS, convergence=convergence)
    model = fit_mofa(cohort, seed=seed, settings=settings)
    loadings = _stacked(model.weights)
    return LinearModel(
        loadings,
        _stacked(model.noise_variance),
        _stacked(model.intercepts),
        np.where(_stacked(model.inclusion) > 0.5, loadings, 0.0),
    )


def sparse_pca(x: Floats, cohort: MultiOmics, seed: int) -> LinearModel:
    """Fit scikit-learn's sparse PCA, then its non-zeros anew by maximum likelihood.

    The penalty that shrinks the loadings to zero shrinks the others too, and would spoil the
    likelihood: it decides the support, and :func:`refitted` the sizes.
    """

    def fitted(rows: Floats, penalty: float) -> LinearModel:
        from sklearn.decomposition import SparsePCA

        model = SparsePCA(
            N_FACTORS, alpha=penalty, max_iter=100, tol=1e-4, method="cd", random_state=seed
        )
        with warnings.catch_warnings():
            # Components without any loading are divided by their length, zero.
            warnings.simplefilter("ignore")
            model.fit(rows)
        return refitted(rows, model.components_.T, penalty)

    return _chosen(x, SPARSE_PCA_PENALTIES, fitted, seed)


def pca(x: Floats, cohort: MultiOmics, seed: int) -> LinearModel:
    """Fit probabilistic PCA (Tipping and Bishop, 1999), the noise the same for all features."""

    def fitted(rows: Floats, n_components: float) -> LinearModel:
        from sklearn.decomposition import PCA

        model = PCA(int(n_components)).fit(rows)
        # The mean of the other eigenvalues. scikit-learn's own leaves out those that are zero
        # where samples are fewer than features, and overstates the noise several times.
        left = rows.var(axis=0, ddof=1).sum() - model.explained_variance_.sum()
        noise = left / (rows.shape[1] - int(n_components))
        w = model.components_.T * np.sqrt(np.maximum(model.explained_variance_ - noise, 0.0))
        return LinearModel(w, np.full(len(w), noise), model.mean_, None, n_components)

    return _chosen(x, PCA_COMPONENTS, fitted, seed)


def refitted(x: Floats, start: Floats, choice: float, n_iterations: int = 100) -> LinearModel:
    """Fit a factor model whose loadings are zero where those of ``start`` are, by EM.

    Rubin and Thayer (1982), each feature regressed on the factors that it loads on.
    """
    start = start[:, start.any(axis=0)]
    mean, n = x.mean(axis=0), len(x)
    centred = x - mean
    support = start != 0
    # The components' own scores give the loadings to begin with.
    scores = np.linalg.lstsq(start, centred.T, rcond=None)[0].T
    scores /= np.maximum(scores.std(axis=0), 1e-12)
    w = np.where(support, centred.T @ scores / n, 0.0) / 2.0
    variance = (centred**2).mean(axis=0)
    noise = np.maximum(variance - (w**2).sum(axis=1), 0.5 * variance)
    mask = support[:, :, None] & support[:, None, :]
    off = np.eye(w.shape[1]) * ~support[:, :, None]
    for _ in range(n_iterations):
        precise = w.T / noise
        covariance = np.linalg.inv(np.eye(w.shape[1]) + precise @ w)
        expected = centred @ precise.T @ covariance
        second = n * covariance + expected.T @ expected
        cross = np.where(support, centred.T @ expected, 0.0)
        w = np.linalg.solve(np.where(mask, second, 0.0) + off, cross[:, :, None])[:, :, 0]
        noise = np.maximum(variance - (w * cross).sum(axis=1) / n, LEAST_NOISE)
    return LinearModel(w, noise, mean, w, choice)


def _chosen(x: Floats, choices, fitted, seed: int) -> LinearModel:
    """Fit with the choice under which a quarter of the samples is most likely."""
    order = np.random.default_rng(seed).permutation(len(x))
    held_out, rest = order[: len(x) // 4], order[len(x) // 4 :]
    value = [fitted(x[rest], choice).log_prob(x[held_out]).mean() for choice in choices]
    return fitted(x, choices[int(np.argmax(value))])


def _stacked(tables: Mapping[str, object]) -> Floats:
    return np.concatenate([np.asarray(table, dtype=np.float64) for table in tables.values()])
