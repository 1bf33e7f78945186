"""The kernel's table of neighbours, by netlink."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

from roost.host.linux.system import system_error

_RTM_GETNEIGH, _RTM_NEWNEIGH = 30, 28
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_NDA_DST, _NDA_LLADDR = 1, 2
#: Heard of lately, or not asked about since; 0 where the interface has no such states.
_KNOWN = (0, 0x02, 0x04)
_ANSWER = 1 << 16
_HEADER, _NEIGHBOUR = struct.Struct("IHHII"), struct.Struct("BxxxiHBB")


def table() -> list[tuple[str, str]]:
    """(IPv4 address, MAC address) of each. Raises SystemCallError."""
    found: list[tuple[str, str]] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as channel:
            body = _NEIGHBOUR.pack(socket.AF_INET, 0, 0, 0, 0)
            flags = _NLM_F_REQUEST | _NLM_F_DUMP
            channel.send(_HEADER.pack(_HEADER.size + len(body), _RTM_GETNEIGH, flags, 1, 0) + body)
            while True:
                for kind, message in messages(channel.recv(_ANSWER)):
                    if kind == _NLMSG_DONE:
                        return found
                    if kind == _NLMSG_ERROR:
                        number = -struct.unpack_from("i", message)[0]
                        raise OSError(number, os.strerror(number))
                    if kind == _RTM_NEWNEIGH:
                        found += neighbour(message)
    except OSError as error:
        raise system_error("Cannot read the table of neighbours", error) from error


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kinds and bodies of the netlink messages in a datagram. Raises OSError for what is none."""
    while data:
        if len(data) < _HEADER.size:
            raise OSError(errno.EBADMSG, "truncated netlink message")
        length, kind, *_ = _HEADER.unpack_from(data)
        if not _HEADER.size <= length <= len(data):
            raise OSError(errno.EBADMSG, "wrong length of a netlink message")
        yield kind, data[_HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def neighbour(message: bytes) -> Iterator[tuple[str, str]]:
    """The one in a message, if its Ethernet address is known."""
    family, _, state, *_ = _NEIGHBOUR.unpack_from(message)
    attributes = dict(_attributes(message[_NEIGHBOUR.size :]))
    address, mac = attributes.get(_NDA_DST, b""), attributes.get(_NDA_LLADDR, b"")
    if family == socket.AF_INET and state in _KNOWN and len(address) == 4 and len(mac) == 6:
        yield socket.inet_ntop(socket.AF_INET, address), mac.hex(":")


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        yield kind, data[4:length]
        data = data[(max(length, 4) + 3) & ~3 :]
