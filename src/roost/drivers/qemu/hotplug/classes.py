"""The classes of devices: where they stand in a document, and what may be done with each. Dry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from roost.drivers.qemu.plan.context import kind_of
from roost.errors import DeviceMissing, From, InvalidArg, OperationFailed, OperationInvalid, RoostError
from roost.model.domain.devices import DEVICE_CLASSES
from roost.model.domain.devices.memory import MemoryDevice

_CHARACTER = frozenset(("serial", "parallel", "console", "channel"))


class DeviceClass(NamedTuple):
    """field: of Devices. element: its name in documents. called: libvirt's word for it in messages."""

    field: str
    element: str
    called: str


#: By the name of the record's class, in small letters: those of a union by the element.
_BY_ELEMENT = {
    element: DeviceClass(field, element, "chr" if element in _CHARACTER else element)
    for field, element in DEVICE_CLASSES
}


def class_of(device: Any) -> DeviceClass:
    """The class that a record of a device belongs to."""
    return _BY_ELEMENT[_element(device)]


def _element(device: Any) -> str:
    if isinstance(device, MemoryDevice):
        return "memory"
    name = type(device).__name__.lower()
    if name.endswith("graphics"):
        return "graphics"
    return {"nvramdevice": "nvram"}.get(name, name)


#: What can be added to a definition that exists.
CONFIGURABLE = frozenset((
    "disk", "interface", "sound", "hostdev", "lease", "controller", "chr", "filesystem", "rng", "memory", "redirdev",
    "shmem", "watchdog", "input", "vsock",
))  # fmt: skip
#: What can be added to a running guest, and taken from it.
PLUGGABLE = CONFIGURABLE - {"sound"}
#: What can be changed in a definition, and in a running guest.
CHANGEABLE = frozenset(("disk", "graphics", "interface", "memory"))


def _disk(device: Any) -> str:
    return str(device.target.dev)


Words = Callable[[Any], RoostError]


def _hostdev(device: Any) -> RoostError:
    source = device.source
    kind = kind_of(source)
    if kind == "pci":
        text = f"host pci device {source.location} not found"
    elif kind == "usb" and source.location is not None:
        text = f"host usb device {source.location.bus:03d}.{source.location.device:03d} not found"
    elif kind == "usb":
        text = f"host usb device vendor=0x{source.vendor or 0:04x} product=0x{source.product or 0:04x} not found"
    elif kind == "mdev":
        text = f"mediated device '{source.uuid}' not found"
    else:
        text = f"host {kind} device not found"
    return DeviceMissing(text, domain=From.QEMU)


def _of_model(text: str) -> Words:
    return lambda device: DeviceMissing(text.format(_model(device)), domain=From.QEMU)


def _model(device: Any) -> str:
    return kind_of(device) if isinstance(device, MemoryDevice) else str(device.model)


#: How libvirt says that the running guest has no such device.
MISSING_LIVE: Mapping[str, Words] = {
    "disk": lambda d: DeviceMissing(f"disk {_disk(d)} not found", domain=From.QEMU),
    "controller": lambda d: DeviceMissing(f"controller {d.type}:{d.index or 0} not found", domain=From.QEMU),
    "hostdev": _hostdev,
    # The word is libvirt's slip: it takes the model's number for a backend's.
    "rng": lambda d: DeviceMissing("model 'random' RNG device not present in domain configuration", domain=From.QEMU),
    "memory": _of_model("model '{}' memory device not present in the domain configuration"),
    "shmem": _of_model("model '{}' shmem device not present in domain configuration"),
    "watchdog": lambda d: DeviceMissing("watchdog device not present in domain configuration", domain=From.QEMU),
    "redirdev": lambda d: OperationInvalid("no matching redirdev was not found", domain=From.QEMU),
    "input": lambda d: DeviceMissing("matching input device not found", domain=From.QEMU),
    "vsock": lambda d: DeviceMissing("matching vsock device not found", domain=From.QEMU),
    "filesystem": lambda d: DeviceMissing("matching filesystem not found", domain=From.QEMU),
    "lease": lambda d: InvalidArg(f"Lease {d.key} in lockspace {d.lockspace} does not exist", domain=From.QEMU),
    "chr": lambda d: DeviceMissing(
        f"chr type '{_element(d)}' device not present in domain configuration", domain=From.QEMU
    ),
}
#: The same of the definition.
MISSING_CONFIG: Mapping[str, Words] = {
    **dict.fromkeys(
        ("sound", "hostdev", "controller"),
        lambda d: DeviceMissing("device not present in domain configuration", domain=From.QEMU),
    ),
    "disk": lambda d: DeviceMissing(f"no target device {_disk(d)}", domain=From.QEMU),
    "lease": lambda d: DeviceMissing(f"Lease {d.key} in lockspace {d.lockspace} does not exist", domain=From.QEMU),
    "chr": lambda d: OperationInvalid("device not present in domain configuration", domain=From.QEMU),
    "filesystem": lambda d: DeviceMissing("no matching filesystem device was found", domain=From.QEMU),
    "rng": lambda d: DeviceMissing("no matching RNG device was found", domain=From.QEMU),
    "memory": lambda d: DeviceMissing("matching memory device was not found", domain=From.QEMU),
    "redirdev": lambda d: DeviceMissing("no matching redirdev was not found", domain=From.QEMU),
    "shmem": lambda d: DeviceMissing("matching shmem device was not found", domain=From.QEMU),
    "watchdog": lambda d: DeviceMissing("domain has no watchdog", domain=From.QEMU),
    "input": lambda d: DeviceMissing("matching input device not found", domain=From.QEMU),
    "vsock": lambda d: OperationFailed("matching vsock device not found", domain=From.QEMU),
}
#: How it says that the definition has it already.
PRESENT: Mapping[str, Words] = {
    "disk": lambda d: OperationInvalid(f"target {_disk(d)} already exists", domain=From.QEMU),
    "hostdev": lambda d: OperationInvalid("device is already in the domain configuration", domain=From.QEMU),
    "lease": lambda d: OperationInvalid(f"Lease {d.key} in lockspace {d.lockspace} already exists", domain=From.QEMU),
    "controller": lambda d: OperationInvalid(f"controller index='{d.index}' already exists", domain=From.QEMU),
    "chr": lambda d: OperationInvalid("chardev already exists", domain=From.QEMU),
    "filesystem": lambda d: OperationInvalid("Target already exists", domain=From.QEMU),
    "shmem": lambda d: OperationInvalid("device is already in the domain configuration", domain=From.QEMU),
    "watchdog": lambda d: OperationInvalid("domain already has a watchdog", domain=From.QEMU),
    "vsock": lambda d: OperationInvalid("domain already has a vsock device", domain=From.QEMU),
}

__all__ = [
    "CHANGEABLE", "CONFIGURABLE", "MISSING_CONFIG", "MISSING_LIVE", "PLUGGABLE", "PRESENT", "DeviceClass", "class_of",
]  # fmt: skip
