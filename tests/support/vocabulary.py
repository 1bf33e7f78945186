"""The vocabulary in tests/golden/vocabulary: every element and attribute that libvirt's documents may have, as paths.

`domain/devices/disk/driver/@cache` is an attribute; `*` stands for some element, whichever has what follows.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from roost.model.documents import DOCUMENTS
from roost.xml import Record
from roost.xml.shape import VALUES, Element, Field, shape_of

VOCABULARY = Path(__file__).parents[1] / "golden" / "vocabulary"
LEFT_OUT = VOCABULARY / "left-out.txt"


class Place:
    """What one declaration says of an element: a part of a record's shape, or the element that holds one value."""

    def __init__(self, said: Element | Field, decides: str = "") -> None:
        self.said, self.decides = said, decides

    def has(self, attribute: str) -> bool:
        """Whether the element may have that attribute, by this declaration."""
        if attribute == self.decides:
            return True
        if isinstance(self.said, Field):
            return self.said.attribute == attribute
        values = [*self.said.attributes, *filter(None, [self.said.text])]
        return attribute in {field.attribute for field in self.said.attributes} | {f.value.unit for f in values}

    def children(self) -> Iterator[tuple[str, list[Place]]]:
        """The names of what may stand inside, and what is said of it."""
        if isinstance(self.said, Field):
            return
        for child in self.said.children:
            if isinstance(child, Element):
                yield child.name, [Place(child)]
            elif child.kind == VALUES:
                yield child.path[-1], [Place(child)]
            elif not child.at.inline:
                for name in child.names():
                    classes = [child.members[name]] if child.by_element else child.classes()
                    yield name, [place for cls in classes for place in places(cls)]


@functools.cache
def places(cls: type[Record]) -> tuple[Place, ...]:
    """All that is said of the element of a record, by its class and by the members of inline unions."""
    shape = shape_of(cls)
    found = [Place(shape.root, shape.tag_field)]
    for field in shape.inlines():
        found += [place for member in field.members.values() for place in places(member)]
    return tuple(found)


def is_declared(path: str, schema: str) -> bool:
    """Whether some field stands for the path, in documents of that type."""
    document = next((document for document in DOCUMENTS if document.schema == schema), None)
    root, *steps = path.split("/")
    return document is not None and document.tag == root and _resolves(places(document.cls), tuple(steps))


def _resolves(found: tuple[Place, ...], steps: tuple[str, ...]) -> bool:
    if not steps or any(isinstance(place.said, Element) and place.said.raw for place in found):
        return True
    step, rest = steps[0], steps[1:]
    if step.startswith("@"):
        return any(place.has(step[1:]) for place in found)
    inside = [(name, inner) for place in found for name, inner in place.children()]
    if step == "*":
        return any(_resolves(tuple(inner), rest) for _, inner in inside)
    named = tuple(place for name, inner in inside if name == step for place in inner)
    return bool(named) and _resolves(named, rest)


def vocabulary() -> dict[str, str]:
    """Every path, with the type of its document."""
    return {
        path: file.stem
        for file in sorted(VOCABULARY.glob("*.txt"))
        if file != LEFT_OUT
        for path in file.read_text().split()
    }


def left_out() -> dict[str, str]:
    """The paths that no field stands for on purpose, with the reason; each stands for all that is below it, too."""
    lines = [line for line in LEFT_OUT.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("  ", 1) for line in lines)


def missing() -> list[str]:
    """The paths that are neither declared nor left out."""
    exempt = left_out()
    return [
        path
        for path, schema in vocabulary().items()
        if not any(path == known or path.startswith(f"{known}/") for known in exempt) and not is_declared(path, schema)
    ]
