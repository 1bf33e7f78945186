"""Buses and host adapters: <controller>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import XmlError
from roost.model.domain.device import Device, VirtioOptions
from roost.model.domain.devices.disk import IoThreadMapping
from roost.xml import Child, Complaint, Hex, Integer, KiB, OnOff, Record, UInt, at

ControllerType = Literal[
    "ide", "fdc", "scsi", "sata", "virtio-serial", "ccid", "usb", "pci", "xenbus", "isa", "nvme"
]  # fmt: skip
PciModelName = Literal[
    "pci-bridge", "i82801b11-bridge", "ioh3420", "x3130-upstream", "xio3130-downstream", "pxb", "pxb-pcie",
    "pcie-root-port", "spapr-pci-host-bridge", "pcie-pci-bridge",
]  # fmt: skip


class WholeNumber(Integer):
    """A C int that is not negative. base: 10, or 0 to read 0x.. and 0.. as well."""

    def __init__(self, base: int = 10) -> None:
        super().__init__(0, 2**31 - 1, base)
        self.complaint = " Expected integer value"


Count = Annotated[int, WholeNumber()]
TargetNumber = Annotated[int, WholeNumber(0)]


class ControllerDriver(VirtioOptions):
    """How a virtio-scsi adapter is served: queues, and which iothreads serve them."""

    queues: Annotated[UInt | None, at("@queues", unset=("0",))] = None
    cmd_per_lun: Annotated[UInt | None, at("@cmd_per_lun", unset=("0",))] = None
    max_sectors: Annotated[UInt | None, at("@max_sectors", unset=("0",))] = None
    ioeventfd: OnOff | None = None
    iothread: Annotated[UInt | None, at("@iothread", unset=("0",))] = None
    iothreads: Annotated[tuple[IoThreadMapping, ...], at("iothreads/iothread")] = ()


class ControllerTarget(Record):
    """What tells one PCI bridge from another: chassis, port, bus number, NUMA node.

    hotplug: whether devices come and go behind it. mem_reserve: memory that the
    firmware keeps free for them, in KiB.
    """

    chassis_nr: Annotated[TargetNumber | None, at("@chassisNr")] = None
    chassis: Annotated[TargetNumber | None, at("@chassis")] = None
    port: Annotated[Annotated[int, Hex(1, 2**31 - 1)] | None, at("@port")] = None
    bus_nr: Annotated[TargetNumber | None, at("@busNr")] = None
    index: Annotated[TargetNumber | None, at("@index")] = None
    hotplug: OnOff | None = None
    mem_reserve: Annotated[UInt | None, at("@memReserve", unset=("0",))] = None
    node: Annotated[Count | None, at("node", wrong=Complaint(XmlError, "invalid NUMA node in target"))] = None


class Controller(Device):
    """A bus or host adapter, one of several of its type told apart by `index`.

    ports, vectors: of USB and virtio-serial ones. max_grant_frames and
    max_event_channels: of Xen's. model_name: QEMU's device for the model.
    master_startport: of a USB 1 companion, the first port it takes of the
    USB 2 controller with its index. serial: of an NVMe drive, whose namespaces
    its disks are.
    """

    type: ControllerType = "ide"
    index: Annotated[Count | None, at("@index")] = None
    model: str | None = None
    ports: Annotated[Count | None, at("@ports")] = None
    vectors: Annotated[Count | None, at("@vectors")] = None
    max_grant_frames: Annotated[Count | None, at("@maxGrantFrames")] = None
    max_event_channels: Annotated[Count | None, at("@maxEventChannels")] = None
    serial: Child[str | None] = None
    model_name: Annotated[PciModelName | None, at("model/@name")] = None
    target: ControllerTarget | None = None
    driver: ControllerDriver | None = None
    master_startport: Annotated[UInt | None, at("master/@startport", order=4)] = None
    pcihole64: Annotated[KiB | None, at("pcihole64", order=8)] = None


__all__ = ["Controller", "ControllerDriver", "ControllerTarget", "ControllerType"]
