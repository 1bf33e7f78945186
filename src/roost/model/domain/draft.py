"""A document under completion: lists that grow, records that are replaced in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from roost.model.domain.device import Device
from roost.model.domain.devices.chardev import Channel, Console, Parallel, Serial
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.graphics import AnyGraphics, Video
from roost.model.domain.devices.interface import Interface
from roost.model.domain.devices.small import (
    Audio,
    Hub,
    Input,
    Iommu,
    MemBalloon,
    Panic,
    Rng,
    Sound,
    Vsock,
    Watchdog,
)
from roost.model.domain.domain import Domain
from roost.model.domain.facts import MachineFacts, is_i440fx, is_q35


class Draft(msgspec.Struct):
    """What the rules work on: one list for each class of device (of one item for those a guest has once).

    machine: the canonical name. entropy: random bytes, for identifiers.
    changes: fields of the domain that get new values.
    """

    domain: Domain
    facts: MachineFacts
    arch: str
    machine: str
    entropy: Callable[[int], bytes]
    changes: dict[str, Any]
    disks: list[Disk]
    controllers: list[Controller]
    interfaces: list[Interface]
    serials: list[Serial]
    parallels: list[Parallel]
    consoles: list[Console]
    channels: list[Channel]
    inputs: list[Input]
    graphics: list[AnyGraphics]
    sounds: list[Sound]
    audios: list[Audio]
    videos: list[Video]
    hubs: list[Hub]
    watchdogs: list[Watchdog]
    memballoons: list[MemBalloon]
    rngs: list[Rng]
    panics: list[Panic]
    iommus: list[Iommu]
    vsocks: list[Vsock]

    @classmethod
    def of(cls, domain: Domain, facts: MachineFacts, machine: str, entropy: Callable[[int], bytes]) -> Draft:
        """A draft of a document as it was read."""
        devices = domain.devices
        return cls(
            domain=domain, facts=facts, arch=domain.os.arch or facts.arch, machine=machine, entropy=entropy,
            disks=list(devices.disks), controllers=list(devices.controllers), interfaces=list(devices.interfaces),
            serials=list(devices.serials), parallels=list(devices.parallels), consoles=list(devices.consoles),
            channels=list(devices.channels), inputs=list(devices.inputs), graphics=list(devices.graphics),
            sounds=list(devices.sounds), audios=list(devices.audios), videos=list(devices.videos),
            hubs=list(devices.hubs), watchdogs=list(devices.watchdogs), rngs=list(devices.rngs),
            panics=list(devices.panics), memballoons=[devices.memballoon] if devices.memballoon else [],
            iommus=[devices.iommu] if devices.iommu else [], vsocks=[devices.vsock] if devices.vsock else [],
            changes={},
        )  # fmt: skip

    def finished(self) -> Domain:
        """The completed document."""
        devices = replace(
            self.domain.devices,
            emulator=self.domain.devices.emulator or self.facts.emulator,
            disks=tuple(self.disks),
            controllers=tuple(self.controllers),
            interfaces=tuple(self.interfaces),
            serials=tuple(self.serials),
            parallels=tuple(self.parallels),
            consoles=tuple(self.consoles),
            channels=tuple(self.channels),
            inputs=tuple(self.inputs),
            graphics=tuple(self.graphics),
            audios=tuple(self.audios),
            sounds=tuple(self.sounds),
            videos=tuple(self.videos),
            hubs=tuple(self.hubs),
            watchdogs=tuple(self.watchdogs),
            memballoon=self.memballoons[0] if self.memballoons else None,
            rngs=tuple(self.rngs),
            panics=tuple(self.panics),
            iommu=self.iommus[0] if self.iommus else None,
            vsock=self.vsocks[0] if self.vsocks else None,
        )
        return replace(self.domain, devices=devices, **self.changes)

    @property
    def is_i440fx(self) -> bool:
        return is_i440fx(self.machine)

    @property
    def is_q35(self) -> bool:
        return is_q35(self.machine)

    def device_lists(self) -> tuple[tuple[str, list[Any]], ...]:
        """The lists whose devices have an address, with their element's name, in libvirt's order of visiting."""
        return (
            ("disk", self.disks), ("interface", self.interfaces), ("sound", self.sounds), ("video", self.videos),
            ("controller", self.controllers), ("serial", self.serials), ("parallel", self.parallels),
            ("channel", self.channels), ("console", self.consoles), ("input", self.inputs),
            ("watchdog", self.watchdogs), ("memballoon", self.memballoons), ("rng", self.rngs), ("hub", self.hubs),
            ("panic", self.panics), ("iommu", self.iommus), ("vsock", self.vsocks),
        )  # fmt: skip

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
