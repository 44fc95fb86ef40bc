"""What each factor drives: size, direction and shape of every non-zero loading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from poems.analysis.factors.responses import mean_derivatives, response_curves
from poems.analysis.factors.shapes import classify_curves
from poems.errors import SettingsError

if TYPE_CHECKING:
    from poems.fitting.result import FittedPoems

COLUMNS = [
    "factor",
    "view",
    "feature",
    "loading",
    "inclusion",
    "score",
    "effect",
    "unit",
    "ratio",
    "standardised",
    "direction",
    "shape",
    "range",
]


def factor_effects(model: FittedPoems, *, n_draws: int = 8, seed: int = 0) -> pd.DataFrame:
    """Return the features that each factor drives, with size, direction and shape of the effect.

    Parameters
    ----------
    model
        The fitted model.
    n_draws
        Draws from the posterior of each training sample, over which
        derivatives are averaged.
    seed
        Of the draws.

    Returns
    -------
    DataFrame
        One row per non-zero loading, by factor, then view, then decreasing size of
        the loading, with the columns

        ``factor``, ``view``, ``feature``
            Their names.
        ``loading``
            As in ``model.loadings``: by how many standard deviations the feature
            moves, whichever way, when the factor moves by one of its own; in the
            unit named, where that is another.
        ``inclusion``
            Probability that the loading is in.
        ``score``
            What speaks for it, as in ``model.loading_scores``; NaN where the model has none.
        ``effect``
            sd(z_k) E d eta_j / d z_k over the posterior: the same with what goes
            up and what goes down set off against each other. Near zero beside a
            large loading for a U.
        ``unit``
            Of loading and effect: ``"standard deviations"`` of the feature, ``"log odds"``, … .
        ``ratio``
            What the effect multiplies the odds, or the count, by: exp(effect). NaN for what is in
            standard deviations.
        ``standardised``
            The loading in standard deviations of the feature's residuals without factors,
            which compares across views of all kinds.
        ``direction``, ``shape``
            How the prediction runs along the factor, see
            :func:`poems.analysis.factors.shapes.classify_curves` and
            :func:`poems.analysis.factors.responses.response_curves`. Where the feature
            moves one way, the direction is the sign of ``effect``.
        ``range``
            From the lowest to the highest point of that curve, in standard
            deviations of the feature.

    Examples
    --------
    >>> import poems
    >>> cohort = poems.simulate(n_samples=60, n_features=40, seed=0).cohort
    >>> model = poems.fit(cohort, seed=0, epochs=30, progress=False)
    >>> table = factor_effects(model)
    >>> n_loadings = sum((loadings != 0).sum().sum() for loadings in model.loadings.values())
    >>> len(table) == n_loadings
    np.True_
    """
    derivatives = mean_derivatives(model, n_draws=n_draws, seed=seed)
    spread = model.sample_estimates.loc.std(dim=0, unbiased=False)
    scores = _scores(model)
    parts = []
    for at, factor in enumerate(model.factor_names):
        dimension = int(model.active[at])
        unit = float(spread[dimension] * model.orientation[dimension])
        curves = response_curves(model, factor, seed=seed)
        for i, view in enumerate(model.view_names):
            rows = model.module.decoder(i).driven_by(dimension).numpy()
            if not len(rows):
                continue
            curve, scale = curves[view].to_numpy(), model.effect_scales[view]
            shapes, directions = classify_curves(curve)
            effect = derivatives[view][rows, dimension].numpy() * unit
            steady = np.isin(shapes, ["monotone", "saturating"])
            directions[steady] = np.where(effect > 0, "up", "down")[steady]
            part = pd.DataFrame(
                {
                    "factor": factor,
                    "view": view,
                    "feature": model.features(view)[rows],
                    "loading": model.loadings[view].iloc[rows, at].to_numpy(),
                    "inclusion": model.inclusion[view].iloc[rows, at].to_numpy(),
                    "score": scores[view][rows, at],
                    "effect": effect,
                    "unit": scale.unit,
                    "ratio": [scale.ratio(each) for each in effect.tolist()],
                    "standardised": model.standardised_loadings[view].iloc[rows, at].to_numpy(),
                    "direction": directions,
                    "shape": shapes,
                    "range": np.ptp(curve, axis=0),
                }
            )
            order = np.argsort(-part["loading"].abs().to_numpy(), kind="stable")
            parts.append(part.iloc[order])
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(parts, ignore_index=True)


def _scores(model: FittedPoems) -> dict[str, np.ndarray[Any, np.dtype[np.floating[Any]]]]:
    """The loadings' scores, view to (n_features, n_active), NaN if the model has none."""
    if not model.feature_estimates.score:
        return {view: np.full(table.shape, np.nan) for view, table in model.loadings.items()}
    return {view: table.to_numpy() for view, table in model.loading_scores.items()}


def top_features(effects: pd.DataFrame, n: int = 10, *, across_views: bool = False) -> pd.DataFrame:
    """Return the features with the largest loadings on each factor.

    Parameters
    ----------
    effects
        What :func:`factor_effects` returned.
    n
        Features of each factor in each view, at most.
    across_views
        Take ``n`` features of each factor over all views instead.

    Returns
    -------
    DataFrame
        Those rows, and a column ``rank`` that counts from 1.

    Raises
    ------
    SettingsError
        If ``n`` is below 1.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {
    ...         "factor": "factor_1",
    ...         "view": ["rna", "rna", "protein"],
    ...         "feature": ["ESR1", "KRT5", "ER-alpha"],
    ...         "loading": [0.7, -0.4, 0.9],
    ...     }
    ... )
    >>> top_features(table, 1)["feature"].tolist()
    ['ESR1', 'ER-alpha']
    >>> top_features(table, 2, across_views=True)["feature"].tolist()
    ['ER-alpha', 'ESR1']
    """
    if n < 1:
        raise SettingsError(f"n must be at least 1, not {n}")
    table = effects
    if across_views:
        # Loadings of views of different kinds are in different units.
        compared = "standardised" if "standardised" in effects else "loading"
        order = np.argsort(-effects[compared].abs().to_numpy(), kind="stable")
        # Factors in the order they had, features by their loadings on each.
        place = pd.Categorical(effects["factor"], effects["factor"].unique()).codes[order]
        table = effects.iloc[order[np.argsort(place, kind="stable")]]
    by = ["factor"] if across_views else ["factor", "view"]
    rank = table.groupby(by, sort=False).cumcount() + 1
    return table.assign(rank=rank)[rank <= n].reset_index(drop=True)
