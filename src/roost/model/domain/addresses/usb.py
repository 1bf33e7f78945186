"""USB ports: on the controllers, and on hubs that are added when those run out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, InternalError, XmlError
from roost.model.domain.device import UsbAddress
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.interface import UsbInterface
from roost.model.domain.devices.small import Hub
from roost.model.domain.draft import Draft, describe

_HUB_PORTS = 8
_MAX_DEPTH = 4
#: Ports by model; the companions of a USB 2 controller add none.
_PORTS = {
    None: 2, "piix3-uhci": 2, "piix4-uhci": 2, "vt82c686b-uhci": 2, "ehci": 6, "ich9-ehci1": 6, "pci-ohci": 3,
    "nec-xhci": 4, "qemu-xhci": 4,
}  # fmt: skip
_SETTABLE = frozenset(("nec-xhci", "qemu-xhci"))


class _HubPorts:
    """The ports of a controller or hub: who has them, and the hubs plugged into them."""

    __slots__ = ("count", "hubs", "owners")

    def __init__(self, count: int) -> None:
        self.count = count
        self.owners: dict[int, str] = {}
        self.hubs: dict[int, _HubPorts] = {}

    def free(self, depth: int = 1) -> tuple[int, ...] | None:
        """The path of the first free port, those of this hub before those of hubs behind it."""
        for port in range(1, self.count + 1):
            if port not in self.owners:
                return (port,)
        if depth == _MAX_DEPTH:
            return None
        for port in sorted(self.hubs):
            rest = self.hubs[port].free(depth + 1)
            if rest is not None:
                return (port, *rest)
        return None


class _Buses:
    def __init__(self, controllers: list[Controller]) -> None:
        """controllers: those of USB."""
        self._buses: dict[int, _HubPorts] = {}
        for controller in controllers:
            ports = _port_count(controller)
            if ports:
                index = controller.index or 0
                if index in self._buses:
                    raise XmlError(f"Duplicate USB controllers with index {index}", domain=From.DOMAIN)
                self._buses[index] = _HubPorts(ports)

    def _find(self, bus: int, port: str) -> tuple[_HubPorts, int]:
        """The hub a port path ends on, and the number of the port there."""
        hub = self._buses.get(bus)
        if hub is None:
            raise XmlError(
                f"Missing USB bus {bus}", domain=From.DOMAIN, hint=f"add <controller type='usb' index='{bus}'/>"
            )
        *way, last = (int(part) for part in port.split("."))
        for step in way:
            if step > hub.count:
                raise XmlError(f"port {step} out of range in USB address bus: {bus} port: {port}", domain=From.DOMAIN)
            behind = hub.hubs.get(step)
            if behind is None:
                raise XmlError(
                    f"there is no hub at port {step} in USB address bus: {bus} port: {port}", domain=From.DOMAIN
                )
            hub = behind
        if last > hub.count:
            raise XmlError(
                f"requested USB port {port} not present on USB bus {bus}",
                domain=From.DOMAIN,
                hint=f"it has {hub.count} ports",
            )
        return hub, last

    def reserve(self, bus: int, port: str, owner: str) -> None:
        hub, last = self._find(bus, port)
        if last in hub.owners:
            raise XmlError(
                f"Duplicate USB address bus {bus} port {port}", domain=From.DOMAIN, hint=f"{hub.owners[last]} has it"
            )
        hub.owners[last] = owner

    def add_hub(self, bus: int, port: str) -> None:
        hub, last = self._find(bus, port)
        if last in hub.hubs:
            raise XmlError(f"Duplicate USB hub on bus {bus} port {port}", domain=From.DOMAIN)
        hub.owners[last] = "a hub"
        hub.hubs[last] = _HubPorts(_HUB_PORTS)

    def take(self, bus: int | None, owner: str) -> UsbAddress:
        """The next free port, of one bus or of any."""
        if bus is not None and bus not in self._buses:
            raise XmlError(f"USB bus {bus} requested but no controller with that index is present", domain=From.DOMAIN)
        for number in sorted(self._buses) if bus is None else (bus,):
            path = self._buses[number].free()
            if path is not None:
                port = ".".join(map(str, path))
                self.reserve(number, port, owner)
                return UsbAddress(bus=number, port=port)
        raise InternalError("No free USB ports", domain=From.DOMAIN, hint="add a USB controller")


def _port_count(controller: Controller) -> int:
    if controller.model in _SETTABLE and controller.ports is not None:
        return controller.ports
    return _PORTS.get(controller.model, 0)


#: What takes a port, in libvirt's order, hubs apart: elements, the lists of a draft, and which of their devices.
_USERS: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("interface", "interfaces", lambda d: d.type == "hostdev" and isinstance(d.source.device, UsbInterface)),
    ("hostdev", "hostdevs", lambda d: d.type == "usb"),
    ("disk", "disks", lambda d: d.target.bus == "usb"),
    ("controller", "controllers", lambda d: d.type == "ccid"),
    ("input", "inputs", lambda d: d.bus == "usb"),
    ("serial", "serials", lambda d: d.target is not None and d.target.type == "usb-serial"),
    ("sound", "sounds", lambda d: d.model == "usb"),
    ("redirdev", "redirdevs", lambda d: True),
)


def _usb_devices(draft: Draft) -> list[tuple[str, list[Any], int]]:
    """Element, list and index of what takes a port."""
    return [
        (kind, devices, index)
        for kind, field, uses_usb in _USERS
        if (devices := getattr(draft, field))
        for index, device in enumerate(devices)
        if uses_usb(device)
    ]


def assign_usb(draft: Draft) -> None:
    """Ports for all USB devices. Raises ConfigUnsupported where USB is off, XmlError for wrong or taken ports."""
    devices = _usb_devices(draft)
    count = len(devices) + len(draft.hubs)
    if not count:
        return
    controllers = [controller for controller in draft.controllers if controller.type == "usb"]
    if all(controller.model == "none" for controller in controllers):
        raise ConfigUnsupported(
            "USB is disabled for this domain, but USB devices are present in the domain XML",
            domain=From.QEMU,
            hint="add <controller type='usb' model='qemu-xhci'/>",
        )
    available = sum(map(_port_count, controllers)) + _HUB_PORTS * len(draft.hubs)
    if count > available:
        # Every hub takes one port and brings eight.
        draft.hubs.extend(Hub(type="usb") for _ in range(-(-(count - available + 1) // (_HUB_PORTS - 1))))
    buses = _Buses(controllers)
    for hub in draft.hubs:
        if isinstance(hub.address, UsbAddress) and hub.address.port:
            buses.add_hub(hub.address.bus, hub.address.port)
    for kind, listed, index in devices:
        address = listed[index].address
        if isinstance(address, UsbAddress) and address.port:
            buses.reserve(address.bus, address.port, describe(kind, listed[index]))
    for at, hub in enumerate(draft.hubs):
        if not isinstance(hub.address, UsbAddress) or not hub.address.port:
            bus = hub.address.bus if isinstance(hub.address, UsbAddress) else None
            address = buses.take(bus, "a hub")
            draft.hubs[at] = replace(hub, address=address)
            buses.add_hub(address.bus, str(address.port))
    for kind, listed, index in devices:
        device = listed[index]
        address = device.address
        if address is None or (isinstance(address, UsbAddress) and not address.port):
            bus = address.bus if address is not None else None
            listed[index] = replace(device, address=buses.take(bus, describe(kind, device)))


__all__ = ["assign_usb"]
