"""Errors as bytes and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import BY_CODE, From, InvalidArg, NoDomain, NoSupport, OperationInvalid, RoostError, RpcError
from roost.wire import DecodeError, EncodeError, decode_error, encode_error
from support import xdr

#: code, domain, message, level, dom, str1, str2, str3, int1, int2, net.
RECORD = xdr.parse("i i ?s4194304 i ?(s99 f16 i) ?s4194304 ?s4194304 ?s4194304 i i ?(s99 f16)")


def record(code: int = 1, message: str | None = "text", dom: object = None, net: object = None) -> bytes:
    return xdr.encode_all(RECORD, (code, 10, message, 2, dom, "a", None, "c", 7, -1, net))


def test_the_bytes_of_one_error() -> None:
    error = NoDomain("no domain with matching name 'x'", domain=From.QEMU)
    assert encode_error(error) == xdr.encode_all(
        RECORD,
        (
            42,
            10,
            "Domain not found: no domain with matching name 'x'",
            2,
            None,
            "Domain not found: %s",
            "no domain with matching name 'x'",
            None,
            -1,
            -1,
            None,
        ),
    )


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_every_code_comes_back_as_its_class(code: int) -> None:
    error = BY_CODE[code]("what was wrong", domain=From.QEMU, hint="what would be right", int1=5, str3="third")
    again = decode_error(encode_error(error))
    assert type(again) is type(error)
    for field in ("code", "domain", "message", "level", "str1", "str2", "str3", "int1", "int2"):
        assert getattr(again, field) == getattr(error, field)


def test_a_code_without_a_class_is_kept() -> None:
    again = decode_error(record(code=999))
    assert (type(again), again.code, again.message) == (RoostError, 999, "text")


def test_an_unknown_procedure_is_no_support() -> None:
    """All that a daemon says which is too old for a procedure."""
    again = decode_error(encode_error(RpcError("unknown procedure: 444", domain=From.RPC)))
    assert (type(again), again.code, again.message) == (NoSupport, 3, "unknown procedure: 444")
    other = decode_error(encode_error(InvalidArg("unknown procedure: 444")))
    assert other.code == InvalidArg.code


def test_no_message_is_ever_missing() -> None:
    silent = OperationInvalid()
    silent.args = ("",)
    data = encode_error(silent)
    assert data[8:12] == b"\0\0\0\1"
    assert decode_error(data).message == "Requested operation is not valid"
    assert decode_error(record(message=None)).message == "internal error"


def test_an_error_nobody_claims_has_domain_none() -> None:
    assert encode_error(RoostError("x"))[4:8] == bytes(4)


def test_the_unused_objects_are_skipped() -> None:
    full = decode_error(record(dom=("vm", bytes(16), 3), net=("default", bytes(16))))
    assert (full.message, full.str1, full.str3, full.int1) == ("text", "a", "c", 7)


def test_cut_short_at_every_byte() -> None:
    for dom in (None, ("vm", bytes(16), 3)):
        whole = record(dom=dom, net=("default", bytes(16)))
        for length in range(len(whole)):
            with pytest.raises(DecodeError):
                decode_error(whole[:length])


@given(st.binary(max_size=120))
def test_random_bytes_raise_only_decode_errors(data: bytes) -> None:
    try:
        decode_error(data)
    except DecodeError:
        return
    assert len(data) >= 36


def test_a_text_beyond_the_limit_is_refused() -> None:
    with pytest.raises(DecodeError, match="has 4194305 bytes, at most 4194304 fit"):
        decode_error(bytes(8) + b"\0\0\0\1" + (4194305).to_bytes(4) + bytes(40))


@pytest.mark.parametrize("text", ["x" * 5_000_000, "é" * 100_000, "\ud800" * 100_000, "\udcff lone", "a\ud800b"])
def test_any_text_can_be_sent(text: str) -> None:
    again = decode_error(encode_error(RpcError(text)))
    assert again.code == 39
    assert again.message
    assert len(again.message) <= 65536


def test_numbers_too_large_for_the_record_do_not_hide_the_error() -> None:
    again = decode_error(encode_error(RpcError("x", int1=2**40, int2=-(2**31))))
    assert (again.int1, again.int2) == (-1, -(2**31))


def test_codec_errors_are_libvirts() -> None:
    for error, text in (
        (DecodeError("why"), "Unable to decode message payload"),
        (EncodeError("why"), "Unable to encode"),
    ):
        assert (error.code, error.domain) == (39, From.RPC)
        assert error.message.startswith(text)
        assert error.message.endswith("; why")
