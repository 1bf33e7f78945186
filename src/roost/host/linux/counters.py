"""Counters of network interfaces: one question to the kernel, whose cost does not depend on how many there are."""

from __future__ import annotations

import fcntl
import functools
import os
import socket
import struct
from collections.abc import Iterator

_RTM_GETSTATS, _ERROR = 94, 2
_REQUEST = 1
#: The 64-bit counters of the link: their attribute, and the bit that asks for it.
_LINK_64 = 1
_HEADER, _STATS, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBHII"), struct.Struct("=HH")
#: struct ifreq: the name, then a union of 24 bytes.
_SIOCGIFINDEX, _INTERFACE = 0x8933, struct.Struct("=16si20x")
_NUMBERS = struct.Struct("=16Q")
#: Bytes of an answer.
_SIZE = 8192


def read(name: str) -> tuple[int, int, int, int, int, int, int, int]:
    """Bytes, packets, errors and drops received, then sent, as the host sees them. Raises OSError.

    Packets that found no room count among the drops, as in /proc/net/dev.
    """
    kernel = netlink()
    # Any socket can be asked for the index; socket.if_nametoindex would make another one for it.
    request = fcntl.ioctl(kernel, _SIOCGIFINDEX, _INTERFACE.pack(name.encode(), 0))
    _, index = _INTERFACE.unpack(request)
    size = _HEADER.size + _STATS.size
    question = _HEADER.pack(size, _RTM_GETSTATS, _REQUEST, 1, 0) + _STATS.pack(0, 0, 0, index, 1 << (_LINK_64 - 1))
    os.write(kernel, question)
    return parse(os.read(kernel, _SIZE))


@functools.cache
def netlink() -> int:
    """A socket for the life of the process: making one takes as long as asking. Only the loop's thread asks."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE).detach()


def parse(answer: bytes) -> tuple[int, int, int, int, int, int, int, int]:
    """The same from the kernel's answer."""
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    if kind == _ERROR:
        (number,) = struct.unpack_from("=i", answer, _HEADER.size)
        raise OSError(-number, os.strerror(-number))
    for attribute, value in _attributes(answer, _HEADER.size + _STATS.size):
        if attribute == _LINK_64:
            rxp, txp, rxb, txb, rxe, txe, rxd, txd, *_, missed = _NUMBERS.unpack_from(value)
            return rxb, rxp, rxe, rxd + missed, txb, txp, txe, txd
    raise OSError(0, "the kernel counts nothing for it")


def _attributes(answer: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + _ATTRIBUTE.size <= len(answer):
        size, kind = _ATTRIBUTE.unpack_from(answer, at)
        if size < _ATTRIBUTE.size:
            return
        yield kind, answer[at + _ATTRIBUTE.size : at + size]
        at += (size + 3) & ~3
