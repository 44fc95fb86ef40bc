from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import poems
from poems.analysis import factor_effects, response_curves, top_features
from poems.analysis.factors.responses import mean_derivatives
from poems.errors import DataError, SettingsError
from poems.evaluation.matching import match_factors
from poems.fitting.result import FittedPoems
from poems.simulation.cohort import Simulation
from poems.simulation.effects import apply_shape


@pytest.fixture(scope="module")
def effects(fitted: FittedPoems) -> pd.DataFrame:
    return factor_effects(fitted)


# Head weights of relu(z) and relu(-z), and the shape that they make of one factor.
HANDS = {
    (1.0, -1.0): ("monotone", "up"),
    (-1.0, 1.0): ("monotone", "down"),
    (1.0, 0.0): ("saturating", "up"),
    (0.0, -1.0): ("saturating", "up"),
    (0.0, 1.0): ("saturating", "down"),
    (1.0, 1.0): ("u-shaped", "ends up"),
    (-1.0, -1.0): ("u-shaped", "ends down"),
}


def _by_hand(fitted: FittedPoems, dimension: int) -> FittedPoems:
    """Give the first features of the first view the shapes of HANDS, along one latent."""
    module = copy.deepcopy(fitted.module)
    for i in range(len(fitted.view_names)):
        module.decoder(i).loadings.zero_()
    decoder = module.decoder(0)
    decoder.mixing[:, dimension] = 0.0
    decoder.mixing[0, dimension], decoder.mixing[1, dimension] = 1.0, -1.0
    for j, heads in enumerate(HANDS):
        decoder.loadings[j, dimension] = 1.0
        decoder.heads[j] = 0.0
        decoder.heads[j, :2] = torch.tensor(heads)
    loc = fitted.sample_estimates.loc
    parts = [module.decoder(i).jacobian(loc) for i in range(len(fitted.view_names))]
    slope = {name: part[0] for name, part in zip(fitted.view_names, parts, strict=True)}
    size = {name: part[1] for name, part in zip(fitted.view_names, parts, strict=True)}
    estimates = replace(fitted.feature_estimates, slope=slope, size=size)
    return replace(fitted, module=module, feature_estimates=estimates)


def test_shapes_of_a_decoder_made_by_hand(fitted: FittedPoems) -> None:
    dimension = int(fitted.active[0])
    model = _by_hand(fitted, dimension)
    found = factor_effects(model).set_index("feature").loc[model.features("rna")[: len(HANDS)]]
    flip = float(model.orientation[dimension]) < 0
    other = {"up": "down", "down": "up"}
    for row, (shape, direction) in zip(found.itertuples(), HANDS.values(), strict=True):
        assert row.factor == "factor_1"
        # The end of a U that is up is the same from either side.
        expected = other.get(direction, direction) if flip else direction
        assert (row.shape, row.direction) == (shape, expected)
    # Norms are held: 1.5 for the two heads, so a slope of 1.5 / sqrt(2) on either side.
    slope = 1.5 / np.sqrt(2) * float(fitted.sample_estimates.loc[:, dimension].std(unbiased=False))
    np.testing.assert_allclose(found["effect"].abs().iloc[:2], slope, rtol=1e-5)
    np.testing.assert_allclose(found["loading"].abs().iloc[-2:], slope, rtol=1e-5)
    assert (found["effect"].abs().iloc[-2:] < 0.5 * slope).all(), "up and down cancel"


def test_one_row_a_loading_that_is_not_zero(fitted: FittedPoems, effects: pd.DataFrame) -> None:
    for view, loadings in fitted.loadings.items():
        own = effects[effects["view"] == view]
        wide = own.pivot(index="feature", columns="factor", values="loading")
        wide = wide.reindex(index=loadings.index, columns=loadings.columns).fillna(0.0)
        np.testing.assert_array_equal(wide.to_numpy(), loadings.to_numpy())
    assert effects["inclusion"].between(0, 1).all()
    assert list(effects["factor"].unique()) == fitted.factor_names
    # An average is never larger than the average size; these are over other points, though.
    assert (effects["effect"].abs() <= 1.2 * effects["loading"].abs() + 0.05).all()


def test_directions_are_those_planted(
    fitted: FittedPoems, simulation: Simulation, effects: pd.DataFrame
) -> None:
    match = match_factors(simulation.loadings, fitted.loadings)
    right = []
    for true, estimated in enumerate(match.estimated):
        factor = fitted.factor_names[estimated]
        pair = np.corrcoef(simulation.latent.iloc[:, true], fitted.latent[factor])
        sign = np.sign(pair[0, 1])
        for row in effects[effects["factor"] == factor].itertuples():
            planted = simulation.loadings[row.view].loc[row.feature].iloc[true]
            if planted:
                right.append((row.direction == "up") == (planted * sign > 0))
    assert len(right) > 30
    assert np.mean(right) >= 0.95


def test_the_same_seed_gives_the_same_table(fitted: FittedPoems, effects: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(factor_effects(fitted), effects)
    other = factor_effects(fitted, seed=1)
    assert not other["effect"].equals(effects["effect"])
    np.testing.assert_allclose(other["effect"], effects["effect"], atol=0.1)
    with pytest.raises(SettingsError, match="n_draws must be at least 1, not 0"):
        factor_effects(fitted, n_draws=0)


def test_derivatives_are_averaged_over_the_posterior(fitted: FittedPoems) -> None:
    found = mean_derivatives(fitted, n_draws=200)["rna"]
    estimates = fitted.sample_estimates
    z = estimates.loc + estimates.variance.sqrt() * torch.randn(500, *estimates.loc.shape)
    z = z.flatten(0, 1).requires_grad_()
    j = int(fitted.loadings["rna"]["factor_1"].abs().argmax())
    fitted.module.decoder(0)(z)[:, j].sum().backward()
    assert z.grad is not None
    torch.testing.assert_close(found[j], z.grad.mean(dim=0), atol=0.03, rtol=0.03)


def test_curves_are_averages_of_predictions(fitted: FittedPoems) -> None:
    curves = response_curves(fitted, "factor_2", n_points=6)
    dimension = int(fitted.active[1])
    sign = float(fitted.orientation[dimension])
    for view, curve in curves.items():
        assert list(curve.columns) == [
            name for name, x in fitted.loadings[view]["factor_2"].items() if x != 0
        ]
        z = fitted.sample_estimates.loc.clone()
        z[:, dimension] = sign * curve.index[-1]
        predicted = pd.DataFrame(
            fitted.module.decode(z)[view].numpy(), columns=fitted.features(view)
        )
        # Features are standardised.
        expected = predicted[curve.columns].mean()
        np.testing.assert_allclose(curve.iloc[-1], expected, atol=1e-3)
    latent = fitted.latent["factor_2"]
    ends = [curves["rna"].index[0], curves["rna"].index[-1]]
    np.testing.assert_allclose(ends, latent.quantile([0.025, 0.975]), rtol=1e-4)
    with pytest.raises(DataError, match="no factor 'factor_99'; there are factor_1"):
        response_curves(fitted, "factor_99")


def test_curves_are_the_same_however_many_points_are_predicted_at_once(
    fitted: FittedPoems, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = response_curves(fitted, "factor_1")
    monkeypatch.setattr("poems.analysis.factors.responses._AT_ONCE", 1)
    for view, curve in response_curves(fitted, "factor_1").items():
        pd.testing.assert_frame_equal(curve, together[view], check_exact=True)


@pytest.mark.parametrize("decoder", ["sparse", "dense"])
def test_some_features_are_predicted_as_all_are(simulation: Simulation, decoder: str) -> None:
    model = poems.fit(
        simulation.cohort, seed=0, epochs=3, n_latent=3, decoder=decoder, progress=False
    )
    z = torch.randn(7, 3)
    for i in range(2):
        each = model.module.decoder(i)
        features = each.driven_by(int(model.active[0]))
        torch.testing.assert_close(each.some(z, features), each(z)[:, features])
    assert set(factor_effects(model)["view"]) == {"rna", "protein"}


def test_top_features_are_ranked_within_views_or_over_all(effects: pd.DataFrame) -> None:
    by_view = top_features(effects, 3)
    for _, own in by_view.groupby(["factor", "view"]):
        assert list(own["rank"]) == list(range(1, len(own) + 1))
        assert own["loading"].abs().is_monotonic_decreasing
    across = top_features(effects, 3, across_views=True)
    assert (across.groupby("factor").size() == 3).all()
    for factor, own in across.groupby("factor"):
        largest = effects[effects["factor"] == factor]["loading"].abs().nlargest(3)
        np.testing.assert_array_equal(own["loading"].abs(), largest)
    with pytest.raises(SettingsError, match="n must be at least 1, not 0"):
        top_features(effects, 0)


@pytest.mark.slow
def test_planted_shapes_are_found_beside_linear_ones() -> None:
    """Two factors of 16 linear features a view and 3 of each bent shape, no factor to spare.

    The decoder cannot be flat at both ends: what saturates at both is a straight line to it.
    """
    rng = np.random.default_rng(1)
    samples = [f"s{i}" for i in range(300)]
    z = rng.normal(size=(300, 2))
    counts = {"linear": 16, "saturating": 3, "threshold": 3, "u_shaped": 3}
    tables, truth = {}, {}
    for view in ("rna", "protein"):
        columns = {f"{view}_noise_{i}": rng.normal(size=300) for i in range(50)}
        for k in range(2):
            for shape, count in counts.items():
                for i in range(count):
                    name, sign = f"{view}_{k}_{shape}_{i}", rng.choice([-1, 1])
                    signal = 1.2 * sign * apply_shape(shape, z[:, k])
                    columns[name] = signal + rng.normal(size=300)
                    truth[name] = (k, shape, sign)
        tables[view] = pd.DataFrame(columns, index=samples)
    model = poems.fit(poems.read(tables), seed=0, n_latent=2, progress=False)
    found = factor_effects(model)
    correlation = np.corrcoef(model.latent.to_numpy().T, z.T)[:2, 2:]
    results = []
    for name, (k, shape, sign) in truth.items():
        at = int(np.abs(correlation[:, k]).argmax())
        own = found[(found["feature"] == name) & (found["factor"] == model.factor_names[at])]
        bent = shape == "u_shaped"
        up = sign > 0 if bent else sign * correlation[at, k] > 0
        direction = ("ends " if bent else "") + ("up" if up else "down")
        results += [(shape, row.shape, row.direction == direction) for row in own.itertuples()]
    table = pd.DataFrame(results, columns=["true", "found", "direction"])
    assert table["direction"].all()
    share = table.groupby("true")["found"].value_counts(normalize=True)
    assert share["linear", "monotone"] >= 0.95
    assert share["saturating", "monotone"] >= 0.95
    assert share["threshold", "saturating"] >= 0.9
    assert share["u_shaped", "u-shaped"] >= 0.9
    # A loading on a U is often never found: the line through it is level.
    assert table["true"].value_counts()["u_shaped"] >= 4
