"""The sections of a report: one line and one module each, in the order of the page.

A section is a function from what a report is made from to a :class:`Section`, or ``None``
where there is none for this run. One from outside POEMS is added by
:func:`register_section`, or by an entry point of its package in the group
``poems.report_section``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from poems.report.blocks import Section
from poems.report.source import Source
from poems.settings.registry import Registry

BuildSection: TypeAlias = Callable[[Source], Section | None]

SECTIONS: Registry[BuildSection] = Registry(
    "report section",
    {
        "summary": "poems.report.sections.summary:summary_section",
        "cohort": "poems.report.sections.cohort:cohort_section",
        "subtypes": "poems.report.sections.subtypes:subtypes_section",
        "labels": "poems.report.sections.labels:labels_section",
        "factors": "poems.report.sections.factors:factors_section",
        "stability": "poems.report.sections.stability:stability_section",
        "contributions": "poems.report.sections.contributions:contributions_section",
        "cross-omic": "poems.report.sections.cross_omic:cross_omic_section",
        "survival": "poems.report.sections.survival:survival_section",
        "diagnostics": "poems.report.sections.diagnostics:diagnostics_section",
        "methods": "poems.report.sections.methods:methods_section",
    },
)
# At the end of the page; sections from outside come before them.
CLOSING: Final = ("diagnostics", "methods")


def register_section(name: str, build: BuildSection) -> None:
    """Add a section to the reports of this process, before the closing ones.

    Parameters
    ----------
    name
        The section's ``id``, which the page's links lead to.
    build
        Makes it of what the report is made from: the run, its tables, and what was asked.

    Raises
    ------
    SettingsError
        If there is a section of this name already.
    """
    SECTIONS.register(name, build)


def in_order() -> Iterator[str]:
    """Yield the names of all sections in the order of the page, also of installed packages."""
    SECTIONS.discover()
    yield from (name for name in SECTIONS if name not in CLOSING)
    yield from CLOSING
