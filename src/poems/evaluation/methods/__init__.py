"""Methods of the benchmark behind one small interface, each an optional dependency."""

from poems.evaluation.methods.interface import Method, MethodResult, require
from poems.evaluation.methods.registry import METHODS

__all__ = ["METHODS", "Method", "MethodResult", "require"]
