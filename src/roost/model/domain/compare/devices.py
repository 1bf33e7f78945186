"""What the guest sees of its devices: a table of classes, in libvirt's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from roost.errors import ConfigUnsupported, From
from roost.model.domain.addresses.buses import address_text
from roost.model.domain.compare.seen import Seen, answer, check, number, part, same, switched
from roost.model.domain.device import (
    CcidAddress,
    Device,
    DimmAddress,
    DriveAddress,
    IsaAddress,
    PciAddress,
    VirtioSerialAddress,
)
from roost.model.domain.devices.redirdev import RedirFilter
from roost.model.domain.domain import Domain
from roost.model.domain.draft import describe
from roost.xml import tag_of


class _Section(NamedTuple):
    """A class of devices.

    field: in Devices. element: its name in the document. called: what libvirt
    calls the class. seen: what the guest sees of each. uncounted: libvirt does
    not say how many there are.
    """

    field: str
    element: str
    called: str
    seen: tuple[Seen, ...] = ()
    uncounted: bool = False


def _kind(of: str) -> Callable[[Any], object]:
    return lambda device: tag_of(getattr(device, of))


def _doubled(what: str, of: Callable[[Any], object]) -> Seen:
    """A sentence that names the thing twice."""
    return Seen(f"Target {what} '{{new}}' doesn't match source {what} '{{old}}'", of)


def _plain(what: str, of: Callable[[Any], object]) -> Seen:
    """A sentence without the values."""
    return Seen(f"Target {what} doesn't match source", of)


def _iommu(name: str, called: str) -> Seen:
    return same(f"domain IOMMU device {called}", switched("driver", name), "'")


_DISK = (
    same("disk device", part("device")),
    same("disk bus", part("target", "bus")),
    same("disk", part("target", "dev")),
    same("disk serial", part("serial")),
    same("disk wwn", part("wwn"), "'"),
    Seen("Target disk access mode does not match source", part("readonly")),
    same("disk model", part("model", default="default")),
    Seen("Target disk rotation rate {new} RPM does not match source {old} RPM", number("target", "rotation_rate")),
    same("disk queue count", number("driver", "queues")),
    same("disk queue size", number("driver", "queue_size")),
)
_CONTROLLER = (
    same("controller type", part("type")),
    same("controller index", part("index")),
    same("controller model", part("model", default="default")),
    same("controller ports", number("ports", default=-1)),
    same("controller vectors", number("vectors", default=-1)),
)
_FILESYSTEM = (
    same("filesystem guest target", part("target")),
    Seen("Target filesystem access mode does not match source", part("readonly")),
    Seen("Target filesystem model does not match source", part("model")),
)
_INTERFACE = (
    same("network card mac", part("mac")),
    same("network card model", part("model")),
    same("network card MTU", number("mtu")),
)
_INPUT = (
    same("input device type", part("type")),
    same("input device bus", part("bus")),
    same("input model", part("model", default="default")),
)
_VIDEO = (
    same("video card model", part("model", "type")),
    same("video card ram", number("model", "ram")),
    same("video card vram", number("model", "vram")),
    same("video card vram64", number("model", "vram64")),
    same("video card vgamem", number("model", "vgamem")),
    same("video card heads", number("model", "heads")),
    Seen("Target video card acceleration does not match source", part("model", "acceleration")),
)
_HOSTDEV = (
    same("host device mode", part("mode")),
    same("host device subsystem", _kind("source")),
)
_SERIAL = (
    same("serial type", part("target", "type")),
    same("serial model", part("target", "model")),
    same("serial port", part("target", "port")),
)
_CHANNEL = (
    same("channel type", _kind("target")),
    same("channel name", part("target", "name")),
    same("channel addr", part("target", "address")),
)
_REDIRDEV = (
    same("redirected device bus", part("bus", default="usb")),
    Seen("Target redirected device source type {new} does not match source device source type {old}", _kind("source")),
)
_BALLOON = (
    same("balloon model", part("model")),
    same("balloon autodeflate attribute value", switched("autodeflate"), "'"),
    same("balloon freePageReporting attribute value", switched("free_page_reporting"), "'"),
)
_SHMEM = (
    Seen("Target shared memory role '{new}' does not match source role '{old}'", part("role", default="default")),
    Seen("Target shared memory model '{new}' does not match source model '{old}'", part("model")),
    Seen("Target shared memory size '{new}' does not match source size '{old}'", number("size")),
    _plain("shared memory server usage", lambda d: d.server is not None),
    _plain("shared memory MSI configuration", part("msi")),
)
_TPM = (
    _plain("TPM device type", _kind("backend")),
    _plain("TPM device model", part("model")),
    _plain("TPM version", part("backend", "version")),
    _plain("active PCR banks", part("backend", "active_pcr_banks")),
)
_MEMORY = (
    Seen("Target memory device model '{new}' doesn't match source model '{old}'", tag_of),
    Seen("Target memory device targetNode '{new}' doesn't match source targetNode '{old}'", number("node", default=-1)),
    Seen("Target memory device size '{new}' doesn't match source memory device size '{old}'", number("size")),
    _doubled("memory device block size", number("block")),
    _doubled("memory device requested size", number("requested")),
    _doubled("NVDIMM label size", number("label_size")),
    _doubled("NVDIMM alignment", number("align_size")),
    Seen("Target NVDIMM pmem flag doesn't match source NVDIMM pmem flag", part("pmem")),
    Seen("Target NVDIMM readonly flag doesn't match source NVDIMM readonly flag", part("readonly")),
    Seen("Target NVDIMM UUID doesn't match source NVDIMM", part("uuid")),
)
_IOMMU = (
    same("domain IOMMU device model", part("model"), "'"),
    _iommu("intremap", "intremap value"),
    _iommu("caching_mode", "caching mode"),
    _iommu("eim", "eim value"),
    _iommu("iotlb", "iotlb value"),
    same("domain IOMMU device aw_bits value", number("driver", "aw_bits"), "'"),
)

_BEFORE_FILTER = (
    _Section("disks", "disk", "disk", _DISK),
    _Section("controllers", "controller", "controller", _CONTROLLER),
    _Section("filesystems", "filesystem", "filesystem", _FILESYSTEM),
    _Section("interfaces", "interface", "net card", _INTERFACE),
    _Section("inputs", "input", "input device", _INPUT),
    _Section("sounds", "sound", "sound card", (same("sound card model", part("model")),)),
    _Section("videos", "video", "video card", _VIDEO),
    _Section("hostdevs", "hostdev", "host device", _HOSTDEV),
    _Section("smartcards", "smartcard", "smartcard"),
    _Section("serials", "serial", "serial port", _SERIAL),
    _Section("parallels", "parallel", "parallel port", (same("parallel port", part("target", "port")),)),
    _Section("channels", "channel", "channel", _CHANNEL),
    _Section("consoles", "console", "console", (same("console type", part("target", "type")),)),
    _Section("hubs", "hub", "hub device", (same("hub device type", part("type")),)),
    _Section("redirdevs", "redirdev", "redirected devices", _REDIRDEV),
)
_AFTER_FILTER = (
    _Section("watchdogs", "watchdog", "watchdog", (same("watchdog model", part("model")),)),
    _Section("memballoon", "memballoon", "memory balloon", _BALLOON),
    _Section("rngs", "rng", "RNG device", (same("RNG model", part("model"), "'"),)),
    _Section("panics", "panic", "panic device", (same("panic model", part("model"), "'"),)),
    _Section("shmems", "shmem", "shared memory device", _SHMEM),
    _Section("tpms", "tpm", "TPM device", _TPM),
    _Section("memories", "memory", "memory device", _MEMORY),
    _Section("iommus", "iommu", "IOMMU device", _IOMMU, uncounted=True),
    _Section(
        "vsock", "vsock", "vsock device", (same("domain vsock device model", part("model"), "'"),), uncounted=True
    ),
)

#: Of every virtio device.
_VIRTIO = tuple(
    same(f"device {name} option", switched("driver", name), "'") for name in ("iommu", "ats", "packed", "page_per_vq")
)
_ACPI_INDEX = (same("ACPI index", number("acpi_index"), "'"),)

_FILTER_RULE = (
    Seen("Target USB Class code does not match source", part("class_")),
    Seen("Target USB vendor ID does not match source", part("vendor")),
    Seen("Target USB product ID does not match source", part("product")),
    Seen("Target USB version does not match source", part("version")),
    same("USB allow", lambda rule: answer(rule.allow), "'"),
)

#: How addresses of each kind are named, and the numbers in them.
_ADDRESSES: tuple[tuple[type, str, Callable[[Any], str]], ...] = (
    (PciAddress, "PCI address", lambda a: address_text(a.domain or 0, a.bus or 0, a.slot or 0, a.function or 0)),
    (DriveAddress, "drive address", lambda a: f"{a.controller}:{a.bus}:{a.unit}"),
    (VirtioSerialAddress, "virtio serial address", lambda a: f"{a.controller}:{a.bus}:{a.port or 0}"),
    (CcidAddress, "ccid address", lambda a: f"{a.controller}:{a.slot}"),
    (IsaAddress, "isa address", lambda a: f"{a.iobase or 0}:{a.irq or 0}"),
    (DimmAddress, "dimm slot", lambda a: f"{a.slot}"),
)


def compare_devices(old: Domain, new: Domain) -> None:
    """All devices, in libvirt's order."""
    for section in _BEFORE_FILTER:
        _compare_section(section, _listed(old, section.field), _listed(new, section.field))
    _compare_filters(old.devices.redirfilter, new.devices.redirfilter)
    for section in _AFTER_FILTER:
        _compare_section(section, _listed(old, section.field), _listed(new, section.field))


def _listed(domain: Domain, field: str) -> tuple[Any, ...]:
    value = getattr(domain.devices, field)
    if isinstance(value, tuple):
        return value
    return () if value is None else (value,)


def _compare_section(section: _Section, old: tuple[Any, ...], new: tuple[Any, ...]) -> None:
    if len(old) != len(new):
        numbers = ("", "") if section.uncounted else (f" {len(new)}", f" {len(old)}")
        raise ConfigUnsupported(
            f"Target domain {section.called} count{numbers[0]} does not match source{numbers[1]}",
            domain=From.DOMAIN,
            hint="devices are added and removed by attaching and detaching them",
        )
    for before, after in zip(old, new, strict=True):
        where = describe(section.element, before)
        check(section.seen, before, after, where)
        check(_VIRTIO, before, after, where)
        _compare_address(before, after, where)
        check(_ACPI_INDEX, before, after, where)


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
    if isinstance(before, DimmAddress) and isinstance(after, DimmAddress) and before.base != after.base:
        text = f"Target device dimm base address '{after.base or 0:x}' does not match source '{before.base or 0:x}'"
        raise ConfigUnsupported(text, domain=From.DOMAIN, hint=where)


def _compare_filters(old: RedirFilter | None, new: RedirFilter | None) -> None:
    if (old is None) != (new is None):
        raise ConfigUnsupported(
            f"Target domain USB redirection filter count {int(new is not None)} "
            f"does not match source {int(old is not None)}",
            domain=From.DOMAIN,
        )
    if old is None or new is None:
        return
    if len(old.rules) != len(new.rules):
        raise ConfigUnsupported(
            f"Target USB redirection filter rule count {len(new.rules)} does not match source {len(old.rules)}",
            domain=From.DOMAIN,
        )
    for before, after in zip(old.rules, new.rules, strict=True):
        check(_FILTER_RULE, before, after, "redirfilter")


__all__ = ["compare_devices"]
