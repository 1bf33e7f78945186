"""Validation: the rules that make libvirt refuse a document that is well formed.

`check` runs on a completed document, `check_written` on one that was just
read. Rules are tables, one file per concern, in libvirt's order. May enter:
rules, each with libvirt's code and words, and what would be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.device import DriveAddress
from roost.model.domain.devices import Devices
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.disk import Disk
from roost.model.domain.domain import Domain
from roost.model.domain.facts import MachineFacts
from roost.model.domain.validate import (
    boot,
    connections,
    controllers,
    devices,
    disks,
    filesystems,
    images,
    interfaces,
    machine,
    platform,
    resources,
)
from roost.model.domain.validate.rules import Context, Rules
from roost.model.domain.validate.written import check_written
from roost.xml import is_remembered, notes_about

#: Fields of Devices, the element's name, its rules; in libvirt's order. Disks and controllers have rules by kind.
_BY_DEVICE: tuple[tuple[str, str, Rules], ...] = (
    ("disks", "disk", Rules()),
    ("filesystems", "filesystem", filesystems.RULES),
    ("interfaces", "interface", interfaces.INTERFACE_RULES),
    ("sounds", "sound", connections.SOUND_RULES),
    ("hostdevs", "hostdev", connections.HOSTDEV_RULES),
    ("videos", "video", devices.VIDEO_RULES),
    ("controllers", "controller", Rules()),
    ("smartcards", "smartcard", connections.SMARTCARD_RULES),
    ("serials", "serial", devices.SERIAL_RULES),
    ("channels", "channel", devices.CHANNEL_RULES),
    ("inputs", "input", devices.INPUT_RULES),
    ("watchdogs", "watchdog", platform.WATCHDOG_RULES),
    ("shmems", "shmem", platform.SHMEM_RULES),
    ("tpms", "tpm", platform.TPM_RULES),
    ("iommus", "iommu", platform.IOMMU_RULES),
    ("redirdevs", "redirdev", connections.REDIRDEV_RULES),
    ("graphics", "graphics", devices.GRAPHICS_RULES),
    ("audios", "audio", connections.AUDIO_RULES),
)

_listed = attrgetter(*(field for field, _, _ in _BY_DEVICE))

#: For rules that ask nothing of the emulator.
_NO_EMULATOR = MachineFacts("", "", frozenset(), {}, "", frozenset())


def rules_and_subjects(domain: Domain) -> Iterator[resources.Table]:
    """Every table of rules with what it applies to and where that stands, in libvirt's order."""
    yield from _before_devices(domain)
    for (_, element, rules), listed in zip(_BY_DEVICE, _listed(domain.devices), strict=True):
        for device in listed:
            for table, subjects in _tables_of(device, rules):
                yield table, subjects, f"/domain/devices/{element}"
    yield from _after_devices(domain)


def _before_devices(domain: Domain) -> Iterator[resources.Table]:
    listed = domain.devices
    yield from _securities(domain)
    yield platform.DOMAIN_IOMMU_RULES, (domain,), "/domain"
    yield boot.FIRMWARE_RULES, (domain,), "/domain/os"
    yield from resources.of_machine(domain)
    yield boot.BOOT_RULES, (domain,), "/domain/os"
    yield boot.SYSINFO_RULES, (domain,), "/domain/sysinfo"
    yield platform.PANIC_RULES, listed.panics, "/domain/devices/panic"
    yield platform.DOMAIN_TPM_RULES, (domain,), "/domain/devices/tpm"
    yield devices.CONSOLE_RULES, listed.consoles, "/domain/devices/console"


def _after_devices(domain: Domain) -> Iterator[resources.Table]:
    yield from _single_devices(domain.devices)
    yield from resources.of_document(domain)
    if domain.qemu_commandline is not None:
        yield machine.ENVIRONMENT_RULES, domain.qemu_commandline.env, "/domain/qemu:commandline/qemu:env"


def _tables_of(device: Any, rules: Rules) -> tuple[tuple[Rules, tuple[Any, ...]], ...]:
    """The tables for a device with what each applies to. rules: those of its class."""
    if isinstance(device, Disk):
        chain = tuple(images.images(device))
        return (
            (images.RULES, chain),
            (disks.RULES_BY_BUS[device.target.bus or "ide"], (device,)),
            (images.LABEL_RULES, chain),
            (images.QEMU_RULES, chain),
            (disks.LAST_RULES, (device,)),
        )
    if isinstance(device, Controller):
        rules = controllers.RULES_BY_TYPE[device.type]
    return ((rules, (device,)),)


def _securities(domain: Domain) -> Iterator[resources.Table]:
    """Labels, wrapped keys, protected memory, and what is said to QEMU itself."""
    yield boot.SECLABEL_RULES, domain.seclabels, "/domain/seclabel"
    if domain.keywrap is not None:
        yield boot.KEYWRAP_RULES, domain.keywrap.ciphers, "/domain/keywrap/cipher"
    if domain.launch_security is not None:
        yield boot.LAUNCH_SECURITY_RULES, (domain.launch_security,), "/domain/launchSecurity"
    for device in domain.qemu_override.devices if domain.qemu_override is not None else ():
        yield boot.PROPERTY_RULES, device.properties, f"/domain/qemu:override/qemu:device[@alias='{device.alias}']"


def _single_devices(devices: Devices) -> Iterator[resources.Table]:
    """The devices that a guest has once."""
    for device, rules, element in (
        (devices.nvram, platform.NVRAM_RULES, "nvram"),
        (devices.vsock, platform.VSOCK_RULES, "vsock"),
    ):
        if device is not None:
            yield rules, (device,), f"/domain/devices/{element}"


def check(domain: Domain, facts: MachineFacts) -> None:
    """Raises for the first rule that a completed document breaks."""
    context = Context(domain, facts, facts.machine(domain.os.machine))
    _apply(_before_devices(domain), context)
    _check_devices(domain.devices, context)
    _apply(_after_devices(domain), context)
    resources.check_resources(domain)
    _check_unique(domain)


def _apply(tables: Iterable[resources.Table], context: Context) -> None:
    for rules, subjects, path in tables:
        for subject in subjects:
            rule = rules.broken_by(subject, context)
            if rule is not None:
                raise rule.refusal(subject, context, path + _which(subject, subjects))


def _check_devices(devices: Devices, context: Context) -> None:
    # Guests made alike share records of devices. Where no rule looked at more than the device, the machine and the
    # emulator, another guest's check would find the same.
    accepted = notes_about(("accepted", context.arch, context.machine_name))
    for (_, element, rules), listed in zip(_BY_DEVICE, _listed(devices), strict=True):
        for device in listed:
            if accepted.get(id(device)) is context.facts:
                continue
            context.asked = False
            for table, subjects in _tables_of(device, rules):
                for subject in subjects:
                    rule = table.broken_by(subject, context)
                    if rule is not None:
                        raise rule.refusal(subject, context, f"/domain/devices/{element}{_which(subject, listed)}")
            if not context.asked and is_remembered(device):
                accepted[id(device)] = context.facts


def check_actions(domain: Domain) -> None:
    """Raises for what neither a driver nor QEMU can do when the guest ends."""
    context = Context(domain, _NO_EMULATOR, None)
    for rules in (machine.LIFECYCLE_RULES, machine.ACTION_RULES):
        rule = rules.broken_by(domain, context)
        if rule is not None:
            raise rule.refusal(domain, context, "/domain")


def _which(subject: Any, subjects: Sequence[Any]) -> str:
    """Tells one element from others of its name: its target or index where it has one, else its place."""
    if isinstance(subject, Controller):
        return f"[@type='{subject.type}' and @index='{subject.index}']"
    if isinstance(subject, images.Image):
        return f"[target/@dev='{subject.disk.target.dev}']/source"
    if isinstance(subject, Disk):
        return f"[target/@dev='{subject.target.dev}']"
    return "" if len(subjects) == 1 else f"[{list(subjects).index(subject) + 1}]"


def _check_unique(domain: Domain) -> None:
    """Disk names, drive addresses and the user's aliases occur once."""
    names: dict[str, Any] = {}
    drives: dict[tuple[str | None, DriveAddress], Any] = {}
    for disk in domain.devices.disks:
        other = names.setdefault(disk.target.dev, disk)
        if other is not disk:
            raise XmlError(
                f"target '{disk.target.dev}' duplicated for disk sources '{disks.source_text(other)}' "
                f"and '{disks.source_text(disk)}'",
                domain=From.DOMAIN,
            )
    for disk in domain.devices.disks:
        address = disk.address
        if isinstance(address, DriveAddress):
            other = drives.setdefault((disk.target.bus, address), disk)
            if other is not disk:
                raise ConfigUnsupported(
                    f"Found duplicate drive address for disk with target name '{other.target.dev}' "
                    f"controller='{address.controller}' bus='{address.bus}' target='{address.target}' "
                    f"unit='{address.unit}'",
                    domain=From.DOMAIN,
                    hint=f"{disk.target.dev} has the same",
                )
    disks.check_groups(domain)
    filesystems.check_targets(domain)
    _check_aliases(domain)


def _check_aliases(domain: Domain) -> None:
    seen: set[str] = set()
    for listed in _listed(domain.devices):
        for device in listed:
            alias = getattr(device, "alias", None)
            if alias is not None:
                if alias in seen:
                    raise ConfigUnsupported(f"non unique alias detected: {alias}", domain=From.DOMAIN)
                seen.add(alias)


__all__ = ["check", "check_actions", "check_written", "rules_and_subjects"]
