"""Lists, verbs and sentences of the report; numbers are written by :mod:`poems.wording`."""

from __future__ import annotations

from collections.abc import Iterable

from poems.wording import NONE, general, number, p_text, p_value, percent, whole, with_unit

__all__ = [
    "NONE",
    "column_title",
    "factor_title",
    "general",
    "listing",
    "number",
    "p_text",
    "p_value",
    "percent",
    "sentence",
    "verb",
    "whole",
    "with_unit",
]


def listing(items: Iterable[object], limit: int = 20) -> str:
    """List items with an "and" before the last; those beyond ``limit`` are counted.

    Examples
    --------
    >>> listing([]), listing(["a"]), listing(["a", "b"]), listing("abcd", 3)
    ('', 'a', 'a and b', 'a, b, c and 1 more')
    """
    texts = [str(item) for item in items]
    if len(texts) > limit:
        texts = [*texts[:limit], f"{len(texts) - limit} more"]
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def verb(n: int, one: str, many: str) -> str:
    """Return the form of a verb that goes with ``n`` things.

    Examples
    --------
    >>> verb(1, "is", "are"), verb(0, "is", "are")
    ('is', 'are')
    """
    return one if n == 1 else many


def factor_title(name: object) -> str:
    """Write the name of a factor for reading.

    Examples
    --------
    >>> factor_title("factor_3"), factor_title("other")
    ('Factor 3', 'other')
    """
    text = str(name)
    tail = text.removeprefix("factor_")
    return f"Factor {tail}" if tail != text and tail.isdigit() else text


def column_title(name: object) -> str:
    """Write the name of a column of the obs table, told apart from the report's own words.

    Examples
    --------
    >>> column_title("grade"), column_title("subtype")
    ('grade', "clinical 'subtype'")
    """
    text = str(name)
    own = text.casefold() in ("subtype", "subtypes", "factor", "sample", "omic")
    return f"clinical '{text}'" if own else text


def sentence(text: str) -> str:
    """Return a text that begins with a capital and ends with a full stop.

    >>> sentence("12 samples lack protein"), sentence("factors were pruned.")
    ('12 samples lack protein.', 'Factors were pruned.')
    """
    text = text.strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?:" else ".")
