"""Messages of the library in the words of the command line.

The library speaks of arguments (``samples='intersection'``, ``kl_weight``), for it is
called from Python as well; who typed a command knows flags (``--samples intersection``,
``--kl-weight``). Any message may name any argument: those that are a flag of some command
are said as that flag, everything else stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from poems.wording import in_omics

# Arguments of the library whose flag has another name.
_RENAMED: Final = {
    "gene_sets": "--gmt",
    "method": "--subtypes-by",
    "n_jobs": "--jobs",
}
_CANDIDATE: Final = re.compile(
    # What stands in quotes or belongs to a path or a longer word is a name from the data.
    r"""(?<![\w'"./\\=`-])(?P<name>`[a-z][a-z0-9_]*`|[a-z][a-z0-9]*(?:_[a-z0-9]+)*)"""
    r"""(?:=(?P<value>'[^']*'|"[^"]*"|\[[^\]]*\]|\w+\([^()]*\)|-?[\w.]*\w))?(?![\w'"/\\=]|\.\w)"""
    r"""(?: \((?:on the command line, )?(?P<flags>--[^()]+)\))?"""
)


def in_flags(
    message: str, *, names: Iterable[str] = (), flags: Mapping[str, str] | None = None
) -> str:
    """Say a message with flags in place of the arguments that it names.

    An argument is known by its value (``samples='union'``), by an underscore
    (``kl_weight``) or by backticks (```time```): a word such as ``samples`` alone is
    just that word. Where the library adds the flag in brackets, the flag is enough.

    Parameters
    ----------
    message
        What the library says.
    names
        Names from the data that the message holds, which are not arguments.
    flags
        Argument to flag; those of all commands by default.

    Examples
    --------
    >>> in_flags("keep all samples: pass samples='union', or lower kl_weight (1 here)")
    'keep all samples: pass --samples union, or lower --kl-weight (1 here)'
    >>> in_flags("there is no column 'kl_weight' in a/kl_weight.csv")
    "there is no column 'kl_weight' in a/kl_weight.csv"
    """
    if not set("_=`") & set(message):
        return message
    held = set(names)

    def said(match: re.Match[str]) -> str:
        name, value, as_flags = match["name"].strip("`"), match["value"], match["flags"]
        plain = value is None and "_" not in match["name"] and "`" not in match["name"]
        if plain or name in held:
            return match[0]
        if as_flags and value and value.endswith(")"):
            return str(as_flags)  # of what a call makes there is no flag but these
        flag = (_flags() if flags is None else flags).get(name)
        return match[0] if flag is None else as_flags or _with_value(flag, value)

    return _CANDIDATE.sub(said, message)


def in_words(message: str, *, names: Iterable[str] = ()) -> str:
    """Say a message of the library as the terminal does: flags, and omics in place of views.

    Parameters
    ----------
    message
        What the library says.
    names
        Names from the data that the message holds, which are not arguments.

    Examples
    --------
    >>> in_words("a view lacks samples: pass samples='union'")
    'an omic lacks samples: pass --samples union'
    """
    return in_omics(in_flags(message, names=names))


def _with_value(flag: str, value: str | None) -> str:
    """Write a flag with its value as it is typed.

    >>> _with_value("--samples", "'union'"), _with_value("--backed", "True")
    ('--samples union', '--backed')
    >>> _with_value("--features-in-rows", "['a', 'b']"), _with_value("--backed", "False")
    ('--features-in-rows-of a --features-in-rows-of b', '--no-backed')
    """
    if value is None or value == "True":
        return flag
    if value == "False":
        return f"--no-{flag.removeprefix('--')}"
    if value.startswith("["):
        many = f"{flag}-of" if flag == "--features-in-rows" else flag
        items = [item.strip(" '\"") for item in value.strip("[]").split(",")]
        return " ".join(f"{many} {item}" for item in items)
    plain = value.strip("'\"")
    return f"{flag} {'none' if plain == 'None' else plain}"


@cache
def _flags() -> dict[str, str]:
    """Return the flag of every argument of every command."""
    from poems.cli.commands import all_commands
    from poems.cli.settings_flags import settings_parameters

    found = dict(_RENAMED)
    own = [each for command in all_commands().values() for each in command.params]
    for parameter in (*own, *settings_parameters()):
        flag = max(parameter.opts, key=len)
        if flag.startswith("--"):
            found.setdefault(parameter.name, flag)
    return found
