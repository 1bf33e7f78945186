"""The launch as a whole: what it needs, its command line, and the same pieces for a running guest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from roost.drivers.qemu.plan import (
    audio,
    blocks,
    chardevs,
    clock,
    confidential,
    controllers,
    cpu,
    disks,
    filesystems,
    firmware,
    general,
    graphics,
    hostdevs,
    inputs,
    interfaces,
    machine,
    memory,
    numa,
    platform,
    redirdev,
    reservations,
    small,
    smartcard,
    sound,
    tpm,
    video,
    zpci,
)
from roost.drivers.qemu.plan.caps import Capabilities
from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.overrides import Overrides
from roost.drivers.qemu.plan.pieces import Piece, render
from roost.drivers.qemu.plan.resources import (
    File,
    Grants,
    HostDevice,
    Listener,
    Log,
    Made,
    Need,
    Needs,
    Opened,
    PageDirectory,
    Passt,
    Port,
    ReservationsHelper,
    Secret,
    SoftwareTpm,
    Tap,
    VhostVsock,
    VirtioFs,
)
from roost.model.domain import Domain
from roost.model.domain.devices.disk import AnyDiskSource


class Launch(NamedTuple):
    """argv[0] is the emulator. env: what the document adds. fds: inherited under the same numbers."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    fds: tuple[int, ...]


#: The parts of a command line, in the order libvirt gives them; some devices must exist before others name them.
_SECTIONS: tuple[Callable[[Context], Iterator[Piece]], ...] = (
    general.start_section,
    firmware.flash_section,
    machine.section,
    cpu.section,
    firmware.loader_section,
    memory.section,
    cpu.smp_section,
    memory.iothreads_section,
    numa.section,
    firmware.identity_section,
    general.display_section,
    general.monitor_section,
    clock.section,
    machine.power_section,
    firmware.boot_section,
    platform.iommu_section,
    memory.globals_section,
    controllers.section,
    memory.devices_section,
    small.hubs_section,
    controllers.ccid_section,
    reservations.section,
    blocks.throttle_groups_section,
    disks.section,
    filesystems.section,
    interfaces.section,
    smartcard.section,
    chardevs.section,
    tpm.section,
    inputs.section,
    audio.section,
    graphics.section,
    video.section,
    sound.section,
    small.watchdogs_section,
    redirdev.section,
    hostdevs.section,
    small.memballoon_section,
    small.rngs_section,
    platform.nvram_section,
    general.incoming_section,
    general.vmcoreinfo_section,
    confidential.section,
    general.custom_section,
    general.sandbox_section,
    small.panics_section,
    platform.shmem_section,
    platform.vsock_section,
    platform.crypto_section,
    platform.pstore_section,
    general.messages_section,
)

_NEEDS: tuple[Callable[[Context], Iterable[Need]], ...] = (
    firmware.needs,
    platform.needs,
    tpm.needs,
    confidential.needs,
    disks.needs,
    reservations.needs,
    filesystems.needs,
    interfaces.needs,
    smartcard.needs,
    chardevs.needs,
    inputs.needs,
    graphics.needs,
    redirdev.needs,
    hostdevs.needs,
    small.needs,
    memory.needs,
)

#: What devices can need that join a running guest.
_DEVICE_NEEDS = (
    platform.needs,
    disks.needs,
    reservations.needs,
    filesystems.needs,
    interfaces.needs,
    chardevs.needs,
    inputs.needs,
    redirdev.needs,
    hostdevs.needs,
    small.needs,
    memory.needs,
)


#: Where each kind of need is listed.
_LISTED: dict[type[Need], str] = {
    Tap: "taps",
    Port: "ports",
    Listener: "listeners",
    File: "files",
    Log: "logs",
    HostDevice: "devices",
    Made: "made",
    VhostVsock: "vsocks",
    SoftwareTpm: "tpms",
    Opened: "opened",
    Passt: "passts",
    Secret: "secrets",
    VirtioFs: "virtiofs",
    ReservationsHelper: "reservations",
    PageDirectory: "pages",
}


def needs(domain: Domain, caps: Capabilities, volumes: Mapping[tuple[str, str], AnyDiskSource] | None = None) -> Needs:
    """What `domain`, a live document with aliases and addresses, needs of the host. Raises ConfigUnsupported.

    volumes: what the volumes are that its disks name, by pool and name.
    """
    return _gathered(_NEEDS, domain, caps, volumes)


def device_needs(
    domain: Domain, caps: Capabilities, volumes: Mapping[tuple[str, str], AnyDiskSource] | None = None
) -> Needs:
    """The same for the devices of a document alone: its machine runs already."""
    return _gathered(_DEVICE_NEEDS, domain, caps, volumes)


def _gathered(
    sections: Iterable[Callable[[Context], Iterable[Need]]],
    domain: Domain,
    caps: Capabilities,
    volumes: Mapping[tuple[str, str], AnyDiskSource] | None,
) -> Needs:
    ctx = Context(domain, caps, Grants(volumes=volumes or {}))
    found: dict[str, Any] = {}
    for section in sections:
        for need in section(ctx):
            field = _LISTED[type(need)]
            found[field] = (*found.get(field, ()), need)
    return Needs(**found)


def argv(domain: Domain, caps: Capabilities, grants: Grants) -> Launch:
    """The command line. Raises ConfigUnsupported for what this QEMU does not have."""
    ctx = Context(domain, caps, grants)
    words = [domain.devices.emulator or caps.binary]
    overrides = Overrides(domain.qemu_override)
    known = zpci.numbers(domain)
    for section in _SECTIONS:
        for piece in zpci.with_numbers(section(ctx), known) if known else section(ctx):
            words.extend(render(overrides.applied(piece)))
    env = clock.environment(domain.clock) | graphics.environment(ctx) | audio.environment(ctx)
    custom = domain.qemu_commandline
    if custom is not None:
        env |= {variable.name: variable.value or "" for variable in custom.env}
    return Launch(tuple(words), env, tuple(ctx.fds))
