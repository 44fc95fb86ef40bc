"""Features that two tables name alike but for a known change: versions, case, separators, …"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

from poems.findings import count, name_some

FeatureMatch = Literal["exact", "version", "case", "separators", "prefix", "suffix", "any"]

# Accessions of Ensembl and RefSeq, whose version stands behind a point (R writes '_' or '-').
_VERSIONED = re.compile(
    r"(ENS[A-Z]{0,6}[EGPRT]\d{11}|ENS[A-Z]{0,6}GT\d{14}|[NXY][CGMPRTW]_\d{6,})[._-](\d{1,3})"
    r"(_PAR_Y|_\d+)?",
    re.IGNORECASE,
)
# What stands before a name in some tables: the omic, the gene's database, R's X.
_PREFIX = re.compile(
    r"(?:(?:rna|mrna|gene|gex|prot|protein|meth|cnv|cna|mut|mirna|expr?|expression|hgnc|symbol|"
    r"ensembl|entrez|entrezgene|uniprot|uniprotkb|refseq|sp|tr)[|:_.]+|X(?=\d))",
    re.IGNORECASE,
)
# A number of an omic's own: the same number of another omic is another feature.
_NUMBERED = re.compile(
    r"(?:rna|mrna|gex|prot|protein|meth|cnv|cna|mut|mirna|expr?|expression)[|:_.]+\d+",
    re.IGNORECASE,
)
# What stands behind one: an identifier (TP53|7157), a platform's ending (_at), a digest of pandas.
_SUFFIX = re.compile(
    r"(?:\|.+|[_.](?:rna|mrna|gene|prot|protein|meth|cnv|cna|mut|expr?)|_at)", re.I
)


def _without_version(name: str) -> str:
    found = _VERSIONED.fullmatch(name)
    # The copy of a gene on Y is another gene.
    return name if found is None else found[1] + (found[3] or "")


def _one_separator(name: str) -> str:
    return re.sub(r"[-._\s/:;,|()+'’–—]+", "-", _plain(name)).strip("-")


def _plain(name: str) -> str:
    if name.isascii() and name.isprintable():
        return name
    shown = unicodedata.normalize("NFKC", name)
    return "".join(c for c in shown if unicodedata.category(c) not in ("Cf", "Cc")).strip()


def _without_prefix(name: str) -> str:
    return _PREFIX.sub("", name, count=1) if _PREFIX.match(name) else name


def _without_suffix(name: str) -> str:
    found = list(_SUFFIX.finditer(name))
    return name[: found[-1].start()] if found and found[-1].end() == len(name) else name


def _any(name: str) -> str:
    for change in (_plain, _without_prefix, _without_suffix, _without_version, _one_separator):
        name = change(name)
    return name.casefold()


# By the name that a user gives; in the order in which they are tried.
CHANGES: Final[Mapping[FeatureMatch, tuple[str, Callable[[str], str]]]] = {
    "version": ("without the version", _without_version),
    "case": ("if upper and lower case were alike", lambda name: _plain(name).casefold()),
    "separators": ("if separators, blanks and invisible characters were alike", _one_separator),
    "prefix": ("without what stands before the name", _without_prefix),
    "suffix": ("without what stands behind the name", _without_suffix),
    "any": ("without versions, case, separators, prefixes and suffixes", _any),
}


@dataclass(frozen=True)
class NearFeatures:
    """Names that a change would make equal.

    Parameters
    ----------
    change
        A key of :data:`CHANGES`.
    pairs
        Name in the new table to name that is wanted.
    doubtful
        Names in the new table that are left alone: the change would make two of them equal.
    """

    change: FeatureMatch
    pairs: Mapping[str, str]
    doubtful: tuple[str, ...] = ()

    def __str__(self) -> str:
        n = len(self.pairs)
        (given, wanted) = next(iter(self.pairs.items()))
        return f"{n} would match {CHANGES[self.change][0]} ({given!a} for {wanted!a})"


def near_features(given: Iterable[str], wanted: Iterable[str]) -> NearFeatures | None:
    """Return the change that makes most of the names equal that are not; ``None`` if none does.

    Examples
    --------
    >>> print(near_features(["ENSG00000141510"], ["ENSG00000141510.16", "TP53"]))
    1 would match without the version ('ENSG00000141510' for 'ENSG00000141510.16')
    >>> near_features(["TP53"], ["KRAS"])
    """
    there, needed = pd.Index(list(given), dtype=object), pd.Index(list(wanted), dtype=object)
    if not len(needed.difference(there, sort=False)):
        return None
    best: NearFeatures | None = None
    for change in CHANGES:
        found = matched_features(there, needed, change)
        # All changes together are proposed where they find clearly more than one of them.
        more = 0 if best is None else len(best.pairs) + (change == "any") * len(best.pairs) // 4
        if len(found.pairs) > more:
            best = found
    return best


def matched_features(
    given: Iterable[str], wanted: Iterable[str], change: FeatureMatch
) -> NearFeatures:
    """Pair names that differ, but not after a change; never two of a table with one.

    Parameters
    ----------
    given
        Of the new table.
    wanted
        Those that are looked for.
    change
        A key of :data:`CHANGES`, or ``"exact"``, which pairs none.

    Examples
    --------
    >>> matched_features(["tp53", "Tp53", "kras"], ["TP53", "KRAS"], "case").pairs
    {'kras': 'KRAS'}
    """
    if change == "exact":
        return NearFeatures(change, {})
    apply = CHANGES[change][1]
    here, there = _by_key(given, apply), _by_key(wanted, apply)
    pairs: dict[str, str] = {}
    doubtful: list[str] = []
    for key, names in here.items():
        others = there.get(key, [])
        # A name that both tables have is that feature, and no other.
        if not others or set(names) & set(others):
            continue
        if change in ("prefix", "any") and _other_numbers(names, others):
            continue
        if len(names) == len(others) == 1:
            pairs[names[0]] = others[0]
        else:
            doubtful += names
    return NearFeatures(change, pairs, tuple(doubtful))


def _other_numbers(names: list[str], others: list[str]) -> bool:
    """Whether names are numbers that two omics count by themselves, mirna_1 and mrna_1 say."""
    some = [*names, *others]
    return all(_without_prefix(each) != each for each in some) and any(
        map(_NUMBERED.fullmatch, some)
    )


def near_hint(given: Iterable[str], wanted: Iterable[str], how: str) -> str:
    """Say which change would match features, and how it is asked for; empty if none does.

    ``how`` names the option, with ``{}`` where the change stands.
    """
    found = near_features(given, wanted)
    if found is None:
        return ""
    text = f". {found}: {how.format(found.change)}"
    if found.doubtful:
        n = len(found.doubtful)
        text += (
            f"; {count(n, 'more name')} would be the same as another then and "
            f"{'is' if n == 1 else 'are'} left alone ({name_some(found.doubtful)})"
        )
    return text


def _by_key(names: Iterable[str], change: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(map(str, names)):
        found.setdefault(change(name), []).append(name)
    return found
