"""What a launch needs of the host, and what the host granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec


class Tap(NamedTuple):
    """A tap interface.

    key: the interface's alias. name: "" lets the host pick `vnetN`.
    queues: how many descriptors of it, 0 for one single-queue descriptor.
    vhost: how many descriptors of /dev/vhost-net are of use (0: none). They
    may be missing from the grants unless `vhost_required`.
    managed: False when the interface must exist already.
    """

    key: str
    name: str
    mac: str
    bridge: str | None = None
    mtu: int | None = None
    queues: int = 0
    vhost: int = 0
    vhost_required: bool = False
    managed: bool = True
    vnet_hdr: bool = False
    script: str | None = None


class Port(NamedTuple):
    """A TCP port. first == last: chosen by hand; else any free one of the range."""

    key: str
    first: int
    last: int
    address: str


class Listener(NamedTuple):
    """A listening unix socket, passed by descriptor. key: the character device's id (`charserial0`)."""

    key: str
    path: str


class File(NamedTuple):
    """A path that QEMU opens by itself.

    user: the alias or name of what uses it, for messages. kind: "image",
    "directory" (shown as a FAT disk), "block" (a block device), "kernel" (what
    QEMU loads at its start), "device" (a character device node), "socket" (to
    connect to), "pipe". shared: other guests may write it too. optional: need
    not be there.
    """

    path: str
    write: bool
    user: str
    kind: str = "image"
    shared: bool = False
    optional: bool = False


class Log(NamedTuple):
    """A file the host opens for writing and passes by descriptor. key: the character device's id."""

    key: str
    path: str
    append: bool


class Needs(NamedTuple):
    taps: tuple[Tap, ...] = ()
    ports: tuple[Port, ...] = ()
    listeners: tuple[Listener, ...] = ()
    files: tuple[File, ...] = ()
    logs: tuple[Log, ...] = ()
    directories: tuple[str, ...] = ()


class Grants(msgspec.Struct, frozen=True, kw_only=True):
    """What was acquired, by the keys of the needs.

    monitor: descriptor of the listening monitor socket. None with `monitor_path`
    given makes QEMU listen there itself (domxml-to-native). Missing entries make
    the command line name the path, port or interface instead, so a document can
    be translated without acquiring anything.
    fds: keyed `net0` (tap queues), `vhost:net0`, the ids of listeners and logs.
    ports: keyed like `Needs.ports`. names: the tap's name by alias.
    now: seconds since 1970, and utc_offset: seconds local time is ahead of UTC,
    for clocks that count from the moment of the start.
    """

    monitor: int | None = None
    monitor_path: str = "monitor.sock"
    fds: Mapping[str, tuple[int, ...]] = {}
    ports: Mapping[str, int] = {}
    names: Mapping[str, str] = {}
    now: float = 0.0
    utc_offset: int = 0
