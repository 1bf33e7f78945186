"""Device records, one file per class of device, and `Devices`, which lists them in the order of the output.

May enter: records and their enums. Rules over several devices live beside
this package (completion, addresses, validation).
"""

from __future__ import annotations

from typing import Annotated

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
from roost.xml import Child, Record, at


class Devices(Record):
    emulator: Child[str | None] = None
    disks: Annotated[tuple[Disk, ...], at("disk")] = ()
    controllers: Annotated[tuple[Controller, ...], at("controller")] = ()
    interfaces: Annotated[tuple[Interface, ...], at("interface")] = ()
    serials: Annotated[tuple[Serial, ...], at("serial")] = ()
    parallels: Annotated[tuple[Parallel, ...], at("parallel")] = ()
    consoles: Annotated[tuple[Console, ...], at("console")] = ()
    channels: Annotated[tuple[Channel, ...], at("channel")] = ()
    inputs: Annotated[tuple[Input, ...], at("input")] = ()
    graphics: Annotated[tuple[AnyGraphics, ...], at("graphics")] = ()
    sounds: Annotated[tuple[Sound, ...], at("sound")] = ()
    audios: Annotated[tuple[Audio, ...], at("audio")] = ()
    videos: Annotated[tuple[Video, ...], at("video")] = ()
    hubs: Annotated[tuple[Hub, ...], at("hub")] = ()
    watchdogs: Annotated[tuple[Watchdog, ...], at("watchdog")] = ()
    memballoon: MemBalloon | None = None
    rngs: Annotated[tuple[Rng, ...], at("rng")] = ()
    panics: Annotated[tuple[Panic, ...], at("panic")] = ()
    iommu: Iommu | None = None
    vsock: Vsock | None = None


__all__ = ["Devices"]
