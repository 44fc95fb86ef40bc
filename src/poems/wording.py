"""Numbers, p-values, shares and units as people write them: one way for report and terminal."""

from __future__ import annotations

import math
import re
from typing import Final

_SUPERSCRIPTS: Final = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
# What has no value.
NONE: Final = "–"
_SMALLEST: Final = 1e-300
# Of a floor: what was computed to reach it may miss it by rounding.
_ROUNDING: Final = 1e-9
# What stands in quotes or belongs to a longer word, a flag or a path is a name from the data.
_VIEW: Final = re.compile(
    r"""(?<!\w)'[^'\n]*'(?!\w)|"[^"\n]*"|`[^`\n]*`"""
    r"""|(?<![\w'"./\\=-])(?:(?P<article>[Aa]) )?(?P<noun>[Vv]iews?)(?![\w"/\\=-]|\.\w)"""
)


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


def whole(value: int) -> str:
    """Write a whole number, its thousands apart from five digits on.

    Examples
    --------
    >>> whole(1740), whole(54457)
    ('1740', '54,457')
    """
    return f"{value:,}" if abs(value) >= 10_000 else f"{value}"


def general(value: object) -> str:
    """Write a number of any size with 3 significant digits, whole numbers from 100 on.

    Examples
    --------
    >>> general(1234.5), general(0.00012), general(3.0), general(2.5e9)
    ('1234', '1.2 × 10⁻⁴', '3', '2.5 × 10⁹')
    >>> general(-17041.2)
    '−17,041'
    """
    found = _float(value)
    if found is None or math.isinf(found):
        return number(value)
    if found and not 1e-3 <= abs(found) < 1e6:
        return _power(found)
    if abs(found) >= 100 or found == int(found):
        return whole(round(found)).replace("-", "−")
    return f"{found:.3g}".replace("-", "−")


def p_value(value: object, floor: float | None = None) -> str:
    """Write a p-value or a false discovery rate, without its letter.

    Parameters
    ----------
    value
        From 0 to 1.
    floor
        The least that the test could have given, as 1 / (permutations + 1): a value
        there says no more than that.

    Examples
    --------
    >>> p_value(0.0312), p_value(2.3e-8), p_value(0.0), p_value(1.0)
    ('0.031', '2.3 × 10⁻⁸', '< 10⁻³⁰⁰', '1.0')
    >>> p_value(0.02, floor=0.02), p_value(0.04, floor=0.02)
    ('≤ 0.02', '0.04')
    """
    found = _float(value)
    if found is None:
        return NONE
    if floor is not None and found <= floor * (1 + _ROUNDING):
        return f"≤ {p_value(floor)}"
    if found < _SMALLEST:
        return "< 10⁻³⁰⁰"
    if found < 1e-3:
        return _power(found)
    return f"{found:.2g}" if found < 0.995 else "1.0"


def p_text(value: object, letter: str = "p", floor: float | None = None) -> str:
    """Write a p-value with its letter, as it stands in a sentence.

    Examples
    --------
    >>> p_text(0.031), p_text(0.02, "q", floor=0.02), p_text(2e-38), p_text(None)
    ('p = 0.031', 'q ≤ 0.02', 'p = 2 × 10⁻³⁸', 'p not known')
    """
    text = p_value(value, floor)
    if text == NONE:
        return f"{letter} not known"
    return f"{letter} {text}" if text[0] in "<≤" else f"{letter} = {text}"


def percent(share: object) -> str:
    """Write a share as a whole percentage, and what rounds to nothing or to all as such.

    Examples
    --------
    >>> percent(0.256), percent(0.0), percent(0.002), percent(0.999), percent(None)
    ('26%', '0%', '<1%', '>99%', '–')
    >>> percent(-0.1), percent(-0.001), percent(-11.07)
    ('−10%', '0%', '<−100%')
    """
    found = _float(share)
    if found is None or math.isinf(found):
        return number(share)
    if 0 < found < 0.005:
        return "<1%"
    if 0.995 <= found < 1:
        return ">99%"
    if found < -1:
        return "<−100%"
    text = f"{100 * found:.0f}%"
    return "0%" if text == "-0%" else text.replace("-", "−")


def r_squared(value: object) -> str:
    """Write a share of variance, of which it need only be said that it is far below 0.

    A few large counts, badly predicted, make it any number there.

    Examples
    --------
    >>> r_squared(0.256), r_squared(-0.02), r_squared(-11.07), r_squared(None)
    ('0.26', '−0.02', '<−1', '–')
    """
    found = _float(value)
    return "<−1" if found is not None and found < -1 else number(value)


def with_unit(value: object, unit: str = "") -> str:
    """Write a number of any size with its unit, if that is known.

    Examples
    --------
    >>> with_unit(1825.0, "days"), with_unit(12.5), with_unit(float("nan"), "days")
    ('1825 days', '12.5', '–')
    """
    text = general(value)
    return f"{text} {unit}" if unit and text != NONE else text


def in_omics(text: str) -> str:
    """Say "omic" where the library says "view": the word of the people who read it.

    What stands in quotes, flags (``--view``), paths and longer words stay as they are.

    Examples
    --------
    >>> in_omics("a view's mean; 3 views lack 'the view', pass --view")
    "an omic's mean; 3 omics lack 'the view', pass --view"
    """

    def said(found: re.Match[str]) -> str:
        noun = found["noun"]
        if noun is None:
            return found[0]
        head = "O" if noun[0] == "V" else "o"
        article = f"{found['article']}n " if found["article"] else ""
        return f"{article}{head}mic{noun[4:]}"

    return _VIEW.sub(said, text)


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
