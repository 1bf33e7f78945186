"""The header of save images: written, read, and refused when damaged."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.drivers.qemu.state.header import (
    LONGEST,
    MAGIC,
    PADDING,
    PARTIAL,
    SIZE,
    Preface,
    format_of,
    new_preface,
    read_header,
    read_preface,
)
from roost.errors import OperationFailed, RoostError

PREFACE = new_preface("<domain/>", "<cookie/>", running=True, format=1)
IMAGE = PREFACE.pack(complete=True)


def read(data: bytes) -> Preface:
    header = read_header(data[:SIZE])
    return read_preface(header, data[SIZE : header.size])


def test_what_is_written_is_read() -> None:
    found = read(IMAGE)
    assert found.document == "<domain/>"
    assert found.cookie == "<cookie/>"
    assert found.header.running
    assert format_of(found.header.format) == "gzip"
    assert found.header.size == len(IMAGE) == SIZE + 10 + 10 + PADDING


def test_where_everything_is() -> None:
    """As libvirt 9.0 on this kind of host writes it."""
    assert SIZE == 92
    assert IMAGE[:16] == MAGIC
    assert struct.unpack("=5I", IMAGE[16:36]) == (2, 20 + PADDING, 1, 1, 10)
    assert IMAGE[36:92] == bytes(56)
    assert IMAGE[92:112] == b"<domain/>\0<cookie/>\0"
    assert not IMAGE[112:].strip(b"\0")


def test_an_unfinished_image_says_so() -> None:
    assert PREFACE.pack(complete=False)[:16] == PARTIAL


def test_an_image_of_a_host_of_the_other_byte_order() -> None:
    swapped = IMAGE[:16] + struct.pack(">5I" if struct.pack("=H", 1) == b"\1\0" else "<5I", 2, 65556, 1, 1, 10)
    found = read(swapped + IMAGE[36:])
    assert found == PREFACE._replace(header=found.header)
    assert found.pack(complete=True)[:36] == swapped


def test_an_image_without_cookie() -> None:
    found = read(new_preface("<domain/>", "", running=False, format=0).pack(complete=True))
    assert (found.document, found.cookie, found.header.running) == ("<domain/>", "", False)
    assert format_of(found.header.format) == "raw"


def test_a_longer_document_fits_into_the_room_that_was_left() -> None:
    longer = PREFACE._replace(document="<domain/>" + " " * (PADDING - 10))
    assert len(longer.pack(complete=True)) == len(IMAGE)
    with pytest.raises(OperationFailed, match="new xml too large to fit in file"):
        longer._replace(document=longer.document + " " * 20).pack(complete=True)


def word(at: int, value: int) -> bytes:
    return IMAGE[: 16 + 4 * at] + struct.pack("=I", value) + IMAGE[20 + 4 * at :]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "failed to read qemu header"),
        (IMAGE[:91], "failed to read qemu header"),
        (PREFACE.pack(complete=False), "save image is incomplete"),
        (b"X" + IMAGE[1:], "image magic is incorrect"),
        (word(0, 3), r"image version is not supported \(50331648 > 2\)"),
        (word(1, 0), "invalid header data length: 0"),
        (word(1, LONGEST + 1), "invalid header data length"),
        (IMAGE[:100], "failed to read domain XML"),
        (IMAGE[:120], "failed to read cookie"),
        (word(4, PADDING + 21), "failed to read domain XML"),
    ],
)
def test_what_is_no_image(data: bytes, words: str) -> None:
    with pytest.raises(OperationFailed, match=words) as caught:
        read(data)
    assert caught.value.hint


def test_the_numbers_of_formats() -> None:
    """As libvirt 11.3 writes them."""
    assert [format_of(number) for number in range(7)] == ["raw", "gzip", "bzip2", "xz", "lzop", "zstd", "sparse"]


def test_a_format_of_the_future() -> None:
    with pytest.raises(OperationFailed, match="Invalid compressed save format 9"):
        format_of(9)


@given(st.binary(max_size=300), st.integers(0, 120))
def test_nothing_else_is_raised_whatever_the_bytes(noise: bytes, at: int) -> None:
    data = IMAGE[:at] + noise + IMAGE[at + len(noise) : 400]
    try:
        read(data)
    except RoostError:
        return
