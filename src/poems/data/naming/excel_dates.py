"""Names of genes that a spreadsheet turned into dates or numbers, and what they were."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from poems.findings import Finding, count, name_some

_MONTHS: Final = {
    # English, and where they differ German, French, Spanish and Italian.
    1: "jan|january|janv|ene|gen",
    2: "feb|february|févr|fév|fev",
    3: "mar|mär|mrz|march|mars|mar\\.|märz",
    4: "apr|april|avr|abr",
    5: "may|mai|mag|mayo",
    6: "jun|june|juin|giu",
    7: "jul|july|juil|lug",
    8: "aug|august|août|ago",
    9: "sep|sept|september|set",
    10: "oct|okt|october|ott",
    11: "nov|november",
    12: "dec|dez|déc|dic|december",
}
_MONTH_OF: Final = {
    word.rstrip("."): month for month, words in _MONTHS.items() for word in words.split("|")
}
_WORD = "|".join(sorted(map(re.escape, _MONTH_OF), key=len, reverse=True))
_DAY_FIRST = re.compile(
    rf"(\d{{1,2}})[-. /]{{1,2}}({_WORD})\.?([-. /](?:\d{{2}}|\d{{4}}))?", re.IGNORECASE
)
_MONTH_FIRST = re.compile(
    rf"({_WORD})\.?[-. /](\d{{1,2}})([-. /](?:\d{{2}}|\d{{4}}))?", re.IGNORECASE
)
_ISO = re.compile(r"(?:19|20)\d{2}-(\d{2})-(\d{2})(?:[ T]00:00(?::00)?(?:\.0+)?)?")
_SLASHES = re.compile(r"(\d{1,2})(?:(/)(\d{1,2})/(?:\d{4}|\d{2})|\.(\d{1,2})\.(?:19|20)\d{2})")
# Days since 1900: from 1990 to 2050, which is when tables are typed.
_SERIAL = re.compile(r"[345]\d{4}")
_FIRST_SERIAL, _LAST_SERIAL = 32874, 55153
_MOST_NUMBERS: Final = 0.5
# Most names are told by their first characters.
_MAY_BE = re.compile(
    rf"\d{{1,2}}[-. /]|\d{{4}}-|[345]\d{{4}}$|\d[.,\d]*E\+|({_WORD})\.?[-. /]", re.I
)
# 2310009E13 of the RIKEN clones becomes 2.31E+13.
_POWER = re.compile(r"\d(?:[.,]\d+)?E\+\d{1,2}")
# What genes of these months are called, and how far they count.
_GENES: Final = {
    3: ((("MARCH", "MARCHF"), 11), (("MARC", "MTARC"), 2)),
    9: ((("SEPT", "SEPTIN"), 14),),
    12: ((("DEC", "DELEC"), 2),),
    10: ((("OCT", None), 11),),
    4: ((("APR", None), 3),),
    2: ((("FEB", None), 11),),
    11: ((("NOV", None), 3),),
}
_MOST_SHOWN: Final = 8


def date_findings(features: Collection[str], where: str) -> list[Finding]:
    """Warn of features whose names a spreadsheet seems to have turned into dates or numbers.

    Parameters
    ----------
    features
        Their names.
    where
        The table, for messages.

    Examples
    --------
    >>> (found,) = date_findings(["1-Mar", "TP53", "2-Sep"], "rna.csv")
    >>> print(found)
    warning: rna.csv: 2 feature names look like dates, ... '1-Mar' (MARCH1, now MARCHF1, or MARC1...
    """
    names = [name for name in map(str, features) if _MAY_BE.match(name)]
    if not names:
        return []
    n_features = len(features)
    # Where most names are numbers they are identifiers.
    n_numbers = sum(str(name).isdigit() for name in features)
    serials = n_numbers <= _MOST_NUMBERS * n_features
    dates = [name for name in names if _date(name, serials=serials) is not None]
    findings = []
    if dates:
        n = len(dates)
        shown = name_some((f"{name!r}{_were(name)}" for name in dict.fromkeys(dates)), _MOST_SHOWN)
        text = (
            f"{where}: {count(n, 'feature name looks', 'feature names look')} like "
            f"{'a date' if n == 1 else 'dates'}, as spreadsheets make of names of genes: {shown}. "
            "Take the names from the table as it was before a spreadsheet opened it"
        )
        findings.append(Finding("warning", "names-are-dates", text, items=tuple(dates)))
    powers = [name for name in names if _POWER.fullmatch(name)]
    if powers:
        text = (
            f"{where}: {count(len(powers), 'feature name looks', 'feature names look')} like "
            f"{'a number' if len(powers) == 1 else 'numbers'} with a power of ten, as spreadsheets "
            f"make of identifiers such as 2310009E13 (2.31E+13): {name_some(powers, 5)}. What they "
            "were cannot be told from this; take the names from the table as it was before a "
            "spreadsheet opened it"
        )
        findings.append(Finding("warning", "names-are-numbers", text, items=tuple(powers)))
    return findings


def date_remedy(repeated: Sequence[str]) -> str | None:
    """Say what to do about names that occur twice because they became the same date.

    Examples
    --------
    >>> date_remedy(["TP53"])
    >>> date_remedy(["1-Mar"])
    "'1-Mar' (MARCH1, now MARCHF1, or MARC1, now MTARC1) is what a spreadsheet makes of names of ...
    """
    dates = [name for name in repeated if _date(name, serials=False) is not None]
    if not dates:
        return None
    shown = name_some((f"{name!r}{_were(name)}" for name in dates), 5)
    return (
        f"{shown} {'is' if len(dates) == 1 else 'are'} what a spreadsheet makes of names of genes, "
        "and different genes may share a date: do not keep one of each, but take the names from "
        "the table as it was before a spreadsheet opened it"
    )


def _date(name: str, *, serials: bool) -> tuple[int, int] | None:
    """Return the month and the day (or what stands in its place) of a name that is a date."""
    found = _DAY_FIRST.fullmatch(name)
    if found:
        return _month_and_day(_MONTH_OF[found[2].lower()], int(found[1]))
    found = _MONTH_FIRST.fullmatch(name)
    if found:
        return _month_and_day(_MONTH_OF[found[1].lower()], int(found[2]))
    found = _ISO.fullmatch(name)
    if found:
        return _month_and_day(int(found[1]), int(found[2]))
    found = _SLASHES.fullmatch(name)
    if found:
        first, second = int(found[1]), int(found[3] or found[4])
        # Americans write the month first, and only they write slashes with months up to 12 there.
        month_first = found[2] == "/" and (first in _GENES or second > 12)
        return _month_and_day(first, second) if month_first else _month_and_day(second, first)
    if serials and _SERIAL.fullmatch(name) and _FIRST_SERIAL <= int(name) <= _LAST_SERIAL:
        return _of_serial(int(name))
    return None


def _of_serial(days: int) -> tuple[int, int]:
    import datetime

    date = datetime.date(1899, 12, 30) + datetime.timedelta(days=days)
    return date.month, date.day


def _month_and_day(month: int, day: int) -> tuple[int, int] | None:
    return (month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _were(name: str) -> str:
    """Say which genes a date may have been."""
    found = _date(name, serials=True)
    assert found is not None
    month, day = found
    genes = [
        f"{old}{day}, now {new}{day}" if new else f"{old}{day}"
        for (old, new), most in _GENES.get(month, ())
        if day <= most
    ]
    return f" ({', or '.join(genes)})" if genes else ""
