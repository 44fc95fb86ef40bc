"""The sections of a report, a module each: tables in, a section of blocks out."""
