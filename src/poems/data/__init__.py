"""Reading, checking and holding cohorts."""

from __future__ import annotations

from poems.data.checks import CheckReport, check
from poems.data.container import MultiOmics, View
from poems.data.mogonet import read_mogonet
from poems.data.quality import quality_findings
from poems.data.readers import read

__all__ = ["CheckReport", "MultiOmics", "View", "check", "quality_findings", "read", "read_mogonet"]
