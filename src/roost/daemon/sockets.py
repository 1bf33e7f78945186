"""Which sockets a daemon answers on."""

from __future__ import annotations

import contextlib
import grp
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from roost.daemon.configuration import Configuration
from roost.errors import ConfSyntax, From
from roost.rpc import access

log = logging.getLogger(__name__)

#: Sockets of libvirt's monolithic daemon and of the modular ones that a hypervisor daemon stands in for.
LIBVIRT_NAMES = (
    "libvirt",
    "virtqemud",
    "virtnetworkd",
    "virtstoraged",
    "virtsecretd",
    "virtnodedevd",
    "virtinterfaced",
    "virtnwfilterd",
    "virtproxyd",
)

_AUTH = {"none": access.AUTH_NONE, "polkit": access.AUTH_POLKIT}


class SocketFile(NamedTuple):
    """auth: one of rpc.access.AUTH_*. group: -1 for the daemon's own."""

    path: Path
    mode: int
    group: int
    readonly: bool
    auth: int


class SocketSet(NamedTuple):
    """read-write and read-only socket of the main server, and the admin server's."""

    main: tuple[SocketFile, ...]
    admin: tuple[SocketFile, ...]


def own(directory: Path, configuration: Configuration, *, privileged: bool) -> SocketSet:
    """`roost-sock`, `roost-sock-ro`, `roost-admin-sock`."""
    return _named(directory, "roost", configuration, privileged)


def libvirt(directory: Path, configuration: Configuration, *, privileged: bool) -> Iterator[SocketSet]:
    """libvirt's names, leaving out those that a running daemon holds."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o755)
    for name in LIBVIRT_NAMES:
        found = _named(directory, name, configuration, privileged)
        if is_held(found.main[0].path):
            log.warning("%s is answered by another daemon; left alone", found.main[0].path)
        else:
            yield found


def is_held(path: Path) -> bool:
    """Whether somebody accepts connections at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True  # its backlog is full
        except OSError:
            return False
    return True


def _named(directory: Path, name: str, configuration: Configuration, privileged: bool) -> SocketSet:
    group = _group(configuration.unix_sock_group)
    readwrite_auth = _AUTH[configuration.auth_unix_rw]
    # Whoever is authenticated otherwise may reach the socket; without that, the file's mode is the only gate.
    default = "0777" if readwrite_auth != access.AUTH_NONE else "0770" if group != -1 else "0700"
    readwrite = int(configuration.unix_sock_rw_perms or default, 8)
    # A user's own daemon is nobody else's business, not even to look at.
    readonly = int(configuration.unix_sock_ro_perms or ("0777" if privileged else "0700"), 8)
    admin = int(configuration.unix_sock_admin_perms, 8)
    readonly_auth = _AUTH[configuration.auth_unix_ro]
    return SocketSet(
        (
            SocketFile(directory / f"{name}-sock", readwrite, group, False, readwrite_auth),
            SocketFile(directory / f"{name}-sock-ro", readonly, group, True, readonly_auth),
        ),
        (SocketFile(directory / f"{name}-admin-sock", admin, -1, False, access.AUTH_NONE),),
    )


def _group(name: str) -> int:
    if not name:
        return -1
    with contextlib.suppress(KeyError):
        return grp.getgrnam(name).gr_gid
    if name.isdigit():
        return int(name)
    raise ConfSyntax(f"unix_sock_group: no group '{name}' on this machine", domain=From.CONF)


def libvirt_directory(privileged: bool) -> Path:
    """libvirt's own directory for sockets."""
    if privileged:
        return Path("/run/libvirt")
    runtime = os.environ.get("XDG_RUNTIME_DIR") or str(Path.home() / ".cache")
    return Path(runtime) / "libvirt"
