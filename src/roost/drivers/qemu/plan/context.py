"""What the functions of all device classes look up: the machine, controllers, boot order, grants."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from roost.drivers.qemu.plan.imagenumbers import number_images
from roost.drivers.qemu.plan.pieces import Props, compact
from roost.errors import ConfigUnsupported, From, InternalError
from roost.model.domain.boards import PSERIES_HOST_BRIDGE, is_i440fx, is_q35
from roost.model.domain.device import (
    CcwAddress,
    Device,
    DimmAddress,
    IsaAddress,
    PciAddress,
    SpaprVioAddress,
    UsbAddress,
    VirtioMmioAddress,
    VirtioOptions,
    VirtioSerialAddress,
)

if TYPE_CHECKING:
    from roost.drivers.qemu.plan.caps import Capabilities
    from roost.drivers.qemu.plan.resources import Grants
    from roost.model.domain import Domain
    from roost.model.domain.devices.controller import Controller


def is_user_alias(alias: str) -> bool:
    return alias.startswith("ua-")


def kind_of(member: msgspec.Struct) -> str:
    """What the document calls a member of a union: `unix`, `file`, `pci`."""
    return str(member.__struct_config__.tag)


def alias_of(device: Device) -> str:
    """The alias a live device must have."""
    if device.alias is None:
        raise InternalError(f"{type(device).__name__.lower()} without an alias", domain=From.QEMU)
    return device.alias


class Context:
    """One document on its way to one QEMU.

    fds: collects the descriptors that are used. running: QEMU runs already,
    so it knows them by the names they were passed under, not by their numbers.
    """

    __slots__ = ("_controllers", "_fdsets", "boot", "caps", "domain", "fds", "grants", "machine", "nodes", "running")

    def __init__(self, domain: Domain, caps: Capabilities, grants: Grants, *, running: bool = False) -> None:
        self.running = running
        self.domain = domain
        self.caps = caps
        self.grants = grants
        self.machine = domain.os.machine or ""
        self.fds: list[int] = []
        self._fdsets: dict[str, int] = {}
        self._controllers: dict[tuple[str, int], Controller] = {
            (controller.type, controller.index or 0): controller for controller in domain.devices.controllers
        }
        self.boot = _own_indices(domain) or ({} if running else _indices_by_kind(domain))
        self.nodes = _node_numbers(domain)

    @property
    def is_q35(self) -> bool:
        return is_q35(self.machine)

    @property
    def has_builtin_ide(self) -> bool:
        return is_i440fx(self.machine)

    def controller(self, kind: str, index: int) -> Controller:
        found = self._controllers.get((kind, index))
        if found is None:
            raise InternalError(f"could not find {kind} controller with index {index}", domain=From.QEMU)
        return found

    def require(self, name: str, message: str, hint: str) -> None:
        """Refuse with ConfigUnsupported unless the binary has `name`, as of Capabilities.has."""
        if not self.caps.has(name):
            raise ConfigUnsupported(message, domain=From.QEMU, hint=hint)

    def driver(self, name: str, what: str) -> str:
        """`name`, a device type this binary has."""
        if not self.caps.has(_TYPE_NAMES.get(name, name)):
            raise ConfigUnsupported(
                f"'{what}' is not supported in this QEMU binary",
                domain=From.QEMU,
                hint=f"it has no device '{name}'; choose another model, or install the QEMU module that brings it",
            )
        return name

    def use(self, fd: int) -> str:
        """Pass a descriptor on; the text QEMU is given for it."""
        self.fds.append(fd)
        return self.descriptor_name(fd) if self.running else str(fd)

    @staticmethod
    def descriptor_name(fd: int) -> str:
        """What a running QEMU calls a descriptor."""
        return f"fd-{fd}"

    def fdset(self, key: str) -> int:
        """The number of the descriptor set that carries the grant `key`."""
        return self._fdsets.setdefault(key, len(self._fdsets))

    def address(self, device: Device) -> Props:
        """The properties that place a device."""
        address = device.address
        if address is None:
            return {}
        place = _PLACES.get(type(address))
        props = place(self, address) if place is not None else {}
        if device.acpi_index:
            props["acpi-index"] = device.acpi_index
        return props

    def pci_bus(self, index: int) -> str:
        """The name of the bus a PCI controller makes."""
        controller = self.controller("pci", index)
        alias = alias_of(controller)
        if controller.model_name == PSERIES_HOST_BRIDGE and index:
            return f"{alias}.0"
        builtin = _BUILTIN_PCI.get(controller.model or "")
        return builtin if builtin and is_user_alias(alias) else alias

    def virtio(self, base: str, device: Device, options: VirtioOptions | None, model: str | None = None) -> Props:
        """The first properties of a virtio device: its driver by transport and model, and the shared options.

        model: `virtio`, `virtio-transitional` or `virtio-non-transitional`.
        """
        transport = _TRANSPORTS.get(type(device.address))
        if transport is None:
            raise InternalError(f"Unexpected address type for '{base}'", domain=From.QEMU)
        name = f"{base}-{transport}"
        if model and model.startswith("virtio-"):
            if transport != "pci":
                raise ConfigUnsupported(
                    "virtio (non-)transitional models are not supported for address type="
                    f"{kind_of(device.address) if device.address else 'none'}",
                    domain=From.QEMU,
                    hint="use model 'virtio'",
                )
            name += model.removeprefix("virtio")
        props: Props = {"driver": self.driver(name, base)}
        return props | virtio_options(options)


def virtio_options(options: VirtioOptions | None) -> Props:
    """The properties that every virtio device has for <driver>."""
    if options is None:
        return {}
    return {
        "iommu_platform": options.iommu,
        "ats": options.ats,
        "packed": options.packed,
        "page-per-vq": options.page_per_vq,
    }


#: Device names that are second names of QEMU's types, which is what its lists tell.
_TYPE_NAMES = {"ahci": "ich9-ahci", "lsi": "lsi53c895a", "dc-390": "dc390"}
_TRANSPORTS: dict[type, str] = {PciAddress: "pci", VirtioMmioAddress: "device", CcwAddress: "ccw"}
#: PCI controllers that are part of the board, whose buses the document cannot name.
_BUILTIN_PCI = {"pci-root": "pci.0", "pcie-root": "pcie.0"}


def _pci(ctx: Context, address: PciAddress) -> Props:
    function = address.function or 0
    slot = address.slot or 0
    return compact(
        {
            "bus": ctx.pci_bus(address.bus or 0),
            "multifunction": address.multifunction,
            "addr": f"{slot:#x}.{function:#x}" if function else f"{slot:#x}",
        }
    )


def _usb(ctx: Context, address: UsbAddress) -> Props:
    bus = alias_of(ctx.controller("usb", address.bus))
    return compact({"bus": f"{bus}.0", "port": address.port})


def _ccw(ctx: Context, address: CcwAddress) -> Props:
    return {"devno": f"{address.cssid or 0:x}.{address.ssid or 0:x}.{address.devno or 0:04x}"}


def _isa(ctx: Context, address: IsaAddress) -> Props:
    return compact({"iobase": address.iobase, "irq": address.irq})


def _virtio_serial(ctx: Context, address: VirtioSerialAddress) -> Props:
    bus = alias_of(ctx.controller("virtio-serial", address.controller))
    return compact({"bus": f"{bus}.{address.bus}", "nr": address.port})


def _dimm(ctx: Context, address: DimmAddress) -> Props:
    return compact({"slot": address.slot, "addr": address.base or None})


def _spapr_vio(ctx: Context, address: SpaprVioAddress) -> Props:
    return compact({"reg": address.reg})


_PLACES: dict[type, Callable[[Context, Any], Props]] = {
    DimmAddress: _dimm,
    PciAddress: _pci,
    UsbAddress: _usb,
    CcwAddress: _ccw,
    IsaAddress: _isa,
    VirtioSerialAddress: _virtio_serial,
    SpaprVioAddress: _spapr_vio,
}


def _own_indices(domain: Domain) -> dict[str, int]:
    """bootindex by alias, of devices that have their own <boot order>."""
    devices = domain.devices
    bootable = (*devices.disks, *devices.interfaces)
    return {alias_of(device): device.boot.order for device in bootable if device.boot is not None}


def _indices_by_kind(domain: Domain) -> dict[str, int]:
    """bootindex by alias, of the first device of each kind that <os><boot> names. Devices that come later get none."""
    devices = domain.devices
    found: dict[str, int] = {}
    wanted: dict[str, int] = {kind: position for position, kind in enumerate(domain.os.boot, 1)}
    for disk in devices.disks:
        position = wanted.pop(_BOOT_KINDS.get(disk.device, "hd"), 0)
        if position:
            found[alias_of(disk)] = position
    if devices.interfaces and "network" in wanted:
        found[alias_of(devices.interfaces[0])] = wanted["network"]
    return found


_BOOT_KINDS = {"cdrom": "cdrom", "floppy": "fd"}


def _node_numbers(domain: Domain) -> dict[str, tuple[int, ...]]:
    """The numbers in `libvirt-N-format` of each disk's images from the top down, by alias.

    A document of a running guest tells them; else they count up from the last
    disk, one for each image, and for an empty drive too.
    """
    return {alias_of(disk): numbers for disk, numbers in number_images(domain.devices.disks)}
