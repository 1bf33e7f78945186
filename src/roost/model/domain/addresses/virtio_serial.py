"""Ports on virtio-serial controllers."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import From, XmlError
from roost.model.domain.device import VirtioSerialAddress
from roost.model.domain.devices.chardev import VirtioChannel
from roost.model.domain.draft import Draft

_DEFAULT_PORTS = 31


class _Ports:
    """Free ports by controller index. Port 0 is kept for the console."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._count: dict[int, int] = {}
        self._taken: dict[int, set[int]] = {}
        for controller in draft.controllers:
            if controller.type == "virtio-serial" and controller.index is not None:
                self._add(controller.index, controller.ports)

    def _add(self, index: int, ports: int | None) -> None:
        self._count[index] = _DEFAULT_PORTS if ports is None else ports
        self._taken[index] = set()

    def reserve(self, address: VirtioSerialAddress, port: int) -> None:
        controller = address.controller
        taken = self._taken.get(controller)
        if taken is None:
            raise XmlError(f"virtio serial controller {controller} is missing", domain=From.DOMAIN)
        if port >= self._count[controller]:
            raise XmlError(
                f"virtio serial controller {controller} does not have port {port}",
                domain=From.DOMAIN,
                hint=f"its ports are 1 to {self._count[controller] - 1}",
            )
        if port in taken:
            raise XmlError(
                f"virtio serial port {port} on controller {controller} is already occupied", domain=From.DOMAIN
            )
        taken.add(port)

    def next(self) -> VirtioSerialAddress:
        """The first free port of any controller; a controller is added when all are full."""
        for index in sorted(self._count):
            port = self._free(index)
            if port is not None:
                return VirtioSerialAddress(controller=index, bus=0, port=port)
        index = 0
        while not self._draft.ensure_controller("virtio-serial", index):
            index += 1
        self._add(index, None)
        return VirtioSerialAddress(controller=index, bus=0, port=1)

    def next_on(self, controller: int) -> VirtioSerialAddress:
        port = self._free(controller) if controller in self._count else None
        if port is None:
            raise XmlError(f"Unable to find a free port on virtio-serial controller {controller}", domain=From.DOMAIN)
        return VirtioSerialAddress(controller=controller, bus=0, port=port)

    def _free(self, index: int) -> int | None:
        taken = self._taken[index]
        return next((port for port in range(1, self._count[index]) if port not in taken), None)


def assign_virtio_serial(draft: Draft) -> None:
    """Ports for channels; consoles follow from their order and show none. Raises XmlError for taken ones."""
    ports: _Ports | None = None
    for devices in (draft.channels, draft.consoles):
        for device in devices:
            address = device.address
            if isinstance(address, VirtioSerialAddress) and address.port:
                ports = ports or _Ports(draft)
                ports.reserve(address, address.port)
    for index, channel in enumerate(draft.channels):
        if not isinstance(channel.target, VirtioChannel):
            continue
        before = channel.address
        if isinstance(before, VirtioSerialAddress) and before.port:
            continue
        ports = ports or _Ports(draft)
        address = ports.next_on(before.controller) if isinstance(before, VirtioSerialAddress) else ports.next()
        ports.reserve(address, address.port or 0)
        draft.channels[index] = replace(channel, address=address)


__all__ = ["assign_virtio_serial"]
