"""MOFA-FLEX (mofaflex), the successor of MOFA+ and MuVI: linear factors, horseshoe weights."""

from __future__ import annotations

import io
import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from poems.data.container import MultiOmics
from poems_benchmark.digest import source_digest
from poems_benchmark.methods.interface import MethodResult, require


@dataclass(frozen=True)
class MofaFlex:
    """MOFA-FLEX with normal factors, horseshoe weights and Gaussian likelihoods.

    Prior and learning rate are those by which its authors reproduce MOFA; the
    rest are its defaults. Views are centred and divided by their overall
    standard deviation; what was not measured is missing. On a cohort with
    fewer samples than factors it starts from n_samples - 1.

    MuVI, its forerunner, does not run beside today's pyro (0.2.2 imports a
    name that pyro 1.9.2 no longer has), hence is no method of its own here.

    Parameters
    ----------
    n_factors
        Factors; none is dropped.
    weight_prior
        Prior of the weights.
    learning_rate
        Step size of Adam at the start.
    max_epochs
        Most epochs; it stops when its bound no longer improves. The step size
        falls to a tenth over so many.
    """

    n_factors: int = 15
    weight_prior: Literal["Horseshoe", "SnS", "Laplace", "Normal"] = "Horseshoe"
    learning_rate: float = 0.05
    max_epochs: int = 10_000
    name: str = "MOFA-FLEX"
    requires: tuple[str, ...] = ("mofaflex",)
    modules: tuple[str, ...] = ("mofaflex",)
    deterministic: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Settings and code."""
        return {
            "n_factors": self.n_factors,
            "weight_prior": self.weight_prior,
            "learning_rate": self.learning_rate,
            "max_epochs": self.max_epochs,
            "code": source_digest(__name__),
        }

    def fit(self, cohort: MultiOmics, seed: int) -> MethodResult:
        """Fit MOFA-FLEX and return its factors and weights."""
        require(self.name, self.requires)
        with _quiet_and_seeded():
            model = self._train(cohort, seed)
            factors = model.get_factors()["all"]
            weights = model.get_weights()
        points = factors.loc[_names(cohort)].set_axis(cohort.samples)
        points.columns = [f"factor_{number}" for number in range(1, points.shape[1] + 1)]
        loadings = {}
        for view, name in enumerate(cohort.views):
            features = cohort[name].features
            own = [f"{view}:{at}" for at in range(len(features))]
            # It leaves out features that do not vary.
            table = weights[str(view)].T.reindex(own).fillna(0.0)
            loadings[name] = table.set_axis(features).set_axis(points.columns, axis=1)
        return MethodResult(points, loadings, details={"epochs": len(model.training_loss)})

    def _train(self, cohort: MultiOmics, seed: int) -> Any:
        import mofaflex
        from anndata import AnnData

        samples = np.asarray(_names(cohort))
        views = {}
        for at, view in enumerate(cohort.views.values()):
            # Its views are joined by sample; names of samples, features and views are its own.
            table = pd.DataFrame(
                view.values[view.measured],
                index=samples[view.measured],
                columns=[f"{at}:{feature}" for feature in range(view.n_features)],
            )
            views[str(at)] = AnnData(table)
        return mofaflex.MOFAFLEX(
            {"all": views},
            mofaflex.DataOptions(plot_data_overview=False),
            mofaflex.ModelOptions(
                n_factors=min(self.n_factors, cohort.n_samples - 1),
                weight_prior=self.weight_prior,
                factor_prior="Normal",
                likelihoods="Normal",
            ),
            mofaflex.TrainingOptions(
                device="cpu",
                lr=self.learning_rate,
                max_epochs=self.max_epochs,
                seed=seed,
                save_path=False,
            ),
        )


def _names(cohort: MultiOmics) -> list[str]:
    return [f"sample {at}" for at in range(cohort.n_samples)]


@contextmanager
def _quiet_and_seeded() -> Iterator[None]:
    """Hold back progress bars, log lines and warnings; put all random states back."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    logger = logging.getLogger("mofaflex")
    said = io.StringIO()
    try:
        with (
            redirect_stdout(said),
            redirect_stderr(said),
            warnings.catch_warnings(),
            torch.random.fork_rng(),
        ):
            # Of the libraries it uses; where its training ends, its own bound decides.
            warnings.simplefilter("ignore")
            import mofaflex  # noqa: F401  (sets its own level of logging)

            before = logger.level
            logger.setLevel(logging.ERROR)
            try:
                yield
            finally:
                logger.setLevel(before)
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
