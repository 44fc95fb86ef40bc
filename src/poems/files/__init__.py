"""Files that POEMS writes and reads back: whole or not at all, and never pickled."""
