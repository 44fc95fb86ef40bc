"""The report: one self-contained HTML file of a run, with every table it shows on disk."""

from poems.report.writing import Report, write_report

__all__ = ["Report", "write_report"]
