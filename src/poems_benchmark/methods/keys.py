"""Short names of methods."""

from __future__ import annotations

import re

# Parts of file names, and of lists with commas.
_KEY = re.compile(r"[\w.+-]+")


def is_key(text: str) -> bool:
    """Whether a text can be the short name of a method.

    >>> is_key("mofa+"), is_key("a,b")
    (True, False)
    """
    return _KEY.fullmatch(text) is not None
