"""From events to records: one reader function a class, generated from its shape on first use.

A reader goes through the events of one element once; what no field declares
is passed over. The generated code does no more than look up, convert and
construct; any wrong value ends it with KeyError, ValueError or TypeError, and
`faults` then finds out what was wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from roost.xml.record import Record
from roost.xml.shape import RAW, RECORD, RECORDS, VALUES, Element, Field, Shape, shape_of
from roost.xml.tree import Event
from roost.xml.values import TEXT, Size, Value

#: What a generated reader raises for a document that is wrong.
WRONG = (KeyError, ValueError, TypeError)

#: read(given, events, live, known): the record of the element with the attributes `given`, whose start event is past.
#: known, which may be left out: values of fields that the element does not show.
Reader = Callable[..., Any]

#: From this many attributes on, those that are there are looked up, not those that may be.
_MANY_ATTRIBUTES = 9
#: From this many children on, a name becomes a number, and the number is searched for by halves.
_MANY_CHILDREN = 5


class _Readers(dict[type[Record], Reader]):
    """Readers by class, generated when first asked for."""

    def __missing__(self, cls: type[Record]) -> Reader:
        reader = self[cls] = _reader([_Part(cls)], [(0, field) for field in shape_of(cls).inlines()])
        return reader


READERS = _Readers()


class _Part:
    """One of the records that share an element: the one it stands for, then inline members, each with its holder."""

    __slots__ = ("field", "holder", "shape")

    def __init__(self, cls: type[Record], holder: int = 0, field: str = "") -> None:
        self.shape: Shape = shape_of(cls)
        self.holder, self.field = holder, field


#: Unions inline in an element whose member is not chosen yet, each with the number of its holder's part.
_Undecided = list[tuple[int, Field]]


def _reader(parts: list[_Part], undecided: _Undecided) -> Reader:
    if not undecided:
        return _Generator(parts).function()
    field = undecided[0][1]
    members, tag_field, default_tag = _Members(parts, undecided), field.tag_field, field.at.default_tag

    def read(given: dict[str, str], events: Iterator[Event], live: bool, known: dict[str, Any] | None = None) -> Any:
        return members[given.get(tag_field, default_tag)](given, events, live, known)

    return read


class _Members(dict[str | None, Reader]):
    """Readers of an element by the member of its first undecided union. KeyError when there is no such member."""

    def __init__(self, parts: list[_Part], undecided: _Undecided) -> None:
        super().__init__()
        self.parts = parts
        (self.holder, self.field), *self.rest = undecided

    def __missing__(self, tag: str | None) -> Reader:
        parts, undecided, field = self.parts, self.rest, self.field
        if tag is not None or field.required:
            member = field.members[tag or ""]
            undecided = [*undecided, *((len(parts), inner) for inner in shape_of(member).inlines())]
            parts = [*parts, _Part(member, self.holder, field.name)]
        reader = self[tag] = _reader(parts, undecided)
        return reader


def _pass_over(events: Iterator[Event]) -> None:
    """To the end of an element whose start is past."""
    depth = 1
    for event in events:
        if event.__class__ is tuple:
            depth += 1
        elif event.__class__ is str:
            depth -= 1
            if not depth:
                return


def _text_of(events: Iterator[Event]) -> str:
    """The text of an element whose start is past; nothing if it has children."""
    chunks: list[str] = []
    for event in events:
        if isinstance(event, list):
            chunks += event
        elif isinstance(event, str):
            break
        else:
            _pass_over(events)
            _pass_over(events)
            return ""
    return "".join(chunks)


def _rest_of(events: Iterator[Event]) -> list[Event]:
    """What is left of an element whose start is past, its end included."""
    rest = []
    depth = 1
    for event in events:
        rest.append(event)
        if event.__class__ is not list:
            depth += 1 if event.__class__ is tuple else -1
            if not depth:
                break
    return rest


class _Generator:
    """Writes the source of one reader. In it `v0`, `v1`, … are the values of each part by field name.

    Every element has variables of its own: `given2` its attributes, `event2` and `tag2` those of what is inside.
    """

    def __init__(self, parts: list[_Part]) -> None:
        self.parts = parts
        self.lines: list[str] = []
        self.names: dict[str, Any] = {
            "READERS": READERS, "pass_over": _pass_over, "rest_of": _rest_of, "text_of": _text_of
        }  # fmt: skip
        self.counter = 0
        #: Groups met so far: each has a bit in `seen`, since only the first of its name counts.
        self.groups = 0

    def function(self) -> Reader:
        self.put(1, "seen = 0")
        self.put(1, "v0 = {} if known is None else known")
        for number in range(1, len(self.parts)):
            self.put(1, f"v{number} = {{}}")
        self.element([(number, part.shape.root) for number, part in enumerate(self.parts)], "given", "events", 1)
        for number in range(len(self.parts) - 1, -1, -1):
            part = self.parts[number]
            for field in part.shape.fields:
                if field.kind in (VALUES, RECORDS):
                    slot = f"v{number}[{field.name!r}]"
                    self.put(1, f"if {field.name!r} in v{number}: {slot} = tuple({slot})")
            target = f"v{part.holder}[{part.field!r}] =" if number else "return"
            self.put(1, f"{target} {self.constant(part.shape.cls)}(**v{number})")
        source = "\n".join(["def read(given, events, live, known=None):", *self.lines])
        exec(compile(source, f"<reader of {self.parts[0].shape.cls.__name__}>", "exec"), self.names)
        reader: Reader = self.names["read"]
        return reader

    def put(self, depth: int, line: str) -> None:
        self.lines.append(" " * depth + line)

    def constant(self, value: Any) -> str:
        """A name for `value` in the generated code's globals."""
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name

    def number(self) -> int:
        self.counter += 1
        return self.counter

    def element(self, elements: list[tuple[int, Element]], given: str, events: str, depth: int) -> None:
        """Code for the element whose attributes are in the variable `given`, up to its end.

        elements: what shapes say about it, each for its part.
        """
        for part, element in elements:
            self.attributes(part, element, given, depth)
        readers = _children(elements)
        texts = [(part, field) for part, element in elements for field in (element.text, element.raw) if field]
        if not readers:
            if not texts:
                self.put(depth, f"if next({events}).__class__ is not str: pass_over({events})")
                return
            self.put(depth, f"text = text_of({events}) or None")
        else:
            # Only an element of records can be strict; those of its children go by their own shapes.
            strict = depth == 1 and any(part.shape.strangers for part in self.parts)
            self.children(readers, events, depth, bool(texts), strict)
        for part, field in texts:
            self.value(part, field, "text", given, depth)

    def attributes(self, part: int, element: Element, given: str, depth: int) -> None:
        if element.flag:
            self.put(depth, f"v{part}[{element.flag.name!r}] = True")
        simple = [field for field in element.attributes if _is_simple(field)]
        if len(simple) < _MANY_ATTRIBUTES:
            simple = []
        else:
            table = self.constant({field.attribute: (field.name, _table_of(field)) for field in simple})
            self.put(depth, f"for a, b in {given}.items():")
            self.put(depth + 1, f"if a in {table}: a, c = {table}[a]; v{part}[a] = b if c is None else c[b]")
        rest = [field for field in element.attributes if field not in simple]
        if rest:
            self.put(depth, f"get = {given}.get")
        for field in rest:
            bare = "" if field.at.bare is None else f", {field.at.bare!r}"
            self.value(part, field, f"get({field.attribute!r}{bare})", given, depth)

    def value(self, part: int, field: Field, source: str, given: str, depth: int) -> None:
        """Code that converts what the expression `source` gives, unless that is None, and stores it."""
        condition = f"(a := {source}) is not None"
        if field.at.live is True:
            condition = f"live and {condition}"
        if field.at.unset:
            condition += f" and a not in {field.at.unset!r}"
        if callable(field.at.live):
            condition += f" and (live or not {self.constant(field.at.live)}(a))"
        self.put(depth, f"if {condition}: v{part}[{field.name!r}] = {self.converted(field, 'a', given)}")
        if field.at.needed:
            self.put(depth, "elif a is None: raise KeyError")

    def converted(self, field: Field, text: str, given: str) -> str:
        value = field.value
        if isinstance(value, Size):
            return f"{self.constant(value.scale)}({text}, {given}.get({value.unit!r}))"
        table = _table_of(field)
        return text if table is None else f"{self.constant(table)}[{text}]"

    def children(self, readers: dict[str, list[_Child]], events: str, depth: int, has_text: bool, strict: bool) -> None:
        number = self.number()
        event, tag, given = f"event{number}", f"tag{number}", f"given{number}"
        if has_text:
            self.put(depth, "chunks = []")
        self.put(depth, f"for {event} in {events}:")
        self.put(depth + 1, f"if {event}.__class__ is tuple:")
        self.put(depth + 2, f"{tag}, {given} = {event}")
        inside = depth + 2
        other = "raise KeyError" if strict else f"pass_over({events})"
        if has_text:
            self.put(inside, "chunks = None")
        if len(readers) < _MANY_CHILDREN:
            word = "if"
            for name, kinds in readers.items():
                self.put(inside, f"{word} {tag} == {name!r}:")
                self.child(name, kinds, given, events, inside + 1)
                word = "elif"
            self.put(inside, f"else: {other}")
        else:
            names = self.constant({name: position for position, name in enumerate(readers)})
            self.put(inside, f"{tag} = {names}.get({tag})")
            self.put(inside, f"if {tag} is None: {other}")
            self.put(inside, "else:")
            self.halves(list(readers.items()), 0, tag, given, events, inside + 1)
        self.put(depth + 1, f"elif {event}.__class__ is str: break")
        if has_text:
            self.put(depth + 1, f"elif chunks is not None: chunks += {event}")
            self.put(depth, "text = ''.join(chunks or ()) or None")

    def halves(
        self, readers: list[tuple[str, list[_Child]]], first: int, tag: str, given: str, events: str, depth: int
    ) -> None:
        """Code that finds the child whose number is in the variable `tag`; the numbers begin with `first`."""
        if len(readers) == 1:
            self.child(*readers[0], given, events, depth)
            return
        middle = len(readers) // 2
        self.put(depth, f"if {tag} < {first + middle}:")
        self.halves(readers[:middle], first, tag, given, events, depth + 1)
        self.put(depth, "else:")
        self.halves(readers[middle:], first + middle, tag, given, events, depth + 1)

    def child(self, tag: str, kinds: list[_Child], given: str, events: str, depth: int) -> None:
        """Code for one child element. kinds: how it is read; several ways read the same events."""
        if len(kinds) > 1:
            number = self.number()
            self.put(depth, f"rest{number} = rest_of({events})")
            for kind in kinds:
                events = f"events{self.number()}"
                self.put(depth, f"{events} = iter(rest{number})")
                self.child(tag, [kind], given, events, depth)
            return
        kind = kinds[0]
        if isinstance(kind, list):
            bit = 1 << self.groups
            self.groups += 1
            self.put(depth, f"if seen & {bit}: pass_over({events})")
            self.put(depth, "else:")
            self.put(depth + 1, f"seen |= {bit}")
            self.element(kind, given, events, depth + 1)
            return
        part, field = kind
        if field.kind == RECORD:
            self.record(part, field, tag, given, events, depth)
            return
        if field.kind == RECORDS and field.at.live is True:
            self.put(depth, f"if not live: pass_over({events})")
            self.put(depth, "else:")
            depth += 1
        if field.kind == RECORDS:
            self.put(depth, f"b = {self.parsed(field, tag, given, events)}")
        else:
            self.put(depth, f"a = {given}[{field.attribute!r}]" if field.attribute else f"a = text_of({events})")
            self.put(depth, f"b = {self.converted(field, 'a', given)}")
            if field.attribute:
                self.put(depth, f"pass_over({events})")
        self.put(depth, f"if {field.name!r} in v{part}: v{part}[{field.name!r}].append(b)")
        self.put(depth, f"else: v{part}[{field.name!r}] = [b]")

    def record(self, part: int, field: Field, tag: str, given: str, events: str, depth: int) -> None:
        live = " or not live" if field.at.live is True else ""
        other = "raise KeyError" if field.at.once else f"pass_over({events})"
        self.put(depth, f"if {field.name!r} in v{part}{live}: {other}")
        if field.at.only_with:
            self.put(depth, f"elif {field.at.only_with!r} not in {given}:")
            self.put(depth + 1, f"v{part}[{field.name!r}] = {self.constant(field.default)}; pass_over({events})")
        empty = _empty_of(field)
        self.put(depth, "else:")
        if empty is None:
            self.put(depth + 1, f"v{part}[{field.name!r}] = {self.parsed(field, tag, given, events)}")
        else:
            self.put(depth + 1, f"b = {self.parsed(field, tag, given, events)}")
            self.put(depth + 1, f"v{part}[{field.name!r}] = b if b != {self.constant(empty)} else "
                                f"{self.constant(field.default)}")  # fmt: skip

    def parsed(self, field: Field, tag: str, given: str, events: str) -> str:
        """An expression for the record in an element."""
        if field.record or field.by_element:
            return f"READERS[{self.constant(field.record or field.members[tag])}]({given}, {events}, live)"
        decides = f"{given}.get({field.tag_field!r}, {field.at.default_tag!r})"
        return f"READERS[{self.constant(field.members)}[{decides}]]({given}, {events}, live)"


#: How a child element is read: for a field of a part, or as a group that the parts describe together.
_Child = tuple[int, Field] | list[tuple[int, Element]]


def _children(elements: list[tuple[int, Element]]) -> dict[str, list[_Child]]:
    """The ways in which each child element is read, by tag."""
    readers: dict[str, list[_Child]] = {}
    groups: dict[str, list[tuple[int, Element]]] = {}
    for part, element in elements:
        for child in element.children:
            if isinstance(child, Element):
                if child.name not in groups:
                    groups[child.name] = []
                    readers.setdefault(child.name, []).append(groups[child.name])
                groups[child.name].append((part, child))
            elif not child.at.inline:
                for tag in child.names():
                    readers.setdefault(tag, []).append((part, child))
    return readers


def _is_simple(field: Field) -> bool:
    at = field.at
    return not (at.live or at.unset or at.needed or at.bare is not None or isinstance(field.value, Size))


def _empty_of(field: Field) -> Record | None:
    """The record that counts as none at all, where there is one."""
    if field.at.keep_empty or field.at.live is True or field.required or not field.record:
        return None
    if any(inner.required for inner in shape_of(field.record).fields):
        return None
    return field.record()


class _Table(dict[str, Any]):
    """What texts mean: the table of a value, and its parser for what that does not have."""

    def __init__(self, value: Value) -> None:
        super().__init__(value.table)
        self.parse = value.parse

    def __missing__(self, text: str) -> Any:
        return self.parse(text)


#: One table for each value, however many fields share it.
_tables: dict[Value, dict[str, Any]] = {}


def _table_of(field: Field) -> dict[str, Any] | None:
    """What texts mean, as a dictionary; None where they mean themselves."""
    value = field.value
    if value is TEXT or field.kind == RAW:
        return None
    if value not in _tables:
        _tables[value] = dict(value.table) if value.complete else _Table(value)
    return _tables[value]
