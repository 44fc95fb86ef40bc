"""What a section is made of: plain facts that the template lays out, without markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Level = Literal["note", "warning", "error"]
Align = Literal["text", "number"]


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Parameters
    ----------
    text
        What is read.
    order
        What the column is sorted by, if not by the text.
    bar
        Length of a bar behind the text, from -1 to 1; ``None`` for none.
    """

    text: str
    order: float | None = None
    bar: float | None = None


@dataclass(frozen=True)
class Head:
    """The head of a column: its title, how cells stand, what it means, if bars go both ways."""

    title: str
    align: Align = "text"
    hint: str = ""
    signed: bool = False


# Characters of a cell that is read rather than looked up.
_LONG_SENTENCE: Final = 100


@dataclass(frozen=True)
class Table:
    """A table, or its first rows.

    Parameters
    ----------
    id
        Unique in the page.
    caption
        What it shows.
    heads, rows
        Columns and cells.
    total
        Rows of the whole table; more than ``rows`` where it was cut.
    where
        The file that holds the whole table.
    note
        A remark below it.
    sortable
        Whether sorting, searching and paging make sense.
    faint
        Positions of rows that are not to be built on, which are grey.
    """

    id: str
    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int
    where: str = ""
    note: str = ""
    sortable: bool = True
    faint: frozenset[int] = frozenset()
    kind: str = field(default="table", init=False)

    @property
    def prose(self) -> bool:
        """Whether its last column holds sentences, which a phone shows beneath the others."""
        return any(len(row[-1].text) > _LONG_SENTENCE for row in self.rows)


@dataclass(frozen=True)
class Picture:
    """A static picture: its data URI, alternative text and caption, and the file of its numbers.

    ``wide``: it is never shown smaller than it is, but moved sideways where there is no room.
    """

    id: str
    source: str
    alt: str
    caption: str
    width: int
    where: str = ""
    wide: bool = False
    kind: str = field(default="picture", init=False)


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = field(default="text", init=False)


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    id: str
    text: str
    kind: str = field(default="heading", init=False)


@dataclass(frozen=True)
class Notice:
    """What is missing, or to be wary of."""

    text: str
    level: Level = "note"
    kind: str = field(default="notice", init=False)


@dataclass(frozen=True)
class Sentence:
    """A sentence of the summary, made from a number of the section it links to."""

    topic: str
    text: str
    caution: bool = False
    target: str = ""
    place: int = 0


@dataclass(frozen=True)
class Sentences:
    """The sentences of the summary: what was found."""

    found: tuple[Sentence, ...]
    kind: str = field(default="sentences", init=False)


@dataclass(frozen=True)
class Cautions:
    """What to distrust, the most harmful first.

    Parameters
    ----------
    first
        Those that would most change a conclusion, shortened: a glance takes them in.
    all
        Every one in full, in the same order.
    """

    first: tuple[Sentence, ...]
    all: tuple[Sentence, ...]
    kind: str = field(default="cautions", init=False)


@dataclass(frozen=True)
class Verdict:
    """The line that answers the reader's first question, made from tests.

    ``level``: subtypes that are ``"found"``, that are ``"doubtful"``, ``"none"``, or a fit
    that ``"failed"``. ``label`` says so in two or three words.
    """

    level: Literal["found", "doubtful", "none", "failed"]
    label: str
    text: str
    target: str = ""
    kind: str = field(default="verdict", init=False)


@dataclass(frozen=True)
class SideBySide:
    """Pictures that stand beside one another where there is room."""

    pictures: tuple[Picture, ...]
    kind: str = field(default="beside", init=False)


@dataclass(frozen=True)
class Fold:
    """Blocks that are shown when their title is clicked; in print only where asked for."""

    id: str
    title: str
    blocks: tuple[Any, ...]
    kind: str = field(default="fold", init=False)


@dataclass(frozen=True)
class Terms:
    """Words and what they mean."""

    id: str
    items: tuple[tuple[str, str], ...]
    kind: str = field(default="terms", init=False)


@dataclass(frozen=True)
class Map:
    """Samples in a plane, to be coloured and asked for their names.

    Parameters
    ----------
    id
        Unique in the page.
    data
        ``samples``, ``planes``, ``columns``: what the page's script draws.
    caption, alt
        In words.
    """

    id: str
    data: Mapping[str, Any]
    caption: str
    alt: str
    kind: str = field(default="map", init=False)


@dataclass(frozen=True)
class Panel:
    """One choice of a picker, and what it shows."""

    id: str
    title: str
    blocks: tuple[Any, ...]
    name: str = ""


@dataclass(frozen=True)
class Picker:
    """Panels of which one is shown at a time; all of them in print, or without the script."""

    id: str
    label: str
    panels: tuple[Panel, ...]
    kind: str = field(default="picker", init=False)


Block = (
    Table
    | Picture
    | Text
    | Heading
    | Notice
    | Sentences
    | Cautions
    | Verdict
    | SideBySide
    | Fold
    | Terms
    | Map
    | Picker
)


@dataclass(frozen=True)
class Section:
    """A part of the report."""

    id: str
    title: str
    blocks: Sequence[Block]
    lead: str = ""
