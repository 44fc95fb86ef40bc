"""Sections laid out as one HTML page, everything from the data escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from poems._version import __version__
from poems.report.blocks import Section
from poems.report.wording import whole

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

# How a file is known to be a report, in its first bytes.
GENERATOR: Final = "POEMS report"
# How the place of files of a run ends, and what stands between several.
_IN_RUN: Final = " in the run folder"
_POWER: Final = re.compile(r"(\b[pqr] )?([=≤] )?[\d.]+ × 10[⁻⁰¹²³⁴-⁹]|ε² (?=\d)")
_BETWEEN: Final = re.compile(r"(, | and )")


def render(
    title: str, about: str, sections: Sequence[Section], footer: str, *, brief: bool = False
) -> str:
    """Return the page.

    Templates escape whatever they are given. The page loads nothing: its
    content security policy allows the one script and the one style sheet in it,
    by their digests, and pictures that are in it.

    Parameters
    ----------
    title, about, footer
        Texts at its head and foot.
    sections
        In their order.
    brief
        Lay it out for two sheets of paper.

    Examples
    --------
    >>> page = render("<b>", "", [Section("a", "A & B", ())], "")
    >>> "<h1>&lt;b&gt;</h1>" in page, "A &amp; B" in page
    (True, True)
    """
    from markupsafe import Markup

    css, script = _asset("report.css"), _asset("report.js")
    policy = (
        "default-src 'none'; img-src data:; "
        f"style-src '{_digest(css)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    page: str = (
        _environment()
        .get_template("report.html.jinja")
        .render(
            title=title,
            about=about,
            sections=sections,
            footer=footer,
            brief=brief,
            policy=policy,
            generator=f"{GENERATOR} {__version__}",
            # Our own files, which hold no end tag of theirs.
            css=Markup(css),
            script=Markup(script),
        )
    )
    return page


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("poems.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["ticks"] = _ticks
    environment.filters["files"] = _files
    environment.filters["whole"] = _whole
    environment.filters["order"] = _order
    environment.filters["thousands"] = whole
    return environment


def _ticks(text: str) -> Markup:
    """Escape a text, and show what stands between backticks as code.

    >>> print(_ticks("<a> `<b>` `"))
    &lt;a&gt; <code>&lt;b&gt;</code> `
    """
    from markupsafe import Markup, escape

    parts = _whole(text).split("`")
    if len(parts) % 2 == 0:
        # The last one has no partner.
        parts[-2:] = ["`".join(parts[-2:])]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part)
        for at, part in enumerate(parts)
    )


def _whole(text: str) -> str:
    """Keep a power of ten, and ε² with its number, in one line.

    >>> _whole("a 2 × 10⁻⁸").split(" ")[0]
    'a'
    >>> _whole("by 2 × 10⁻⁸").split(" ")[0], len(_whole("q = 3.9 × 10⁻⁸ of").split(" "))
    ('by', 2)
    >>> len(_whole("(ε² 0.50").split(" "))
    1
    """
    return _POWER.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)


def _order(value: float) -> str:
    """Write what a cell is sorted by, to more digits than any cell shows.

    >>> _order(0.8013317584991455), _order(1000.0)
    ('0.801332', '1000')
    """
    return f"{value:.6g}"


def _files(where: str) -> Markup:
    """Escape the place of files, and show what is a path as code.

    >>> print(_files("r2.csv and loadings/ in the run folder"), _files("my tables/a.csv"))
    <code>r2.csv</code> and <code>loadings/</code> in the run folder <code>my tables/a.csv</code>
    """
    from markupsafe import Markup, escape

    paths, inside, rest = where.partition(_IN_RUN)
    if not inside:
        return Markup("<code>{}</code>").format(where)
    parts = _BETWEEN.split(paths)
    marked = (
        part if at % 2 else Markup("<code>{}</code>").format(part) for at, part in enumerate(parts)
    )
    return Markup("").join(marked) + escape(inside + rest)


def _asset(name: str) -> str:
    return (files("poems.report") / "templates" / name).read_text(encoding="utf-8").strip()


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
