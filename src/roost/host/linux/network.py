"""Tap interfaces, ports and sockets."""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import itertools
import os
import socket
import struct
from pathlib import Path

from roost.errors import InternalError, OperationFailed
from roost.host.api import Rate, SwitchPort, Tap
from roost.host.linux import counters, macvtap, neighbours, openvswitch, traffic
from roost.host.linux.system import system_error

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR, _IFF_MULTI_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFMTU, _SIOCSIFHWADDR = 0x8913, 0x8914, 0x8922, 0x8924
_SIOCBRDELIF = 0x89A3
_SIOCBRADDIF = 0x89A2
_IFF_UP = 0x1
_SIOCETHTOOL, _ETHTOOL_GCOALESCE, _ETHTOOL_SCOALESCE = 0x8946, 0xE, 0xF
#: The words of a struct ethtool_coalesce, and which of them limits the packets received before an interrupt.
_COALESCE_WORDS, _RX_PACKETS = 23, 2
_VHOST_VSOCK_SET_GUEST_CID = 0x4008AF60
#: 0 to 2 mean the hypervisor, the local machine and the host.
_FIRST_CID = 3
_MAX_GUEST_CIDS = 65536
_ARPHRD_ETHER = 1
_NAME_MAX = 15


def _request(name: str, payload: bytes = b"") -> bytes:
    """A struct ifreq."""
    return struct.pack("16s24s", name.encode(), payload)


class LinuxNetwork:
    """See host.api.Network."""

    def __init__(self) -> None:
        self._ports: set[int] = set()
        self._names: set[str] = set()
        self._reserved: dict[int, list[socket.socket]] = {}

    def tap(
        self,
        name: str,
        *,
        mac: str,
        bridge: str | None,
        mtu: int | None = None,
        queues: int = 0,
        headers: bool = True,
        managed: bool = True,
        device: str = "/dev/net/tun",
    ) -> Tap:
        if len(name) > _NAME_MAX:
            raise OperationFailed(f"interface name '{name}' is longer than {_NAME_MAX} characters")
        flags = _IFF_TAP | _IFF_NO_PI | (_IFF_VNET_HDR if headers else 0) | (_IFF_MULTI_QUEUE if queues else 0)
        made = name or "vnet%d"
        descriptors: list[int] = []
        try:
            for _ in range(queues or 1):
                made = _open_queue(device, made, flags, descriptors)
            if managed:
                self._configure(made, mac, bridge, mtu)
        except BaseException:
            for descriptor in descriptors:
                os.close(descriptor)
            raise
        return Tap(made, tuple(descriptors))

    def _configure(self, name: str, mac: str, bridge: str | None, mtu: int | None) -> None:
        address = bytes.fromhex(mac.replace(":", ""))
        # A high first octet, so that a bridge does not take the guest's address for its own.
        hardware = struct.pack("H", _ARPHRD_ETHER) + b"\xfe" + address[1:]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            try:
                fcntl.ioctl(control, _SIOCSIFHWADDR, _request(name, hardware))
                if mtu:
                    fcntl.ioctl(control, _SIOCSIFMTU, _request(name, struct.pack("i", mtu)))
            except OSError as error:
                raise system_error(f"Cannot set up interface '{name}'", error) from error
            if bridge:
                self._attach(control, name, bridge)
            try:
                flags = struct.unpack_from("H", fcntl.ioctl(control, _SIOCGIFFLAGS, _request(name)), 16)[0]
                fcntl.ioctl(control, _SIOCSIFFLAGS, _request(name, struct.pack("H", flags | _IFF_UP)))
            except OSError as error:
                raise system_error(f"Cannot set interface flags on '{name}'", error) from error

    def _attach(self, control: socket.socket, name: str, bridge: str) -> None:
        if not os.path.isdir(f"/sys/class/net/{bridge}/bridge"):
            raise system_error(
                f"Cannot get interface MTU on '{bridge}'",
                OSError(errno.ENODEV, ""),
                hint=f"there is no bridge '{bridge}' on this host: make it, or name another in <source bridge=…>",
            )
        try:
            fcntl.ioctl(control, _SIOCBRADDIF, _request(bridge, struct.pack("i", socket.if_nametoindex(name))))
        except OSError as error:
            raise system_error(f"Unable to add bridge {bridge} port {name}", error) from error

    def move(self, interface: str, bridge: str) -> None:
        if not os.path.isdir(f"/sys/class/net/{bridge}/bridge"):
            raise OperationFailed(
                f"bridge {bridge} doesn't exist", hint="make it, or name another in <source bridge=…>"
            )
        before = os.path.basename(os.path.realpath(f"/sys/class/net/{interface}/master"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            if before != "master":
                index = struct.pack("i", socket.if_nametoindex(interface))
                try:
                    fcntl.ioctl(control, _SIOCBRDELIF, _request(before, index))
                except OSError as error:
                    raise system_error(f"Unable to remove bridge {before} port {interface}", error) from error
            try:
                self._attach(control, interface, bridge)
            except BaseException:
                if before != "master":
                    self._attach(control, interface, before)
                raise

    def macvtap(
        self,
        name: str,
        *,
        mac: str,
        link: str,
        mode: str,
        mtu: int | None = None,
        queues: int = 0,
        headers: bool = True,
    ) -> Tap:
        return macvtap.create(name, mac=mac, link=link, mode=mode, mtu=mtu, queues=queues, headers=headers)

    def remove_macvtap(self, name: str, mac: str) -> None:
        macvtap.remove(name, mac)

    def free_name(self, prefix: str) -> str:
        taken = {name for _, name in socket.if_nameindex()} | self._names
        number = next(number for number in itertools.count() if f"{prefix}{number}" not in taken)
        # Two guests may start before either has made its interface.
        self._names.add(f"{prefix}{number}")
        return f"{prefix}{number}"

    def address(self, interface: str) -> str:
        return macvtap.address_of(interface)

    def set_address(self, interface: str, mac: str) -> None:
        macvtap.set_address(interface, mac)

    def shape(self, interface: str, *, sent: Rate | None, received: Rate | None) -> None:
        traffic.shape(interface, sent=sent, received=received)

    def isolate(self, interface: str) -> None:
        try:
            Path(f"/sys/class/net/{interface}/brport/isolated").write_text("1")
        except OSError as error:
            raise InternalError(f"Unable to set bridge port isolated on {interface}: {error.strerror}") from error

    def coalesce(self, interface: str, packets: int) -> None:
        settings = array.array("I", [_ETHTOOL_GCOALESCE, *[0] * (_COALESCE_WORDS - 1)])
        request = struct.pack("16sP16x", interface.encode(), settings.buffer_info()[0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            try:
                fcntl.ioctl(control, _SIOCETHTOOL, request)
                settings[0], settings[_RX_PACKETS] = _ETHTOOL_SCOALESCE, packets
                fcntl.ioctl(control, _SIOCETHTOOL, request)
            except OSError as error:
                raise system_error(f"Cannot set coalesce info on '{interface}'", error) from error

    def plug(self, interface: str, bridge: str, port: SwitchPort) -> None:
        what = f"Unable to add port {interface} to OVS bridge {bridge}"
        openvswitch.run(openvswitch.add_command(interface, bridge, port), what)

    def shape_port(self, interface: str, guest: str, *, sent: Rate | None, received: Rate | None) -> None:
        for words in openvswitch.limit_commands(interface, guest, sent=sent, received=received):
            openvswitch.run(words, f"Unable to create and set qos configuration on port {interface}")

    def unplug(self, interface: str) -> None:
        with contextlib.suppress(InternalError):
            openvswitch.run(openvswitch.remove_command(interface), f"Unable to delete port {interface} from OVS")

    def counters(self, interface: str) -> tuple[int, int, int, int, int, int, int, int]:
        try:
            found = counters.read(interface)
        except OSError as error:
            raise system_error(f"cannot read counters of interface '{interface}'", error) from error
        # What the host sends on a tap is what the guest receives.
        rxb, rxp, rxe, rxd, txb, txp, txe, txd = found
        return txb, txp, txe, txd, rxb, rxp, rxe, rxd

    def neighbours(self) -> list[tuple[str, str]]:
        return neighbours.table()

    def claim_port(self, first: int, last: int, address: str = "") -> int:
        for port in range(first, last + 1):
            if port not in self._ports:
                reserved = _reserve(port)
                if reserved:
                    self._ports.add(port)
                    self._reserved[port] = reserved
                    return port
        raise InternalError(
            f"Unable to find an unused port in range '{first}-{last}'",
            hint="end a guest or widen the range in qemu.conf",
        )

    def hold_port(self, port: int) -> bool:
        free = port not in self._ports
        self._ports.add(port)
        return free

    def settle_port(self, port: int) -> None:
        for reserved in self._reserved.pop(port, ()):
            reserved.close()

    def release_port(self, port: int) -> None:
        self.settle_port(port)
        self._ports.discard(port)

    def vsock(self, cid: int | None) -> tuple[int, int]:
        try:
            descriptor = os.open("/dev/vhost-vsock", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise system_error(
                "unable to open vhost-vsock device", error, hint="modprobe vhost_vsock, or drop <vsock>"
            ) from error
        for chosen in (cid,) if cid is not None else range(_FIRST_CID, _FIRST_CID + _MAX_GUEST_CIDS):
            try:
                fcntl.ioctl(descriptor, _VHOST_VSOCK_SET_GUEST_CID, struct.pack("=Q", chosen))
            except OSError as error:
                if cid is None and error.errno == errno.EADDRINUSE:
                    continue
                os.close(descriptor)
                raise system_error(
                    "failed to set guest cid", error, hint=f"another guest may have {chosen}; <cid auto='yes'/>"
                ) from error
            return descriptor, chosen
        os.close(descriptor)
        raise OperationFailed("failed to acquire guest cid", hint="every context id is taken")

    def listen(self, path: Path) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen(8)
        except OSError as error:
            listener.close()
            hint = "a unix socket's path has at most 107 bytes" if len(os.fsencode(path)) > 107 else ""
            raise system_error(f"Unable to listen on socket '{path}'", error, hint) from error
        return listener


def _open_queue(device: str, name: str, flags: int, descriptors: list[int]) -> str:
    """One more queue of the tap `name`, appended to `descriptors`; the interface's real name."""
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise system_error(
            f"Unable to open {device}, is tun module loaded?", error, hint="load it: modprobe tun"
        ) from error
    descriptors.append(descriptor)
    try:
        made: bytes = fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    except OSError as error:
        raise system_error(f"Unable to create tap device {name}", error) from error
    return made[:16].rstrip(b"\0").decode()


def _reserve(port: int) -> list[socket.socket]:
    """Sockets bound to the port on every address, IPv6 too where there is any; [] when somebody has it.

    Bound alone, so that other daemons' attempts fail; then marked reusable, so
    that QEMU can listen there although we hold it.
    """
    reserved: list[socket.socket] = []
    for family, address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        try:
            holder = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        except OSError:
            continue  # a host without that family
        reserved.append(holder)
        try:
            if family == socket.AF_INET6:
                holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            holder.bind((address, port))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                reserved.pop().close()
                continue
            for each in reserved:
                each.close()
            return []
    return reserved
