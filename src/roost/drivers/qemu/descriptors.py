"""What QEMU gets by descriptor, or by a name that the host chose."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from roost.drivers.qemu import connections, plan
from roost.errors import SystemCallError
from roost.host.api import Host


def _in_memory(value: bytes) -> int:
    """A descriptor of a file that no file system has, with `value` in it."""
    descriptor = os.memfd_create("secret", os.MFD_CLOEXEC)
    os.write(descriptor, value)
    return descriptor


class Descriptors:
    """Ours until QEMU has inherited them (`close`).

    fds: by what they are for. names: of the host's devices, likewise. cids: of vsocks.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._open: list[int] = []
        self.fds: dict[str, tuple[int, ...]] = {}
        self.names: dict[str, str] = {}
        self.cids: dict[str, int] = {}

    def keep_value(self, key: str, value: bytes) -> None:
        """A value that no file system has, to be read by descriptor."""
        self._keep(key, _in_memory(value))

    def open(self, needs: plan.Needs, guest: str, links: Mapping[str, str]) -> None:
        """Everything of it that devices need. guest: its UUID. links: names of interfaces by what they are for."""
        for vsock in needs.vsocks:
            descriptor, cid = self._host.network.vsock(vsock.cid)
            self._keep(vsock.key, descriptor)
            self.cids[vsock.key] = cid
        for tap in needs.taps:
            self._take_tap(tap, guest, links.get(tap.key, tap.name))
        for opened in needs.opened:
            self._keep(opened.key, connections.open_device(opened))
        for device in needs.devices:
            if device.kind == "scsi":
                self.names[device.key] = connections.scsi_generic(device)
        for listener in needs.listeners:
            self._keep(listener.key, self._listen(listener.path))
        for log in needs.logs:
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if log.append else os.O_TRUNC)
            try:
                self._keep(log.key, os.open(log.path, flags, 0o600))
            except OSError as error:
                text = f"Unable to open file '{log.path}': {error.strerror}"
                raise SystemCallError(text, int1=error.errno or 0, str2=text) from error

    def _take_tap(self, tap: plan.Tap, guest: str, name: str) -> None:
        made = connections.make(self._host, tap, name, guest)
        self._keep(tap.key, *made.descriptors)
        self.names[tap.key] = made.name
        vhost = []
        try:
            for _ in range(tap.vhost):
                vhost.append(os.open(tap.vhost_device, os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            for descriptor in vhost:
                os.close(descriptor)
            if tap.vhost_required:
                text = f"vhost-net was requested for an interface, but is unavailable: {error.strerror}"
                raise SystemCallError(text, int1=error.errno or 0, str2=text, hint="modprobe vhost_net") from error
        else:
            if vhost:
                self._keep(f"vhost:{tap.key}", *vhost)

    def _listen(self, path: str) -> int:
        listener: socket.socket = self._host.network.listen(Path(path))
        owner = self._host.ownership.owner(path)
        if owner is not None:
            # It goes with the socket: nothing to give back.
            self._host.ownership.take(owner)
            self._host.ownership.forget(owner)
        return listener.detach()

    def listen(self, path: Path) -> int:
        """A listening socket for QEMU alone, closed on our side with the rest."""
        descriptor = self._host.network.listen(path).detach()
        self._open.append(descriptor)
        return descriptor

    def listen_for_guest(self, path: Path) -> int:
        """A listening socket that QEMU connects to, closed on our side with the rest."""
        descriptor = self._listen(str(path))
        self._open.append(descriptor)
        return descriptor

    def _keep(self, key: str, *descriptors: int) -> None:
        self._open.extend(descriptors)
        self.fds[key] = descriptors

    def hand_over(self, groups: Mapping[str, tuple[int, ...]]) -> None:
        """Descriptors that a client has brought, by the name of their group; ours to close."""
        for name, descriptors in groups.items():
            self._keep(f"fdgroup:{name}", *descriptors)

    def let_go(self, descriptor: int) -> None:
        """One that a program beside QEMU has inherited: when that ends, nobody else keeps it."""
        self._open.remove(descriptor)
        os.close(descriptor)

    def close(self) -> None:
        """Close our copies of what QEMU has inherited, or will never."""
        for descriptor in self._open:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._open.clear()
        self.fds = {}


__all__ = ["Descriptors"]
