"""Shapes: what a record class's declarations come to, resolved once, on first use.

A `Shape` is a small tree of `Element`s. Its root is the record's own element;
below it stand the elements that the fields' paths name. Parser, writer,
explanations and schema are all derived from shapes.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from roost.xml.record import ELEMENT, FLAG, At, Complaint, Record, tag_field_of
from roost.xml.values import TEXT, Choice, Value

#: What a field holds: one value, a presence flag, a tuple of values, one record, a tuple of records, raw XML.
VALUE, FLAGGED, VALUES, RECORD, RECORDS, RAW = "value", "flag", "values", "record", "records", "raw"
#: Joins the names of elements whose common order matters; no name has it.
GROUP = "|"


class Field:
    """One field of a record: its declaration, resolved."""

    __slots__ = (
        "at",
        "attribute",
        "default",
        "kind",
        "members",
        "name",
        "nullable",
        "path",
        "record",
        "required",
        "tag_field",
        "value",
    )

    def __init__(self, name: str, at: At, default: Any, required: bool) -> None:
        self.name, self.at, self.default, self.required = name, at, default, required
        #: Whether None is one of its values.
        self.nullable = False
        #: Elements to step through below the record's own, and the attribute at the end ("" for text).
        self.path: tuple[str, ...] = ()
        self.attribute = ""
        self.kind = VALUE
        self.value: Value = TEXT
        #: The record class of a RECORD or RECORDS field that is no union.
        self.record: type[Record] | None = None
        #: The members of a union by tag, and the attribute that decides.
        self.members: dict[str, type[Record]] = {}
        self.tag_field = ""

    @property
    def by_element(self) -> bool:
        """Whether the names of the elements tell the members of the union apart; the last of `path` is then all."""
        return self.tag_field == ELEMENT

    def member(self, tag: str, attributes: Mapping[str, str]) -> type[Record] | None:
        """The member of the union that an element means."""
        if self.by_element:
            return self.members.get(tag)
        decides = attributes.get(self.tag_field, self.at.default_tag)
        return self.members.get(decides) if decides is not None else None

    def names(self) -> list[str]:
        """The names of the elements that hold a value or record of the field."""
        return list(self.members) if self.by_element else [self.path[-1]]

    def classes(self) -> list[type[Record]]:
        """The record classes this field can hold."""
        return [self.record] if self.record else list(self.members.values())


class Element:
    """An element of a shape: its attributes, its text, its children in order.

    A child is either a further Element or, where records stand, their Field.
    `flag` is a field that is true when the element is there.
    """

    __slots__ = ("attributes", "children", "flag", "name", "raw", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.attributes: list[Field] = []
        self.text: Field | None = None
        self.flag: Field | None = None
        self.raw: Field | None = None
        self.children: list[Element | Field] = []

    def child(self, name: str) -> Element:
        """The child element `name`, made when it is not there yet."""
        for child in self.children:
            if isinstance(child, Element) and child.name == name:
                return child
        made = Element(name)
        self.children.append(made)
        return made

    def fields(self) -> Iterator[Field]:
        """Every field at this element or below it, up to the records."""
        yield from self.attributes
        for field in (self.flag, self.text, self.raw):
            if field:
                yield field
        for child in self.children:
            if isinstance(child, Element):
                yield from child.fields()
            else:
                yield child

    def child_names(self) -> set[str]:
        """Names of the child elements known here (inline members' not included)."""
        names: set[str] = set()
        for child in self.children:
            if isinstance(child, Element):
                names.add(child.name)
            elif not child.at.inline:
                names.update(child.names())
        return names


class Shape:
    """A record class, resolved. fields: in output order. root: the record's own element."""

    __slots__ = ("cls", "fields", "namespaces", "namespaces_first", "root", "strangers", "tag", "tag_field")

    def __init__(self, cls: type[Record]) -> None:
        self.cls = cls
        config = cls.__struct_config__
        #: The attribute that says which member of a union this is.
        self.tag_field = tag_field_of(cls) if config.tag is not None and tag_field_of(cls) != ELEMENT else ""
        self.tag = str(config.tag) if config.tag is not None else ""
        #: Declared in the root element when used, by prefix; before its attributes or after them.
        self.namespaces: dict[str, str] = getattr(cls, "namespaces", {})
        #: The error for child elements that no field knows; None where they are ignored.
        self.strangers: Complaint | None = getattr(cls, "strangers", None)
        self.namespaces_first: bool = getattr(cls, "namespaces_first", False)
        hints = {name: hint for base in reversed(cls.__mro__) for name, hint in _own_hints(base).items()}
        names, defaults = cls.__struct_fields__, cls.__struct_defaults__
        # Keyword-only fields without a default are in the list of defaults too.
        unset = (msgspec.NODEFAULT,) * (len(names) - len(defaults))
        declared = [_resolve(*pair, hints[pair[0]]) for pair in zip(names, (*unset, *defaults), strict=True)]
        self.fields = sorted(declared, key=lambda field: field.at.order)
        self.root = Element("")
        for field in self.fields:
            _place(self.root, field)

    def inlines(self) -> list[Field]:
        """The fields whose record shares the element."""
        return [field for field in self.fields if field.at.inline]


_shapes: dict[type[Record], Shape] = {}


def shape_of(cls: type[Record]) -> Shape:
    """The shape of a record class."""
    shape = _shapes.get(cls)
    if shape is None:
        shape = _shapes[cls] = Shape(cls)
    return shape


def records_below(cls: type[Record]) -> list[type[Record]]:
    """`cls` and every record class that its fields can hold, each once."""
    found: dict[type[Record], None] = {cls: None}
    todo = [cls]
    while todo:
        for field in shape_of(todo.pop()).fields:
            for member in field.classes():
                if member not in found:
                    found[member] = None
                    todo.append(member)
    return list(found)


@functools.cache
def _own_hints(cls: type) -> dict[str, Any]:
    """What a class says of its own fields; `get_type_hints` would evaluate all that it inherits once more."""
    if not issubclass(cls, Record):
        return {}
    names = vars(sys.modules[cls.__module__])
    return {name: eval(hint, names) if isinstance(hint, str) else hint for name, hint in cls.__annotations__.items()}


def _resolve(name: str, default: Any, hint: Any) -> Field:
    types_, notes = _flatten(hint)
    at = next((note for note in notes if isinstance(note, At)), None) or At()
    value = next((note for note in notes if isinstance(note, Value)), None)
    required = default is msgspec.NODEFAULT
    field = Field(name, at, None if required else default, required)
    field.nullable = type(None) in types_
    types_ = [t for t in types_ if t is not type(None)]
    if len(types_) == 1 and get_origin(types_[0]) is tuple:
        types_, inner = _flatten(get_args(types_[0])[0])
        value = next((note for note in inner if isinstance(note, Value)), value)
        many = True
    else:
        many = False
    records = [t for t in types_ if isinstance(t, type) and issubclass(t, Record)]
    if records:
        field.kind = RECORDS if many else RECORD
        if len(records) == 1 and records[0].__struct_config__.tag is None:
            field.record = records[0]
        else:
            field.members = {str(cls.__struct_config__.tag): cls for cls in records}
            field.tag_field = tag_field_of(records[0])
    elif at.raw:
        field.kind = RAW
    elif value is FLAG:
        field.kind = FLAGGED
    else:
        field.kind = VALUES if many else VALUE
        field.value = value or _literal(types_)
    _set_path(field, at)
    return field


def _flatten(hint: Any) -> tuple[list[Any], list[Any]]:
    """The plain types and the annotations in `hint`, whatever their nesting."""
    origin = get_origin(hint)
    if origin is Annotated:
        types_, notes = _flatten(get_args(hint)[0])
        return types_, [*notes, *hint.__metadata__]
    if origin in (Union, types.UnionType):
        parts = [_flatten(part) for part in get_args(hint)]
        return [t for part in parts for t in part[0]], [n for part in parts for n in part[1]]
    return [hint], []


def _literal(types_: list[Any]) -> Value:
    names = [name for t in types_ if get_origin(t) is Literal for name in get_args(t)]
    if not names and types_ != [str]:
        raise TypeError(f"a field of {types_} needs a Value that says how it is written")
    return Choice(*names) if names else TEXT


def _set_path(field: Field, at: At) -> None:
    if at.inline:
        return
    if field.by_element:
        field.path = (GROUP.join(field.members),)
        return
    if at.path is None:
        plain = field.kind in (VALUE, VALUES) and not at.child
        at_path = f"@{field.name}" if plain else field.name
    else:
        at_path = at.path
    steps = at_path.split("/")
    if steps[-1].startswith("@"):
        field.attribute = steps.pop()[1:]
    field.path = tuple(step for step in steps if step != ".")


def _place(root: Element, field: Field) -> None:
    element = root
    if field.kind in (RECORD, RECORDS, VALUES):
        for step in field.path[:-1]:
            element = element.child(step)
        element.children.append(field)
        return
    for step in field.path:
        element = element.child(step)
    if field.kind == FLAGGED:
        element.flag = field
    elif field.kind == RAW:
        element.raw = field
    elif field.attribute:
        element.attributes.append(field)
    else:
        element.text = field
