"""Reading, checking and holding cohorts."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poems.data.checks import CheckReport, check
    from poems.data.container import MultiOmics, View
    from poems.data.quality import quality_findings
    from poems.data.readers import read
    from poems.data.text.mogonet import read_mogonet

# Where each name lives. Loaded on first use: whether a file is there can be said without pandas.
_HOMES = {
    "CheckReport": "poems.data.checks",
    "MultiOmics": "poems.data.container",
    "View": "poems.data.container",
    "check": "poems.data.checks",
    "quality_findings": "poems.data.quality",
    "read": "poems.data.readers",
    "read_mogonet": "poems.data.text.mogonet",
}

__all__ = ["CheckReport", "MultiOmics", "View", "check", "quality_findings", "read", "read_mogonet"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'poems.data' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
