"""The domain document's root: <domain>."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from roost.errors import ConfigUnsupported, InternalError, NoName, XmlError
from roost.model.domain.clock import Clock
from roost.model.domain.cpu import Cpu
from roost.model.domain.devices import Devices
from roost.model.domain.devices.disk import ThrottleGroup
from roost.model.domain.features import Features
from roost.model.domain.general import LifecycleAction, LockFailureAction, Pm
from roost.model.domain.memory import MaxMemory, MemoryBacking, MemTune
from roost.model.domain.numa import NumaCell
from roost.model.domain.os import NO_OS_TYPE, Os
from roost.model.domain.processors import DefaultIoThread, IoThread, Vcpu, VcpuState
from roost.model.domain.qemu import QemuCapabilities, QemuCommandline, QemuDeprecation, QemuOverride
from roost.model.domain.security import AnyLaunchSecurity, Genid, KeyWrap, Seclabel
from roost.model.domain.sysinfo import AnySysinfo
from roost.model.domain.tuning import BlkioTune, CpuTune, IdMap, NumaTune, Perf, Resource
from roost.xml import Child, Complaint, Int, KiB, OnOff, RawXml, Record, UInt, Uuid, at

DomainType = Literal[
    "qemu", "kqemu", "kvm", "xen", "lxc", "uml", "openvz", "test", "vmware", "hyperv", "vbox", "phyp", "parallels",
    "bhyve", "vz", "hvf",
]  # fmt: skip


def _unknown(what: str) -> Complaint:
    return Complaint(ConfigUnsupported, f"unknown {what}")


_ONE_GENID = Complaint(XmlError, "element 'genid' can only appear once")


class Domain(Record):
    """A virtual machine. Sizes are in KiB; `id` is set in live documents only."""

    namespaces: ClassVar[dict[str, str]] = {"qemu": "http://libvirt.org/schemas/domain/qemu/1.0"}

    name: Annotated[str, at("name", missing=Complaint(NoName))]
    type: DomainType
    id: Annotated[Int | None, at("@id", live=True)] = None
    uuid: Annotated[Uuid | None, at("uuid", wrong=Complaint(InternalError, "malformed uuid element"))] = None
    hwuuid: Child[Uuid | None] = None
    genid: Annotated[Genid | None, at("genid", keep_empty=True, once=_ONE_GENID)] = None
    title: Child[str | None] = None
    description: Child[str | None] = None
    metadata: RawXml | None = None
    max_memory: Annotated[MaxMemory | None, at("maxMemory")] = None
    dump_core: Annotated[OnOff | None, at("memory/@dumpCore")] = None
    memory: Annotated[KiB, at("memory")] = 0
    current_memory: Annotated[KiB | None, at("currentMemory")] = None
    blkiotune: BlkioTune | None = None
    memtune: MemTune | None = None
    memory_backing: Annotated[MemoryBacking | None, at("memoryBacking")] = None
    vcpu: Vcpu | None = None
    vcpus: Annotated[tuple[VcpuState, ...], at("vcpus/vcpu")] = ()
    iothreads: Annotated[UInt | None, at("iothreads", wrong=Complaint(XmlError, "invalid iothreads count '%s'"))] = None
    iothread_ids: Annotated[tuple[IoThread, ...], at("iothreadids/iothread")] = ()
    default_iothread: Annotated[DefaultIoThread | None, at("defaultiothread")] = None
    throttle_groups: Annotated[tuple[ThrottleGroup, ...], at("throttlegroups/throttlegroup")] = ()
    cputune: CpuTune | None = None
    numatune: Annotated[
        NumaTune | None, at("numatune", once=Complaint(XmlError, "only one numatune is supported"))
    ] = None  # fmt: skip
    resource: Annotated[
        Resource | None, at("resource", once=Complaint(XmlError, "only one resource element is supported"))
    ] = None  # fmt: skip
    sysinfo: Annotated[tuple[AnySysinfo, ...], at("sysinfo")] = ()
    bootloader: Child[str | None] = None
    bootloader_args: Child[str | None] = None
    os: Annotated[Os, at("os", missing=NO_OS_TYPE)]
    idmap: IdMap | None = None
    features: Annotated[Features | None, at("features", merged=True)] = None
    cpu: Cpu | None = None
    clock: Annotated[Clock | None, at("clock", keep_empty=True)] = None
    on_poweroff: Annotated[LifecycleAction | None, at("on_poweroff", wrong=_unknown("on_poweroff action: %s"))] = None
    on_reboot: Annotated[LifecycleAction | None, at("on_reboot", wrong=_unknown("on_reboot action: %s"))] = None
    on_crash: Annotated[LifecycleAction | None, at("on_crash", wrong=_unknown("on_crash action: %s"))] = None
    on_lockfailure: Annotated[
        LockFailureAction | None, at("on_lockfailure", unset=("default",), wrong=_unknown("on_lockfailure action: %s"))
    ] = None
    pm: Pm | None = None
    perf: Perf | None = None
    devices: Annotated[Devices, at("devices", keep_empty=True, opened=True, merged=True)] = Devices()
    seclabels: Annotated[tuple[Seclabel, ...], at("seclabel")] = ()
    keywrap: Annotated[KeyWrap | None, at("keywrap")] = None
    launch_security: Annotated[AnyLaunchSecurity | None, at("launchSecurity")] = None
    qemu_commandline: Annotated[QemuCommandline | None, at("qemu:commandline")] = None
    qemu_capabilities: Annotated[QemuCapabilities | None, at("qemu:capabilities")] = None
    qemu_override: Annotated[QemuOverride | None, at("qemu:override")] = None
    qemu_deprecation: Annotated[QemuDeprecation | None, at("qemu:deprecation")] = None

    @property
    def cells(self) -> tuple[NumaCell, ...]:
        """The guest's NUMA nodes."""
        return self.cpu.numa.cells if self.cpu is not None and self.cpu.numa is not None else ()


__all__ = ["Domain", "DomainType"]
