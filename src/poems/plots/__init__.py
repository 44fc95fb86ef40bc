"""Drawing: tables in, matplotlib Axes out."""

from poems.plots.consensus import plot_consensus
from poems.plots.gates import plot_gates
from poems.plots.history import plot_history
from poems.plots.latent import centre_plane, plot_latent, principal_plane
from poems.plots.loadings import plot_loadings, plot_sparsity, top_features

__all__ = [
    "centre_plane",
    "plot_consensus",
    "plot_gates",
    "plot_history",
    "plot_latent",
    "plot_loadings",
    "plot_sparsity",
    "principal_plane",
    "top_features",
]
