"""The launch as a whole: what it needs, its command line, and the same pieces for a running guest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from roost.drivers.qemu.plan import (
    chardevs,
    clock,
    controllers,
    cpu,
    disks,
    general,
    graphics,
    inputs,
    interfaces,
    machine,
    memory,
    small,
    sound,
    video,
)
from roost.drivers.qemu.plan.caps import Capabilities
from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, render
from roost.drivers.qemu.plan.resources import File, Grants, Listener, Log, Needs, Port, Tap
from roost.model.domain import Domain


class Launch(NamedTuple):
    """argv[0] is the emulator. env: what the document adds. fds: inherited under the same numbers."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    fds: tuple[int, ...]


#: The parts of a command line, in the order libvirt gives them; some devices must exist before others name them.
_SECTIONS: tuple[Callable[[Context], Iterator[Piece]], ...] = (
    general.start_section,
    machine.section,
    cpu.section,
    machine.firmware_section,
    memory.section,
    cpu.smp_section,
    memory.iothreads_section,
    general.identity_section,
    general.display_section,
    general.monitor_section,
    clock.section,
    machine.power_section,
    machine.boot_section,
    controllers.section,
    small.hubs_section,
    disks.section,
    interfaces.section,
    chardevs.section,
    inputs.section,
    sound.audio_section,
    graphics.section,
    video.section,
    sound.section,
    small.watchdogs_section,
    small.memballoon_section,
    small.rngs_section,
    general.vmcoreinfo_section,
    general.custom_section,
    general.sandbox_section,
    small.panics_section,
    general.messages_section,
)

_NEEDS: tuple[Callable[[Context], Iterable[Tap | Port | Listener | File | Log]], ...] = (
    machine.needs,
    general.needs,
    disks.needs,
    interfaces.needs,
    chardevs.needs,
    inputs.needs,
    graphics.needs,
    small.needs,
)


def needs(domain: Domain, caps: Capabilities) -> Needs:
    """What `domain`, a live document with aliases and addresses, needs of the host. Raises ConfigUnsupported."""
    ctx = Context(domain, caps, Grants())
    found: dict[type, list[Tap | Port | Listener | File | Log]] = {Tap: [], Port: [], Listener: [], File: [], Log: []}
    for section in _NEEDS:
        for need in section(ctx):
            found[type(need)].append(need)
    return Needs(*(tuple(items) for items in found.values()))  # type: ignore[arg-type]  # each list has one type


def argv(domain: Domain, caps: Capabilities, grants: Grants) -> Launch:
    """The command line. Raises ConfigUnsupported for what this QEMU does not have."""
    ctx = Context(domain, caps, grants)
    words = [domain.devices.emulator or caps.binary]
    for section in _SECTIONS:
        for piece in section(ctx):
            words.extend(render(piece))
    env = clock.environment(domain.clock)
    custom = domain.qemu_commandline
    if custom is not None:
        env |= {variable.name: variable.value or "" for variable in custom.env}
    return Launch(tuple(words), env, tuple(ctx.fds))
