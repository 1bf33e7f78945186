"""How much memory a guest's process may lock: at its start, and as what needs it comes and goes.

Devices of the host that write to a guest's memory have all of it locked, and so
has a guest that is never to be swapped out. The sizes are those of libvirt. A
limit is raised on the running process before a device joins and put back to
what it was at the start when nothing needs it any more; in between it never
falls, for what is locked already stays so.
"""

from __future__ import annotations

import logging
from typing import Any

from msgspec.structs import replace

from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.plan.images import sources
from roost.errors import RoostError, SystemCallError
from roost.host.api import UNLIMITED, Process
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk, NvmeSource, VhostVdpaSource
from roost.model.domain.devices.hostdev import Hostdev, MdevHostdev, PciHostdev
from roost.model.domain.devices.interface import Interface
from roost.model.domain.devices.memory import MemoryDevice

log = logging.getLogger(__name__)

#: KiB that are mapped beside the memory of the guest.
_MAPPED = 1 << 20


# -- the rule ----------------------------------------------------------------------------------


def lockable(domain: Domain) -> int | None:
    """Bytes that the guest's process may lock; -1 for any number, None for as many as any other process."""
    bound = domain.memtune.hard_limit if domain.memtune is not None else None
    if bound is not None and 0 < bound < UNLIMITED:
        return _bytes(bound)
    if _is_locked(domain):
        return -1
    if _is_power(domain):
        return _bytes(_on_power(domain))
    count = _times(domain)
    return _bytes(count * domain.memory + _MAPPED) if count else None


def must_lock(domain: Domain) -> bool:
    """Whether the guest cannot do without; else the number is a mere bound."""
    return _is_locked(domain) or _is_power(domain) or _times(domain) > 0


def concerns(device: Any) -> bool:
    """Whether with the device what is lockable changes."""
    return isinstance(device, MemoryDevice) or _by_vfio(device) or _by_vdpa(device)


def _is_locked(domain: Domain) -> bool:
    return domain.memory_backing is not None and domain.memory_backing.locked


def _is_power(domain: Domain) -> bool:
    """There the kernel counts the page tables that KVM makes for a guest as locked."""
    return domain.type == "kvm" and domain.os.arch in ("ppc64", "ppc64le")


def _by_vfio(device: Any) -> bool:
    if isinstance(device, Disk):
        return any(isinstance(source, NvmeSource) for source in sources(device))
    if isinstance(device, Interface):
        return device.type == "hostdev"
    return isinstance(device, Hostdev) and isinstance(device.source, PciHostdev | MdevHostdev)


def _by_vdpa(device: Any) -> bool:
    if isinstance(device, Disk):
        return any(isinstance(source, VhostVdpaSource) for source in sources(device))
    return isinstance(device, Interface) and device.type == "vdpa"


def _times(domain: Domain) -> int:
    """How many times all memory is locked: for each vDPA device; for VFIO once, behind an IOMMU for each device."""
    devices = domain.devices
    candidates = (*devices.hostdevs, *devices.interfaces, *devices.disks)
    by_vfio = sum(map(_by_vfio, candidates))
    return sum(map(_by_vdpa, candidates)) + (by_vfio if devices.iommus else min(by_vfio, 1))


def _on_power(domain: Domain) -> int:
    """KiB: tables for all memory there can be, windows of each host bridge, and with such devices the memory too."""
    bridges = sum(each.type == "pci" and each.model == "pci-root" for each in domain.devices.controllers)
    most = domain.max_memory.size if domain.max_memory is not None else domain.memory
    base = most // 128 + 4096 * bridges + 8192
    if not _times(domain):
        return base
    return base + max((2 << 20) * bridges, domain.memory + domain.memory // 512 * bridges + 8192)


def _bytes(size: int) -> int:
    return -1 if size * 1024 >= UNLIMITED else size * 1024


# -- processes ---------------------------------------------------------------------------------


def at_launch(domain: Domain) -> int | None:
    """What a process must be given before it becomes the guest's QEMU, as `Command.locked`."""
    return lockable(domain) if must_lock(domain) else None


def bound(process: Process, domain: Domain) -> None:
    """Set the limit of a process just started that could do without; one that may not be set is left as it is."""
    wanted = lockable(domain)
    if wanted is None or must_lock(domain):
        return
    try:
        process.set_lockable(wanted)
    except SystemCallError as error:
        log.debug("%s: %s", domain.name, error)


def admit(context: Context, record: GuestRecord, guest: Guest, domain: Domain) -> None:
    """Let the running guest's process lock what it does as `domain`. What it could before is on disk first.

    Raises SystemCallError when it must lock more than the kernel lets it; a mere bound that cannot be set is logged.
    """
    process = guest.process
    now = process.lockable() if process is not None else None
    if process is None or now is None:
        return
    wanted, before = lockable(domain), guest.resources.held.locked
    if wanted is None:
        if before:
            _hold(guest, 0)
            process.set_lockable(before)
        return
    if now < 0 or 0 <= wanted <= now:
        return
    try:
        if not before:
            _hold(guest, now)
            context.save(record)
        process.set_lockable(wanted)
    except RoostError as error:
        _hold(guest, before)
        if must_lock(domain):
            raise
        log.info("%s: %s", domain.name, error)


def follow(context: Context, record: GuestRecord, guest: Guest) -> None:
    """Let a guest that must lock memory go along with a changed bound; others hear of it with the next device."""
    if record.live is not None and must_lock(record.live):
        settle(context, record, guest)
        context.save_changed(record)


def settle(context: Context, record: GuestRecord, guest: Guest) -> None:
    """The same for the guest as it is; what fails is logged. The caller saves."""
    if record.runtime is not guest or record.live is None:
        return
    try:
        admit(context, record, guest, record.live)
    except RoostError as error:
        log.warning("%s: %s", record.name, error)


def _hold(guest: Guest, size: int) -> None:
    guest.resources.held = replace(guest.resources.held, locked=size)


__all__ = ["admit", "at_launch", "bound", "concerns", "follow", "lockable", "must_lock", "settle"]
