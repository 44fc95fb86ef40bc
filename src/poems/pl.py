"""The pictures under short names, for notebooks: ``poems.pl.latent(model, subtypes)``.

Each is the function of :mod:`poems.plots` whose name begins with ``plot_``. It takes a model, a
result or a table, draws into ``ax`` if given, and returns what it drew on.

>>> import poems
>>> cohort = poems.simulate(n_samples=60, n_features=40, seed=0).cohort
>>> model = poems.fit(cohort, seed=0, epochs=20, progress=False)
>>> poems.pl.latent(model, cohort.obs["subtype"]).get_xlabel()[:14]
'PC1 of network'
"""

from __future__ import annotations

from poems.plots import (
    plot_associations,
    plot_consensus,
    plot_contributions,
    plot_factor_by_group,
    plot_factor_survival,
    plot_gates,
    plot_gene_sets,
    plot_hazard_ratios,
    plot_history,
    plot_kaplan_meier,
    plot_latent,
    plot_loading_histogram,
    plot_loadings,
    plot_marker_heatmap,
    plot_markers,
    plot_pair_circle,
    plot_pair_network,
    plot_projection,
    plot_sparsity,
    plot_sparsity_mask,
    plot_subtype_choice,
    plot_subtype_correlations,
    plot_subtype_numbers,
    plot_top_features,
    plot_top_per_factor,
    plot_tsne,
    plot_umap,
    plot_variance,
    plot_volcano,
)

associations = plot_associations
consensus = plot_consensus
contributions = plot_contributions
factor_by_group = plot_factor_by_group
factor_survival = plot_factor_survival
gates = plot_gates
gene_sets = plot_gene_sets
hazard_ratios = plot_hazard_ratios
history = plot_history
kaplan_meier = plot_kaplan_meier
latent = plot_latent
loading_histogram = plot_loading_histogram
loadings = plot_loadings
marker_heatmap = plot_marker_heatmap
markers = plot_markers
pair_circle = plot_pair_circle
pair_network = plot_pair_network
projection = plot_projection
sparsity = plot_sparsity
sparsity_mask = plot_sparsity_mask
subtype_choice = plot_subtype_choice
subtype_correlations = plot_subtype_correlations
subtype_numbers = plot_subtype_numbers
top_features = plot_top_features
top_per_factor = plot_top_per_factor
tsne = plot_tsne
umap = plot_umap
variance = plot_variance
volcano = plot_volcano

__all__ = [
    "associations",
    "consensus",
    "contributions",
    "factor_by_group",
    "factor_survival",
    "gates",
    "gene_sets",
    "hazard_ratios",
    "history",
    "kaplan_meier",
    "latent",
    "loading_histogram",
    "loadings",
    "marker_heatmap",
    "markers",
    "pair_circle",
    "pair_network",
    "projection",
    "sparsity",
    "sparsity_mask",
    "subtype_choice",
    "subtype_correlations",
    "subtype_numbers",
    "top_features",
    "top_per_factor",
    "tsne",
    "umap",
    "variance",
    "volcano",
]
