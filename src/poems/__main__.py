"""``python -m poems``: the command line."""

from poems.cli import main

if __name__ == "__main__":
    main()
