"""Completion: what libvirt adds to a document before it keeps it.

`complete` fills in defaults, adds the devices and controllers a machine never
goes without, assigns addresses and validates. One file per concern; each works
on a Draft. May enter: defaults, in libvirt's order.
"""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Callable

from roost.errors import ConfigUnsupported, From
from roost.model.domain.addresses import assign
from roost.model.domain.complete import (
    boot,
    chardevs,
    controllers,
    cpu,
    disks,
    displays,
    features,
    filesystems,
    general,
    hostdevs,
    interfaces,
    memory,
    platform,
    processors,
    security,
    small,
    sounds,
    tuning,
)
from roost.model.domain.domain import Domain
from roost.model.domain.draft import Draft
from roost.model.domain.facts import MachineFacts
from roost.model.domain.validate import check, check_written
from roost.model.domain.validate.features import check_tseg


def complete(
    domain: Domain,
    facts: MachineFacts,
    *,
    validate: bool = True,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> Domain:
    """The document as it will be kept and shown.

    facts: of the emulator that runs it, which is `domain.devices.emulator`
    or the default of its architecture. validate: off for documents that were
    accepted before. entropy: random bytes, for a UUID or MAC address.
    Raises libvirt's errors, with what to do about them.
    """
    if domain.bootloader is not None or domain.bootloader_args is not None:
        raise ConfigUnsupported(
            "bootloader is not supported by QEMU", domain=From.QEMU, hint="use <os><kernel> or a disk to boot from"
        )
    if validate:
        check_written(domain)
    machine = facts.machine(domain.os.machine)
    name = machine.name if machine is not None else (domain.os.machine or "")
    draft = Draft.of(domain, facts, name, entropy)
    if draft.arch not in facts.arches:
        raise ConfigUnsupported(
            f"Emulator '{domain.devices.emulator or facts.emulator}' does not support arch '{draft.arch}'",
            domain=From.QEMU,
            hint=f"it emulates {facts.arch}",
        )
    if machine is None:
        raise _unknown_machine(draft)
    boot.complete_identity(draft)
    general.complete_clock(draft)
    general.complete_lifecycle(draft)
    processors.complete_iothreads(draft)
    tuning.complete_tuning(draft)
    memory.complete_backing(draft)
    security.complete_security(draft)
    features.complete_features(draft)
    if validate:
        check_tseg(domain, is_q35=draft.is_q35)
    _complete_devices(draft)
    processors.complete_vcpus(draft)
    memory.complete_memory(draft)
    controllers.reject_duplicates(draft)
    platform.reject_duplicate_panics(draft)
    boot.complete_os(
        draft,
        [
            d.boot.order
            for d in (*draft.disks, *draft.filesystems, *draft.interfaces, *draft.hostdevs, *draft.redirdevs)
            if d.boot is not None
        ],
    )
    cpu.complete_cpu(draft, machine.default_cpu)
    _add_implied(draft)
    assign(draft)
    chardevs.mirror_console(draft)
    completed = draft.finished()
    if validate:
        check(completed, facts)
    return completed


def _unknown_machine(draft: Draft) -> ConfigUnsupported:
    facts, name = draft.facts, draft.machine
    close = difflib.get_close_matches(name, facts.machines, 3, 0.5)
    return ConfigUnsupported(
        f"Emulator '{draft.domain.devices.emulator or facts.emulator}' does not support machine type '{name}'",
        domain=From.QEMU,
        hint=f"it has {', '.join(close or sorted(facts.machines)[:5])}"
        + (f"; leave it out for {facts.default_machine}" if facts.default_machine else ""),
    )


def _complete_devices(draft: Draft) -> None:
    """Devices one by one, after those were added that every machine of the kind has."""
    controllers.forget_foreign(draft)
    controllers.number_controllers(draft)
    hostdevs.add_hostdev_controllers(draft)
    small.complete_inputs(draft)
    controllers.add_machine_controllers(draft)
    small.complete_balloon(draft)
    displays.complete_audio(draft)
    sounds.complete_sounds(draft)
    disks.complete_disks(draft)
    filesystems.complete_filesystems(draft)
    interfaces.complete_interfaces(draft)
    controllers.complete_controllers(draft)
    chardevs.complete_serials(draft)
    chardevs.complete_parallels(draft)
    chardevs.complete_channels(draft)
    chardevs.complete_consoles(draft)
    platform.complete_platform(draft)
    displays.complete_graphics(draft)
    hostdevs.complete_hostdevs(draft)
    hostdevs.complete_redirdevs(draft)
    memory.complete_memory_devices(draft)


def _add_implied(draft: Draft) -> None:
    """Devices that others imply: the console's serial port, disk and port controllers, a display's card."""
    known = len(draft.controllers)
    chardevs.pair_console(draft)
    disks.add_disk_controllers(draft)
    chardevs.add_virtio_serial_controllers(draft)
    hostdevs.add_smartcard_controllers(draft)
    hostdevs.add_hostdev_controllers(draft)
    displays.complete_videos(draft)
    controllers.complete_controllers(draft, known)


__all__ = ["complete"]
