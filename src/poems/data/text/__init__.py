"""Text files: delimited tables, gene sets and maps, folders of MOGONET."""
