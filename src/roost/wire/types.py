"""XDR types (RFC 4506) as the field lists of the protocol name them.

`write` and `read` handle one value at a time and cost nothing to set up;
`roost.wire.compiler` makes faster code from the same shapes. `size` is the
smallest number of bytes a value can take: a count that promises more values
than the remaining bytes can hold is refused before anything is allocated.
"""

from __future__ import annotations

from struct import Struct as Packer
from struct import pack, unpack_from

from roost.wire.errors import DecodeError, EncodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_UINT = Packer(">I")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def check_limit(path: str, count: int, limit: int) -> None:
    if count > limit:
        raise EncodeError(f"{path} has {count}, at most {limit} fit")


def check_length(path: str, count: int, length: int) -> None:
    if count != length:
        raise EncodeError(f"{path} has {count} bytes, must have {length}")


def check_count(path: str, count: int, limit: int, size: int, left: int) -> None:
    """Refuse a count that breaks the limit, or promises more items of `size` bytes than are left."""
    if count > limit:
        raise DecodeError(f"{path} has {count}, at most {limit} fit")
    if count * size > left:
        raise DecodeError(f"{path} promises {count}, but only {left} bytes are left")


class Type:
    """An XDR type. size: fewest bytes of one value. path: the value's place, for messages."""

    __slots__ = ("size",)
    size: int

    def write(self, value: Any, out: list[bytes], path: str) -> None:
        """Append the value's bytes. EncodeError, or what Python raises for values of the wrong type."""
        raise NotImplementedError

    def read(self, data: bytes, at: int, path: str) -> tuple[Any, int]:
        """The value at `at`, and where the next one starts. DecodeError, or struct.error past the end."""
        raise NotImplementedError

    def read_count(self, data: bytes, at: int, path: str, limit: int, size: int) -> tuple[int, int]:
        count = _UINT.unpack_from(data, at)[0]
        check_count(path, count, limit, size, len(data) - at - 4)
        return count, at + 4


class Scalar(Type):
    """A number. code: its letter in a big-endian `struct` format."""

    __slots__ = ("code", "packer")

    def __init__(self, code: str) -> None:
        self.code = code
        self.packer = Packer(">" + code)
        self.size = self.packer.size

    def write(self, value: Any, out: list[bytes], path: str) -> None:
        out.append(self.packer.pack(value))

    def read(self, data: bytes, at: int, path: str) -> tuple[Any, int]:
        return self.packer.unpack_from(data, at)[0], at + self.size


class FixedOpaque(Type):
    """`opaque x[length]`, a multiple of four: bytes of exactly that length."""

    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        self.length = self.size = length

    def write(self, value: Any, out: list[bytes], path: str) -> None:
        check_length(path, len(value), self.length)
        out.append(value)

    def read(self, data: bytes, at: int, path: str) -> tuple[Any, int]:
        return unpack_from(f"{self.length}s", data, at)[0], at + self.length


class Opaque(Type):
    """`opaque x<limit>`: bytes."""

    __slots__ = ("limit",)

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 4

    def write(self, value: Any, out: list[bytes], path: str) -> None:
        check_limit(path, len(value), self.limit)
        out += (_UINT.pack(len(value)), value, _PADDING[len(value) & 3])

    def read(self, data: bytes, at: int, path: str) -> tuple[Any, int]:
        count, at = self.read_count(data, at, path, self.limit, 1)
        return data[at : at + count], at + count + (-count & 3)


class String(Type):
    """`string x<limit>`: str, UTF-8 with surrogateescape; the limit counts bytes.

    Peers keep C strings, so what follows a NUL is dropped.
    """

    __slots__ = ("limit",)

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 4

    def write(self, value: Any, out: list[bytes], path: str) -> None:
        data = value.encode("utf-8", "surrogateescape")
        check_limit(path, len(data), self.limit)
        out += (_UINT.pack(len(data)), data, _PADDING[len(data) & 3])

    def read(self, data: bytes, at: int, path: str) -> tuple[Any, int]:
        count, at = self.read_count(data, at, path, self.limit, 1)
        text = data[at : at + count].decode("utf-8", "surrogateescape")
        return text.partition("\0")[0], at + count + (-count & 3)


#: How many encodings of names are kept, then all are forgotten; and bytes of the longest that is.
_MOST_NAMES, _LONGEST_NAME = 8192, 128


class Name(String):
    """A string of which few are said again and again: what they are on the wire is remembered."""

    __slots__ = ("known",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.known: dict[str, bytes] = {}

    def encoded(self, value: str, path: str) -> bytes:
        """Of one that is not in `known`."""
        out: list[bytes] = []
        self.write(value, out, path)
        found = b"".join(out)
        if len(found) <= _LONGEST_NAME:
            if len(self.known) >= _MOST_NAMES:
                self.known.clear()
            self.known[value] = found
        return found


class FixedChars(Type):
    """`char x[length]`: bytes of exactly that length, each sent as a four-byte int."""

    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        self.length, self.size = length, 4 * length

    def write(self, value: Any, out: list[bytes], path: str) -> None:
        check_length(path, len(value), self.length)
        out.append(pack(f">{self.length}i", *memoryview(value).cast("b")))

    def read(self, data: bytes, at: int, path: str) -> tuple[Any, int]:
        return unpack_from(f"{self.size}s", data, at)[0][3::4], at + self.size


class Chars(Type):
    """`char x<limit>`: bytes, each sent as a four-byte int."""

    __slots__ = ("limit",)

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 4

    def write(self, value: Any, out: list[bytes], path: str) -> None:
        check_limit(path, len(value), self.limit)
        out += (_UINT.pack(len(value)), pack(f">{len(value)}i", *memoryview(value).cast("b")))

    def read(self, data: bytes, at: int, path: str) -> tuple[Any, int]:
        count, at = self.read_count(data, at, path, self.limit, 4)
        return data[at + 3 : at + 4 * count : 4], at + 4 * count


class Array(Type):
    """`item x<limit>`: a list."""

    __slots__ = ("item", "limit")

    def __init__(self, item: Type, limit: int) -> None:
        self.item, self.limit, self.size = item, limit, 4

    def write(self, value: Any, out: list[bytes], path: str) -> None:
        check_limit(path, len(value), self.limit)
        out.append(_UINT.pack(len(value)))
        for item in value:
            self.item.write(item, out, path)

    def read(self, data: bytes, at: int, path: str) -> tuple[Any, int]:
        count, at = self.read_count(data, at, path, self.limit, self.item.size)
        items = []
        for _ in range(count):
            item, at = self.item.read(data, at, path)
            items.append(item)
        return items, at


class Optional(Type):
    """`item *x`: None or a value. Any flag but zero means a value follows."""

    __slots__ = ("item",)

    def __init__(self, item: Type) -> None:
        self.item, self.size = item, 4

    def write(self, value: Any, out: list[bytes], path: str) -> None:
        out.append(_UINT.pack(value is not None))
        if value is not None:
            self.item.write(value, out, path)

    def read(self, data: bytes, at: int, path: str) -> tuple[Any, int]:
        present = _UINT.unpack_from(data, at)[0]
        return self.item.read(data, at + 4, path) if present else (None, at + 4)


class Struct(Type):
    """A record class and the types of its fields, in order.

    Any sequence of the right length encodes; decoding makes the record.
    """

    __slots__ = ("fields", "record")

    def __init__(self, record: type[tuple[object, ...]], *types: Type) -> None:
        self.record = record
        names: tuple[str, ...] = record._fields  # type: ignore[attr-defined]  # every record class has it
        self.fields = tuple(zip(names, types, strict=True))
        self.size = sum([kind.size for kind in types])

    def write(self, value: Any, out: list[bytes], path: str) -> None:
        for item, (name, kind) in zip(value, self.fields, strict=True):
            kind.write(item, out, f"{path}.{name}")

    def read(self, data: bytes, at: int, path: str) -> tuple[Any, int]:
        values = []
        for name, kind in self.fields:
            value, at = kind.read(data, at, f"{path}.{name}")
            values.append(value)
        return tuple.__new__(self.record, values), at


class Union(Type):
    """`union switch (int)`: the pair (discriminant, value). arms: discriminant to type."""

    __slots__ = ("arms",)

    def __init__(self, arms: Mapping[int, Type]) -> None:
        self.arms = arms
        self.size = 4 + min([arm.size for arm in arms.values()])

    def write(self, value: Any, out: list[bytes], path: str) -> None:
        discriminant, inner = value
        arm = self.arms[discriminant]
        out.append(pack(">i", discriminant))
        arm.write(inner, out, path)

    def read(self, data: bytes, at: int, path: str) -> tuple[Any, int]:
        discriminant = unpack_from(">i", data, at)[0]
        arm = self.arms.get(discriminant)
        if arm is None:
            raise DecodeError(f"{path} has no type {discriminant}")
        value, at = arm.read(data, at + 4, path)
        return (discriminant, value), at


INT = Scalar("i")
UINT = Scalar("I")
HYPER = Scalar("q")
UHYPER = Scalar("Q")
DOUBLE = Scalar("d")
# XDR has no number shorter than four bytes; the names keep what the C side stores.
CHAR = INT
UCHAR = UINT
USHORT = UINT
