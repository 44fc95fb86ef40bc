"""Tables computed from a fitted model; nothing here trains."""

from poems.analysis.assignment import learn_subtypes
from poems.analysis.assignment_storage import load_subtype_model, save_subtype_model
from poems.analysis.associations import associate, factor_correlations
from poems.analysis.cross_omic import cross_omic
from poems.analysis.effects import factor_effects, top_features
from poems.analysis.factors import describe_factors
from poems.analysis.gene_sets import gene_set_enrichment
from poems.analysis.markers import subtype_markers
from poems.analysis.responses import response_curves
from poems.analysis.subtype_assessment import assess_subtypes
from poems.analysis.subtypes import find_subtypes
from poems.analysis.survival import survival_analysis
from poems.analysis.variance import variance_explained
from poems.analysis.view_contributions import view_contributions

__all__ = [
    "assess_subtypes",
    "associate",
    "cross_omic",
    "describe_factors",
    "factor_correlations",
    "factor_effects",
    "find_subtypes",
    "gene_set_enrichment",
    "learn_subtypes",
    "load_subtype_model",
    "response_curves",
    "save_subtype_model",
    "subtype_markers",
    "survival_analysis",
    "top_features",
    "variance_explained",
    "view_contributions",
]
