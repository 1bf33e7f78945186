"""Validation: the rules that make libvirt refuse a document that is well formed.

`check` runs on a completed document, `check_written` on one that was just
read. Rules are tables, one file per concern, in libvirt's order. May enter:
rules, each with libvirt's code and words, and what would be right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.device import DriveAddress
from roost.model.domain.domain import Domain
from roost.model.domain.facts import MachineFacts
from roost.model.domain.validate import devices, disks, machine
from roost.model.domain.validate.rules import Context, Rule, enforce
from roost.model.domain.validate.written import check_written

#: Fields of Devices, the element's name, its rules; in libvirt's order.
_BY_DEVICE: tuple[tuple[str, str, tuple[Rule, ...]], ...] = (
    ("disks", "disk", disks.RULES),
    ("interfaces", "interface", devices.INTERFACE_RULES),
    ("videos", "video", devices.VIDEO_RULES),
    ("controllers", "controller", devices.CONTROLLER_RULES),
    ("serials", "serial", devices.SERIAL_RULES),
    ("channels", "channel", devices.CHANNEL_RULES),
    ("inputs", "input", devices.INPUT_RULES),
    ("graphics", "graphics", devices.GRAPHICS_RULES),
)


def check(domain: Domain, facts: MachineFacts) -> None:
    """Raises for the first rule that a completed document breaks."""
    context = Context(domain, facts, facts.machine(domain.os.machine))
    enforce(machine.RULES, domain, context, "/domain")
    if domain.clock is not None:
        enforce(machine.CLOCK_RULES, domain.clock, context, "/domain/clock")
        _each(domain.clock.timers, "/domain/clock/timer", machine.TIMER_RULES, context)
    # The first console is the serial port, which has its own rules.
    _each(domain.devices.consoles, "/domain/devices/console", devices.CONSOLE_RULES, context)
    for field, element, rules in _BY_DEVICE:
        _each(getattr(domain.devices, field), f"/domain/devices/{element}", rules, context)
    if domain.devices.iommu is not None:
        enforce(devices.IOMMU_RULES, domain.devices.iommu, context, "/domain/devices/iommu")
    if domain.qemu_commandline is not None:
        _each(domain.qemu_commandline.env, "/domain/qemu:commandline/qemu:env", machine.ENVIRONMENT_RULES, context)
    _check_unique(domain)


def _each(listed: Sequence[Any], path: str, rules: tuple[Rule, ...], context: Context) -> None:
    for number, device in enumerate(listed, 1):
        for rule in rules:
            if rule.broken(device, context):
                enforce((rule,), device, context, f"{path}[{number}]")


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
    _check_aliases(domain)


def _check_aliases(domain: Domain) -> None:
    seen: set[str] = set()
    for field, _, _ in _BY_DEVICE:
        for device in getattr(domain.devices, field):
            alias = getattr(device, "alias", None)
            if alias is not None and alias in seen:
                raise ConfigUnsupported(f"non unique alias detected: {alias}", domain=From.DOMAIN)
            if alias is not None:
                seen.add(alias)


__all__ = ["check", "check_written"]
