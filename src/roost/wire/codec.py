"""The two directions of one field list."""

from __future__ import annotations

from struct import error as StructError

from roost.wire.errors import WRONG_VALUE, DecodeError, EncodeError
from roost.wire.types import Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    class Encode(Protocol):
        def __call__(self, values: Sequence[object], /) -> bytes: ...

    class Decode(Protocol):
        def __call__(self, data: bytes, offset: int = 0, /) -> tuple[Any, ...]: ...


# Compiling a direction costs what a hundred walks over a small message cost: a
# command line that makes ten calls must not pay for it, a daemon soon has it back.
_WALKS = 100
_COMPILE_SIZE = 4096


class Codec:
    """Values to XDR bytes and back.

    fields: (name, type) in wire order. label: for messages, "DOMAIN_CREATE arguments".
    encode(values): one value per field; EncodeError when they do not fit.
    decode(data, offset=0): one value per field from `offset` on, what follows is
    ignored; DecodeError when they are not there.

    Each direction walks the types at first, and is compiled when it is used often
    or on much data.
    """

    __slots__ = ("_walks_in", "_walks_out", "decode", "encode", "fields", "label")
    encode: Encode
    decode: Decode

    def __init__(self, fields: tuple[tuple[str, Type], ...], label: str) -> None:
        self.fields = fields
        self.label = label
        self.encode = self._walk_out
        self.decode = self._walk_in
        self._walks_in = self._walks_out = _WALKS

    def __repr__(self) -> str:
        return f"<Codec {self.label} ({', '.join([name for name, _ in self.fields])})>"

    def compile(self) -> None:
        """Make both directions fast now."""
        self._compile_out()
        self._compile_in()

    def _compile_out(self) -> None:
        # Imported here: a command line that makes a few calls never needs it.
        from roost.wire.compiler import compile_encoder

        self.encode = compile_encoder(self.fields, self.label)

    def _compile_in(self) -> None:
        from roost.wire.compiler import compile_decoder

        self.decode = compile_decoder(self.fields, self.label)

    def _walk_out(self, values: Sequence[object]) -> bytes:
        self._walks_out -= 1
        if self._walks_out < 0:
            self._compile_out()
            return self.encode(values)
        out: list[bytes] = []
        try:
            for value, (name, kind) in zip(values, self.fields, strict=True):
                kind.write(value, out, name)
            data = b"".join(out)
        except WRONG_VALUE as cause:
            raise EncodeError(f"{self.label}: {type(cause).__name__}: {cause}") from None
        if len(data) > _COMPILE_SIZE:
            self._compile_out()
        return data

    def _walk_in(self, data: bytes, offset: int = 0) -> tuple[Any, ...]:
        self._walks_in -= 1
        if self._walks_in < 0 or len(data) > _COMPILE_SIZE:
            self._compile_in()
            return self.decode(data, offset)
        values = []
        at = offset
        try:
            for name, kind in self.fields:
                value, at = kind.read(data, at, name)
                values.append(value)
        except StructError:
            at = len(data) + 1
        if at > len(data):
            raise DecodeError(f"{self.label} go past the end of {len(data)} bytes")
        return tuple(values)
