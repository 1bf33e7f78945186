"""Node device documents in and out, and what libvirt makes of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, InternalError, NoName, RoostError, XmlError
from roost.model.nodedev.buses import (
    FcHost,
    NetCapability,
    NetFeature,
    RemovableMedia,
    ScsiGeneric,
    ScsiHost,
    StorageCapability,
    VdpaCapability,
    VportOps,
)
from roost.model.nodedev.device import AnyCapability, DevNode, NodeDevice
from roost.model.nodedev.mdev import MdevCapability, MdevParent
from roost.model.nodedev.pci import (
    AnyPciCapability,
    CustomField,
    PciCapability,
    PciExpress,
    PhysicalFunction,
    ReadOnlyFields,
    ReadWriteFields,
    VirtualFunctions,
    Vpd,
)
from roost.model.nodedev.s390 import ApQueue
from roost.model.shared.identity import Entropy
from roost.model.shared.pci import PciLocation, check_pci_location
from roost.xml import format_document, parse_document, tag_of

#: What libvirt calls a device that has no name yet, whatever the document says.
_NEW = "new device"
#: Kinds of devices that are shown, but that libvirt does not read.
_SHOWN_ONLY = {MdevParent: 13, ScsiGeneric: 11, VdpaCapability: 17}
_MAX_AP_DOMAIN = 255
_WWN_PREFIX = "5001a4a"


def parse(xml: str | bytes, *, new: bool = False, validate: bool = False) -> NodeDevice:
    """The device that a document describes, as it was written.

    new: it is to be made, and messages call it so. validate: refuse what no
    field declares. Raises RoostError with libvirt's code; nothing else,
    whatever the bytes.
    """
    return parse_document(
        xml,
        NodeDevice,
        "device",
        name="(node_device_definition)",
        origin=From.NODEDEV,
        called=_NEW if new else None,
        validate=validate,
    )


def format(device: NodeDevice) -> str:
    """The document, laid out as libvirt does."""
    return format_document(device, "device")


def complete(device: NodeDevice, *, new: bool = False, entropy: Entropy = secrets.token_bytes) -> NodeDevice:
    """The device with its parts in libvirt's order.

    new: it is to be made, and gets its name then. entropy: random bytes, for
    names in a storage network. Raises libvirt's errors.
    """
    if device.name is None and not new:
        raise NoName(domain=From.NODEDEV)
    called = _NEW if new else device.name or ""
    parent = device.parent
    if parent is not None and (parent.wwnn is None) != (parent.wwpn is None):
        given, other = ("wwnn", "wwpn") if parent.wwpn is None else ("wwpn", "wwnn")
        raise XmlError(
            f"when providing parent {given}='{getattr(parent, given)}', the {other} must also be provided",
            domain=From.NODEDEV,
        )
    if not device.capabilities:
        raise InternalError(f"no device capabilities for '{called}'", domain=From.NODEDEV)
    return replace(
        device,
        devnodes=_devnodes(device.devnodes),
        capabilities=tuple(
            _named(_capability(capability, called, new), entropy) if new else _capability(capability, called, new)
            for capability in device.capabilities
        ),
    )


def _devnodes(nodes: tuple[DevNode, ...]) -> tuple[DevNode, ...]:
    own = [node for node in nodes if node.type == "dev"][-1:]
    return (*own, *(node for node in nodes if node.type == "link"))


def _capability(capability: AnyCapability, called: str, new: bool) -> AnyCapability:
    if new and type(capability) in _SHOWN_ONLY:
        number = _SHOWN_ONLY[type(capability)]
        raise InternalError(f"unknown capability type '{number}' for '{called}'", domain=From.NODEDEV)
    if isinstance(capability, PciCapability):
        return _pci(capability)
    if isinstance(capability, NetCapability):
        order = NetFeature.__args__  # type: ignore[attr-defined]  # what a Literal has
        return replace(capability, features=tuple(name for name in order if name in capability.features))
    if isinstance(capability, ScsiHost):
        if capability.host is None and not new:
            raise InternalError(f"no SCSI host ID supplied for '{called}'", domain=From.NODEDEV)
        parts = [_counted(part) if isinstance(part, VportOps) else part for part in capability.capabilities]
        unique = None if capability.unique_id == -1 else capability.unique_id
        return replace(capability, unique_id=unique, capabilities=_sorted(parts, ("fc_host", "vport_ops")))
    if isinstance(capability, StorageCapability):
        removable = any(isinstance(item, RemovableMedia) for item in capability.capabilities)
        if capability.size is None and not removable:
            raise InternalError(f"no size supplied for '{called}'", domain=From.NODEDEV)
        return replace(capability, capabilities=_sorted(capability.capabilities, ("removable", "hotpluggable")))
    if isinstance(capability, MdevCapability):
        complete_attributes = tuple(a for a in capability.attributes if a.name is not None and a.value is not None)
        return replace(capability, attributes=complete_attributes, iommu_group=capability.iommu_group or 0)
    if isinstance(capability, ApQueue) and capability.domain > _MAX_AP_DOMAIN:
        raise _unsupported(f"ap-domain value '{capability.domain:#x}' is out of range for '{called}'")
    return capability


def _named(capability: AnyCapability, entropy: Entropy) -> AnyCapability:
    """A host of a storage network that is to be made has names there."""
    if not isinstance(capability, ScsiHost):
        return capability
    parts = [
        replace(part, wwnn=part.wwnn or _random_wwn(entropy), wwpn=part.wwpn or _random_wwn(entropy))
        if isinstance(part, FcHost)
        else part
        for part in capability.capabilities
    ]
    return replace(capability, capabilities=tuple(parts))


def _random_wwn(entropy: Entropy) -> str:
    """A name out of the range that libvirt's QEMU driver takes them from."""
    return _WWN_PREFIX + entropy(5).hex()[1:]


def _counted(part: VportOps) -> VportOps:
    return replace(part, max_vports=part.max_vports or 0, vports=part.vports or 0)


def _unsupported(text: str) -> RoostError:
    return ConfigUnsupported(text, domain=From.NODEDEV, hint=f"at most {_MAX_AP_DOMAIN:#x}")


def _sorted(capabilities: Iterable[Any], order: tuple[str, ...]) -> tuple[Any, ...]:
    """The parts in the order in which libvirt shows them, of each kind the last."""
    last = {tag_of(item): item for item in capabilities}
    return tuple(last[tag] for tag in order if tag in last)


_PCI_ORDER = ("phys_function", "virt_functions", "pci-bridge", "cardbus-bridge", "mdev_types", "vpd")


def _pci(capability: PciCapability) -> PciCapability:
    group, express = capability.iommu_group, capability.pci_express
    for item in capability.capabilities:
        _check_locations(_locations(item))
    if group is not None:
        _check_locations(group.addresses)
    links = {link.validity: link for link in reversed(express.links)} if express else {}
    return replace(
        capability,
        capabilities=_sorted(tuple(_pci_part(item) for item in capability.capabilities), _PCI_ORDER),
        iommu_group=group if group and group.addresses else None,
        numa_node=None if (capability.numa_node or 0) < 0 else capability.numa_node,
        pci_express=PciExpress(links=tuple(links[key] for key in ("cap", "sta") if key in links)) if express else None,
    )


def _locations(capability: AnyPciCapability) -> Iterable[PciLocation]:
    if isinstance(capability, PhysicalFunction):
        return (capability.address,)
    return capability.addresses if isinstance(capability, VirtualFunctions) else ()


def _check_locations(locations: Iterable[PciLocation]) -> None:
    for location in locations:
        check_pci_location(location)


def _pci_part(capability: AnyPciCapability) -> AnyPciCapability:
    if not isinstance(capability, Vpd):
        return capability
    fields: dict[str, ReadOnlyFields | ReadWriteFields] = {tag_of(item): item for item in capability.fields}
    return replace(capability, fields=tuple(_vpd(fields[key]) for key in ("readonly", "readwrite") if key in fields))


def _vpd(fields: ReadOnlyFields | ReadWriteFields) -> ReadOnlyFields | ReadWriteFields:
    shown = replace(fields, vendor_fields=_custom(fields.vendor_fields))
    if isinstance(shown, ReadWriteFields):
        shown = replace(shown, system_fields=_custom(shown.system_fields))
    return shown


def _custom(fields: tuple[CustomField, ...]) -> tuple[CustomField, ...]:
    """Those that libvirt can read."""
    return tuple(field for field in fields if len(field.index) == 1 and field.value)


__all__ = ["complete", "format", "parse"]
