"""Declarations: a record class says once where each of its fields stands in the document.

    class DiskTarget(Record):
        dev: str                                            # the attribute dev, required
        bus: DiskBus | None = None                          # an enum (a Literal), optional
        rotation_rate: UInt | None = None

    class Disk(Device):
        device: DiskDevice = "disk"                         # attribute with a default, always written
        source: Annotated[DiskSource, inline("file")] = FileSource()
        driver: DiskDriver | None = None                    # child element, a record
        target: DiskTarget
        readonly: Flag = False                              # <readonly/>
        serial: Child[str | None] = None                    # <serial>text</serial>
        geometry_trans: Annotated[Trans | None, at("geometry/@trans")] = None

The order of the fields is the order of the output. Without `at`, a plain value
is the attribute of the field's name, a record the child element of that name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar, dataclass_transform

import msgspec

from roost.errors import From, RoostError
from roost.xml.values import Hex, Integer, MacText, Size, Switch, UuidText, Value


class RecordMeta(msgspec.StructMeta):
    """Makes every record frozen and keyword-only, so that fields can stand in document order."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> Any:
        # Frozen records are built from the leaves up and cannot form cycles: the garbage collector need not see them.
        config |= {
            "frozen": True, "kw_only": True, "omit_defaults": True, "gc": False, "forbid_unknown_fields": True
        }  # fmt: skip
        return super().__new__(mcls, name, bases, namespace, **config)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, frozen=True, metaclass=RecordMeta):
    """Base of all typed records. Immutable: make a changed one with `replace`.

    Class keywords: `tag_field="type"` on the base of a family and `tag="pci"`
    on each member make a union whose members the attribute `type` tells apart,
    in XML and in JSON alike. With `tag_field="element"` the element's name decides
    in XML; a tuple of such members keeps the order of all of them.

    A class variable `strangers`, a Complaint, refuses child elements that no
    field knows (its value is their name); elsewhere they are ignored.
    """


#: The tag field of unions whose members stand in elements of different names.
ELEMENT = "element"


class Complaint:
    """An error to raise about a field in other words than the usual.

    In `text`, `%s` stands for the value, `%a` for the attribute and `%n` for the name that the document gives to what
    it describes.
    """

    __slots__ = ("domain", "error", "text")

    def __init__(self, error: type[RoostError], text: str = "", *, domain: int = From.DOMAIN) -> None:
        self.error, self.text, self.domain = error, text, domain

    def about(self, value: str, hint: str, name: str = "", attribute: str = "") -> RoostError:
        """The error itself."""
        text = self.text.replace("%a", attribute).replace("%n", name).replace("%s", value)
        return self.error(text, domain=self.domain, hint=hint)


class At:
    """Where a field stands; see `at` and `inline`."""

    __slots__ = (
        "after", "bare", "child", "default_tag", "inline", "keep_empty", "live", "merged", "missing", "needed",
        "once", "only_with", "opened", "order", "path", "raw", "secret", "unset", "wrong",
    )  # fmt: skip

    def __init__(self, path: str | None = None, **options: Any) -> None:
        self.path = path
        self.child = self.inline = self.raw = self.secret = self.keep_empty = self.opened = self.merged = (
            self.needed
        ) = False
        self.live: bool | Callable[[Any], bool] = False
        self.order = 0
        self.unset: tuple[str, ...] = ()
        self.default_tag: str | None = None
        self.after: str | None = None
        self.only_with: str | None = None
        self.bare: str | None = None
        self.missing: Complaint | None = None
        self.once: Complaint | None = None
        self.wrong: Complaint | None = None
        for name, value in options.items():
            setattr(self, name, value)


def at(
    path: str,
    *,
    order: int = 0,
    live: bool | Callable[[Any], bool] = False,
    secret: bool = False,
    unset: tuple[str, ...] = (),
    keep_empty: bool = False,
    opened: bool = False,
    default_tag: str | None = None,
    bare: str | None = None,
    merged: bool = False,
    only_with: str | None = None,
    needed: bool = False,
    once: Complaint | None = None,
    wrong: Complaint | None = None,
    missing: Complaint | None = None,
) -> At:
    """Places a field.

    path: "@x" an attribute; "x" a child element (its text, a record, or one
        per item of a tuple); "x/@y" an attribute of a child element; "x/y"
        items y inside one element x; "." the element's own text. Fields that
        stand side by side below the same child share one element.
    order: 0 where the class puts it; fields of higher order come later, so
        that a base class can declare what closes every element.
    live: known only of a running guest; dropped when a definition is parsed.
        A function tells for each value.
    secret: written only on request.
    unset: texts that mean the same as leaving the field out.
    keep_empty: an element without content means something (`<apic/>`).
    opened: written as `<x>` `</x>` even when nothing stands inside.
    default_tag: the member of a union meant when the deciding attribute is missing.
    bare: what the attribute is taken to be where its element stands without it.
    merged: several elements of this name count as one, in the root and in documents within it; of others the first.
    only_with: a record's element does not count without this attribute.
    needed: the attribute must stand where its element does; without the element the field has its default.
    once: the error where a record's element stands several times, which else is the first of them.
    wrong, missing: the error for a value refused, for a required field left
        out, where libvirt's is not the one for attributes in general.
    """
    return At(
        path, order=order, live=live, secret=secret, unset=unset, keep_empty=keep_empty, opened=opened,
        default_tag=default_tag, bare=bare, merged=merged, only_with=only_with, needed=needed, wrong=wrong,
        missing=missing, once=once,
    )  # fmt: skip


def inline(
    default_tag: str | None = None,
    *,
    after: str | None = None,
    wrong: Complaint | None = None,
    missing: Complaint | None = None,
) -> At:
    """Places a union's member inside the element itself: its fields read and write there.

    The deciding attribute is written first, or after the field named `after`.
    """
    return At("", inline=True, default_tag=default_tag, after=after, wrong=wrong, missing=missing)


T = TypeVar("T")
#: The text of the child element named like the field.
Child = Annotated[T, At(child=True)]
#: The element's own text.
Text = Annotated[T, at(".")]
#: A subtree kept as it is, as text.
RawXml = Annotated[str, At(child=True, raw=True)]


class FlagValue(Value):
    """True when the child element is there."""

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


FLAG = FlagValue()
Flag = Annotated[bool, FLAG]
YesNo = Annotated[bool, Switch("yes", "no")]
OnOff = Annotated[bool, Switch("on", "off")]
Int = Annotated[int, Integer(-(2**31), 2**31 - 1)]
UInt = Annotated[int, Integer(0, 2**32 - 1)]
Positive = Annotated[int, Integer(1, 2**32 - 1)]
Long = Annotated[int, Integer(-(2**63), 2**63 - 1)]
ULong = Annotated[int, Integer(0, 2**64 - 1)]
Port = Annotated[int, Integer(-1, 65535)]
Uuid = Annotated[str, UuidText()]
Mac = Annotated[str, MacText()]
#: A memory size in KiB.
KiB = Annotated[int, Size(1024, "KiB", "KiB")]
#: The same, written in the largest unit that divides it.
PrettyKiB = Annotated[int, Size(1024, "", "KiB")]
#: A size in bytes.
Bytes = Annotated[int, Size(1, "bytes", "bytes")]
Hex2 = Annotated[int, Hex(2, 0xFF)]
Hex4 = Annotated[int, Hex(4, 0xFFFF)]


def tag_of(record: Record) -> str:
    """The name of a union member: what its deciding attribute says."""
    return str(type(record).__struct_config__.tag)


def tag_field_of(cls: type[Record]) -> str:
    """The attribute that tells the members of a union apart."""
    return str(cls.__struct_config__.tag_field)
