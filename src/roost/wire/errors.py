"""What goes wrong between values and bytes, and errors as bytes."""

from __future__ import annotations

from struct import Struct as Packer
from struct import error as StructError

from roost.errors import From, NoSupport, RoostError, RpcError


class DecodeError(RpcError):
    """The peer's bytes are not what the procedure's types say. cause: what and where."""

    def __init__(self, cause: str) -> None:
        super().__init__("Unable to decode message payload", domain=From.RPC, hint=cause)


class EncodeError(RpcError):
    """The values do not fit the procedure's types or limits. cause: what and where."""

    def __init__(self, cause: str) -> None:
        super().__init__("Unable to encode message payload", domain=From.RPC, hint=cause)


#: What a value of the wrong type, range or shape raises while it is packed.
WRONG_VALUE = (StructError, TypeError, ValueError, AttributeError, KeyError, OverflowError)

# An error about an error would leave the peer without an answer, so texts are cut
# rather than refused. libvirt's own stop at 1,024 bytes.
_TEXT_LIMIT = 65536
_STRING_LIMIT = 4194304
_UNKNOWN_PROCEDURE = "unknown procedure"
_UINT = Packer(">I")
_HEAD = Packer(">ii")
_LEVEL = Packer(">iI")
_TAIL = Packer(">iiI")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def encode_error(error: RoostError) -> bytes:
    """The wire's error record. It has a message always, since clients crash on none."""
    return b"".join(
        (
            _HEAD.pack(error.code, error.domain or From.NONE),
            _text(error.message or error.bare),
            _LEVEL.pack(error.level, 0),
            _text(error.str1),
            _text(error.str2),
            _text(error.str3),
            _TAIL.pack(_int(error.int1), _int(error.int2), 0),
        )
    )


def decode_error(payload: bytes) -> RoostError:
    """The inverse. DecodeError when the payload is no error record.

    A daemon too old for a procedure says only that it does not know the number;
    like the C client, this turns it into NoSupport.
    """
    try:
        code, domain = _HEAD.unpack_from(payload)
        message, at = _read_text(payload, 8)
        level, has_domain = _LEVEL.unpack_from(payload, at)
        at += 8
        if has_domain:
            _, at = _read_string(payload, at)
            at += 20
        str1, at = _read_text(payload, at)
        str2, at = _read_text(payload, at)
        str3, at = _read_text(payload, at)
        int1, int2, has_network = _TAIL.unpack_from(payload, at)
        at += 12
        if has_network:
            _, at = _read_string(payload, at)
            at += 16
    except StructError:
        at = len(payload) + 1
    if at > len(payload):
        raise DecodeError(f"an error record goes past the end of {len(payload)} bytes")
    if code == RpcError.code and message is not None and message.startswith(_UNKNOWN_PROCEDURE):
        code = NoSupport.code
    return RoostError.from_wire(code, domain, message, level, str1, str2, str3, int1, int2)


def _int(value: int) -> int:
    return value if -0x80000000 <= value <= 0x7FFFFFFF else -1


def _text(text: str | None) -> bytes:
    if text is None:
        return b"\0\0\0\0"
    try:
        data = text[:_TEXT_LIMIT].encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = text[:_TEXT_LIMIT].encode("utf-8", "backslashreplace")
    data = data[:_TEXT_LIMIT]
    return b"\0\0\0\1" + _UINT.pack(len(data)) + data + _PADDING[len(data) & 3]


def _read_text(data: bytes, at: int) -> tuple[str | None, int]:
    if _UINT.unpack_from(data, at)[0]:
        return _read_string(data, at + 4)
    return None, at + 4


def _read_string(data: bytes, at: int) -> tuple[str, int]:
    count = _UINT.unpack_from(data, at)[0]
    if count > _STRING_LIMIT:
        raise DecodeError(f"an error text has {count} bytes, at most {_STRING_LIMIT} fit")
    end = at + 4 + count
    return data[at + 4 : end].decode("utf-8", "surrogateescape").partition("\0")[0], end + (-count & 3)
