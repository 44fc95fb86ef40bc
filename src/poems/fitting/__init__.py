"""From a cohort to a fitted model: the fit, its result, projection and storage."""
