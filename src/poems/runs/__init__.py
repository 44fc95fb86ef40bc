"""Run folders: a fit, what is computed of it, its log and its export."""
