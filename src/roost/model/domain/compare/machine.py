"""What the guest sees of the machine itself: memory, processors, board, features, timers, SMBIOS."""

from __future__ import annotations

from typing import Any

from roost.errors import ConfigUnsupported, From
from roost.model.domain.clock import Clock
from roost.model.domain.compare.seen import Seen, answer, check, number, part, same, switch, switched
from roost.model.domain.cpu import Cpu
from roost.model.domain.cpuset import parse_cpus
from roost.model.domain.domain import Domain
from roost.model.domain.features import Features, Hyperv, Kvm, Xen
from roost.model.domain.numa import NumaCell
from roost.model.domain.sysinfo import SmbiosSysinfo, SysinfoEntry
from roost.xml import tag_of

_IDENTITY = (
    same("domain virt type", part("type")),
    same("domain uuid", part("uuid")),
    Seen("Target domain requested genid does not match source", lambda d: d.genid is not None),
    same("domain genid", part("genid")),
    same("domain name", part("name"), "'"),
    same("domain max memory", part("memory")),
)
_CURRENT_MEMORY = (same("domain current memory", lambda d: d.current_memory or d.memory),)
_MEMORY = (
    Seen("Target maximum memory size '{new}' doesn't match source '{old}'", number("max_memory", "size")),
    Seen("Target domain memory slots count '{new}' doesn't match source '{old}'", number("max_memory", "slots")),
)
_VCPU_MAX = (same("domain vCPU max", number("vcpu", "count", default=1)),)
_OS = (
    same("domain OS type", part("os", "type")),
    same("domain architecture", part("os", "arch")),
    same("domain machine type", part("os", "machine")),
    same("domain SMBIOS mode", part("os", "smbios_mode", default="none")),
)

_TIMER = (
    Seen("Target timer {new} does not match source {old}", lambda t: t.name),
    same("timer presence", lambda t: answer(t.present), "'"),
    same("TSC frequency", lambda t: (t.frequency or 0) if t.name == "tsc" else 0),
    same("TSC mode", lambda t: (t.mode or "default") if t.name == "tsc" else None),
)

_CPU = (
    same("CPU mode", part("mode", default="custom")),
    same("CPU check", part("check", default="default")),
    same("CPU model", part("model", "name")),
    same("CPU vendor", part("vendor")),
    same("CPU vendor id", part("model", "vendor_id")),
    same("CPU sockets", number("topology", "sockets")),
    same("CPU dies", number("topology", "dies")),
    same("CPU cores", number("topology", "cores")),
    same("CPU threads", number("topology", "threads")),
    Seen("Target CPU maxphysaddr does not match source", part("maxphysaddr")),
    same("CPU feature count", lambda c: len(c.features)),
)
_CPU_FEATURE = (
    same("CPU feature", part("name")),
    same("CPU feature policy", part("policy", default="require")),
)
_CPU_CACHE = (Seen("Target CPU cache does not match source", part("cache")),)


def _differs(name: str, shape: str = "{}") -> str:
    old, new = shape.format("{old}"), shape.format("{new}")
    return f"State of feature '{name}' differs: source: '{old}', destination: '{new}'"


def _state(name: str, field: str) -> Seen:
    return Seen(_differs(name), switched(field))


def _flag(name: str) -> Seen:
    return Seen(_differs(name), lambda f: switch(getattr(f, name) or None))


def _named(name: str, key: str, field: str, default: str = "none") -> Seen:
    return Seen(_differs(name, f"{key}={{}}"), part(field, default=default))


#: In libvirt's order.
_FEATURES = (
    _flag("acpi"),
    Seen(
        _differs("apic"),
        lambda f: f"{switch(f.apic is not None or None)},eoi={switch(f.apic.eoi if f.apic else None)}",
    ),
    _flag("pae"),
    _state("hap", "hap"),
    _flag("viridian"),
    _flag("privnet"),
    Seen(_differs("hyperv"), lambda f: {None: "default", "custom": "on"}.get(f.hyperv and f.hyperv.mode, "off")),
    Seen(_differs("kvm"), lambda f: switch(f.kvm is not None or None)),
    _state("pvspinlock", "pvspinlock"),
    _state("pmu", "pmu"),
    _state("vmport", "vmport"),
    Seen(
        _differs("gic"),
        lambda f: f"{switch(f.gic is not None or None)},version={part('gic', 'version', default='none')(f)}",
    ),
    _state("smm", "smm"),
    _named("ioapic", "driver", "ioapic"),
    Seen(
        _differs("hpt"),
        lambda f: (
            f"{switch((f.hpt_resizing or f.hpt_maxpagesize) is not None or None)},"
            f"resizing={f.hpt_resizing or 'none'},maxpagesize={f.hpt_maxpagesize or 0}"
        ),
    ),
    _state("vmcoreinfo", "vmcoreinfo"),
    _state("nested-hv", "nested_hv"),
    _state("htm", "htm"),
    _state("ccf-assist", "ccf_assist"),
    Seen(_differs("xen"), lambda f: switch(f.xen is not None or None)),
    _named("cfpc", "value", "cfpc"),
    _named("sbbc", "value", "sbbc"),
    _named("ibs", "value", "ibs"),
)


def _enlightenment(name: str, *path: str) -> Seen:
    text = f"State of HyperV enlightenment feature '{name}' differs: source: '{{old}}', destination: '{{new}}'"
    return Seen(text, switched(*path))


_HYPERV = (
    _enlightenment("relaxed", "relaxed"),
    _enlightenment("vapic", "vapic"),
    Seen("HyperV spinlock retry count differs: source: '{old}', destination: '{new}'", number("spinlocks_retries")),
    _enlightenment("vpindex", "vpindex"),
    _enlightenment("runtime", "runtime"),
    _enlightenment("synic", "synic"),
    _enlightenment("stimer", "stimer", "state"),
    _enlightenment("reset", "reset"),
    Seen("HyperV vendor_id differs: source: '{old}', destination: '{new}'", part("vendor_id_value", default="(null)")),
    _enlightenment("frequencies", "frequencies"),
    _enlightenment("reenlightenment", "reenlightenment"),
    _enlightenment("tlbflush", "tlbflush", "state"),
    _enlightenment("ipi", "ipi"),
    _enlightenment("evmcs", "evmcs"),
    _enlightenment("avic", "avic"),
    _enlightenment("emsr_bitmap", "emsr_bitmap"),
    _enlightenment("xmm_input", "xmm_input"),
    Seen(
        "State of HyperV stimer direct feature differs: source: '{old}', destination: '{new}'",
        switched("stimer", "direct"),
    ),
)
_KVM = tuple(
    Seen(
        f"State of KVM feature '{name}' differs: source: '{{old}}', destination: '{{new}}'",
        switched(name.replace("-", "_")),
    )
    for name in ("hidden", "hint-dedicated", "poll-control", "pv-ipi", "dirty-ring")
)
_XEN = (
    *(
        Seen(f"State of Xen feature '{name}' differs: source: '{{old}}', destination: '{{new}}'", switched(name))
        for name in ("e820_host", "passthrough")
    ),
    Seen(
        "'mode' of Xen passthrough feature differs: source: '{old}', destination: '{new}'",
        part("passthrough_mode", default="default"),
    ),
)
_TSEG = (Seen("Size of SMM TSEG size differs: source: '{old} KiB', destination: '{new} KiB'", number("smm_tseg")),)

#: What SMBIOS tells, by the names of its entries; libvirt calls some otherwise.
_SMBIOS = (
    ("bios", "BIOS", ("vendor", "version", "date", "release")),
    ("system", "system", ("manufacturer", "product", "version", "serial", "uuid", "sku", "family")),
    ("chassis", "chassis", ("manufacturer", "version", "serial", "asset", "sku")),
)
_BOARD = ("manufacturer", "product", "version", "serial", "asset", "location")


def compare_machine(old: Domain, new: Domain, *, volatile: bool) -> None:
    """All but devices, in libvirt's order. volatile: memory that the guest was asked to give back counts."""
    check(_IDENTITY, old, new, "it")
    if volatile:
        check(_CURRENT_MEMORY, old, new, "memory")
    check(_MEMORY, old, new, "memory")
    _compare_cells(_cells(old), _cells(new))
    check(_VCPU_MAX, old, new, "vcpu")
    _compare_vcpus(old, new)
    check(_OS, old, new, "os")
    _compare_features(old.features or Features(), new.features or Features())
    _compare_timers(old.clock or Clock(), new.clock or Clock())
    _compare_cpus(old.cpu, new.cpu)
    _compare_sysinfo(old, new)


def _refuse(text: str, hint: str = "", origin: int = From.DOMAIN) -> ConfigUnsupported:
    return ConfigUnsupported(text, domain=origin, hint=hint)


def _cells(domain: Domain) -> tuple[NumaCell, ...]:
    return domain.cpu.numa.cells if domain.cpu is not None and domain.cpu.numa is not None else ()


def _compare_cells(old: tuple[NumaCell, ...], new: tuple[NumaCell, ...]) -> None:
    if len(old) != len(new):
        raise _refuse(f"Target NUMA node count '{len(new)}' doesn't match source '{len(old)}'")
    for number_, (before, after) in enumerate(zip(old, new, strict=True)):
        if before.memory != after.memory:
            raise _refuse(f"Size of target NUMA node {number_} ({after.memory}) doesn't match source ({before.memory})")
        if parse_cpus(before.cpus or "") != parse_cpus(after.cpus or ""):
            raise _refuse(f"Processor mask of target NUMA node {number_} doesn't match source")
        distances = {near.id: near.value for near in after.distances}
        for near in before.distances:
            if distances.get(near.id, near.value) != near.value:
                raise _refuse(f"Target NUMA distance from {number_} to {near.id} doesn't match source")


def _compare_vcpus(old: Domain, new: Domain) -> None:
    before, after = _vcpus(old), _vcpus(new)
    for one, (was, is_now) in enumerate(zip(before, after, strict=True)):
        if was[0] != is_now[0]:
            raise _refuse(f"State of vCPU '{one}' differs between source and destination definitions")
        if was[1] != is_now[1]:
            raise _refuse(f"vcpu enable order of vCPU '{one}' differs between source and destination definitions")


def _vcpus(domain: Domain) -> list[tuple[bool, int]]:
    """Of each processor whether it is plugged in, and its place in the order of that."""
    count = domain.vcpu.count if domain.vcpu is not None else 1
    current = (domain.vcpu.current if domain.vcpu is not None else None) or count
    states = [(number_ < current, 0) for number_ in range(count)]
    for state in domain.vcpus:
        if state.id < count:
            states[state.id] = (state.enabled, state.order or 0)
    return states


def _compare_features(old: Features, new: Features) -> None:
    check(_FEATURES, old, new, "features")
    if old.hyperv is not None:
        check(_HYPERV, old.hyperv, new.hyperv or Hyperv(), "hyperv")
    if old.xen is not None:
        check(_XEN, old.xen, new.xen or Xen(), "xen")
    if old.kvm is not None:
        check(_KVM, old.kvm, new.kvm or Kvm(), "kvm")
    if old.smm:
        check(_TSEG, old, new, "smm")


def _compare_timers(old: Clock, new: Clock) -> None:
    if len(old.timers) != len(new.timers):
        raise _refuse("Target domain timers do not match source")
    for before, after in zip(old.timers, new.timers, strict=True):
        check(_TIMER, before, after, f"timer {before.name}")


def _compare_cpus(old: Cpu | None, new: Cpu | None) -> None:
    if old is None or new is None:
        if old is not new:
            raise _refuse("Target CPU does not match source", origin=From.CPU)
        return
    check(_CPU, old, new, "cpu", From.CPU)
    for before, after in zip(old.features, new.features, strict=True):
        check(_CPU_FEATURE, before, after, f"feature {before.name}", From.CPU)
    check(_CPU_CACHE, old, new, "cpu", From.CPU)


def _compare_sysinfo(old: Domain, new: Domain) -> None:
    if len(old.sysinfo) != len(new.sysinfo):
        raise _refuse("Target domain count of sysinfo does not match source")
    for before, after in zip(old.sysinfo, new.sysinfo, strict=True):
        if tag_of(before) != tag_of(after):
            raise _refuse(f"Target sysinfo {tag_of(after)} does not match source {tag_of(before)}", origin=From.SYSINFO)
        if isinstance(before, SmbiosSysinfo) and isinstance(after, SmbiosSysinfo):
            _compare_smbios(before, after)


def _compare_smbios(old: SmbiosSysinfo, new: SmbiosSysinfo) -> None:
    for field, called, names in _SMBIOS:
        if field == "chassis":
            _compare_boards(old, new)
        before, after = getattr(old, field), getattr(new, field)
        if bool(before) != bool(after):
            section = "chassis" if field == "chassis" else "sysinfo"
            raise _refuse(f"Target {section} does not match source", origin=From.SYSINFO)
        _compare_entries(called, names, before, after)


def _compare_boards(old: SmbiosSysinfo, new: SmbiosSysinfo) -> None:
    before, after = len(old.base_boards), len(new.base_boards)
    if before != after:
        raise _refuse(
            f"Target sysinfo base board count '{after}' does not match source '{before}'", origin=From.SYSINFO
        )
    for was, is_now in zip(old.base_boards, new.base_boards, strict=True):
        _compare_entries("base board", _BOARD, was.entries, is_now.entries)


def _compare_entries(
    called: str, names: tuple[str, ...], old: tuple[SysinfoEntry, ...], new: tuple[SysinfoEntry, ...]
) -> None:
    before: dict[str, Any] = {entry.name: entry.value for entry in old}
    after: dict[str, Any] = {entry.name: entry.value for entry in new}
    for name in names:
        if before.get(name) != after.get(name):
            shown = "vendor" if name == "manufacturer" else name
            raise _refuse(
                f"Target sysinfo {called} {shown} {after.get(name) or '<null>'} "
                f"does not match source {before.get(name) or '<null>'}",
                origin=From.SYSINFO,
            )


__all__ = ["compare_machine"]
