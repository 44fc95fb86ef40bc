"""The methods of the benchmark by name; to add one, write its file and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from poems.evaluation.methods.interface import Method
from poems.evaluation.methods.mofa import Mofa

METHODS: Mapping[str, Callable[[], Method]] = {"mofa": Mofa}
