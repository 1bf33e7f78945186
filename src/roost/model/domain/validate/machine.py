"""Rules about the machine as a whole: what the emulator serves, processors, memory, timers, features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roost.errors import From, InternalError, XmlError
from roost.model.domain.boards import ARM_VIRT
from roost.model.domain.validate.rules import Context, Rule, Rules, given

_MAX_LOADPARM = 8
_MAX_VCPUS_WITHOUT_EIM = 255
#: The last second of the year 9999.
_LAST_START = 253402300799


def _uses_uefi(d: Any, c: Context) -> bool:
    return d.os.firmware == "efi" or (d.os.loader is not None and d.os.loader.type == "pflash")


def _topology_count(d: Any) -> int:
    t = d.cpu.topology
    return int(t.sockets * (t.dies or 1) * (t.clusters or 1) * t.cores * t.threads)


def _has_sleep_states(c: Context) -> bool:
    """Whether the chipset lets them be switched."""
    return "PIIX4_PM" in c.facts.devices or (c.is_q35 and "ICH9-LPC" in c.facts.devices)


def _loadparms(d: Any) -> Iterator[str]:
    """What a mainframe's boot loader is told."""
    for device in (*d.devices.disks, *d.devices.interfaces):
        if device.boot is not None and device.boot.loadparm is not None:
            yield device.boot.loadparm


def _plugged_by_core(d: Any, c: Context) -> bool:
    power = (d.os.arch or "").startswith("ppc64") and (d.os.machine or "").startswith("pseries")
    return power and d.cpu is not None and d.cpu.topology is not None


def _needs_eim(d: Any) -> bool:
    return bool(d.vcpu.count > _MAX_VCPUS_WITHOUT_EIM)


def _has_eim(d: Any) -> bool:
    return any(iommu.driver is not None and iommu.driver.eim for iommu in d.devices.iommus)


#: On the domain, `{d}`: what QEMU cannot do when a guest ends.
ACTION_RULES = Rules(
    Rule(
        lambda d, c: "rename-restart" in (d.on_poweroff, d.on_reboot, d.on_crash),
        "qemu driver doesn't support the 'rename-restart' action for 'on_reboot'/'on_poweroff'/'on_crash'",
        "'restart' or 'destroy'",
    ),
    Rule(
        lambda d, c: "preserve" in (d.on_poweroff, d.on_reboot),
        "qemu driver doesn't support the 'preserve' action for 'on_reboot'/'on_poweroff'",
        "'restart' or 'destroy'; 'preserve' is for <on_crash>",
    ),
    Rule(
        lambda d, c: d.on_poweroff == "restart",
        "qemu driver doesn't support 'onReboot' set to 'destroy and 'onPoweroff' set to 'reboot'",
        "'restart' for both, or 'destroy' for <on_poweroff>",
        about="on_reboot=destroy",
    ),
)

#: In libvirt's order.
RULES = Rules(
    Rule(
        lambda d, c: d.os.type != "hvm",
        "Emulator '{d.devices.emulator}' does not support os type '{d.os.type}'",
        "<os><type>hvm</type></os>",
    ),
    Rule(
        lambda d, c: d.os.arch not in c.facts.arches,
        "Emulator '{d.devices.emulator}' does not support arch '{d.os.arch}'",
        "it emulates {c.facts.arch}",
    ),
    Rule(
        lambda d, c: d.type not in c.facts.virt_types,
        "Emulator '{d.devices.emulator}' does not support virt type '{d.type}'",
        "type='qemu' needs no help of the host",
    ),
    Rule(
        lambda d, c: _uses_uefi(d, c) and c.is_x86 and not (d.features is not None and d.features.acpi),
        "UEFI requires ACPI on this architecture",
        "add <features><acpi/></features>",
    ),
    Rule(
        lambda d, c: c.board is ARM_VIRT and d.features.acpi and not _uses_uefi(d, c),
        "ACPI requires UEFI on this architecture",
        "add <os firmware='efi'>, or drop <acpi/>",
        about="features",
    ),
    Rule(
        lambda d, c: not _has_sleep_states(c),
        "setting ACPI S3 not supported",
        "drop <suspend-to-mem>",
        about="pm.suspend_to_mem",
    ),
    Rule(
        lambda d, c: not _has_sleep_states(c),
        "setting ACPI S4 not supported",
        "drop <suspend-to-disk>",
        about="pm.suspend_to_disk",
    ),
    Rule(
        lambda d, c: not c.facts.has_max_cpu,
        "maximum CPU is not supported by QEMU binary",
        "leave <cpu> out, or name a model",
        about="cpu.mode=maximum",
    ),
    Rule(
        lambda d, c: d.devices.parallels and not c.board.parallel,
        "parallel ports are not supported",
        "drop <parallel>",
    ),
    Rule(
        lambda d, c: any(not 0 < len(value) <= _MAX_LOADPARM for value in _loadparms(d)),
        f"loadparm value must be between 1 and {_MAX_LOADPARM} characters",
        "letters, digits and dots",
        InternalError,
        From.DOMAIN,
    ),
    Rule(
        lambda d, c: d.os.bios_useserial and not d.devices.serials,
        "need at least one serial port to use BIOS serial output",
        "add <serial type='pty'/>",
        XmlError,
    ),
    *ACTION_RULES,
)

#: On the domain, `{d}`: how many processors, and how they are arranged.
TOPOLOGY_RULES = Rules(
    Rule(
        lambda d, c: c.machine is not None and c.machine.max_cpus and d.vcpu.count > c.machine.max_cpus,
        "Maximum CPUs greater than specified machine type limit {c.machine.max_cpus}",
    ),
    Rule(
        lambda d, c: d.cpu.topology is not None and _topology_count(d) != d.vcpu.count,
        "CPU topology doesn't match maximum vcpu count",
        "sockets * dies * clusters * cores * threads must be {d.vcpu.count}",
        about="cpu",
    ),
    Rule(
        lambda d, c: _plugged_by_core(d, c) and (d.vcpu.current or d.vcpu.count) % d.cpu.topology.threads,
        "vCPUs count must be a multiple of the vCPU hotplug granularity ({d.cpu.topology.threads})",
        "processors come by the core",
    ),
    Rule(
        lambda d, c: _needs_eim(d) and c.is_x86 and not c.is_q35,
        f"more than {_MAX_VCPUS_WITHOUT_EIM} vCPUs are only supported on q35-based machine types",
    ),
    Rule(
        lambda d, c: _needs_eim(d) and c.is_x86 and not _has_eim(d),
        f"more than {_MAX_VCPUS_WITHOUT_EIM} vCPUs require extended interrupt mode enabled on the iommu device",
        "add <iommu model='intel'><driver intremap='on' eim='on'/></iommu>",
    ),
    Rule(
        lambda d, c: d.type != "kvm" and (d.cputune.cachetunes or d.cputune.memorytunes),
        "cachetune is only supported for KVM domains",
        "type='kvm'",
        about="cputune",
    ),
)


def _no_dump(field: str, event: str) -> Rule:
    return Rule(
        lambda d, c: (getattr(d, field) or "").startswith("coredump"),
        f"Lifecycle event '{event}' doesn't support '{{d.{field}}}' action",
        "memory is dumped <on_crash>",
        origin=From.DOMAIN,
    )


#: On the domain, `{d}`: what any driver refuses.
LIFECYCLE_RULES = Rules(_no_dump("on_poweroff", "poweroff"), _no_dump("on_reboot", "reboot"))

#: On each <timer>, `{d}`.
TIMER_RULES = Rules(
    Rule(
        given,
        "unsupported timer type (name) '{d.name}'",
        "rtc, pit, hpet or tsc",
        about="name=platform",
    ),
    Rule(
        lambda d, c: d.name in ("tsc", "kvmclock", "hypervclock") and d.present and not c.is_x86,
        "Configuring the '{d.name}' timer is not supported for virtType={c.domain.type} arch={c.domain.os.arch} "
        "machine={c.domain.os.machine} guests",
        about="present",
    ),
    Rule(
        lambda d, c: d.track == "boot",
        "unsupported rtc timer track '{d.track}'",
        "'guest', 'wall' or 'realtime'",
        about="name=rtc",
    ),
    Rule(
        lambda d, c: d.tickpolicy in ("merge", "discard"),
        "unsupported rtc timer tickpolicy '{d.tickpolicy}'",
        "'delay' or 'catchup'",
        about="name=rtc",
    ),
    Rule(
        lambda d, c: d.tickpolicy == "merge",
        "unsupported pit tickpolicy '{d.tickpolicy}'",
        "'delay', 'catchup' or 'discard'",
        about="name=pit",
    ),
    Rule(
        lambda d, c: d.name == "armvtimer",
        "Configuring the '{d.name}' timer is not supported for virtType={c.domain.type} arch={c.domain.os.arch} "
        "machine={c.domain.os.machine} guests",
        about="name",
    ),
)

CLOCK_RULES = Rules(
    Rule(
        lambda d, c: (d.start or 0) > _LAST_START,
        f"The maximum 'start' value for <clock offset='absolute'> is {_LAST_START}",
        about="offset=absolute",
    ),
)

#: On each <qemu:env>, `{d}`.
ENVIRONMENT_RULES = Rules(
    Rule(
        lambda d, c: not (d.name[:1].isalpha() or d.name[:1] == "_"),
        "Invalid environment name, it must begin with a letter or underscore",
        "not {d.name}",
        InternalError,
    ),
    Rule(
        lambda d, c: not d.name.replace("_", "a").isalnum(),
        "Invalid environment name, it must contain only alphanumerics and underscore",
        "not {d.name}",
        InternalError,
    ),
)

__all__ = [
    "ACTION_RULES",
    "CLOCK_RULES",
    "ENVIRONMENT_RULES",
    "LIFECYCLE_RULES",
    "RULES",
    "TIMER_RULES",
    "TOPOLOGY_RULES",
]
