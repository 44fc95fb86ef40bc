"""Do the subtypes and factors matter for survival? Curves, tests, Cox models, concordance."""

from poems.analysis.survival.result import Survival, survival_analysis

__all__ = ["Survival", "survival_analysis"]
