"""Rules about memory: what backs it, and the devices that bring more of it."""

from __future__ import annotations

from typing import Any

from roost.errors import ConfigUnsupported, From, RoostError, XmlDetail, XmlError
from roost.model.domain.cpuset import parse_cpus
from roost.model.domain.device import DimmAddress, PciAddress
from roost.model.domain.devices.memory import AnyMemory, Dimm, MemoryDevice, Nvdimm, SgxEpc, VirtioMem, VirtioPmem
from roost.model.domain.domain import Domain
from roost.model.domain.memory import HugePage
from roost.model.domain.validate.rules import Context, Rule, Rules
from roost.xml import tag_of

_LEAST_LABEL = 128
#: The least block of virtio-mem, in KiB: the host's transparent huge pages.
_LEAST_BLOCK = 2048


def _wrong(text: str, hint: str = "", error: type[RoostError] = XmlError) -> RoostError:
    return error(text, domain=From.DOMAIN, hint=hint)


def check_memory(domain: Domain) -> None:
    """What libvirt refuses in <memoryBacking> and memory devices while it reads them."""
    for page in domain.memory_backing.pages if domain.memory_backing is not None else ():
        if not page.size:
            raise _wrong("hugepage size can't be zero", "2048", XmlDetail)
        _check_nodes(page.nodeset, "nodeset")
    for device in domain.devices.memories:
        _check_nodes(getattr(device, "source_nodes", None), "nodemask")
        label = device.label_size if isinstance(device, Nvdimm) else None
        if label and label < _LEAST_LABEL:
            raise _wrong("nvdimm label must be at least 128KiB", f"<label> has {label} KiB")
        if label and label >= device.size:
            raise _wrong("label size must be smaller than NVDIMM size", f"<size> has {device.size} KiB")


def _check_nodes(text: str | None, name: str) -> None:
    if text is not None and not parse_cpus(text):
        raise _wrong(f"Invalid value of '{name}': {text}", "name at least one", ConfigUnsupported)


def _nodes(page: HugePage) -> set[int]:
    return parse_cpus(page.nodeset) if page.nodeset is not None else set()


def check_pages(domain: Domain) -> None:
    """Raises for huge pages of several sizes for the same nodes, or for nodes that are not there."""
    pages = domain.memory_backing.pages if domain.memory_backing is not None else ()
    for place, page in enumerate(pages):
        for other in pages[:place]:
            if _nodes(page) & _nodes(other):
                raise _wrong(
                    f"nodeset attribute of hugepages of sizes {page.size} and {other.size} intersect", "", XmlDetail
                )
            if page.nodeset is None and other.nodeset is None:
                raise _wrong(
                    f"two master hugepages detected: {page.size} and {other.size}", "give one a nodeset", XmlDetail
                )
        missing = [node for node in sorted(_nodes(page)) if node >= max(len(domain.cells), 1)]
        if not domain.cells and page.nodeset is not None:
            missing = [node for node in sorted(_nodes(page)) if node >= 0]
        if missing:
            raise _wrong(f"hugepages: node {missing[0]} not found", f"the guest has {len(domain.cells)}", XmlDetail)


def _has_pages(d: Any) -> bool:
    return d.memory_backing is not None and bool(d.memory_backing.hugepages or d.memory_backing.pages)


#: On the domain, `{d}`.
BACKING_RULES = Rules(
    Rule(
        lambda d, c: _has_pages(d) and d.memory_backing.allocation_mode == "ondemand",
        "hugepages are not allowed with memory allocation ondemand",
        "mode='immediate'",
    ),
    Rule(
        lambda d, c: _has_pages(d) and d.memory_backing.source_type == "anonymous",
        "hugepages are not allowed with anonymous memory source",
        "type='memfd', or none",
    ),
)

MEMTUNE_RULES = Rules(
    Rule(
        lambda d, c: d.memtune.min_guarantee,
        "Parameter 'min_guarantee' not supported by QEMU.",
        "leave it out",
        about="memtune",
    ),
)


def _slots(c: Context) -> int:
    ceiling = c.domain.max_memory
    return (ceiling.slots or 0) if ceiling is not None else 0


def _is_power(d: Domain) -> bool:
    return (d.os.arch or "").startswith("ppc64")


#: On the domain, `{d}`: what devices may be plugged at all.
HOTPLUG_RULES = Rules(
    Rule(
        lambda d, c: d.max_memory is None and d.devices.memories,
        "cannot use/hotplug a memory device when domain 'maxMemory' is not defined",
        "add <maxMemory slots='4' unit='GiB'>16</maxMemory>",
    ),
    Rule(
        lambda d, c: not d.cells and not _is_power(d),
        "At least one numa node has to be configured when enabling memory hotplug",
        "add <numa> with a <cell> to <cpu>",
        about="max_memory",
    ),
)


def _same_place(device: MemoryDevice, d: Domain, field: str) -> bool:
    value = getattr(device.address, field)
    addresses = [o.address for o in d.devices.memories if o is not device and isinstance(o.address, DimmAddress)]
    return value is not None and any(getattr(address, field) == value for address in addresses)


def _is_module(d: AnyMemory) -> bool:
    return isinstance(d, Dimm | Nvdimm)


def _wants_node(d: AnyMemory, c: Context) -> bool:
    return isinstance(d, Dimm | Nvdimm | VirtioMem) and d.node is None and bool(c.domain.cells)


#: On each device of a guest that can be given more memory, `{d}`.
PLUGGED_RULES = Rules(
    Rule(
        lambda d, c: _is_module(d) and not isinstance(d.address, DimmAddress),
        "only 'dimm' addresses are supported for the pc-dimm device",
        "<address type='dimm' slot='0'/>",
        about="address",
    ),
    Rule(_wants_node, "target NUMA node needs to be specified for memory device", "<node>0</node> in <target>"),
    Rule(
        lambda d, c: _is_module(d) and isinstance(d.address, DimmAddress) and d.address.slot >= _slots(c),
        "memory device slot '{d.address.slot}' exceeds slots count '{c.domain.max_memory.slots}'",
    ),
    Rule(
        lambda d, c: isinstance(d.address, DimmAddress) and _same_place(d, c.domain, "slot"),
        "memory device slot '{d.address.slot}' is already being used by another memory device",
    ),
    Rule(
        lambda d, c: isinstance(d.address, DimmAddress) and _same_place(d, c.domain, "base"),
        "memory device base '{d.address.base:#x}' is already being used by another memory device",
    ),
    Rule(
        lambda d, c: isinstance(d, VirtioPmem) and not isinstance(d.address, PciAddress),
        "only 'pci' addresses are supported for the virtio-pmem device",
        about="address",
    ),
    Rule(
        lambda d, c: isinstance(d, VirtioMem) and not isinstance(d.address, PciAddress),
        "only 'pci' addresses are supported for the virtio-mem device",
        about="address",
    ),
)


def check_count(domain: Domain) -> None:
    """Raises for more devices than slots."""
    ceiling, count = domain.max_memory, len(domain.devices.memories)
    if ceiling is not None and count > (ceiling.slots or 0):
        raise ConfigUnsupported(
            f"memory device count '{count}' exceeds slots count '{ceiling.slots}'",
            domain=From.QEMU,
            hint=f"<maxMemory slots='{count}'>",
        )


def _detail(broken: Any, text: str, hint: str = "") -> Rule:
    return Rule(broken, text, hint, XmlDetail, From.DOMAIN)


def _refused(broken: Any, text: str, hint: str = "") -> Rule:
    return Rule(broken, text, hint, origin=From.DOMAIN)


#: On each device, `{d}`.
DEVICE_RULES = Rules(
    _detail(
        lambda d, c: d.node is not None and not c.domain.cells,
        "can't add memory backend as guest has no NUMA nodes configured",
        "add <numa> with a <cell> to <cpu>",
    ),
    _detail(
        lambda d, c: isinstance(d, Nvdimm) and not d.path, "path is required for model 'nvdimm'", "add it to <source>"
    ),
    _refused(lambda d, c: isinstance(d, Nvdimm) and d.discard, "discard is not supported for nvdimms"),
    _refused(
        lambda d, c: isinstance(d, Nvdimm) and _is_power(c.domain) and not d.label_size,
        "label size is required for NVDIMM device",
    ),
    _refused(
        lambda d, c: isinstance(d, Nvdimm) and not _is_power(c.domain) and d.uuid is not None,
        "UUID is not supported for NVDIMM device",
        "leave <uuid> out",
    ),
    _detail(
        lambda d, c: isinstance(d, VirtioPmem) and not d.path,
        "path is required for model 'virtio-pmem'",
        "add it to <source>",
    ),
    _refused(lambda d, c: isinstance(d, VirtioPmem) and d.discard, "discard is not supported for model 'virtio-pmem'"),
    _refused(
        lambda d, c: isinstance(d, VirtioPmem) and d.access != "shared",
        "shared access mode required for virtio-pmem device",
    ),
    _refused(lambda d, c: isinstance(d, VirtioPmem) and d.node is not None, "virtio-pmem does not support NUMA nodes"),
    _detail(
        lambda d, c: isinstance(d, VirtioMem) and (d.requested or 0) > d.size,
        "requested size must be smaller than or equal to @size ({d.size}KiB)",
    ),
    _detail(
        lambda d, c: isinstance(d, VirtioMem) and (not d.block or d.block & (d.block - 1) != 0),
        "block size must be a power of two",
    ),
    _detail(
        lambda d, c: isinstance(d, VirtioMem) and (d.block or 0) < _LEAST_BLOCK,
        f"block size too small, must be at least {_LEAST_BLOCK}KiB",
    ),
    _detail(
        lambda d, c: isinstance(d, VirtioMem) and (d.requested or 0) % (d.block or 1) != 0,
        "requested size must be an integer multiple of block size",
    ),
    _refused(
        lambda d, c: isinstance(d, SgxEpc) and d.address is not None,
        "memory device address is not supported for model 'sgx-epc'",
    ),
)

#: What each model is to QEMU, and libvirt's words where it is missing.
_TYPES: tuple[tuple[str, str, str], ...] = (
    ("dimm", "pc-dimm", "memory hotplug isn't supported by this QEMU binary"),
    ("nvdimm", "nvdimm", "nvdimm isn't supported by this QEMU binary"),
    ("virtio-pmem", "virtio-pmem-pci", "virtio-pmem isn't supported by this QEMU binary"),
    ("virtio-mem", "virtio-mem-pci", "virtio-mem isn't supported by this QEMU binary"),
    ("sgx-epc", "sgx-epc", "sgx epc isn't supported by this QEMU binary"),
)


def _type_rule(model: str, driver: str, text: str) -> Rule:
    # Enclaves are the processor's own.
    return Rule(
        lambda d, c: (
            tag_of(d) == model and (driver not in c.facts.devices or (model == "sgx-epc" and c.domain.type != "kvm"))
        ),
        text,
    )


TYPE_RULES = Rules(*(_type_rule(*row) for row in _TYPES))


def check_node(domain: Domain) -> None:
    """Raises for a device whose node the guest does not have."""
    count = len(domain.cells)
    for device in domain.devices.memories:
        if device.node is not None and count and device.node >= count:
            raise _wrong(
                f"can't add memory backend for guest node '{device.node}' as the guest has only '{count}' NUMA nodes "
                "configured",
                f"nodes go from 0 to {count - 1}",
                XmlDetail,
            )


__all__ = [
    "BACKING_RULES", "DEVICE_RULES", "HOTPLUG_RULES", "MEMTUNE_RULES", "PLUGGED_RULES", "TYPE_RULES",
    "check_count", "check_memory", "check_node", "check_pages",
]  # fmt: skip
