"""Reading, checking and holding cohorts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poems._lazy import lazily

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

__getattr__, __dir__ = lazily(__name__, _HOMES)
