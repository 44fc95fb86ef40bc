"""Tables computed from a fitted model; nothing here trains."""

from poems.analysis.associations import associate, factor_correlations
from poems.analysis.effects import factor_effects, top_features
from poems.analysis.factors import describe_factors
from poems.analysis.gene_sets import gene_set_enrichment
from poems.analysis.responses import response_curves
from poems.analysis.subtypes import find_subtypes
from poems.analysis.survival import survival_analysis
from poems.analysis.variance import variance_explained

__all__ = [
    "associate",
    "describe_factors",
    "factor_correlations",
    "factor_effects",
    "find_subtypes",
    "gene_set_enrichment",
    "response_curves",
    "survival_analysis",
    "top_features",
    "variance_explained",
]
