"""Devices of the host handed to the guest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.pieces import Piece, Props, compact, device
from roost.drivers.qemu.plan.resources import File, HostDevice, Opened
from roost.errors import ConfigUnsupported, From, InternalError
from roost.model.domain.device import DriveAddress, PciAddress
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.hostdev import (
    Hostdev,
    MdevHostdev,
    PciHostdev,
    ScsiHostdev,
    ScsiHostHostdev,
    Teaming,
    UsbHostdev,
)
from roost.model.domain.devices.interface import HostdevNet, Interface, PciInterface, UsbInterface
from roost.model.shared.pci import PciLocation

#: What each setting of guestReset asks: resets passed on at all, those of a device in use too.
_RESETS: dict[str | None, tuple[bool | None, bool | None]] = {
    None: (None, None),
    "off": (False, None),
    "uninitialized": (True, False),
    "on": (True, True),
}
_ISCSI_PORT = 3260


def _boot(hostdev: Hostdev | Interface) -> int | None:
    return hostdev.boot.order if hostdev.boot is not None else None


def _usb(hostdev: Hostdev, source: UsbHostdev, ctx: Context) -> Iterator[Piece]:
    reset, always = _RESETS[source.guest_reset]
    path = None
    if not source.missing:
        if source.location is None:
            raise InternalError("USB host device is missing bus/device information", domain=From.QEMU)
        path = usb_path(source.location.bus, source.location.device)
    props: Props = {
        "driver": ctx.driver("usb-host", "usb hostdev"),
        "hostdevice": path,
        "id": alias_of(hostdev),
        "bootindex": _boot(hostdev),
        "guest-reset": reset,
        "guest-resets-all": always,
    }
    yield device(props | ctx.address(hostdev))


def usb_path(bus: int, number: int) -> str:
    """The device node of a USB device."""
    return f"/dev/bus/usb/{bus:03}/{number:03}"


def _vfio(alias: str, location: PciLocation, owner: Hostdev | Interface, ctx: Context) -> Piece:
    teaming: Teaming | None = owner.teaming
    pair = teaming.persistent if teaming is not None and teaming.type == "transient" else None
    props: Props = {
        "driver": ctx.driver("vfio-pci", "VFIO PCI device assignment"),
        "host": str(location),
        "id": alias,
        "bootindex": _boot(owner),
        "failover_pair_id": pair,
        **ctx.address(owner),
    }
    rom = owner.rom
    if rom is not None:
        if rom.enabled is False:
            props["romfile"] = ""
        else:
            props |= {"romfile": rom.file, "rombar": None if rom.bar is None else int(rom.bar)}
    return device(props)


def _pci(hostdev: Hostdev, source: PciHostdev, ctx: Context) -> Iterator[Piece]:
    # One without an address is kept from the host, and not shown to the guest.
    if isinstance(hostdev.address, PciAddress) and source.location is not None:
        yield _vfio(alias_of(hostdev), source.location, hostdev, ctx)


def _node(hostdev: Hostdev, ctx: Context) -> str:
    """The block node of a SCSI device: numbered on from the images of disks."""
    first = max((number for numbers in ctx.nodes.values() for number in numbers), default=0) + 1
    devices = [each.alias for each in ctx.domain.devices.hostdevs if isinstance(each.source, ScsiHostdev)]
    return f"libvirt-{first + devices.index(hostdev.alias)}-backend"


def _scsi(hostdev: Hostdev, source: ScsiHostdev, ctx: Context) -> Iterator[Piece]:
    address = hostdev.address
    if not isinstance(address, DriveAddress):
        raise InternalError("SCSI host device without a drive address", domain=From.QEMU)
    controller = ctx.controller("scsi", address.controller)
    node = _node(hostdev, ctx)
    if source.protocol == "iscsi":
        if source.auth is not None:
            raise ConfigUnsupported(
                "secrets of iSCSI host devices are not available to this driver",
                domain=From.QEMU,
                hint="let the host log in, and use <adapter> and <address>",
            )
        target, _, unit = (source.name or "").partition("/")
        data: Props = {
            "driver": "iscsi",
            "portal": f"{source.host}:{source.port or _ISCSI_PORT}",
            "target": target,
            "lun": int(unit or 0),
            "transport": "tcp",
            "initiator-name": source.initiator,
        }
    else:
        path = ctx.grants.names.get(alias_of(hostdev))
        data = {"driver": "host_device", "filename": path or ""}
    data |= {"node-name": node, "read-only": hostdev.readonly}
    yield Piece("blockdev", compact(data))
    props: Props = {
        "driver": ctx.driver("scsi-generic", "SCSI host device"),
        "drive": node,
        "id": alias_of(hostdev),
        "bootindex": _boot(hostdev),
    }
    yield device(props | _scsi_place(address, controller))


def _scsi_place(address: DriveAddress, controller: Controller) -> Props:
    bus = f"{alias_of(controller)}.0"
    if controller.model == "lsilogic":
        return {"bus": bus, "scsi-id": address.unit}
    return {"bus": bus, "channel": 0, "scsi-id": address.target, "lun": address.unit}


def _scsi_host(hostdev: Hostdev, source: ScsiHostHostdev, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(hostdev)
    model = source.model if source.model != "virtio" else None
    vhost = ctx.grants.fds.get(f"vhost:{alias}")
    props = ctx.virtio("vhost-scsi", hostdev, None, model)
    props |= {"wwpn": source.wwpn, "vhostfd": ctx.use(vhost[0]) if vhost else None, "id": alias}
    yield device(props | ctx.address(hostdev))


def _mdev(hostdev: Hostdev, source: MdevHostdev, ctx: Context) -> Iterator[Piece]:
    # Only the device that cannot be unplugged has a frame buffer at boot.
    name = "vfio-pci-nohotplug" if source.ramfb and source.model == "vfio-pci" else source.model
    props: Props = {
        "driver": ctx.driver(name, f"mediated device {source.model}"),
        "id": alias_of(hostdev),
        "sysfsdev": mdev_path(source.uuid),
        "display": None if source.display is None else "on" if source.display else "off",
        "ramfb": True if source.ramfb else None,
        "bootindex": _boot(hostdev),
    }
    yield device(props | ctx.address(hostdev))


def mdev_path(uuid: str | None) -> str:
    """Where the kernel shows a mediated device."""
    return f"/sys/bus/mdev/devices/{uuid}"


_MAKE: dict[type, Callable[[Hostdev, Any, Context], Iterator[Piece]]] = {
    UsbHostdev: _usb,
    PciHostdev: _pci,
    ScsiHostdev: _scsi,
    ScsiHostHostdev: _scsi_host,
    MdevHostdev: _mdev,
}


def pieces(hostdev: Hostdev, ctx: Context) -> Iterator[Piece]:
    make = _MAKE.get(type(hostdev.source))
    if make is None:
        raise ConfigUnsupported(
            f"hostdev mode '{hostdev.mode}' is not supported in {ctx.domain.type}", domain=From.QEMU
        )
    yield from make(hostdev, hostdev.source, ctx)


def interface_pieces(interface: Interface, source: HostdevNet, ctx: Context) -> Iterator[Piece]:
    """A network card of the host's: what the guest sees is the card itself."""
    card, alias = source.device, alias_of(interface)
    if isinstance(card, PciInterface):
        yield _vfio(alias, card, interface, ctx)
    elif isinstance(card, UsbInterface):
        props = {
            "driver": ctx.driver("usb-host", "usb hostdev"),
            "hostdevice": usb_path(card.bus, card.device),
            "id": alias,
            "bootindex": _boot(interface),
        }
        yield device(props | ctx.address(interface))
    else:
        raise InternalError(
            "USB host device is missing bus/device information",
            domain=From.QEMU,
            hint="<address type='usb' bus='1' device='2'/>",
        )


def section(ctx: Context) -> Iterator[Piece]:
    """Network cards first, as libvirt counts them among the host devices."""
    for interface in ctx.domain.devices.interfaces:
        if isinstance(interface.source, HostdevNet):
            yield from interface_pieces(interface, interface.source, ctx)
    for hostdev in ctx.domain.devices.hostdevs:
        yield from pieces(hostdev, ctx)


def needs(ctx: Context) -> Iterator[File | HostDevice | Opened]:
    for hostdev in ctx.domain.devices.hostdevs:
        source, alias = hostdev.source, alias_of(hostdev)
        if isinstance(source, UsbHostdev) and source.location is not None and not source.missing:
            yield File(usb_path(source.location.bus, source.location.device), write=True, user=alias, kind="device")
        elif isinstance(source, PciHostdev):
            yield HostDevice(alias, "pci", str(source.location), source.managed)
        elif isinstance(source, ScsiHostHostdev):
            yield Opened(f"vhost:{alias}", "/dev/vhost-scsi", "Failed to open /dev/vhost-scsi")
        elif isinstance(source, MdevHostdev):
            yield HostDevice(alias, "mdev", source.uuid or "")
        elif isinstance(source, ScsiHostdev) and source.protocol is None:
            place = f"{(source.adapter or '').removeprefix('scsi_host')}:{source.bus}:{source.target}:{source.unit}"
            yield HostDevice(alias, "scsi", place, write=not hostdev.readonly)
    for interface in ctx.domain.devices.interfaces:
        card = interface.source.device if isinstance(interface.source, HostdevNet) else None
        if isinstance(card, PciInterface):
            yield HostDevice(alias_of(interface), "pci", str(card), bool(interface.managed))
        elif isinstance(card, UsbInterface):
            path = usb_path(card.bus, card.device)
            yield File(path, write=True, user=alias_of(interface), kind="device")
