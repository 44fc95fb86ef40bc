"""`python -m poems` is the `poems` command."""

from poems.cli import main

if __name__ == "__main__":
    main()
