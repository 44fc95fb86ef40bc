"""Names that the benchmark's command takes from here until it is a package of its own."""

from poems.cli.printing import clean, decimal, heading, output, print_findings, print_table, say

__all__ = ["clean", "decimal", "heading", "output", "print_findings", "print_table", "say"]
