"""A document under completion: lists that grow, records that are replaced in them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from roost.model.domain.boards import Board, Choices, board_of, is_i440fx, is_q35
from roost.model.domain.device import Device
from roost.model.domain.devices import DEVICE_CLASSES, PLACED_CLASSES
from roost.model.domain.devices.chardev import Channel, Console, Parallel, Serial
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.crypto import Crypto
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.filesystem import Filesystem
from roost.model.domain.devices.graphics import AnyGraphics, Video
from roost.model.domain.devices.hostdev import Hostdev
from roost.model.domain.devices.interface import Interface
from roost.model.domain.devices.iommu import Iommu
from roost.model.domain.devices.lease import Lease
from roost.model.domain.devices.memory import AnyMemory
from roost.model.domain.devices.nvram import NvramDevice
from roost.model.domain.devices.pstore import Pstore
from roost.model.domain.devices.redirdev import Redirdev
from roost.model.domain.devices.shmem import Shmem
from roost.model.domain.devices.small import (
    Hub,
    Input,
    MemBalloon,
    Panic,
    Rng,
    Vsock,
    Watchdog,
)
from roost.model.domain.devices.smartcard import Smartcard
from roost.model.domain.devices.sound import Audio, Sound
from roost.model.domain.devices.tpm import Tpm
from roost.model.domain.domain import Domain
from roost.model.domain.facts import MachineFacts

#: The values of all fields of devices, of a record or a draft.
_DEVICE_FIELDS = tuple(field for field, _ in DEVICE_CLASSES)
_device_lists = operator.attrgetter(*_DEVICE_FIELDS)
_placed_lists = operator.attrgetter(*(field for field, _ in PLACED_CLASSES))
_PLACED_ELEMENTS = tuple(element for _, element in PLACED_CLASSES)


class Draft(msgspec.Struct):
    """What the rules work on: one list for each class of device (of one item for those a guest has once).

    machine: the canonical name. board: its family. entropy: random bytes, for identifiers.
    changes: fields of the domain that get new values.
    """

    domain: Domain
    facts: MachineFacts
    arch: str
    machine: str
    board: Board
    entropy: Callable[[int], bytes]
    changes: dict[str, Any]
    disks: list[Disk]
    interfaces: list[Interface]
    sounds: list[Sound]
    hostdevs: list[Hostdev]
    videos: list[Video]
    controllers: list[Controller]
    smartcards: list[Smartcard]
    serials: list[Serial]
    parallels: list[Parallel]
    channels: list[Channel]
    consoles: list[Console]
    inputs: list[Input]
    filesystems: list[Filesystem]
    watchdogs: list[Watchdog]
    memballoon: list[MemBalloon]
    rngs: list[Rng]
    nvram: list[NvramDevice]
    hubs: list[Hub]
    shmems: list[Shmem]
    tpms: list[Tpm]
    panics: list[Panic]
    memories: list[AnyMemory]
    redirdevs: list[Redirdev]
    cryptos: list[Crypto]
    iommus: list[Iommu]
    vsock: list[Vsock]
    pstore: list[Pstore]
    graphics: list[AnyGraphics]
    audios: list[Audio]
    leases: list[Lease]

    @classmethod
    def of(cls, domain: Domain, facts: MachineFacts, machine: str, entropy: Callable[[int], bytes]) -> Draft:
        """A draft of a document as it was read."""
        lists: list[list[Any]] = [
            list(value) if type(value) is tuple else [] if value is None else [value]
            for value in _device_lists(domain.devices)
        ]
        arch = domain.os.arch or facts.arch
        return cls(domain, facts, arch, machine, board_of(arch, machine), entropy, {}, *lists)

    def finished(self) -> Domain:
        """The completed document."""
        devices = self.domain.devices
        changes: dict[str, Any] = {}
        for field, before, after in zip(_DEVICE_FIELDS, _device_lists(devices), _device_lists(self), strict=True):
            if type(before) is tuple:
                if before or after:
                    changes[field] = tuple(after)
            elif before is not None or after:
                changes[field] = after[0] if after else None
        if devices.emulator is None:
            changes["emulator"] = self.facts.emulator
        return replace(self.domain, devices=replace(devices, **changes), **self.changes)

    @property
    def is_i440fx(self) -> bool:
        return is_i440fx(self.machine)

    @property
    def is_q35(self) -> bool:
        return is_q35(self.machine)

    def device_lists(self) -> tuple[tuple[str, list[Any]], ...]:
        """The lists of placed devices that are not empty, by element, in the order of libvirt's visits."""
        return tuple([pair for pair in zip(_PLACED_ELEMENTS, _placed_lists(self), strict=True) if pair[1]])

    def choose(self, choices: Choices) -> str | None:
        """The model of the first device that QEMU has."""
        for device, model in choices:
            if not device or device in self.facts.devices:
                return model
        return None

    def controller(self, kind: str, index: int) -> Controller | None:
        for controller in self.controllers:
            if controller.type == kind and controller.index == index:
                return controller
        return None

    def ensure_controller(self, kind: Any, index: int, model: str | None = None) -> bool:
        """Append a controller unless there is one of that type and index. Whether one was appended."""
        if self.controller(kind, index) is not None:
            return False
        self.controllers.append(Controller(type=kind, index=index, model=model))
        return True


def describe(kind: str, device: Device) -> str:
    """A device in a few words, for messages: `disk vda`, `controller usb 0`."""
    if isinstance(device, Disk):
        return f"disk {device.target.dev}"
    if isinstance(device, Controller):
        return f"controller {device.type} {device.index}"
    if isinstance(device, Interface) and device.mac:
        return f"interface {device.mac}"
    return kind


__all__ = ["Draft", "describe"]
