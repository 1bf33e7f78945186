"""Field lists to Python source, source to functions.

Written for the shape at hand, straight-line code packs each run of neighbouring
fixed-size fields with one precompiled `struct` and takes three to five times
less time than walking the types for every message.
docs/decisions/0001-protocol-records.md has the figures.
"""

from __future__ import annotations

from struct import Struct as Packer
from struct import error as StructError
from struct import pack, unpack_from

from roost.wire.errors import WRONG_VALUE, DecodeError, EncodeError
from roost.wire.types import (
    Array,
    Chars,
    FixedChars,
    FixedOpaque,
    Name,
    Opaque,
    Optional,
    Scalar,
    String,
    Struct,
    Type,
    Union,
    check_count,
    check_length,
    check_limit,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.wire.codec import Decode, Encode

    Fields = Sequence[tuple[str, Type]]

_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_packers: dict[str, Packer] = {}


def _packer(codes: str) -> Packer:
    packer = _packers.get(codes)
    if packer is None:
        packer = _packers[codes] = Packer(">" + codes)
    return packer


def _past_end(label: str, size: int) -> DecodeError:
    return DecodeError(f"{label} go past the end of {size} bytes")


def _decode_arm(path: str, discriminant: int) -> DecodeError:
    return DecodeError(f"{path} has no type {discriminant}")


class _Writer:
    """Indented lines, fresh names, and the objects the code refers to."""

    def __init__(self, **known: object) -> None:
        self.lines: list[str] = []
        self.depth = 2
        self.known = known
        self._names = 0

    def line(self, text: str) -> None:
        self.lines.append(" " * self.depth + text)

    def fresh(self, stem: str) -> str:
        self._names += 1
        return f"{stem}{self._names}"

    def refer(self, stem: str, value: object) -> str:
        """A name for `value` in the code's globals."""
        name = self.fresh(stem)
        self.known[name] = value
        return name

    def function(self, signature: str, body: Sequence[str]) -> object:
        exec("\n".join([f"def {signature}:", *body]), self.known)  # the source comes from our own tables only
        return self.known[signature.partition("(")[0]]


class _Encoder:
    """Emits `parts`, expressions for pieces of the message, and statements that prepare them."""

    def __init__(self) -> None:
        self.writer = _Writer(
            pack=pack,
            join=b"".join,
            view=memoryview,
            padding=_PADDING,
            check_limit=check_limit,
            check_length=check_length,
        )
        self._codes = ""
        self._run: list[str] = []
        self._parts: list[str] = []
        self.listed = False  # pieces go through the list `out`, since their number varies

    def _fixed(self, code: str, *values: str) -> None:
        self._codes += code
        self._run += values

    def _part(self, *expressions: str) -> None:
        """Append pieces after the run of fixed-size fields before them."""
        if self._run:
            name = self.writer.refer("pack", _packer(self._codes).pack)
            self._parts.append(f"{name}({', '.join(self._run)})")
            self._codes, self._run = "", []
        self._parts += expressions

    def _flush(self) -> None:
        """Move all pieces to `out`, because the next ones are made in a branch or a loop."""
        self.listed = True
        self._part()
        if self._parts:
            self.writer.line(f"out += ({', '.join(self._parts)},)")
        self._parts = []

    def result(self) -> str:
        self._part()
        if self.listed:
            self._flush()
            return "join(out)"
        if len(self._parts) == 1:
            return self._parts[0]
        return f"join(({', '.join(self._parts)}))"

    def fields(self, values: str, fields: Fields, prefix: str) -> None:
        names = [self.writer.fresh("v") for _ in fields]
        self.writer.line(f"{', '.join(names)}, = {values}")
        for name, (field, kind) in zip(names, fields, strict=True):
            self.value(name, kind, prefix + field)

    def value(self, value: str, kind: Type, path: str) -> None:
        line, fresh = self.writer.line, self.writer.fresh
        match kind:
            case Scalar():
                self._fixed(kind.code, value)
            case FixedOpaque():
                line(f"if len({value}) != {kind.length}: check_length({path!r}, len({value}), {kind.length})")
                self._fixed(f"{kind.length}s", value)
            case FixedChars():
                line(f"if len({value}) != {kind.length}: check_length({path!r}, len({value}), {kind.length})")
                self._fixed(f"{kind.length}i", f"*view({value}).cast('b')")
            case Name():
                data, known = fresh("b"), self.writer.refer("known", kind.known)
                line(f"{data} = {known}.get({value})")
                line(f"if {data} is None: {data} = {self.writer.refer('encoded', kind.encoded)}({value}, {path!r})")
                self._part(data)
            case String():
                data = fresh("b")
                line(f"{data} = {value}.encode('utf-8', 'surrogateescape')")
                count = self._count(data, kind.limit, path)
                self._part(data, f"padding[{count} & 3]")
            case Opaque():
                count = self._count(value, kind.limit, path)
                self._part(value, f"padding[{count} & 3]")
            case Chars():
                count = self._count(value, kind.limit, path)
                self._part(f"pack(f'>{{{count}}}i', *view({value}).cast('b'))")
            case Array(item=Scalar(code=code)):
                count = self._count(value, kind.limit, path)
                self._part(f"pack(f'>{{{count}}}{code}', *{value})")
            case Array():
                self._count(value, kind.limit, path)
                self._flush()
                item = fresh("i")
                line(f"for {item} in {value}:")
                self._block(item, kind.item, path + "[]")
            case Optional():
                self._flush()
                line(f"if {value} is None: out.append({self.writer.refer('absent', bytes(4))})")
                line("else:")
                self._fixed("I", "1")
                self._block(value, kind.item, path)
            case Struct():
                self.fields(value, kind.fields, path + ".")
            case Union():
                self._union(value, kind, path)

    def _count(self, value: str, limit: int, path: str) -> str:
        count = self.writer.fresh("n")
        self.writer.line(f"{count} = len({value})")
        self.writer.line(f"if {count} > {limit}: check_limit({path!r}, {count}, {limit})")
        self._fixed("I", count)
        return count

    def _block(self, value: str, kind: Type, path: str) -> None:
        self.writer.depth += 1
        self.value(value, kind, path)
        self._flush()
        self.writer.depth -= 1

    def _union(self, value: str, kind: Union, path: str) -> None:
        chosen, inner = self.writer.fresh("t"), self.writer.fresh("v")
        self._flush()
        self.writer.line(f"{chosen}, {inner} = {value}")
        scalars, word = {}, "if"
        for number, arm in kind.arms.items():
            if isinstance(arm, Scalar):
                scalars[number] = _packer("i" + arm.code).pack
                continue
            self.writer.line(f"{word} {chosen} == {number}:")
            self._fixed("i", str(number))
            self._block(inner, arm, path)
            word = "elif"
        table = self.writer.refer("arms", scalars)
        otherwise = "else: " if word == "elif" else ""
        self.writer.line(f"{otherwise}out.append({table}[{chosen}]({chosen}, {inner}))")


def compile_encoder(fields: Fields, label: str) -> Encode:
    """A function from one value per field to bytes. It raises nothing but EncodeError.

    label: what is being encoded, for messages.
    """
    encoder = _Encoder()
    encoder.fields("values", fields, "")
    result = encoder.result()
    writer = encoder.writer
    writer.known.update(wrong=_wrong_value, foreseen=WRONG_VALUE, label=label)
    body = [
        " try:",
        *(["  out = []"] if encoder.listed else []),
        *writer.lines,
        f"  return {result}",
        " except foreseen as cause:",
        "  raise wrong(label, cause) from None",
    ]
    return writer.function("encode(values)", body)  # type: ignore[return-value]  # made by exec


def _wrong_value(label: str, cause: Exception) -> EncodeError:
    return EncodeError(f"{label}: {type(cause).__name__}: {cause}")


class _Decoder:
    """Emits statements that read fields; each value is an expression good once the reads before it are flushed."""

    def __init__(self) -> None:
        self.writer = _Writer(unpack_from=unpack_from, new=tuple.__new__, check=check_count, past_end=_past_end)
        self._codes = ""
        self._run: list[str] = []

    def _fixed(self, code: str) -> str:
        name = self.writer.fresh("v")
        self._codes += code
        self._run.append(name)
        return name

    def flush(self) -> None:
        """Read the run of fixed-size fields gathered so far."""
        if self._run:
            packer = _packer(self._codes)
            name = self.writer.refer("unpack", packer.unpack_from)
            self.writer.line(f"{', '.join(self._run)}, = {name}(data, at)")
            self.writer.line(f"at += {packer.size}")
            self._codes, self._run = "", []

    def fields(self, fields: Fields, prefix: str) -> str:
        values = [self.value(kind, prefix + field) for field, kind in fields]
        return f"({', '.join(values)},)"

    def value(self, kind: Type, path: str) -> str:
        line, fresh = self.writer.line, self.writer.fresh
        match kind:
            case Scalar():
                return self._fixed(kind.code)
            case FixedOpaque():
                return self._fixed(f"{kind.length}s")
            case FixedChars():
                return f"{self._fixed(f'{4 * kind.length}s')}[3::4]"
            case String():
                name, end = self._bytes(kind.limit, path)
                line(f"{name} = data[at:{end}].decode('utf-8', 'surrogateescape')")
                line(f"if '\\0' in {name}: {name} = {name}.partition('\\0')[0]")
                line(f"at = {end} + (-{end} + at & 3)")
                return name
            case Opaque():
                name, end = self._bytes(kind.limit, path)
                line(f"{name} = data[at:{end}]")
                line(f"at = {end} + (-{end} + at & 3)")
                return name
            case Chars():
                count = self._count(kind.limit, 4, path)
                name = fresh("v")
                line(f"{name} = data[at + 3:at + 4 * {count}:4]")
                line(f"at += 4 * {count}")
                return name
            case Array(item=Scalar(code=code)):
                count = self._count(kind.limit, kind.item.size, path)
                name = fresh("v")
                line(f"{name} = list(unpack_from(f'>{{{count}}}{code}', data, at))")
                line(f"at += {kind.item.size} * {count}")
                return name
            case Array():
                count = self._count(kind.limit, kind.item.size, path)
                name = fresh("v")
                line(f"{name} = []")
                line(f"for _ in range({count}):")
                self._block(kind.item, path + "[]", f"{name}.append({{}})")
                return name
            case Optional():
                flag, name = self._fixed("I"), fresh("v")
                self.flush()
                line(f"if {flag}:")
                self._block(kind.item, path, f"{name} = {{}}")
                line(f"else: {name} = None")
                return name
            case Struct():
                record = self.writer.refer("record", kind.record)
                return f"new({record}, {self.fields(kind.fields, path + '.')})"
            case Union():
                return self._union(kind, path)
        raise TypeError(f"{path} has no XDR type but {kind!r}")

    def _count(self, limit: int, size: int, path: str) -> str:
        """Read a count and refuse it when it breaks the limit or promises more than there is."""
        count = self._fixed("I")
        self.flush()
        left = "len(data) - at"
        self.writer.line(
            f"if {count} > {limit} or {count} * {size} > {left}: check({path!r}, {count}, {limit}, {size}, {left})"
        )
        return count

    def _bytes(self, limit: int, path: str) -> tuple[str, str]:
        """Read a length. Names for the bytes and for their end."""
        count, end = self._count(limit, 1, path), self.writer.fresh("e")
        self.writer.line(f"{end} = at + {count}")
        return self.writer.fresh("v"), end

    def _block(self, kind: Type, path: str, statement: str) -> None:
        self.writer.depth += 1
        value = self.value(kind, path)
        self.flush()
        self.writer.line(statement.format(value))
        self.writer.depth -= 1

    def _union(self, kind: Union, path: str) -> str:
        chosen, name = self._fixed("i"), self.writer.fresh("v")
        self.flush()
        scalars, word = {}, "if"
        for number, arm in kind.arms.items():
            if isinstance(arm, Scalar):
                scalars[number] = (_packer(arm.code).unpack_from, arm.size)
                continue
            self.writer.line(f"{word} {chosen} == {number}:")
            self._block(arm, path, f"{name} = {{}}")
            word = "elif"
        table, arm_name = self.writer.refer("arms", scalars), self.writer.fresh("a")
        self.writer.known["unknown"] = _decode_arm
        self.writer.line(f"{word} {chosen} in {table}:")
        self.writer.line(f" {arm_name} = {table}[{chosen}]")
        self.writer.line(f" {name} = {arm_name}[0](data, at)[0]")
        self.writer.line(f" at += {arm_name}[1]")
        self.writer.line(f"else: raise unknown({path!r}, {chosen})")
        return f"({chosen}, {name})"


def compile_decoder(fields: Fields, label: str) -> Decode:
    """A function from bytes to one value per field. It raises nothing but DecodeError.

    Bytes after the last field are ignored, as every peer does.
    """
    decoder = _Decoder()
    values = decoder.fields(fields, "")
    decoder.flush()
    writer = decoder.writer
    writer.known.update(StructError=StructError, label=label)
    body = [
        " try:",
        *writer.lines,
        "  if at > len(data): raise past_end(label, len(data))",
        f"  return {values}",
        " except StructError:",
        "  raise past_end(label, len(data)) from None",
    ]
    return writer.function("decode(data, at=0)", body)  # type: ignore[return-value]  # made by exec
