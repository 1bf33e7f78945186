"""Guest ABI: whether a running guest would notice that its document was exchanged for another.

A table of what the guest can see. The first difference is named in libvirt's
words, with the device it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from roost.errors import ConfigUnsupported, From
from roost.model.domain.addresses.buses import address_text
from roost.model.domain.clock import Clock
from roost.model.domain.device import (
    CcidAddress,
    Device,
    DimmAddress,
    DriveAddress,
    IsaAddress,
    PciAddress,
    VirtioSerialAddress,
)
from roost.model.domain.domain import Domain
from roost.model.domain.draft import describe
from roost.model.domain.features import Features
from roost.xml import tag_of


class _Seen(NamedTuple):
    """Something the guest sees. text: with {new} and {old}; of: its value in a record."""

    text: str
    of: Callable[[Any], object]


class _Section(NamedTuple):
    """A class of devices: its field in Devices, its element, what it is called, what the guest sees of each."""

    field: str
    element: str
    called: str
    seen: tuple[_Seen, ...]


def _same(what: str, of: Callable[[Any], object], quote: str = "") -> _Seen:
    return _Seen(f"Target {what} {quote}{{new}}{quote} does not match source {quote}{{old}}{quote}", of)


def _target(name: str) -> Callable[[Any], object]:
    return lambda d: getattr(d.target, name, None)


def _word(value: bool | None, true: str, false: str) -> str:
    return "default" if value is None else true if value else false


def _model(name: str) -> Callable[[Any], object]:
    return lambda d: getattr(d.model, name, None)


_DOMAIN = (
    _same("domain virt type", lambda d: d.type),
    _same("domain uuid", lambda d: d.uuid),
    _same("domain genid", lambda d: d.genid.value if d.genid is not None else None),
    _same("domain max memory", lambda d: d.memory),
    _Seen(
        "Target maximum memory size '{new}' doesn't match source '{old}'",
        lambda d: d.max_memory.size if d.max_memory else 0,
    ),
    _Seen(
        "Target domain memory slots count '{new}' doesn't match source '{old}'",
        lambda d: (d.max_memory.slots or 0) if d.max_memory else 0,
    ),
    _same("domain vCPU max", lambda d: d.vcpu.count if d.vcpu else 1),
    _same("domain OS type", lambda d: d.os.type),
    _same("domain architecture", lambda d: d.os.arch),
    _same("domain machine type", lambda d: d.os.machine),
    _same("domain SMBIOS mode", lambda d: d.os.smbios_mode),
)

_TIMER = (
    _Seen("Target timer {new} does not match source {old}", lambda t: t.name),
    _same("timer presence", lambda t: _word(t.present, "yes", "no"), "'"),
    _same("TSC frequency", lambda t: t.frequency if t.name == "tsc" else None),
    _same("TSC mode", lambda t: t.mode if t.name == "tsc" else None),
)

_CPU = (
    _same("CPU mode", lambda c: c.mode),
    _same("CPU model", lambda c: c.model.name if c.model else None),
    _same("CPU vendor", lambda c: c.vendor),
    _same("CPU sockets", lambda c: c.topology.sockets if c.topology else None),
    _same("CPU dies", lambda c: c.topology.dies if c.topology else None),
    _same("CPU cores", lambda c: c.topology.cores if c.topology else None),
    _same("CPU threads", lambda c: c.topology.threads if c.topology else None),
    _same("CPU feature set", lambda c: sorted((f.name, f.policy) for f in c.features)),
)

#: In libvirt's order.
_SECTIONS = (
    _Section(
        "disks",
        "disk",
        "disk",
        (
            _same("disk device", lambda d: d.device),
            _same("disk bus", _target("bus")),
            _same("disk", _target("dev")),
            _same("disk serial", lambda d: d.serial),
            _same("disk wwn", lambda d: d.wwn, "'"),
            _Seen("Target disk access mode does not match source", lambda d: (d.readonly, d.shareable)),
            _same("disk model", lambda d: d.model),
            _same("disk rotation rate", _target("rotation_rate")),
            _same("disk queue count", lambda d: d.driver.queues if d.driver else None),
            _same("disk queue size", lambda d: d.driver.queue_size if d.driver else None),
        ),
    ),
    _Section(
        "controllers",
        "controller",
        "controller",
        (
            _same("controller type", lambda d: d.type),
            _same("controller index", lambda d: d.index),
            _same("controller model", lambda d: d.model),
            _same("controller ports", lambda d: d.ports),
            _same("controller vectors", lambda d: d.vectors),
        ),
    ),
    _Section(
        "interfaces",
        "interface",
        "net card",
        (
            _same("network card mac", lambda d: d.mac),
            _same("network card model", lambda d: d.model),
            _same("network card MTU", lambda d: d.mtu),
        ),
    ),
    _Section(
        "inputs",
        "input",
        "input device",
        (
            _same("input device type", lambda d: d.type),
            _same("input device bus", lambda d: d.bus),
            _same("input model", lambda d: d.model),
        ),
    ),
    _Section("sounds", "sound", "sound card", (_same("sound card model", lambda d: d.model),)),
    _Section(
        "videos",
        "video",
        "video card",
        (
            _same("video card model", _model("type")),
            _same("video card ram", _model("ram")),
            _same("video card vram", _model("vram")),
            _same("video card vram64", _model("vram64")),
            _same("video card vgamem", _model("vgamem")),
            _same("video card heads", _model("heads")),
            _Seen("Target video card acceleration does not match source", _model("acceleration")),
        ),
    ),
    _Section(
        "serials",
        "serial",
        "serial port",
        (
            _same("serial type", _target("type")),
            _same("serial model", _target("model")),
            _same("serial port", _target("port")),
        ),
    ),
    _Section("parallels", "parallel", "parallel port", (_same("parallel port", _target("port")),)),
    _Section(
        "channels",
        "channel",
        "channel",
        (
            _same("channel type", lambda d: tag_of(d.target)),
            _same("channel name", _target("name")),
            _same("channel addr", _target("address")),
        ),
    ),
    _Section("consoles", "console", "console", (_same("console type", _target("type")),)),
    _Section("hubs", "hub", "hub device", (_same("hub device type", lambda d: d.type),)),
    _Section("watchdogs", "watchdog", "watchdog", (_same("watchdog model", lambda d: d.model),)),
    _Section(
        "memballoon",
        "memballoon",
        "memory balloon",
        (
            _same("balloon model", lambda d: d.model),
            _same("balloon autodeflate attribute value", lambda d: _word(d.autodeflate, "on", "off"), "'"),
            _same(
                "balloon freePageReporting attribute value", lambda d: _word(d.free_page_reporting, "on", "off"), "'"
            ),
        ),
    ),
    _Section("rngs", "rng", "RNG device", (_same("RNG model", lambda d: d.model, "'"),)),
    _Section("panics", "panic", "panic device", (_same("panic model", lambda d: d.model, "'"),)),
    _Section("iommus", "iommu", "IOMMU device", (_same("domain IOMMU device model", lambda d: d.model, "'"),)),
    _Section("vsock", "vsock", "vsock device", (_same("domain vsock device model", lambda d: d.model, "'"),)),
)

#: How addresses of each kind are named, and the numbers in them.
_ADDRESSES: tuple[tuple[type, str, Callable[[Any], str]], ...] = (
    (
        PciAddress,
        "PCI address",
        lambda a: address_text(a.domain or 0, a.bus or 0, a.slot or 0, a.function or 0),
    ),
    (DriveAddress, "drive address", lambda a: f"{a.controller}:{a.bus}:{a.unit}"),
    (VirtioSerialAddress, "virtio serial address", lambda a: f"{a.controller}:{a.bus}:{a.port}"),
    (CcidAddress, "ccid address", lambda a: f"{a.controller}:{a.slot}"),
    (IsaAddress, "isa address", lambda a: f"{a.iobase}:{a.irq}"),
    (DimmAddress, "dimm slot", lambda a: f"{a.slot}"),
)


def compare_abi(old: Domain, new: Domain) -> None:
    """Raises ConfigUnsupported for the first thing in `new` that the guest of `old` would see differently.

    Both must be completed: what libvirt would fill in counts.
    """
    _compare(_DOMAIN, old, new, "domain")
    _compare_features(old.features or Features(), new.features or Features())
    _compare_timers(old.clock or Clock(), new.clock or Clock())
    if old.cpu is not None and new.cpu is not None:
        _compare(_CPU, old.cpu, new.cpu, "cpu", From.CPU)
    elif old.cpu is not new.cpu:
        raise ConfigUnsupported("Target CPU does not match source", domain=From.CPU)
    for section in _SECTIONS:
        _compare_section(section, _listed(old, section.field), _listed(new, section.field))


def _listed(domain: Domain, field: str) -> tuple[Any, ...]:
    value = getattr(domain.devices, field)
    if isinstance(value, tuple):
        return value
    return () if value is None else (value,)


def _compare(seen: tuple[_Seen, ...], old: object, new: object, where: str, origin: int = From.DOMAIN) -> None:
    for one in seen:
        before, after = one.of(old), one.of(new)
        if before != after:
            text = one.text.format(old=before, new=after)
            raise ConfigUnsupported(text, domain=origin, hint=f"{where} must stay as it is")


def _compare_section(section: _Section, old: tuple[Any, ...], new: tuple[Any, ...]) -> None:
    if len(old) != len(new):
        raise ConfigUnsupported(
            f"Target domain {section.called} count {len(new)} does not match source {len(old)}",
            domain=From.DOMAIN,
            hint="devices are added and removed by attaching and detaching them",
        )
    for before, after in zip(old, new, strict=True):
        where = describe(section.element, before)
        _compare(section.seen, before, after, where)
        _compare_address(before, after, where)


def _compare_address(old: Device, new: Device, where: str) -> None:
    before, after = old.address, new.address
    if before == after:
        return
    kinds = tuple("none" if address is None else tag_of(address) for address in (after, before))
    if kinds[0] != kinds[1]:
        text = f"Target device address type {kinds[0]} does not match source {kinds[1]}"
        raise ConfigUnsupported(text, domain=From.DOMAIN, hint=where)
    for kind, name, numbers in _ADDRESSES:
        if isinstance(before, kind) and numbers(before) != numbers(after):
            text = f"Target device {name} {numbers(after)} does not match source {numbers(before)}"
            raise ConfigUnsupported(text, domain=From.DOMAIN, hint=where)


def _compare_features(old: Features, new: Features) -> None:
    for name in Features.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            raise ConfigUnsupported(
                f"State of feature '{name}' differs: source: '{_state(before)}', destination: '{_state(after)}'",
                domain=From.DOMAIN,
            )


def _state(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "default" if value is None else str(value)


def _compare_timers(old: Clock, new: Clock) -> None:
    if len(old.timers) != len(new.timers):
        raise ConfigUnsupported("Target domain timers do not match source", domain=From.DOMAIN)
    for before, after in zip(old.timers, new.timers, strict=True):
        _compare(_TIMER, before, after, f"timer {before.name}")


__all__ = ["compare_abi"]
