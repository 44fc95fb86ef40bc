from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest

from poems.clustering.agreement import nmi
from poems.data.container import MultiOmics
from poems.evaluation.paper.protocol import kmeans_scores
from poems.simulation.cohort import Simulation, simulate
from poems_benchmark.methods.snf import Snf, spectral_clusters

pytestmark = pytest.mark.skipif(find_spec("snf") is None, reason="snf is not installed")


@pytest.fixture(scope="module")
def planted() -> Simulation:
    return simulate(90, 60, 4, n_views=2, density=0.3, n_subtypes=3, separation=8, seed=0)


def test_planted_subtypes_are_found(planted: Simulation) -> None:
    result = Snf().fit(planted.cohort, 0)
    assert result.headline == "own"
    assert result.own_clusters is not None
    assert nmi(planted.subtypes, result.own_clusters(3, 0)) > 0.9
    assert kmeans_scores(result.embedding.iloc[:, :3], planted.subtypes).mean["nmi"] > 0.9


def test_it_equals_snfpy_where_all_was_measured(planted: Simulation) -> None:
    """The workaround changes how snfpy is called, not what it computes."""
    from poems_benchmark.methods.snf import _todays_scikit_learn

    values = [view.values.astype(float) for view in planted.cohort.views.values()]
    with _todays_scikit_learn() as compute:
        # Its own standardisation divides by n - 1.
        expected = compute.snf(*compute.make_affinity(*values, K=20, mu=0.5), K=20)
    found = Snf().fused_affinity(planted.cohort)
    np.testing.assert_allclose(found, (expected + expected.T) / 2, rtol=0.05)


def test_the_workaround_lasts_for_the_call_only(planted: Simulation) -> None:
    from snf import compute

    before = compute.check_array
    Snf().fit(planted.cohort, 0)
    assert compute.check_array is before


def test_it_is_deterministic(planted: Simulation) -> None:
    first, second = Snf().fit(planted.cohort, 0), Snf().fit(planted.cohort, 7)
    np.testing.assert_array_equal(first.embedding, second.embedding)


def test_samples_that_lack_a_view_rest_on_the_others() -> None:
    simulation = simulate(
        90, 60, 4, n_views=2, density=0.3, n_subtypes=3, separation=8, missing_views=0.3, seed=0
    )
    result = Snf().fit(simulation.cohort, 0)
    assert result.own_clusters is not None
    clusters = result.own_clusters(3, 0)
    lacking = ~simulation.cohort.measured.all(axis=1)
    assert lacking.sum() > 10
    assert nmi(simulation.subtypes[lacking], clusters[lacking]) > 0.8


def test_what_stands_in_unmeasured_rows_changes_nothing(
    incomplete: MultiOmics, spoil: Callable[[MultiOmics], MultiOmics]
) -> None:
    found = Snf().fused_affinity(spoil(incomplete))
    np.testing.assert_array_equal(found, Snf().fused_affinity(incomplete))


def test_samples_without_a_view_in_common_are_neutral() -> None:
    cohort = simulate(30, 20, 3, n_views=2, seed=0).cohort
    views = {}
    for at, (name, view) in enumerate(cohort.views.items()):
        measured = np.arange(30) % 2 == at
        views[name] = type(view)(view.values, view.features, measured)
    fused = Snf().fused_affinity(MultiOmics(views, cohort.samples, cohort.obs))
    assert np.isfinite(fused).all()
    assert (fused >= 0).all()


def test_one_view_is_its_own_graph(planted: Simulation) -> None:
    cohort = planted.cohort.select([next(iter(planted.cohort))])
    result = Snf().fit(cohort, 0)
    assert np.isfinite(result.embedding).all(axis=None)


@pytest.mark.parametrize("n_samples", [5, 12, 21])
def test_small_cohorts_have_fewer_neighbours_and_components(n_samples: int) -> None:
    cohort = simulate(n_samples, 20, 3, n_views=2, n_subtypes=2, seed=0).cohort
    assert Snf().fit(cohort, 0).embedding.shape == (n_samples, min(11, n_samples))


def test_blocks_of_a_graph_are_its_clusters() -> None:
    graph = np.kron(np.eye(3), np.ones((6, 6))) + 0.01
    assert nmi(np.repeat([0, 1, 2], 6), spectral_clusters(graph, 3, 0)) == pytest.approx(1.0)
