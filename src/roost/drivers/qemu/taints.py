"""What makes a guest tainted: its troubles may be of its users' own making. In its log, its messages and its status."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from roost.constants import domain as D
from roost.drivers.qemu.capabilities import Capabilities
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.model.domain import Domain
from roost.model.domain.devices.disk import BlockSource
from roost.model.domain.devices.hostdev import ScsiHostdev

CUSTOM_AGENT_COMMAND = "custom-ga-command"
CUSTOM_MONITOR = "custom-monitor"
_DEPRECATED = "deprecated-config"

#: By their names in the log, in the order of the messages.
_WORDS = {
    "custom-argv": "custom configuration parameters specified",
    CUSTOM_MONITOR: "custom monitor control commands issued",
    "high-privileges": "running with undesirable elevated privileges",
    "shell-scripts": "network configuration using opaque shell scripts",
    "host-cpu": "potentially unsafe use of host CPU passthrough",
    "cdrom-passthrough": "use of host cdrom passthrough",
    "custom-dtb": "custom device tree blob used",
    CUSTOM_AGENT_COMMAND: "custom guest agent control commands issued",
    "custom-hypervisor-feature": "hypervisor feature autodetection override",
    _DEPRECATED: "use of deprecated configuration settings",
    "custom-device": "custom device configuration",
}
_DETAIL = re.compile(rf"{_DEPRECATED} \((.*)\)")
#: The kernel's number of CD-ROM drives on SCSI.
_SCSI_CDROM = 11


def taint(context: Context, record: GuestRecord, guest: Guest, *what: str) -> None:
    """Mark a guest; what it has been marked with already is not repeated."""
    new = tuple(each for each in dict.fromkeys(what) if each not in guest.facts.taints)
    if not new:
        return
    guest.facts.taints = (*guest.facts.taints, *new)
    for each in new:
        guest.log.taint(record.id, each)
    context.save(record)


def messages(taints: Sequence[str], flags: int) -> list[str]:
    """What a guest's taints mean. flags: D.MESSAGE_*; 0 for all."""
    wanted = flags or D.MESSAGE_TAINTING | D.MESSAGE_DEPRECATION
    found = []
    if wanted & D.MESSAGE_TAINTING:
        names = {each.partition(" ")[0] for each in taints}
        found += [f"tainted: {words}" for name, words in _WORDS.items() if name in names]
    if wanted & D.MESSAGE_DEPRECATION:
        found += [f"deprecated configuration: {match[1]}" for each in taints if (match := _DETAIL.fullmatch(each))]
    return found


def taints_of_start(context: Context, live: Domain, caps: Capabilities, *, restored: bool) -> Iterator[str]:
    """What a guest is started with that taints it. restored: it goes on from memory of another moment."""
    if context.account is not None and 0 in (context.account.uid, context.account.gid):
        yield "high-privileges"
    commandline = live.qemu_commandline
    if commandline is not None and (commandline.args or commandline.env):
        yield "custom-argv"
    if live.qemu_override is not None and live.qemu_override.devices:
        yield "custom-device"
    if live.qemu_capabilities is not None and (live.qemu_capabilities.add or live.qemu_capabilities.delete):
        yield "custom-hypervisor-feature"
    yield from _of_processor_and_machine(live, caps, restored=restored)
    for disk in live.devices.disks:
        if disk.rawio:
            yield "high-privileges"
        if disk.device == "cdrom" and isinstance(disk.source, BlockSource) and _is_cdrom(disk.source.dev):
            yield "cdrom-passthrough"
    if any(isinstance(each.source, ScsiHostdev) and each.source.rawio for each in live.devices.hostdevs):
        yield "high-privileges"
    if any(interface.script is not None for interface in live.devices.interfaces):
        yield "shell-scripts"
    if live.os.dtb is not None:
        yield "custom-dtb"


def _of_processor_and_machine(live: Domain, caps: Capabilities, *, restored: bool) -> Iterator[str]:
    machine = caps.machine(live.os.machine)
    if machine is not None and machine.deprecated:
        yield f"{_DEPRECATED} (machine type '{live.os.machine}')"
    cpu = live.cpu
    if cpu is None:
        return
    if cpu.mode in ("host-passthrough", "maximum"):
        if restored:
            yield "host-cpu"
    elif cpu.model is not None:
        for model in caps.models_of(live.type):
            if model.deprecated and model.name == cpu.model.name:
                yield f"{_DEPRECATED} (CPU model '{model.name}')"


def _is_cdrom(path: str | None) -> bool:
    try:
        found = Path(path or "").stat()
    except OSError:
        return False
    return stat.S_ISBLK(found.st_mode) and found.st_rdev >> 8 == _SCSI_CDROM


__all__ = ["CUSTOM_AGENT_COMMAND", "CUSTOM_MONITOR", "messages", "taint", "taints_of_start"]
