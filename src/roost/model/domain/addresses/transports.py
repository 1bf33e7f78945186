"""Places that are not slots of a PCI bus: channel subsystem, memory-mapped virtio, and pSeries' own bus.

Virtio devices without an address take the board's transport; what stays without one goes to PCI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, InternalError, XmlError
from roost.model.domain.boards import ARM_VIRT, PSERIES, RISCV_VIRT
from roost.model.domain.device import CcwAddress, SpaprVioAddress, VirtioMmioAddress
from roost.model.domain.draft import Draft, describe

#: The channel subsystem of virtio devices; the highest that others may name.
_CSSID, _MAX_CSSID, _MAX_SSID = 0xFE, 0xFE, 3
_MAX_DEVNO = 0xFFFF
#: Where pSeries' bus has the first device of each class, as QEMU does, and the room that each takes.
_REGISTERS = {"interface": 0x1000, "controller": 0x2000, "serial": 0x30000000, "nvram": 0x3000, "tpm": 0x4000}
_REGISTER_STEP = 0x1000
_ROOT_PORTS = frozenset(("pcie-root-port", "ioh3420"))

_VIRTIO_MEMORY = frozenset(("virtio-pmem", "virtio-mem"))


def _is_virtio_interface(device: Any) -> bool:
    return device.model is not None and (device.model == "virtio" or device.model.startswith("virtio-"))


#: Which devices of a class are virtio ones. Classes of the second table follow on the channel subsystem only.
_VIRTIO: dict[str, Callable[[Any], bool]] = {
    "disk": lambda d: d.target.bus == "virtio",
    "interface": _is_virtio_interface,
    "video": lambda d: d.model is not None and d.model.type == "virtio",
    "input": lambda d: d.bus == "virtio",
    "controller": lambda d: d.type in ("virtio-serial", "scsi") and d.model not in ("ibmvscsi", "ncr53c90"),
    "hostdev": lambda d: getattr(d, "type", None) == "scsi_host",
    "memballoon": lambda d: d.model != "none",
    "rng": lambda d: True,
    "memory": lambda d: d.model in _VIRTIO_MEMORY,
}
_VIRTIO_TOO: dict[str, Callable[[Any], bool]] = {"filesystem": lambda d: True, "vsock": lambda d: True}


def assign_transports(draft: Draft) -> None:
    """Raises XmlError for places that are taken, others for those that do not exist."""
    if draft.board.transport != "ccw" and CcwAddress in _address_types(draft):
        raise ConfigUnsupported(
            f"cannot use CCW address type for device '<null>' using machine type '{draft.machine}'",
            domain=From.QEMU,
            hint="channel addresses are for s390-ccw-virtio; leave the address out",
        )
    if draft.board is PSERIES:
        _assign_registers(draft)
    elif draft.board.transport == "ccw":
        _prime(draft, CcwAddress(), also=_VIRTIO_TOO)
        _assign_ccw(draft)
    elif draft.board.transport == "virtio-mmio":
        _prime(draft, VirtioMmioAddress(), also=_VIRTIO_TOO)
    elif draft.board in (ARM_VIRT, RISCV_VIRT) and _stays_on_mmio(draft):
        _prime(draft, VirtioMmioAddress())


def _stays_on_mmio(draft: Draft) -> bool:
    """Whether a machine that has both was laid out without PCI, or has to be."""
    if not _ROOT_PORTS & draft.facts.devices:
        return True
    return VirtioMmioAddress in _address_types(draft)


def _address_types(draft: Draft) -> set[type]:
    return {type(device.address) for _, devices in draft.device_lists() for device in devices}


def _prime(draft: Draft, address: Any, *, also: dict[str, Callable[[Any], bool]] | None = None) -> None:
    """Give every virtio device without an address one of this type."""
    for kind, devices in draft.device_lists():
        is_virtio = _VIRTIO.get(kind) or (also or {}).get(kind)
        if is_virtio is None:
            continue
        for place, device in enumerate(devices):
            if device.address is None and is_virtio(device):
                devices[place] = replace(device, address=address)


# -- channel subsystem ---------------------------------------------------------------------------


def _assign_ccw(draft: Draft) -> None:
    taken: dict[tuple[int, int, int], str] = {}
    for kind, devices, place in _placed(draft, CcwAddress):
        address = devices[place].address
        if address.devno is None:
            continue
        key = (address.cssid or 0, address.ssid or 0, address.devno)
        if key[0] > _MAX_CSSID or key[1] > _MAX_SSID or key[2] > _MAX_DEVNO:
            raise InternalError(
                f"Invalid specification for virtio ccw address: cssid='{key[0]:#x}' ssid='{key[1]:#x}' "
                f"devno='{key[2]:#06x}'",
                domain=From.DEVICE,
                hint=f"cssid is {_MAX_CSSID:#x} for virtio devices, ssid at most {_MAX_SSID}",
            )
        if key in taken:
            raise XmlError(
                f"The CCW devno '{key[0]:x}.{key[1]:x}.{key[2]:04x}' is in use already",
                domain=From.DOMAIN,
                hint=f"{taken[key]} has it",
            )
        taken[key] = describe(kind, devices[place])
    following = 0
    for kind, devices, place in _placed(draft, CcwAddress):
        if devices[place].address.devno is not None:
            continue
        while (_CSSID, 0, following) in taken:
            following += 1
        if following > _MAX_DEVNO:
            raise InternalError("There are no more free CCW devnos.", domain=From.DOMAIN)
        taken[_CSSID, 0, following] = describe(kind, devices[place])
        devices[place] = replace(devices[place], address=CcwAddress(cssid=_CSSID, ssid=0, devno=following))


def _placed(draft: Draft, kind: type) -> Iterator[tuple[str, list[Any], int]]:
    """Element, list and index of the devices that have an address of this type."""
    for element, devices in draft.device_lists():
        for place, device in enumerate(devices):
            if isinstance(device.address, kind):
                yield element, devices, place


# -- pSeries -------------------------------------------------------------------------------------


def _belongs_to_vio(kind: str, device: Any) -> bool:
    if kind == "interface":
        return bool(device.model == "spapr-vlan")
    if kind == "controller":
        return bool(device.type == "scsi" and device.model == "ibmvscsi")
    if kind == "serial":
        return device.target is not None and device.target.type == "spapr-vio-serial"
    if kind == "tpm":
        return bool(device.model != "spapr-tpm-proxy")
    return kind == "nvram"


def _assign_registers(draft: Draft) -> None:
    for kind, devices in (
        ("interface", draft.interfaces), ("controller", draft.controllers), ("serial", draft.serials),
        ("nvram", draft.nvram), ("tpm", draft.tpms),
    ):  # fmt: skip
        listed: list[Any] = devices
        for place, device in enumerate(listed):
            address = device.address
            if not isinstance(address, SpaprVioAddress):
                if not _belongs_to_vio(kind, device):
                    continue
                address = SpaprVioAddress()
            listed[place] = replace(device, address=_with_register(draft, kind, device, address))


def _with_register(draft: Draft, kind: str, device: Any, address: SpaprVioAddress) -> SpaprVioAddress:
    taken = {
        listed[place].address.reg: describe(element, listed[place])
        for element, listed, place in _placed(draft, SpaprVioAddress)
        if listed[place] is not device and element != "console"
    }
    if address.reg is not None:
        if address.reg in taken:
            raise XmlError(
                f"spapr-vio address {address.reg:#x} already in use",
                domain=From.QEMU,
                hint=f"{taken[address.reg]} has it",
            )
        return address
    register = _REGISTERS[kind]
    while register in taken:
        register += _REGISTER_STEP
    return SpaprVioAddress(reg=register)


__all__ = ["assign_transports"]
