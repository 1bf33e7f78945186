"""From records to text: one writer function a class, generated from its shape on first use.

The layout is libvirt's: two spaces a level, single quotes, `<x/>` for an empty
element, and none at all for one that says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roost.xml.escape import escape, escape_attribute
from roost.xml.raw import indented
from roost.xml.record import Record
from roost.xml.remembered import is_remembered, is_section, notes_about, section_of
from roost.xml.shape import FLAGGED, RECORD, RECORDS, VALUES, Element, Field, Shape, shape_of
from roost.xml.values import Hex, Size, pretty

#: write(record, tag, out, pad, secure, keep): keep 0 drops an empty element, 1 writes `<x/>`, 2 `<x>` and `</x>`.
Writer = Callable[[Any, str, list[str], str, bool, int], None]
DROP, KEEP, OPEN = 0, 1, 2

#: Up to this many fields below an element are asked beforehand whether it will be empty.
_FEW = 4


class _Writers(dict[type[Record], Writer]):
    def __missing__(self, cls: type[Record]) -> Writer:
        writer = self[cls] = _Generator(shape_of(cls)).whole()
        return writer


class _Attributes(dict[type[Record], Callable[[Any, bool], str]]):
    """For inline members: the text of their attributes."""

    def __missing__(self, cls: type[Record]) -> Callable[[Any, bool], str]:
        writer = self[cls] = _Generator(shape_of(cls)).attributes()
        return writer


class _Bodies(dict[type[Record], Callable[[Any, list[str], str, bool], None]]):
    """For inline members: their child elements, at indentation `pad`."""

    def __missing__(self, cls: type[Record]) -> Callable[[Any, list[str], str, bool], None]:
        writer = self[cls] = _Generator(shape_of(cls)).body()
        return writer


WRITERS, ATTRIBUTES, BODIES = _Writers(), _Attributes(), _Bodies()


class _Generator:
    """Writes the source of a class's writers. In them `r` is the record, `s` the start tag so far."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.lines: list[str] = []
        self.names: dict[str, Any] = {
            "ATTRIBUTES": ATTRIBUTES, "BODIES": BODIES, "WRITERS": WRITERS, "escape": escape,
            "escape_attribute": escape_attribute, "indented": indented, "is_remembered": is_remembered,
            "notes_about": notes_about, "pretty": pretty,
        }  # fmt: skip
        self.counter = 0
        #: Whether what is written of elements inside is noted: those that are remembered.
        self.remembers = is_section(shape.cls) or section_of(shape.cls) is not None

    def whole(self) -> Writer:
        root = self.shape.root
        self.put(1, "s = f'{pad}<{tag}'")
        if self.remembers:
            self.put(1, "texts = notes_about(pad)")
        if self.shape.namespaces_first:
            self.namespaces(1)
        self.own_attributes(1)
        if not self.shape.namespaces_first:
            self.namespaces(1)
        self.content(root, "tag", "pad", 1, keep="keep")
        writer: Writer = self.compile("write(r, tag, out, pad, secure, keep)")
        return writer

    def attributes(self) -> Callable[[Any, bool], str]:
        self.put(1, "s = ''")
        self.own_attributes(1)
        self.put(1, "return s")
        function: Callable[[Any, bool], str] = self.compile("write(r, secure)")
        return function

    def body(self) -> Callable[[Any, list[str], str, bool], None]:
        self.children(self.shape.root, "pad", 1)
        self.put(1, "return")
        function: Callable[[Any, list[str], str, bool], None] = self.compile("write(r, out, pad, secure)")
        return function

    def compile(self, signature: str) -> Any:
        source = "\n".join([f"def {signature}:", *self.lines])
        exec(compile(source, f"<writer of {self.shape.cls.__name__}>", "exec"), self.names)
        return self.names["write"]

    def put(self, depth: int, line: str) -> None:
        self.lines.append(" " * depth + line)

    def formatted(self, field: Field) -> str:
        """A replacement field for the value named `v`."""
        # Exactly this class: others that build on it write numbers in ways of their own.
        if type(field.value) is not Hex:
            return field.value.formatted
        name = f"texts{len(self.names)}"
        self.names[name] = field.value.texts
        return f"{{{name}[v]}}"

    def in_attribute(self, field: Field) -> str:
        return self.formatted(field).replace("{escape(", "{escape_attribute(")

    def own_attributes(self, depth: int) -> None:
        """The record's attributes: what decides a union first, unless `after` says otherwise."""
        if self.shape.tag_field:
            self.put(depth, f's += " {self.shape.tag_field}={self.shape.tag!r}"')
        inlines = self.shape.inlines()
        for field in inlines:
            if field.at.after is None:
                self.inline_attributes(field, depth)
        for field in self.shape.root.attributes:
            self.attribute(field, depth)
            for inlined in inlines:
                if inlined.at.after == field.name:
                    self.inline_attributes(inlined, depth)

    def inline_attributes(self, field: Field, depth: int) -> None:
        self.put(depth, f"v = r.{field.name}")
        self.put(depth, "if v is not None: s += ATTRIBUTES[type(v)](v, secure)")

    def attribute(self, field: Field, depth: int) -> None:
        self.put(depth, f"v = r.{field.name}")
        condition = "v is not None and secure" if field.at.secret else "v is not None"
        unit = f" {field.value.unit}='{field.value.formatted_unit}'" if isinstance(field.value, Size) else ""
        self.put(depth, f"if {condition}: s += f\" {field.attribute}='{self.in_attribute(field)}'{unit}\"")

    def namespaces(self, depth: int) -> None:
        for prefix, uri in self.shape.namespaces.items():
            users = [
                f"r.{child.name} is not None"
                for child in self.shape.root.children
                if isinstance(child, Field) and not child.at.inline and child.path[0].startswith(prefix + ":")
            ]
            if users:
                self.put(depth, f"if {' or '.join(users)}: s += \" xmlns:{prefix}='{uri}'\"")

    def content(self, element: Element, tag: str, pad: str, depth: int, keep: str) -> None:
        """Code that ends the start tag in `s` and writes what is inside. `tag`: an expression."""
        self.counter += 1
        mark, start = f"m{self.counter}", f"s{self.counter}"
        inner = f"p{self.counter}"
        if element.text:
            self.put(depth, f"v = r.{element.text.name}")
            self.put(depth, "if v is not None:")
            if isinstance(element.text.value, Size):
                self.put(depth + 1, f"s += f\" unit='{element.text.value.formatted_unit}'\"")
            formatted = f"f'>{self.formatted(element.text)}</{{{tag}}}>\\n'"
            self.put(depth + 1, f"out.append(s + {formatted})")
            self.put(depth, "else:")
            depth += 1
        if element.children:
            alone = self.alone(element)
            if alone:
                self.put(depth, f"if {' and '.join(alone)} and {keep} != 2:")
                self.empty(element, tag, pad, depth + 1, keep)
                self.put(depth, "else:")
                depth += 1
            self.put(depth, f"{start} = s")
            self.put(depth, f"out.append(s); {mark} = len(out); {inner} = {pad} + '  '")
            self.children(element, inner, depth)
            self.put(depth, f"s = {start}")
            self.put(depth, f"if len(out) != {mark} or {keep} == 2:")
            self.put(depth + 1, f"out[{mark} - 1] = s + '>\\n'")
            self.put(depth + 1, f"out.append(f'{{{pad}}}</{{{tag}}}>\\n')")
            self.put(depth, "else:")
            self.put(depth + 1, "out.pop()")
            self.empty(element, tag, pad, depth + 1, keep)
        else:
            self.empty(element, tag, pad, depth, keep)

    def empty(self, element: Element, tag: str, pad: str, depth: int, keep: str) -> None:
        """Code for the element without content; where it says nothing, only on request."""
        condition = f"{keep} or len(s) != len({pad}) + 1 + len({tag})"
        if keep == "0":
            condition = condition[5:]
        tagged = element is self.shape.root and self.shape.tag_field != ""
        says = tagged or any(field.required for field in element.attributes)
        self.put(
            depth, "out.append(s + '/>\\n')" if says or keep == "1" else f"if {condition}: out.append(s + '/>\\n')"
        )

    def alone(self, element: Element) -> list[str]:
        """Conditions under which the element has no content, if they are quickly tested."""
        fields = [
            field for child in element.children for field in (child.fields() if isinstance(child, Element) else [child])
        ]
        if len(fields) > _FEW or any(field.at.inline for field in fields):
            return []
        return [f"not ({_present(field)})" for field in fields]

    def children(self, element: Element, pad: str, depth: int) -> None:
        for child in element.children:
            if isinstance(child, Element):
                self.group(child, pad, depth)
            elif child.at.inline:
                self.put(depth, f"v = r.{child.name}")
                self.put(depth, f"if v is not None: BODIES[type(v)](v, out, {pad}, secure)")
            elif child.kind == RECORD:
                keep = OPEN if child.at.opened else KEEP if child.at.keep_empty or child.required else DROP
                self.put(depth, f"v = r.{child.name}")
                self.put(depth, "if v is not None:")
                self.written(f"WRITERS[type(v)](v, {self.tag_of(child)}, out, {pad}, secure, {keep})", depth + 1)
            elif child.kind == RECORDS:
                self.put(depth, f"for v in r.{child.name}:")
                keep = OPEN if child.at.opened else KEEP
                self.written(f"WRITERS[type(v)](v, {self.tag_of(child)}, out, {pad}, secure, {keep})", depth + 1)
            elif child.kind == VALUES:
                self.put(depth, f"for v in r.{child.name}:")
                self.put(depth + 1, f"out.append({self.single(child, pad)})")

    def written(self, writing: str, depth: int) -> None:
        """Code that writes the element for `v`, as the code `writing` does."""
        if not self.remembers:
            self.put(depth, writing)
            return
        self.put(depth, "if id(v) in texts: out.append(texts[id(v)])")
        self.put(depth, "else:")
        self.put(depth + 1, f"n = len(out); {writing}")
        self.put(depth + 1, "if len(out) > n and is_remembered(v): texts[id(v)] = ''.join(out[n:])")

    def tag_of(self, field: Field) -> str:
        """An expression for the name of the element of the record in `v`."""
        return "type(v).__struct_config__.tag" if field.by_element else repr(field.path[-1])

    def single(self, field: Field, pad: str) -> str:
        """An f-string for an element that holds one value, in `v`."""
        tag = field.path[-1]
        if field.attribute:
            return f"f\"{{{pad}}}<{tag} {field.attribute}='{self.in_attribute(field)}'/>\\n\""
        return f'f"{{{pad}}}<{tag}>{self.formatted(field)}</{tag}>\\n"'

    def group(self, element: Element, pad: str, depth: int) -> None:
        """An element that stands for no record of its own."""
        if element.raw:
            self.put(depth, f"v = r.{element.raw.name}")
            self.put(depth, "if v is not None:")
            self.written(f"out.append(indented(v, {pad}))", depth + 1)
            return
        if element.flag and not (element.attributes or element.children):
            self.put(depth, f"if r.{element.flag.name}: out.append(f'{{{pad}}}<{element.name}/>\\n')")
            return
        if element.text and not (element.attributes or element.children):
            field = element.text
            self.put(depth, f"v = r.{field.name}")
            unit = f" unit='{field.value.formatted_unit}'" if isinstance(field.value, Size) else ""
            text = f'f"{{{pad}}}<{element.name}{unit}>{self.formatted(field)}</{element.name}>\\n"'
            self.put(depth, f"if v is not None{' and secure' if field.at.secret else ''}: out.append({text})")
            return
        fields = list(element.fields())
        if fields == element.attributes and len(fields) == 1 and _is_plain(fields[0]):
            self.put(depth, f"v = r.{fields[0].name}")
            self.put(depth, f"if v is not None: out.append({self.single(fields[0], pad)})")
            return
        conditions = [_present(field) for field in fields]
        self.put(depth, f"if {' or '.join(conditions)}:")
        self.put(depth + 1, f"s = f'{{{pad}}}<{element.name}'")
        for field in element.attributes:
            self.attribute(field, depth + 1)
        self.counter += 1
        tag = f"t{self.counter}"
        self.put(depth + 1, f"{tag} = {element.name!r}")
        self.content(element, tag, pad, depth + 1, keep="1" if element.flag else "0")


def _is_plain(field: Field) -> bool:
    """Whether nothing but the value decides if and how the attribute is written."""
    return not (field.at.secret or isinstance(field.value, Size))


def _present(field: Field) -> str:
    if field.kind in (FLAGGED, VALUES, RECORDS):
        return f"r.{field.name}"
    return f"r.{field.name} is not None"
