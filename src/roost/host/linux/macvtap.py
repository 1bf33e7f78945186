"""macvtap interfaces: guests directly on an interface of the host, without a bridge."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import struct
import tempfile
from pathlib import Path

from roost.errors import InternalError, OperationFailed
from roost.host.api import Tap
from roost.host.linux.system import system_error

_RTM_NEWLINK, _RTM_DELLINK = 16, 17
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_EXCL, _NLM_F_CREATE = 0x1, 0x4, 0x200, 0x400
_NLMSG_ERROR = 2
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_LINKINFO = 1, 3, 4, 5, 18
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_IFLA_MACVLAN_MODE = 1
_IFF_UP = 0x1
_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthrough": 8}
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR, _IFF_MULTI_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100
_ANSWER = 8192


def _attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded."""
    return struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _ask(kind: int, flags: int, index: int, interface_flags: int, attributes: bytes) -> None:
    """One request about a link, and its answer. Raises OSError."""
    body = struct.pack("BxHiII", socket.AF_UNSPEC, 0, index, interface_flags, interface_flags) + attributes
    header = struct.pack("IHHII", 16 + len(body), kind, _NLM_F_REQUEST | _NLM_F_ACK | flags, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as channel:
        channel.send(header + body)
        answer = channel.recv(_ANSWER)
    if struct.unpack_from("H", answer, 4)[0] == _NLMSG_ERROR:
        number = -struct.unpack_from("i", answer, 16)[0]
        if number:
            raise OSError(number, os.strerror(number))


def create(name: str, *, mac: str, link: str, mode: str, mtu: int | None, queues: int, headers: bool) -> Tap:
    """See host.api.Network.macvtap."""
    try:
        below = socket.if_nametoindex(link)
    except OSError as error:
        raise system_error(
            f"Unable to get index for interface {link}",
            OSError(errno.ENODEV, os.strerror(errno.ENODEV)),
            hint="<source dev=…> names an interface of this host",
        ) from error
    data = _attribute(_IFLA_MACVLAN_MODE, struct.pack("I", _MODES[mode]))
    info = _attribute(_IFLA_INFO_KIND, b"macvtap\0") + _attribute(_IFLA_INFO_DATA, data)
    attributes = (
        _attribute(_IFLA_LINK, struct.pack("I", below))
        + _attribute(_IFLA_IFNAME, name.encode() + b"\0")
        + _attribute(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "")))
        + _attribute(_IFLA_LINKINFO, info)
    )
    if mtu:
        attributes += _attribute(_IFLA_MTU, struct.pack("I", mtu))
    try:
        _ask(_RTM_NEWLINK, _NLM_F_CREATE | _NLM_F_EXCL, 0, 0, attributes)
    except OSError as error:
        hint = "another guest has it in a mode that shares nothing" if error.errno == errno.EBUSY else ""
        raise OperationFailed(
            f"error creating macvtap interface {name}@{link} ({mac}): {error.strerror}", hint=hint
        ) from error
    descriptors: list[int] = []
    try:
        index = socket.if_nametoindex(name)
        _ask(_RTM_NEWLINK, 0, index, _IFF_UP, b"")
        for _ in range(queues or 1):
            descriptors.append(_open(name, index, headers=headers, queues=queues))
    except BaseException as error:
        for descriptor in descriptors:
            os.close(descriptor)
        remove(name)
        if isinstance(error, OSError):
            raise system_error(f"cannot open macvtap tap device of {name}", error) from error
        raise
    return Tap(name, tuple(descriptors))


def _open(name: str, index: int, *, headers: bool, queues: int) -> int:
    """A queue of the interface. Its device node may not be there, where nobody makes them."""
    number = (Path("/sys/class/net") / name / f"tap{index}" / "dev").read_text().strip()
    major, _, minor = number.partition(":")
    with tempfile.TemporaryDirectory(prefix="roost-tap-") as directory:
        node = Path(directory) / "tap"
        os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(int(major), int(minor)))
        descriptor = os.open(node, os.O_RDWR | os.O_CLOEXEC)
    flags = _IFF_TAP | _IFF_NO_PI | (_IFF_VNET_HDR if headers else 0) | (_IFF_MULTI_QUEUE if queues > 1 else 0)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def remove(name: str, mac: str | None = None) -> None:
    """Remove the interface, unless it is gone or by now another's, as its address tells."""
    with contextlib.suppress(OSError):
        if mac is None or (Path("/sys/class/net") / name / "address").read_text().strip() == mac:
            _ask(_RTM_DELLINK, 0, socket.if_nametoindex(name), 0, b"")


def address_of(interface: str) -> str:
    """The interface's own address. Raises SystemCallError."""
    try:
        return (Path("/sys/class/net") / interface / "address").read_text().strip()
    except OSError as error:
        raise system_error(f"Cannot get interface MAC on '{interface}'", error) from error


def set_address(interface: str, mac: str) -> None:
    """Give an interface of the host another address. Raises InternalError."""
    try:
        attribute = _attribute(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "")))
        _ask(_RTM_NEWLINK, 0, socket.if_nametoindex(interface), 0, attribute)
    except OSError as error:
        raise InternalError(f"Cannot set interface MAC to {mac} on '{interface}': {error.strerror}") from error


__all__ = ["address_of", "create", "remove", "set_address"]
