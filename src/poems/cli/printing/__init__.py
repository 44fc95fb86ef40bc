"""What commands print with: sentences, tables, findings, numbers."""

from poems.cli.printing.console import (
    aside,
    brief,
    clean,
    heading,
    output,
    say,
    standard_output_kept_for_data,
)
from poems.cli.printing.findings import print_findings
from poems.cli.printing.numbers import decimal, number, percent
from poems.cli.printing.tables import print_grid, print_table

__all__ = [
    "aside",
    "brief",
    "clean",
    "decimal",
    "heading",
    "number",
    "output",
    "percent",
    "print_findings",
    "print_grid",
    "print_table",
    "say",
    "standard_output_kept_for_data",
]
