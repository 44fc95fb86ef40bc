"""Drawing: models, results or their tables in, matplotlib Axes out; a Figure of several panels.

:mod:`poems.pl` has the same functions under shorter names.
"""

from poems.plots.consensus import plot_consensus
from poems.plots.contributions import plot_contributions
from poems.plots.correlations import plot_subtype_correlations, subtype_correlations
from poems.plots.factors import plot_associations, plot_variance
from poems.plots.features import (
    feature_strength,
    plot_top_features,
    plot_top_per_factor,
    top_per_factor,
)
from poems.plots.gates import plot_gates
from poems.plots.gene_sets import plot_gene_sets
from poems.plots.groups import plot_factor_by_group
from poems.plots.hazard_ratios import plot_hazard_ratios
from poems.plots.history import plot_history
from poems.plots.latent import centre_plane, plot_latent, principal_plane
from poems.plots.loadings import plot_loadings, plot_sparsity, top_features
from poems.plots.marker_heatmap import plot_marker_heatmap
from poems.plots.pairs.circle import plot_pair_circle
from poems.plots.pairs.network import plot_pair_network
from poems.plots.projection import plot_projection, plot_tsne, plot_umap, tsne_plane, umap_plane
from poems.plots.sparsity import plot_loading_histogram, plot_sparsity_mask
from poems.plots.subtype_choice import plot_subtype_choice
from poems.plots.subtypes import plot_markers, plot_subtype_numbers
from poems.plots.survival import plot_factor_survival, plot_kaplan_meier
from poems.plots.volcano import plot_volcano

__all__ = [
    "centre_plane",
    "feature_strength",
    "plot_associations",
    "plot_consensus",
    "plot_contributions",
    "plot_factor_by_group",
    "plot_factor_survival",
    "plot_gates",
    "plot_gene_sets",
    "plot_hazard_ratios",
    "plot_history",
    "plot_kaplan_meier",
    "plot_latent",
    "plot_loading_histogram",
    "plot_loadings",
    "plot_marker_heatmap",
    "plot_markers",
    "plot_pair_circle",
    "plot_pair_network",
    "plot_projection",
    "plot_sparsity",
    "plot_sparsity_mask",
    "plot_subtype_choice",
    "plot_subtype_correlations",
    "plot_subtype_numbers",
    "plot_top_features",
    "plot_top_per_factor",
    "plot_tsne",
    "plot_umap",
    "plot_variance",
    "plot_volcano",
    "principal_plane",
    "subtype_correlations",
    "top_features",
    "top_per_factor",
    "tsne_plane",
    "umap_plane",
]
