"""The same pieces for a running guest: as QMP commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from roost.drivers.qemu.plan import (
    chardevs,
    controllers,
    disks,
    filesystems,
    hostdevs,
    inputs,
    interfaces,
    memory,
    platform,
    redirdev,
    small,
    sound,
    video,
)
from roost.drivers.qemu.plan.blocks import image_nodes, top_node
from roost.drivers.qemu.plan.caps import Capabilities
from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.images import chain
from roost.drivers.qemu.plan.overrides import Overrides
from roost.drivers.qemu.plan.pieces import Piece, Props
from roost.drivers.qemu.plan.resources import Grants
from roost.errors import From, OperationUnsupported
from roost.model.domain import Domain
from roost.model.domain.device import Device
from roost.model.domain.devices.chardev import Channel, Console, Parallel, Serial
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.crypto import Crypto
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.filesystem import Filesystem
from roost.model.domain.devices.graphics import Video
from roost.model.domain.devices.hostdev import Hostdev
from roost.model.domain.devices.interface import Interface
from roost.model.domain.devices.memory import Dimm, Nvdimm, VirtioMem, VirtioPmem
from roost.model.domain.devices.redirdev import Redirdev
from roost.model.domain.devices.shmem import Shmem
from roost.model.domain.devices.small import Hub, Input, Rng, Vsock, Watchdog
from roost.model.domain.devices.sound import Sound


class Command(NamedTuple):
    """A QMP command. descriptor: passed along with it."""

    name: str
    arguments: Props
    descriptor: int | None = None


Commands = tuple[Command, ...]

_PIECES: dict[type[Device], Callable[[Any, Context], Iterator[Piece]]] = {
    Disk: disks.pieces,
    Controller: controllers.pieces,
    Interface: interfaces.pieces,
    Serial: chardevs.serial,
    Parallel: chardevs.parallel,
    Channel: chardevs.channel,
    Console: chardevs.console,
    Input: inputs.pieces,
    Video: video.pieces,
    Sound: sound.pieces,
    Hub: small.hub,
    Watchdog: small.watchdog,
    Rng: small.rng,
    Shmem: platform.shmem,
    Vsock: platform.vsock,
    Crypto: platform.crypto,
    Filesystem: filesystems.pieces,
    Redirdev: redirdev.pieces,
    Hostdev: hostdevs.pieces,
    **dict.fromkeys((Dimm, Nvdimm, VirtioPmem, VirtioMem), memory.memory_device),
}

#: Kind of piece to the command that makes it, and the one that takes it away by id.
_COMMANDS = {
    "object": "object-add",
    "blockdev": "blockdev-add",
    "netdev": "netdev_add",
    "chardev": "chardev-add",
    "device": "device_add",
    "audiodev": "audiodev-add",
}
_UNDO = {
    "object-add": ("object-del", "id"),
    "blockdev-add": ("blockdev-del", "node-name"),
    "netdev_add": ("netdev_del", "id"),
    "chardev-add": ("chardev-remove", "id"),
    "device_add": ("device_del", "id"),
}


def _descriptors(ctx: Context) -> Iterator[Command]:
    for descriptor in ctx.fds:
        yield Command("getfd", {"fdname": ctx.descriptor_name(descriptor)}, descriptor)


def device_add(device: Device, domain: Domain, caps: Capabilities, grants: Grants) -> tuple[Command, ...]:
    """What makes `device` appear in the running guest.

    domain: the live document, `device` among its devices already, so that its
    address, alias and number are known. Raises ConfigUnsupported for what this
    QEMU lacks, OperationUnsupported for what only a start can make.
    """
    make = _PIECES.get(type(device))
    name = type(device).__name__.lower()
    if make is None:
        raise OperationUnsupported(
            f"live attach of device '{name}' is not supported", domain=From.QEMU, hint="add it to the definition"
        )
    ctx = Context(domain, caps, grants, running=True)
    overrides = Overrides(domain.qemu_override)
    commands = _commands(map(overrides.applied, make(device, ctx)), name)
    return (*_descriptors(ctx), *commands)


def _commands(pieces: Iterable[Piece], name: str) -> list[Command]:
    """What makes the pieces of a device called `name`."""
    commands = []
    for kind, data in pieces:
        if kind == "fdset":
            number = {"fdset-id": data["fdset-id"], "opaque": data["opaque"]}
            commands.append(Command("add-fd", number, data["fd"]))
        elif kind in _COMMANDS:
            commands.append(Command(_COMMANDS[kind], _connecting(data) if kind == "chardev" else data))
        else:
            raise OperationUnsupported(
                f"live attach of device '{name}' is not supported", domain=From.QEMU, hint="add it to the definition"
            )
    return commands


def _connecting(chardev: Props) -> Props:
    """A socket that connects says so: QMP takes one that says nothing for a server, the command line does not."""
    backend = chardev["backend"]
    if backend["type"] != "socket" or "server" in backend["data"]:
        return chardev
    return {**chardev, "backend": {**backend, "data": {**backend["data"], "server": False}}}


def images_add(disk: Disk, domain: Domain, caps: Capabilities, grants: Grants, *, count: int = 1) -> list[Commands]:
    """What makes the first `count` images of a disk known to the running guest, for each from the lowest up.

    disk: need not be one of `domain`'s; its images have their numbers, and those below stand already.
    """
    ctx = Context(replace(domain, devices=replace(domain.devices, disks=(disk,))), caps, grants, running=True)
    images = chain(disk, ctx)[:count]
    return [tuple(_commands(image_nodes(disk, image, ctx, top=image is images[0]), "disk")) for image in images[::-1]]


def disk_node(disk: Disk, domain: Domain, caps: Capabilities, grants: Grants) -> str | None:
    """The node that a running guest's disk reads; None for an empty drive."""
    return top_node(disk, Context(domain, caps, grants, running=True))


def undo(commands: tuple[Command, ...]) -> tuple[Command, ...]:
    """What takes back commands that were carried out, last first."""
    found = []
    for command in reversed(commands):
        if command.name == "getfd":
            found.append(Command("closefd", command.arguments))
        elif command.name == "add-fd":
            found.append(Command("remove-fd", {"fdset-id": command.arguments["fdset-id"]}))
        elif command.name in _UNDO:
            name, key = _UNDO[command.name]
            found.append(Command(name, {key: command.arguments[key]}))
    return tuple(found)
