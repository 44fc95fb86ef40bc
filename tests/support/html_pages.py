"""What a page holds, by an HTML parser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset(["meta", "link", "br", "img", "input", "rect", "circle"])


@dataclass
class Element:
    """A tag with its attributes and the text within it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass(eq=False)
class Page(HTMLParser):
    """Every element of a page, and the tags that were not closed in order."""

    elements: list[Element] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements, self.misplaced, self._open = [], [], []
        self.feed(text)
        self.misplaced += [each.tag for each in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1].tag == tag:
            self._open.pop()
        elif tag not in _VOID:
            self.misplaced.append(tag)

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        """Elements of some kinds, in their order."""
        return [each for each in self.elements if each.tag in tags]

    def ids(self) -> list[str]:
        """Ids, in their order."""
        return [each.attributes["id"] for each in self.elements if "id" in each.attributes]
