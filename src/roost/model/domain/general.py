"""Memory, processors, power and security: the small sections of <domain>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import XmlError
from roost.xml import Complaint, Flag, Int, KiB, Positive, Record, Text, UInt, YesNo, at

LifecycleAction = Literal["destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart"]
LockFailureAction = Literal["poweroff", "restart", "pause", "ignore"]


class MaxMemory(Record):
    """The ceiling of memory hotplug: `size` in KiB, `slots` for memory devices."""

    slots: UInt | None = None
    size: Text[KiB]


class HugePage(Record):
    size: Annotated[UInt, at("@size")]
    unit: str | None = None
    nodeset: str | None = None


class MemoryBacking(Record):
    hugepages: Annotated[Flag, at("hugepages")] = False
    pages: Annotated[tuple[HugePage, ...], at("hugepages/page")] = ()
    nosharepages: Flag = False
    locked: Flag = False
    source_type: Annotated[Literal["file", "anonymous", "memfd"] | None, at("source/@type")] = None
    access_mode: Annotated[Literal["shared", "private"] | None, at("access/@mode")] = None
    allocation_mode: Annotated[Literal["immediate", "ondemand"] | None, at("allocation/@mode")] = None
    allocation_threads: Annotated[UInt | None, at("allocation/@threads", unset=("0",))] = None
    discard: Flag = False


class Vcpu(Record):
    """How many processors: `count` at most, `current` plugged in (all, when None)."""

    placement: Literal["static", "auto"] | None = None
    cpuset: str | None = None
    current: UInt | None = None
    count: Annotated[
        UInt, at(".", wrong=Complaint(XmlError, "maximum vcpus count must be an integer"))
    ] = 1  # fmt: skip


class VcpuState(Record):
    id: UInt
    enabled: YesNo
    hotpluggable: YesNo | None = None
    order: Positive | None = None


class IoThread(Record):
    id: Positive
    thread_pool_min: Int | None = None
    thread_pool_max: Int | None = None


class DefaultIoThread(Record):
    thread_pool_min: Int | None = None
    thread_pool_max: Int | None = None


class Resource(Record):
    partition: Annotated[str | None, at("partition")] = None
    fibrechannel_appid: Annotated[str | None, at("fibrechannel/@appid")] = None


class Pm(Record):
    suspend_to_mem: Annotated[YesNo | None, at("suspend-to-mem/@enabled")] = None
    suspend_to_disk: Annotated[YesNo | None, at("suspend-to-disk/@enabled")] = None


class Seclabel(Record):
    type: Literal["none", "dynamic", "static"] | None = None
    model: str | None = None
    relabel: YesNo | None = None
    label: Annotated[str | None, at("label")] = None
    imagelabel: Annotated[str | None, at("imagelabel", live=True)] = None
    baselabel: Annotated[str | None, at("baselabel")] = None


class SysinfoEntry(Record):
    name: str
    value: Text[str | None] = None


class FwCfgEntry(Record):
    name: str
    file: str | None = None
    value: Text[str | None] = None


class Sysinfo(Record, tag_field="type"):
    """Strings for the guest's firmware tables; `AnySysinfo` is the union."""


class SmbiosSysinfo(Sysinfo, tag="smbios"):
    bios: Annotated[tuple[SysinfoEntry, ...], at("bios/entry")] = ()
    system: Annotated[tuple[SysinfoEntry, ...], at("system/entry")] = ()
    base_board: Annotated[tuple[SysinfoEntry, ...], at("baseBoard/entry")] = ()
    chassis: Annotated[tuple[SysinfoEntry, ...], at("chassis/entry")] = ()
    oem_strings: Annotated[tuple[str, ...], at("oemStrings/entry")] = ()


class FwCfgSysinfo(Sysinfo, tag="fwcfg"):
    entries: Annotated[tuple[FwCfgEntry, ...], at("entry")] = ()


AnySysinfo = SmbiosSysinfo | FwCfgSysinfo


class QemuEnv(Record):
    name: str
    value: str | None = None


class QemuCommandline(Record):
    """Arguments and environment handed to QEMU as they are: <qemu:commandline>."""

    args: Annotated[tuple[str, ...], at("qemu:arg/@value")] = ()
    env: Annotated[tuple[QemuEnv, ...], at("qemu:env")] = ()


class QemuCapabilities(Record):
    add: Annotated[tuple[str, ...], at("qemu:add/@capability")] = ()
    delete: Annotated[tuple[str, ...], at("qemu:del/@capability")] = ()


class QemuDeprecation(Record):
    behavior: Literal["none", "omit", "reject", "crash"] | None = None


__all__ = [
    "AnySysinfo", "DefaultIoThread", "FwCfgEntry", "FwCfgSysinfo", "HugePage", "IoThread", "LifecycleAction",
    "LockFailureAction", "MaxMemory", "MemoryBacking", "Pm", "QemuCapabilities", "QemuCommandline", "QemuDeprecation",
    "QemuEnv", "Resource", "Seclabel", "SmbiosSysinfo", "Sysinfo", "SysinfoEntry", "Vcpu", "VcpuState",
]  # fmt: skip
