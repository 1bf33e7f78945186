"""Just enough XML to show values out of a document: elements, attributes, text, paths of names."""

from __future__ import annotations

import pyexpat

from roost.cli.failure import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Element:
    """One element; `text` is what stands directly in it."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""

    def all(self, path: str) -> Iterator[Element]:
        """The elements at `path`, such as `devices/disk`, in document order."""
        name, _, rest = path.partition("/")
        for child in self.children:
            if child.name == name:
                if rest:
                    yield from child.all(rest)
                else:
                    yield child

    def attribute(self, path: str, name: str) -> str | None:
        """The attribute `name` of the first element at `path` that has it; "" is this element itself."""
        for element in self.all(path) if path else (self,):
            if name in element.attributes:
                return element.attributes[name]
        return None

    def first(self, path: str, *names: str) -> str | None:
        """The first of the attributes `names`, as the document has them, on an element at `path`."""
        for element in self.all(path):
            for name, value in element.attributes.items():
                if name in names:
                    return value
        return None


def parse(document: str) -> Element:
    """The root element of a document that the daemon has sent. Raises CommandFailed when it is none."""
    top = Element("", {})
    open_elements = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        element = Element(name, attributes)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_name: str) -> None:
        open_elements.pop()

    def characters(text: str) -> None:
        open_elements[-1].text += text

    parser = pyexpat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.buffer_text = True
    try:
        parser.Parse(document, True)
    except pyexpat.ExpatError as error:
        raise CommandFailed("Failed to parse domain description xml", f"the daemon sent XML with {error}") from None
    return top.children[0]


def quoted(value: str) -> str:
    """An attribute's value as it is written into a document."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&apos;"), ('"', "&quot;")):
        value = value.replace(character, entity)
    return f"'{value}'"
