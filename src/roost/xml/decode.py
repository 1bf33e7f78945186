"""From a tree to records: one parser function a class, generated from its shape on first use.

The generated code does no more than look up, convert and construct; any wrong
value ends it with KeyError, ValueError or TypeError, and `faults` then finds
out what was wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roost.xml.record import Record
from roost.xml.shape import FLAGGED, RAW, RECORD, RECORDS, VALUE, VALUES, Element, Field, Shape, shape_of
from roost.xml.tree import Node
from roost.xml.values import TEXT, Size

#: What a generated parser raises for a document that is wrong.
WRONG = (KeyError, ValueError, TypeError)


class _Parsers(dict[type[Record], Callable[[Node, bool], Any]]):
    """Parser functions by class, generated when first asked for."""

    def __missing__(self, cls: type[Record]) -> Callable[[Node, bool], Any]:
        parser = self[cls] = _Generator(shape_of(cls)).function()
        return parser


PARSERS = _Parsers()


class _Generator:
    """Writes the source of one parser: `def parse(node, live)`."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"PARSERS": PARSERS, "cls": shape.cls}
        self.counter = 0

    def function(self) -> Callable[[Node, bool], Any]:
        if self.shape.strangers:
            known = self.constant("known", frozenset(self.shape.root.child_names()))
            self.put(1, f"if node[2] and not node[2].keys() <= {known}: raise KeyError")
        self.element(self.shape.root, "node", 1)
        for field in self.shape.inlines():
            self.inline(field)
        arguments = ", ".join(f"{field.name}=f_{field.name}" for field in self.shape.fields)
        source = "\n".join(["def parse(node, live):", *self.lines, f"    return cls({arguments})"])
        exec(compile(source, f"<parser of {self.shape.cls.__name__}>", "exec"), self.names)
        function: Callable[[Node, bool], Any] = self.names["parse"]
        return function

    def put(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def constant(self, prefix: str, value: Any) -> str:
        """A name for `value` in the generated code's globals."""
        self.counter += 1
        name = f"{prefix}{self.counter}"
        self.names[name] = value
        return name

    def element(self, element: Element, node: str, depth: int) -> None:
        """Code for all fields at or below the element in the variable `node`, known to be there."""
        if element.flag:
            self.put(depth, f"f_{element.flag.name} = True")
        if element.raw:
            self.put(depth, f"f_{element.raw.name} = {node}[3] or None")
        if element.attributes:
            self.put(depth, f"get = {node}[1].get")
        for field in element.attributes:
            self.value(field, f"get({field.attribute!r})", node, depth)
        if element.text:
            self.value(element.text, f"{node}[3] or None", node, depth)
        children = [child for child in element.children if isinstance(child, Element) or not child.at.inline]
        if children:
            self.children(children, node, depth)

    def children(self, children: list[Element | Field], node: str, depth: int) -> None:
        self.counter += 1
        kids = f"kids{self.counter}"
        self.put(depth, f"{kids} = {node}[2]")
        self.put(depth, f"if {kids}:")
        for child in children:
            self.child(child, kids, depth + 1)
        self.put(depth, "else:")
        for child in children:
            for field in child.fields() if isinstance(child, Element) else [child]:
                self.absent(field, depth + 1)

    def child(self, child: Element | Field, kids: str, depth: int) -> None:
        tag = child.name if isinstance(child, Element) else child.path[-1]
        self.put(depth, f"if {tag!r} in {kids}:")
        first, every = f"{kids}[{tag!r}][0]", f"{kids}[{tag!r}]"
        fields: list[Field]
        if isinstance(child, Element):
            self.counter += 1
            inner = f"node{self.counter}"
            self.put(depth + 1, f"{inner} = {first}")
            self.element(child, inner, depth + 1)
            fields = list(child.fields())
        else:
            fields = [child]
            if child.at.once:
                self.put(depth + 1, f"if len({every}) > 1: raise KeyError")
            if child.kind == RECORD:
                self.record(child, first, depth + 1)
            elif child.kind == RECORDS:
                live = f" if live else {self.default(child)}" if child.at.live is True else ""
                self.put(depth + 1, f"f_{child.name} = tuple([{self.parsed(child, 'kid')} for kid in {every}]){live}")
            else:
                self.values(child, every, depth + 1)
        self.put(depth, "else:")
        for field in fields:
            self.absent(field, depth + 1)

    def record(self, field: Field, node: str, depth: int) -> None:
        if field.at.live is True:
            self.put(depth, f"f_{field.name} = {self.parsed(field, node)} if live else None")
            return
        without = ""
        if field.at.only_with:
            without = f" if {field.at.only_with!r} in {node}[1] else {self.default(field)}"
        self.put(depth, f"f_{field.name} = {self.parsed(field, node)}{without}")
        if not field.at.keep_empty and not field.required and field.record and not _all_required(field.record):
            empty = self.constant("empty", field.record())
            self.put(depth, f"if f_{field.name} == {empty}: f_{field.name} = {self.default(field)}")

    def parsed(self, field: Field, node: str) -> str:
        """An expression for the record in the element `node`."""
        if field.record:
            return f"PARSERS[{self.constant('cls', field.record)}]({node}, live)"
        members = self.constant("members", field.members)
        tag = f"{node}[0]" if field.by_element else f"{node}[1].get({field.tag_field!r}, {field.at.default_tag!r})"
        return f"PARSERS[{members}[{tag}]]({node}, live)"

    def values(self, field: Field, nodes: str, depth: int) -> None:
        text = f"kid[1][{field.attribute!r}]" if field.attribute else "kid[3]"
        converted = text if field.value is TEXT else f"{self.constant('parse', field.value.parse)}({text})"
        self.put(depth, f"f_{field.name} = tuple([{converted} for kid in {nodes}])")

    def inline(self, field: Field) -> None:
        members = self.constant("members", field.members)
        self.put(1, f"tag = node[1].get({field.tag_field!r}, {field.at.default_tag!r})")
        parsed = f"PARSERS[{members}[tag]](node, live)"
        if not field.required and field.at.default_tag is None:
            parsed += f" if tag is not None else {self.default(field)}"
        self.put(1, f"f_{field.name} = {parsed}")

    def value(self, field: Field, source: str, node: str, depth: int) -> None:
        """Code for one plain value whose text is `source`, None when absent."""
        variable = f"f_{field.name}"
        at, value = field.at, field.value
        if at.live is True:
            source = f"{source} if live else None"
        self.put(depth, f"{variable} = {source}")
        if at.bare is not None:
            self.put(depth, f"if {variable} is None: {variable} = {at.bare!r}")
        absent = f"{variable} is None"
        if at.needed:
            self.put(depth, f"if {absent}: raise KeyError")
        if at.unset:
            absent += f" or {variable} in {at.unset!r}"
        converts = value is not TEXT or callable(at.live)
        default = self.default(field)
        if field.required:
            self.put(depth, f"if {absent}: raise KeyError")
            if converts:
                self.convert(field, variable, node, depth)
        elif default != "None" or at.unset:
            self.put(depth, f"if {absent}: {variable} = {default}")
            if converts:
                self.put(depth, "else:")
                self.convert(field, variable, node, depth + 1)
        elif converts:
            self.put(depth, f"if {variable} is not None:")
            self.convert(field, variable, node, depth + 1)

    def convert(self, field: Field, variable: str, node: str, depth: int) -> None:
        value = field.value
        if isinstance(value, Size):
            scale = self.constant("scale", value.scale)
            unit = f"{node}[1].get({value.unit!r})"
            self.put(depth, f"{variable} = {scale}({variable}, {unit})")
        elif value.complete:
            self.put(depth, f"{variable} = {self.constant('table', value.table)}[{variable}]")
        elif value.table:
            table, parse = self.constant("table", value.table), self.constant("parse", value.parse)
            self.put(depth, f"{variable} = {table}[{variable}] if {variable} in {table} else {parse}({variable})")
        elif value is not TEXT:
            self.put(depth, f"{variable} = {self.constant('parse', value.parse)}({variable})")
        if callable(field.at.live):
            live = self.constant("live", field.at.live)
            self.put(depth, f"if not live and {live}({variable}): {variable} = None")

    def absent(self, field: Field, depth: int) -> None:
        self.put(depth, "raise KeyError" if field.required else f"f_{field.name} = {self.default(field)}")

    def default(self, field: Field) -> str:
        if field.default is None or isinstance(field.default, (bool, int, str)) or field.default == ():
            return repr(field.default)
        return self.constant("default", field.default)


def _all_required(cls: type[Record]) -> bool:
    """Whether `cls` has required fields, so that an empty one cannot be."""
    return any(field.required for field in shape_of(cls).fields)


__all__ = ["FLAGGED", "PARSERS", "RAW", "VALUE", "VALUES", "WRONG"]
