"""MOFA+ (mofapy2): linear factors with spike-and-slab weights, by variational inference."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from poems.data.container import MultiOmics, View
from poems.errors import DataError, SettingsError, TrainingError
from poems_benchmark.digest import source_digest
from poems_benchmark.methods.interface import MethodResult, require

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MofaSettings:
    """Settings of MOFA+, those of mofapy2 by default but for ``n_factors`` and ``scale_views``.

    Parameters
    ----------
    n_factors
        Factors to start from; none is dropped.
    spikeslab_weights, ard_weights
        Priors on the weights.
    scale_views
        Divide each view by its overall standard deviation.
    iterations
        Most iterations.
    convergence
        How small the change of the bound must be.
    """

    n_factors: int = 15
    spikeslab_weights: bool = True
    ard_weights: bool = True
    scale_views: bool = True
    iterations: int = 1000
    convergence: Literal["fast", "medium", "slow"] = "fast"


@dataclass(frozen=True, eq=False)
class MofaFit:
    """A fitted MOFA+ model, in the units of the input.

    The model of view v is x_v = b_v + W_v z + e, z ~ N(0, I), e ~ N(0, diag(s_v)):
    new samples follow N(b_v, W_v W_v' + diag(s_v)), and views are independent
    given z. Point estimates: posterior means of W and of the noise precision.

    Parameters
    ----------
    factors
        Posterior means of z, of shape (n_samples, n_factors).
    weights
        W, view to DataFrame of shape (n_features, n_factors). Features that
        do not vary, or were never measured, have zeros.
    inclusion
        Posterior probability that a weight comes from the slab, in the same
        shape; all ones without spike and slab.
    intercepts
        b, view to Series of length n_features: means over measured entries
        (``NaN`` for a feature that was never measured).
    noise_variance
        s, view to Series of length n_features. That of a feature that does
        not vary is 0, of one that was never measured ``NaN``.
    converged
        Whether the bound stopped changing before ``iterations``.
    n_iterations
        Iterations that were made.
    """

    factors: pd.DataFrame
    weights: Mapping[str, pd.DataFrame]
    inclusion: Mapping[str, pd.DataFrame]
    intercepts: Mapping[str, pd.Series[float]]
    noise_variance: Mapping[str, pd.Series[float]]
    converged: bool
    n_iterations: int


def fit_mofa(cohort: MultiOmics, *, seed: int = 0, settings: MofaSettings | None = None) -> MofaFit:
    """Fit MOFA+ with Gaussian likelihoods; unmeasured views are rows of missing entries.

    Argelaguet et al., MOFA+, Genome Biology 21, 111 (2020). Nothing is
    printed or written, and numpy's global random state is put back.

    Parameters
    ----------
    cohort
        The cohort; features are centred, not standardised.
    seed
        Seeds the start.
    settings
        Settings, ``MofaSettings()`` by default.

    Raises
    ------
    SettingsError
        If mofapy2 is not installed, or there are more factors than samples or
        varying features.
    DataError
        If a view has no feature that varies.
    TrainingError
        If mofapy2 gives up; its last words are in the text.
    """
    chosen = settings or MofaSettings()
    require("MOFA+", ("mofapy2",))
    blocks = {name: _Block.of(name, view, chosen) for name, view in cohort.views.items()}
    limit = min(cohort.n_samples, sum(int(block.varies.sum()) for block in blocks.values()))
    if not 1 <= chosen.n_factors <= limit:
        raise SettingsError(
            f"MOFA+ can start from 1 to {limit} factors on this cohort, not {chosen.n_factors}"
        )
    with _quiet() as said:
        model = _run(blocks, cohort, seed, chosen)
    if not model.trained:
        # mofapy2 swallows the interrupt and goes on with what it has.
        raise KeyboardInterrupt
    nodes = model.getNodes()
    names = [f"factor_{number}" for number in range(1, chosen.n_factors + 1)]
    weights, inclusion, noise = {}, {}, {}
    for at, (name, block) in enumerate(blocks.items()):
        expected = nodes["W"].getExpectations()[at]
        precision = np.asarray(nodes["Tau"].getNodes()[at].getExpectations(expand=False)["E"])
        weights[name] = block.table(expected["E"] * block.scale, names)
        share = expected["EB"] if chosen.spikeslab_weights else np.ones_like(expected["E"])
        inclusion[name] = block.table(share, names)
        variance = np.where(np.isnan(block.mean), np.nan, 0.0)
        variance[block.varies] = block.scale**2 / precision[0]
        noise[name] = pd.Series(variance, index=block.features, name="noise_variance")
    n_iterations = int(np.isfinite(model.train_stats["time"]).sum())
    return MofaFit(
        factors=pd.DataFrame(
            np.asarray(nodes["Z"].getExpectation()), index=cohort.samples, columns=names
        ),
        weights=weights,
        inclusion=inclusion,
        intercepts={
            name: pd.Series(block.mean, index=block.features, name="intercept")
            for name, block in blocks.items()
        },
        noise_variance=noise,
        converged="Converged!" in said.getvalue(),
        n_iterations=n_iterations,
    )


@dataclass(frozen=True)
class Mofa:
    """MOFA+ as a method of the benchmark; the embedding is that of the factors.

    On a cohort with fewer samples than factors it starts from n_samples - 1.
    """

    settings: MofaSettings = MofaSettings()
    name: str = "MOFA+"
    requires: tuple[str, ...] = ("mofapy2",)
    modules: tuple[str, ...] = ("mofapy2.run.entry_point",)
    deterministic: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Settings and code."""
        return {**asdict(self.settings), "code": source_digest(__name__)}

    def fit(self, cohort: MultiOmics, seed: int) -> MethodResult:
        """Fit MOFA+ and return its factors and weights."""
        wanted = min(self.settings.n_factors, cohort.n_samples - 1)
        settings = MofaSettings(**{**asdict(self.settings), "n_factors": wanted})
        model = fit_mofa(cohort, seed=seed, settings=settings)
        return MethodResult(
            model.factors,
            loadings=model.weights,
            details={"iterations": model.n_iterations, "converged": float(model.converged)},
        )


@dataclass(frozen=True, eq=False)
class _Block:
    """A view without the features that do not vary, and what undoes its scaling."""

    features: pd.Index
    varies: npt.NDArray[np.bool_]
    mean: _Floats
    scale: float
    values: _Floats

    @classmethod
    def of(cls, name: str, view: View, settings: MofaSettings) -> _Block:
        """Take the features that vary among the measured entries."""
        values = view.values.astype(np.float64)
        values[~view.measured] = np.nan
        present = np.isfinite(values)
        count = present.sum(axis=0)
        total = np.where(present, values, 0.0).sum(axis=0)
        # Of a feature without values the mean is the NaN beside it.
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        low = np.where(present, values, np.inf).min(axis=0)
        high = np.where(present, values, -np.inf).max(axis=0)
        varies = high > low
        if not varies.any():
            raise DataError(f"view '{name}' has no feature that varies; leave it out")
        kept = values[:, varies]
        scale = float(np.nanstd(kept - mean[varies])) if settings.scale_views else 1.0
        return cls(view.features, varies, mean, scale, kept)

    def table(self, values: _Floats, columns: list[str]) -> pd.DataFrame:
        """Label (n_varying, n_factors) values, zeros for the other features."""
        full = np.zeros((len(self.features), values.shape[1]))
        full[self.varies] = values
        return pd.DataFrame(full, index=self.features, columns=columns)


def _run(blocks: Mapping[str, _Block], cohort: MultiOmics, seed: int, chosen: MofaSettings) -> Any:
    from mofapy2.run.entry_point import entry_point

    run = entry_point()
    run.set_data_options(scale_views=chosen.scale_views)
    run.set_data_matrix(
        [[block.values] for block in blocks.values()],
        likelihoods=["gaussian"] * len(blocks),
        views_names=list(blocks),
        groups_names=["all"],
        samples_names=[[str(at) for at in range(cohort.n_samples)]],
        # Names must differ between views.
        features_names=[
            [f"{view}:{at}" for at in range(block.values.shape[1])]
            for view, block in enumerate(blocks.values())
        ],
    )
    run.set_model_options(
        factors=chosen.n_factors,
        spikeslab_weights=chosen.spikeslab_weights,
        ard_weights=chosen.ard_weights,
    )
    run.set_train_options(
        iter=chosen.iterations, convergence_mode=chosen.convergence, seed=seed, verbose=False
    )
    run.build()
    run.run()
    return run.model


@contextmanager
def _quiet() -> Iterator[io.StringIO]:
    """Hold back what mofapy2 prints, its warning filters, its exits and its use of numpy's seed."""
    said, state = io.StringIO(), np.random.get_state()
    try:
        # Of its own workings; whether it converged is read from its bound, see `converged`.
        with redirect_stdout(said), redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield said
    except SystemExit as exit_:
        # It answers interrupts and its own type errors alike by leaving the interpreter.
        cause = exit_.__context__
        if isinstance(cause, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        lines = said.getvalue().strip().splitlines()
        text = f"{cause}; " if cause is not None else ""
        raise TrainingError(
            f"mofapy2 gave up: {text}its last words: {lines[-1] if lines else 'none'}"
        ) from cause
    finally:
        np.random.set_state(state)
