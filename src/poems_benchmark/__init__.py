"""POEMS beside other tools: methods x cohorts x seeds, and the paper's experiments.

Its command is ``poems benchmark``, which :mod:`poems` finds through an entry
point; POEMS itself imports nothing of this.
"""
