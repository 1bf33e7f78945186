"""Addresses: what is one, and how it is spelled, as the C library has it."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.model.shared.ip import format_ip, masked, natural_prefix, netmask_bits, parse_ip, parse_ip_of, prefix_of

TEXTS = [
    "10.0.0.1", "10.1", "0", "1", "256", "4294967295", "4294967296", "0x7f000001", "0177.1", "08", "1.2.3.4.5",
    "1.2.3.256", "1.2.65535", "1.2.65536", "1.2.3.", ".1", "1..2", "-1", "+1", " 1", "1 ", "0x", "0xg", "1e3",
    "::", "::1", "::1.2.3.4", "::ffff:1.2.3.4", "::ffff:0:0", "::1:0:0", "1::", "1:0:0:2::3", "fe80::1",
    "FE80::ABCD", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "::g", ":", ":::",
    "[::1]", "", "localhost", "1:0:2:0:3:0:4:0", "0:0:1::", "::0:1:0", "1:2:3:4:5:6:1.2.3.4", "::1.2.3",
    "64:ff9b::1.2.3.4",
]  # fmt: skip


def spelled_by_c(text: str) -> str | None:
    """What getaddrinfo and getnameinfo make of a text; None when it is no address."""
    try:
        found = socket.getaddrinfo(text, None, flags=socket.AI_NUMERICHOST, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        return None
    return socket.getnameinfo(found[0][4], socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0] if text else None


def spelled(text: str) -> str | None:
    try:
        return format_ip(parse_ip(text))
    except ValueError:
        return None


@pytest.mark.parametrize("text", TEXTS)
def test_as_the_c_library_has_it(text: str) -> None:
    assert spelled(text) == spelled_by_c(text)


@given(st.one_of(st.ip_addresses(), st.lists(st.sampled_from("0123456789abcdefx.:"), max_size=20).map("".join)))
def test_like_the_c_library_for_anything(address: object) -> None:
    assert spelled(str(address)) == spelled_by_c(str(address))


def test_one_version_only() -> None:
    assert format_ip(parse_ip_of("::ffff:1.2.3.4", 4)) == "1.2.3.4"
    for text, version in (("10.0.0.1", 6), ("fd00::1", 4)):
        with pytest.raises(ValueError, match=text):
            parse_ip_of(text, version)


@pytest.mark.parametrize(
    ("netmask", "bits"),
    [("255.255.255.0", 24), ("0.0.0.0", 0), ("255.255.255.255", 32), ("255.0.255.0", -1), ("ffff:ff00::", 24)],
)
def test_netmask(netmask: str, bits: int) -> None:
    assert netmask_bits(netmask) == bits


@pytest.mark.parametrize(
    ("address", "prefix"),
    [("10.1.2.3", 8), ("172.16.0.1", 16), ("192.168.0.1", 24), ("240.0.0.1", -1), ("0.0.0.0", 0), ("fd00::1", 64),
     ("::", 0)],
)  # fmt: skip
def test_prefix_by_class(address: str, prefix: int) -> None:
    assert natural_prefix(address) == prefix
    assert prefix_of(address, None, None) == prefix
    assert prefix_of(address, None, 12) == 12


def test_networks() -> None:
    assert masked("10.1.2.3", 8) == 10 << 24
    assert masked("10.1.2.3", 0) == 0
    assert masked("fd00::1", 128) == (0xFD << 120) + 1
