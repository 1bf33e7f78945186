"""Memory that is plugged in as a device: <memory>. Sizes are in KiB."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import From, InternalError, XmlError
from roost.model.domain.cpuset import BAD_LIST, CpuList
from roost.model.domain.device import Device, VirtioOptions
from roost.xml import Complaint, Flag, Hex, Integer, KiB, Uuid, YesNo, at

_BAD_NODE = Complaint(XmlError, "invalid value of memory device node")
_BAD_SIZE = Complaint(XmlError, "Invalid value '%s' for element or attribute './size'", domain=From.XML)
_NO_SIZE = Complaint(XmlError, "missing element or attribute './size'", domain=From.XML)
_Base = Annotated[int, Hex(1, 2**64 - 1)]


class MemoryDevice(Device, tag_field="model"):
    """A memory device of `target_size` KiB, for the guest's NUMA node `node`; `AnyMemory` is the union."""

    access: Literal["shared", "private"] | None = None
    discard: YesNo | None = None


class Dimm(MemoryDevice, tag="dimm"):
    """source_nodes: of the host; page_size in KiB."""

    source_nodes: Annotated[CpuList | None, at("source/nodemask", wrong=BAD_LIST)] = None
    page_size: Annotated[KiB | None, at("source/pagesize", unset=("0",))] = None
    size: Annotated[KiB, at("target/size", wrong=_BAD_SIZE, missing=_NO_SIZE)]
    node: Annotated[Annotated[int, Integer(0, 2**31 - 1)] | None, at("target/node", wrong=_BAD_NODE)] = None


class Nvdimm(MemoryDevice, tag="nvdimm"):
    """Memory that lasts, in a file. pmem: the file's storage does, too."""

    uuid: Annotated[Uuid | None, at("uuid", wrong=Complaint(InternalError, "malformed uuid element"))] = None
    path: Annotated[str | None, at("source/path")] = None
    align_size: Annotated[KiB | None, at("source/alignsize", unset=("0",))] = None
    pmem: Annotated[Flag, at("source/pmem")] = False
    size: Annotated[KiB, at("target/size", wrong=_BAD_SIZE, missing=_NO_SIZE)]
    node: Annotated[Annotated[int, Integer(0, 2**31 - 1)] | None, at("target/node", wrong=_BAD_NODE)] = None
    label_size: Annotated[KiB | None, at("target/label/size", unset=("0",))] = None
    readonly: Annotated[Flag, at("target/readonly")] = False


class VirtioPmem(MemoryDevice, tag="virtio-pmem"):
    """A file that the guest sees as memory that lasts, and flushes over virtio."""

    path: Annotated[str | None, at("source/path")] = None
    size: Annotated[KiB, at("target/size", wrong=_BAD_SIZE, missing=_NO_SIZE)]
    node: Annotated[Annotated[int, Integer(0, 2**31 - 1)] | None, at("target/node", wrong=_BAD_NODE)] = None
    #: Where the guest sees it.
    base: Annotated[_Base | None, at("target/address/@base")] = None
    driver: Annotated[VirtioOptions | None, at("driver", order=1)] = None


class VirtioMem(MemoryDevice, tag="virtio-mem"):
    """Memory that grows and shrinks in steps of `block` KiB.

    requested: how much the guest should plug. current: how much it has, while it runs.
    """

    source_nodes: Annotated[CpuList | None, at("source/nodemask", wrong=BAD_LIST)] = None
    page_size: Annotated[KiB | None, at("source/pagesize", unset=("0",))] = None
    #: Whether the host maps only what is plugged.
    dynamic_memslots: Annotated[YesNo | None, at("target/@dynamicMemslots")] = None
    size: Annotated[KiB, at("target/size", wrong=_BAD_SIZE, missing=_NO_SIZE)]
    node: Annotated[Annotated[int, Integer(0, 2**31 - 1)] | None, at("target/node", wrong=_BAD_NODE)] = None
    block: Annotated[KiB | None, at("target/block", unset=("0",))] = None
    requested: Annotated[KiB | None, at("target/requested")] = None
    current: Annotated[KiB | None, at("target/current", live=True)] = None
    #: Where the guest sees it.
    base: Annotated[_Base | None, at("target/address/@base")] = None
    driver: Annotated[VirtioOptions | None, at("driver", order=1)] = None


class SgxEpc(MemoryDevice, tag="sgx-epc"):
    """Memory that the processor encrypts for enclaves."""

    source_nodes: Annotated[CpuList | None, at("source/nodemask", wrong=BAD_LIST)] = None
    size: Annotated[KiB, at("target/size", wrong=_BAD_SIZE, missing=_NO_SIZE)]
    node: Annotated[Annotated[int, Integer(0, 2**31 - 1)] | None, at("target/node", wrong=_BAD_NODE)] = None


AnyMemory = Dimm | Nvdimm | VirtioPmem | VirtioMem | SgxEpc

__all__ = ["AnyMemory", "Dimm", "MemoryDevice", "Nvdimm", "SgxEpc", "VirtioMem", "VirtioPmem"]
