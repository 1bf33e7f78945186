"""What documents need before test:///default keeps them."""

from __future__ import annotations

import itertools
import secrets
import uuid

from msgspec.structs import replace

from roost.model import domain as model
from roost.model.domain import Domain
from roost.model.domain.clock import Clock
from roost.model.domain.complete import chardevs, disks, displays, filesystems, small
from roost.model.domain.complete.interfaces import random_mac
from roost.model.domain.devices.interface import Interface, InterfaceTarget
from roost.model.domain.draft import Draft
from roost.model.domain.facts import MachineFacts
from roost.model.domain.processors import Vcpu

#: The only architecture, and the device that decides which video card a display gets.
_FACTS = MachineFacts("", "i686", frozenset(("test",)), {}, "", frozenset(("cirrus-vga",)))


def at_rest(document: Domain) -> Domain:
    """The document without what only a running domain has."""
    return model.parse(model.format(document, secure=True))


def complete(document: Domain) -> Domain:
    """Fill in identity, lifecycle and sizes, and of devices what any hypervisor's have."""
    system = replace(document.os, arch=document.os.arch or _FACTS.arch, boot=document.os.boot or ("hd",))
    document = replace(
        document,
        uuid=document.uuid or str(uuid.uuid4()),
        current_memory=min(document.current_memory or document.memory, document.memory),
        vcpu=replace(document.vcpu or Vcpu(count=1), placement="static"),
        os=system,
        clock=document.clock or Clock(),
        on_poweroff=document.on_poweroff or "destroy",
        on_reboot=document.on_reboot or "restart",
        on_crash=document.on_crash or "destroy",
    )
    return _with_devices(document)


def _with_devices(document: Domain) -> Domain:
    draft = Draft.of(document, _FACTS, "", secrets.token_bytes)
    # No device is there that nobody asked for, and a serial port is no chip.
    draft.board = draft.board._replace(ps2=False, usb_inputs=False, serial=None)
    small.complete_inputs(draft)
    disks.complete_disks(draft, None)
    filesystems.complete_filesystems(draft)
    chardevs.complete_serials(draft)
    chardevs.complete_channels(draft)
    chardevs.complete_consoles(draft)
    displays.complete_graphics(draft)
    chardevs.pair_console(draft)
    disks.add_disk_controllers(draft)
    chardevs.add_virtio_serial_controllers(draft)
    displays.complete_videos(draft)
    chardevs.mirror_console(draft)
    devices = replace(
        document.devices,
        inputs=tuple(draft.inputs),
        disks=tuple(draft.disks),
        controllers=tuple(draft.controllers),
        filesystems=tuple(draft.filesystems),
        interfaces=_connected(document.devices.interfaces),
        serials=tuple(draft.serials),
        channels=tuple(draft.channels),
        consoles=tuple(draft.consoles),
        graphics=tuple(draft.graphics),
        videos=tuple(draft.videos),
    )
    return replace(document, devices=devices)


def _connected(interfaces: tuple[Interface, ...]) -> tuple[Interface, ...]:
    """Each with an address, and a name on the host that no other of the domain has."""
    taken = {each.target.dev for each in interfaces if each.target is not None}
    free = (name for number in itertools.count() if (name := f"testnet{number}") not in taken)
    made = []
    for each in interfaces:
        if each.target is None or not each.target.dev:
            each = replace(each, target=replace(each.target or InterfaceTarget(), dev=next(free)))
        made.append(each if each.mac else replace(each, mac=random_mac(secrets.token_bytes)))
    return tuple(made)


__all__ = ["at_rest", "complete"]
