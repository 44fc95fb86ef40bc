"""Numbers and lists as people write them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

_SUPERSCRIPTS: Final = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
# What has no value.
NONE: Final = "–"
_SMALLEST = 1e-300


def number(value: object, digits: int = 2) -> str:
    """Write a number with ``digits`` decimals, a true minus, and a dash for none.

    Examples
    --------
    >>> number(-0.125), number(float("nan")), number(-0.001), number(float("inf"))
    ('−0.12', '–', '0.00', '∞')
    """
    finite = _float(value)
    if finite is None:
        return NONE
    if math.isinf(finite):
        return "∞" if finite > 0 else "−∞"
    text = f"{finite:.{digits}f}"
    if not text.strip("-0."):
        text = text.removeprefix("-")
    return text.replace("-", "−")


def general(value: object) -> str:
    """Write a number of any size with 3 significant digits.

    Examples
    --------
    >>> general(1234.5), general(0.00012), general(3.0), general(2.5e9)
    ('1234', '1.2 × 10⁻⁴', '3', '2.5 × 10⁹')
    """
    found = _float(value)
    if found is None or math.isinf(found):
        return number(value)
    if found and not 1e-3 <= abs(found) < 1e6:
        return _power(found)
    if abs(found) >= 100 or found == int(found):
        return f"{found:.0f}".replace("-", "−")
    return f"{found:.3g}".replace("-", "−")


def p_value(value: object) -> str:
    """Write a p-value or a false discovery rate.

    Examples
    --------
    >>> p_value(0.0312), p_value(2.3e-8), p_value(0.0), p_value(1.0)
    ('0.031', '2.3 × 10⁻⁸', '< 10⁻³⁰⁰', '1.0')
    """
    found = _float(value)
    if found is None:
        return NONE
    if found < _SMALLEST:
        return "< 10⁻³⁰⁰"
    if found < 1e-3:
        return _power(found)
    return f"{found:.2g}" if found < 0.995 else "1.0"


def percent(share: object) -> str:
    """Write a share as a whole percentage, and what rounds to nothing or to all as such.

    Examples
    --------
    >>> percent(0.256), percent(0.0), percent(0.002), percent(0.999), percent(None)
    ('26%', '0%', '<1%', '>99%', '–')
    """
    found = _float(share)
    if found is None:
        return NONE
    if 0 < found < 0.005:
        return "<1%"
    if 0.995 <= found < 1:
        return ">99%"
    return f"{100 * found:.0f}%".replace("-", "−")


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


def sentence(text: str) -> str:
    """Return a text that begins with a capital and ends with a full stop.

    >>> sentence("12 samples lack protein"), sentence("factors were pruned.")
    ('12 samples lack protein.', 'Factors were pruned.')
    """
    text = text.strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?:" else ".")


def _float(value: object) -> float | None:
    if value is None:
        return None
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return None if math.isnan(found) else found


def _power(value: float) -> str:
    head, power = f"{value:.1e}".split("e")
    head = head.removesuffix(".0").replace("-", "−")
    return f"{head} × 10{str(int(power)).translate(_SUPERSCRIPTS)}"
