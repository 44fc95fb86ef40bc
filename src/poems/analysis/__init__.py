"""Tables computed from a fitted model; nothing here trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poems._lazy import lazily

if TYPE_CHECKING:
    from poems.analysis.contributions.tables import view_contributions
    from poems.analysis.factors.associations import associate, factor_correlations
    from poems.analysis.factors.effects import factor_effects, top_features
    from poems.analysis.factors.gene_set_ranks import gene_set_ranks
    from poems.analysis.factors.gene_sets import gene_set_enrichment
    from poems.analysis.factors.rankings import rank_features
    from poems.analysis.factors.responses import response_curves
    from poems.analysis.factors.tables import describe_factors
    from poems.analysis.factors.variance import variance_explained
    from poems.analysis.pairs.cross_omic import cross_omic
    from poems.analysis.subtypes.assessment import assess_subtypes
    from poems.analysis.subtypes.assignment import learn_subtypes
    from poems.analysis.subtypes.assignment_storage import load_subtype_model, save_subtype_model
    from poems.analysis.subtypes.finding import find_subtypes
    from poems.analysis.subtypes.markers import subtype_markers
    from poems.analysis.survival import survival_analysis

# Where each name lives. Loaded on first use: most tables take torch, and a report reads them.
_HOMES = {
    "assess_subtypes": "poems.analysis.subtypes.assessment",
    "associate": "poems.analysis.factors.associations",
    "cross_omic": "poems.analysis.pairs.cross_omic",
    "describe_factors": "poems.analysis.factors.tables",
    "factor_correlations": "poems.analysis.factors.associations",
    "factor_effects": "poems.analysis.factors.effects",
    "find_subtypes": "poems.analysis.subtypes.finding",
    "gene_set_enrichment": "poems.analysis.factors.gene_sets",
    "gene_set_ranks": "poems.analysis.factors.gene_set_ranks",
    "learn_subtypes": "poems.analysis.subtypes.assignment",
    "load_subtype_model": "poems.analysis.subtypes.assignment_storage",
    "rank_features": "poems.analysis.factors.rankings",
    "response_curves": "poems.analysis.factors.responses",
    "save_subtype_model": "poems.analysis.subtypes.assignment_storage",
    "subtype_markers": "poems.analysis.subtypes.markers",
    "survival_analysis": "poems.analysis.survival",
    "top_features": "poems.analysis.factors.effects",
    "variance_explained": "poems.analysis.factors.variance",
    "view_contributions": "poems.analysis.contributions.tables",
}

__all__ = [
    "assess_subtypes",
    "associate",
    "cross_omic",
    "describe_factors",
    "factor_correlations",
    "factor_effects",
    "find_subtypes",
    "gene_set_enrichment",
    "gene_set_ranks",
    "learn_subtypes",
    "load_subtype_model",
    "rank_features",
    "response_curves",
    "save_subtype_model",
    "subtype_markers",
    "survival_analysis",
    "top_features",
    "variance_explained",
    "view_contributions",
]

__getattr__, __dir__ = lazily(__name__, _HOMES)
