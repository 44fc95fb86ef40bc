from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pandas as pd
import pytest
import torch

import poems
from poems.data.container import MultiOmics, View
from poems.errors import DataError, SettingsError
from poems.fitting.result import FittedPoems
from poems.nn.estimates import estimate_features
from poems.simulation.cohort import Simulation


@pytest.fixture(scope="module")
def pruned(fitted: FittedPoems, simulation: Simulation) -> FittedPoems:
    """A model whose prior has pruned every factor, as it may on noise."""
    module = copy.deepcopy(fitted.module)
    for _, decoder in module.sparse_decoders():
        decoder.loadings.zero_()
    batch, _ = fitted.preprocessing.apply(simulation.cohort)
    features = estimate_features(module, batch, fitted.sample_estimates.loc)
    return replace(fitted, module=module, feature_estimates=features)


def test_the_result_is_immutable(fitted: FittedPoems) -> None:
    with pytest.raises(FrozenInstanceError):
        fitted.seed = 1  # type: ignore[misc]


def test_tables_are_labelled(fitted: FittedPoems, simulation: Simulation) -> None:
    factors = [f"factor_{i + 1}" for i in range(fitted.n_active)]
    assert fitted.factor_names == factors
    for table in (fitted.latent, fitted.latent_variance):
        assert table.index.equals(simulation.cohort.samples)
        assert list(table.columns) == factors
    assert list(fitted.gates.columns) == ["rna", "protein"] == list(fitted.view_names)
    for by_view in (fitted.loadings, fitted.weights, fitted.inclusion, fitted.loading_scores):
        for name, table in by_view.items():
            assert table.index.equals(simulation.cohort[name].features)
            assert list(table.columns) == factors
    for name, noise in fitted.noise.items():
        assert noise.index.equals(simulation.cohort[name].features)
        assert (noise > 0).all()
    assert list(fitted.r2.index) == ["rna", "protein"]
    assert (fitted.r2 < 1).all()


def test_every_loading_has_a_score_and_zeros_stay_zeros(fitted: FittedPoems) -> None:
    for name, scores in fitted.loading_scores.items():
        loadings = fitted.loadings[name].to_numpy()
        zero = loadings == 0
        assert zero.any()
        assert (scores.to_numpy() != 0).all()
        ups_and_downs = np.sign(scores.to_numpy()[~zero]) == np.sign(loadings[~zero])
        assert ups_and_downs.mean() > 0.9, "the sign is that of the loading"
        assert np.abs(scores.to_numpy()[~zero]).mean() > np.abs(scores.to_numpy()[zero]).mean()


def test_loadings_are_zero_where_the_weights_are(fitted: FittedPoems) -> None:
    n_zero = 0
    for name, loadings in fitted.loadings.items():
        assert np.array_equal(loadings == 0, fitted.weights[name] == 0)
        n_zero += int((loadings == 0).to_numpy().sum())
        # The norms are held, so that the weights bound the effects.
        bound = 1.5 * np.sqrt(2) * fitted.weights[name].abs()
        assert (loadings.abs() <= bound * (1 + 1e-5)).all().all()
    assert n_zero > 0


def test_loadings_are_the_effects_that_finite_differences_show(fitted: FittedPoems) -> None:
    loc = fitted.sample_estimates.loc
    factor = int(fitted.active[0])
    step = torch.zeros_like(loc)
    step[:, factor] = 1e-2
    up, down = fitted.module.decode(loc + step), fitted.module.decode(loc - step)
    for name, table in fitted.loadings.items():
        difference = (up[name] - down[name]) / 2e-2
        sizes = difference.abs().mean(dim=0).numpy()
        # Per standard deviation of the factor, so that factors compare.
        spread = fitted.latent["factor_1"].std(ddof=0)
        np.testing.assert_allclose(table["factor_1"].abs(), spread * sizes, atol=0.02 * spread)
        assert not np.signbit(table.to_numpy()[table.to_numpy() == 0]).any()
        clear = difference.mean(dim=0).abs().numpy() > 0.02
        sign = np.sign(difference.mean(dim=0).numpy()) * float(fitted.orientation[factor])
        assert np.array_equal(np.sign(table["factor_1"])[clear], sign[clear])


def test_factors_are_ordered_by_effect_and_unused_ones_are_pruned(fitted: FittedPoems) -> None:
    spread = fitted.sample_estimates.loc.numpy().std(axis=0)
    strength = np.diag(fitted.feature_estimates.gram.numpy()) * spread**2
    assert (np.diff(strength[fitted.active]) <= 0).all()
    unused = np.setdiff1d(np.arange(6), fitted.active)
    for _, decoder in fitted.module.sparse_decoders():
        assert (decoder.loadings[:, unused] == 0).all()
    latents = (fitted.sample_estimates.loc * fitted.orientation).numpy()
    np.testing.assert_array_equal(fitted.latent, latents[:, fitted.active])


def test_factors_point_to_where_their_strong_loadings_are_positive(fitted: FittedPoems) -> None:
    for factor in fitted.factor_names:
        slopes = [table[factor].to_numpy() for table in fitted.loadings.values()]
        assert sum((slope * np.abs(slope)).mean() for slope in slopes) > -1e-6


def test_gates_sum_to_one_and_vanish_where_unmeasured(
    fitted_incomplete: FittedPoems, incomplete: MultiOmics
) -> None:
    gates = fitted_incomplete.gates.to_numpy()
    np.testing.assert_allclose(gates.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(gates == 0, ~incomplete.measured)


def test_component_probabilities_sum_to_one(
    fitted_incomplete: FittedPoems, fitted: FittedPoems
) -> None:
    probabilities = fitted_incomplete.component_probabilities
    assert probabilities is not None
    assert list(probabilities.columns) == ["component_1", "component_2", "component_3"]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert fitted.component_probabilities is None


def test_transforming_the_training_cohort_gives_its_tables(
    fitted_incomplete: FittedPoems, incomplete: MultiOmics
) -> None:
    projection = fitted_incomplete.transform(incomplete)
    pd.testing.assert_frame_equal(projection.latent, fitted_incomplete.latent, check_exact=True)
    pd.testing.assert_frame_equal(projection.gates, fitted_incomplete.gates, check_exact=True)
    pd.testing.assert_frame_equal(
        projection.latent_variance, fitted_incomplete.latent_variance, check_exact=True
    )
    pd.testing.assert_frame_equal(
        projection.component_probabilities, fitted_incomplete.component_probabilities
    )


def test_a_duplicated_sample_has_the_same_latent(
    fitted: FittedPoems, simulation: Simulation
) -> None:
    cohort = simulation.cohort
    rows = np.array([5, 5, 2, 5])
    samples = pd.Index(["x", "y", "z", "w"])
    twins = MultiOmics(
        {name: view.take(rows) for name, view in cohort.views.items()},
        samples,
        pd.DataFrame(index=samples),
    )
    latent = fitted.transform(twins).latent.to_numpy()
    np.testing.assert_allclose(latent[0], latent[1], rtol=1e-6)
    np.testing.assert_allclose(latent[0], latent[3], rtol=1e-6)
    np.testing.assert_allclose(latent[[0, 2]], fitted.latent.iloc[[5, 2]], atol=1e-5)


def test_a_sample_does_not_depend_on_its_company(
    fitted: FittedPoems, simulation: Simulation
) -> None:
    for row in (0, 7):
        alone = fitted.transform(simulation.cohort.take([row])).latent
        # To what sums of single precision leave open in other company.
        np.testing.assert_allclose(alone, fitted.latent.iloc[[row]], atol=1e-4)


def test_a_subset_of_views_is_projected(fitted: FittedPoems, simulation: Simulation) -> None:
    projection = fitted.transform(simulation.cohort.select(["protein"]))
    assert (projection.gates["rna"] == 0).all()
    assert (projection.gates["protein"] == 1).all()
    assert [(f.code, f.view) for f in projection.findings] == [("view-absent", "rna")]
    assert np.isfinite(projection.latent).all().all()


def test_a_subset_of_features_is_projected(fitted: FittedPoems, simulation: Simulation) -> None:
    rna = simulation.cohort["rna"]
    part = View(rna.values[:, ::-1][:, :38], rna.features[::-1][:38], rna.measured)
    views = dict(simulation.cohort.views) | {"rna": part}
    projection = fitted.transform(replace(simulation.cohort, views=views))
    (finding,) = projection.findings
    assert finding.code == "features-absent"
    assert finding.items == tuple(rna.features[:2])
    similarity = np.corrcoef(projection.latent["factor_1"], fitted.latent["factor_1"])[0, 1]
    assert similarity > 0.95


def test_tables_are_projected_as_cohorts_are(fitted: FittedPoems, simulation: Simulation) -> None:
    tables = {name: simulation.cohort.frame(name) for name in simulation.cohort}
    pd.testing.assert_frame_equal(fitted.transform(tables).latent, fitted.latent)


def test_projecting_strangers_is_refused(fitted: FittedPoems, simulation: Simulation) -> None:
    strange = replace(simulation.cohort, views={"x": simulation.cohort["rna"]})
    with pytest.raises(DataError, match="none of the model's views"):
        fitted.transform(strange)


def test_reading_and_projecting_change_nothing(fitted: FittedPoems, simulation: Simulation) -> None:
    before = {name: value.clone() for name, value in fitted.module.state_dict().items()}
    fitted.transform(simulation.cohort.take([3]))
    fitted.reconstruct()
    fitted.reconstruct(simulation.cohort.take([3]))
    for metric in ("latent", "gram", "decoded"):
        fitted.embedding(metric)
    for name, value in fitted.module.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_embeddings_have_a_row_a_sample(fitted: FittedPoems) -> None:
    assert fitted.embedding().equals(fitted.embedding("network"))
    assert fitted.embedding().shape == (72, 11)
    assert np.isfinite(fitted.embedding()).all().all()
    for metric in ("latent", "gram", "decoded"):
        table = fitted.embedding(metric)
        assert table.index.equals(fitted.samples)
        assert table.shape == (72, fitted.n_active)
        assert np.isfinite(table).all().all()
        if metric != "latent":
            assert list(table.columns[:2]) == [f"{metric}_1", f"{metric}_2"]
    with pytest.raises(SettingsError, match="no metric 'euclid'; there are network, latent, gram"):
        fitted.embedding("euclid")


def test_what_is_kept_for_subtypes_has_the_factors_in_the_order_of_their_names(
    fitted: FittedPoems,
) -> None:
    assert (np.diff(fitted.active) < 0).any(), "factors are shown in another order than trained"
    assert fitted.redraws is not None
    np.testing.assert_allclose(np.abs(fitted.redraws.latents), np.abs(fitted.latent))


def test_without_a_network_samples_are_clustered_by_their_latents(fitted: FittedPoems) -> None:
    large = replace(fitted, network=None)
    assert large.metrics == ("latent", "gram", "decoded")
    assert large.embedding().equals(fitted.latent)
    with pytest.raises(SettingsError, match="72 samples has no network of its samples; choose"):
        large.embedding("network")


def test_gram_distances_are_those_of_the_metric(fitted: FittedPoems) -> None:
    gram = fitted.feature_estimates.gram.double()
    loc = fitted.sample_estimates.loc.double()
    difference = loc[0] - loc[1]
    expected = (difference @ gram @ difference).sqrt().item()
    points = fitted.embedding("gram").to_numpy()
    assert np.linalg.norm(points[0] - points[1]) == pytest.approx(expected, rel=1e-3)


def test_decoded_distances_are_those_of_the_predictions(fitted: FittedPoems) -> None:
    decoded = fitted.module.decode(fitted.sample_estimates.loc)
    scaled = torch.cat([eta / eta.shape[1] ** 0.5 for eta in decoded.values()], dim=1)
    expected = (scaled[0] - scaled[1]).norm().item()
    points = fitted.embedding("decoded").to_numpy()
    # A few components hold nearly all of what few factors predict.
    assert np.linalg.norm(points[0] - points[1]) == pytest.approx(expected, rel=0.1)


def test_reconstructions_are_in_the_units_of_the_input(
    fitted: FittedPoems, simulation: Simulation
) -> None:
    for name, table in fitted.reconstruct().items():
        original, signal = simulation.cohort.frame(name), simulation.signal[name]
        assert table.index.equals(original.index)
        assert table.columns.equals(original.columns)
        driven = simulation.r2[name] > 0.5
        assert driven.sum() > 3
        assert ((table.mean() - original.mean()).abs() < 0.5 * original.std()).all()
        correlation = table.loc[:, driven].corrwith(signal.loc[:, driven])
        assert correlation.median() > 0.8


def test_unmeasured_views_are_predicted_from_the_others(
    fitted: FittedPoems, simulation: Simulation
) -> None:
    predicted = fitted.reconstruct(simulation.cohort.select(["rna"]))["protein"]
    driven = simulation.r2["protein"] > 0.5
    signal = simulation.signal["protein"]
    assert predicted.loc[:, driven].corrwith(signal.loc[:, driven]).median() > 0.6


def test_counts_come_back_as_counts(make_cohort: object) -> None:
    counts = np.random.default_rng(0).poisson([5, 50, 500], (60, 3)).astype(float)
    cohort = make_cohort(rna=counts)  # type: ignore[operator]
    model = poems.fit(cohort, epochs=3, n_latent=2, log1p=("rna",), progress=False)
    table = model.reconstruct()["rna"]
    assert (table > -1).all().all()
    np.testing.assert_allclose(table.mean(), counts.mean(axis=0), rtol=0.3)


def test_the_summary_names_what_matters(fitted: FittedPoems) -> None:
    text = repr(fitted)
    assert text.startswith(f"FittedPoems: 72 samples, {fitted.n_active} active factors of 6. ")
    assert fitted.status in text
    assert "rna: 40 features" in text
    assert "protein: 30 features" in text


def test_a_result_without_factors_works(pruned: FittedPoems, tmp_path: object) -> None:
    assert pruned.n_active == 0
    assert pruned.latent.shape == (72, 0)
    for metric in ("latent", "gram", "decoded"):
        assert pruned.embedding(metric).shape == (72, 0)
    assert pruned.loadings["rna"].shape == (40, 0)
    assert np.isfinite(pruned.reconstruct()["rna"]).all().all()
    assert "0 active factors of 6" in repr(pruned)
    path = tmp_path / "empty.poems"  # type: ignore[operator]
    pruned.save(path)
    assert poems.load(path).latent.shape == (72, 0)


def test_less_measured_means_less_certain(fitted: FittedPoems, simulation: Simulation) -> None:
    """Down to the prior: the fewer features of a view are there, the wider the posterior."""
    rna = simulation.cohort.frame("rna")
    rng = np.random.default_rng(0)
    order = rng.permutation(rna.shape[1])
    widths = []
    for n_there in (40, 30, 20, 10, 1):
        part = poems.read({"rna": rna.iloc[:, order[:n_there]]})
        widths.append(fitted.transform(part).latent_variance.to_numpy().mean())
    assert widths == sorted(widths)
    assert 0.8 < widths[-1] < 1.2
