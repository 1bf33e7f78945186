"""Buses and host adapters: <controller>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.model.domain.device import Device, VirtioOptions
from roost.xml import Hex, Int, Integer, KiB, OnOff, Record, UInt, at

ControllerType = Literal["ide", "fdc", "scsi", "sata", "virtio-serial", "ccid", "usb", "pci", "xenbus", "isa"]


class ControllerDriver(VirtioOptions):
    queues: Annotated[UInt | None, at("@queues", unset=("0",))] = None
    cmd_per_lun: Annotated[UInt | None, at("@cmd_per_lun", unset=("0",))] = None
    max_sectors: Annotated[UInt | None, at("@max_sectors", unset=("0",))] = None
    ioeventfd: OnOff | None = None
    iothread: Annotated[UInt | None, at("@iothread", unset=("0",))] = None


class ControllerTarget(Record):
    """What tells one PCI bridge from another: chassis, port, bus number, NUMA node."""

    chassis_nr: Annotated[Annotated[int, Integer(1, 255, 0)] | None, at("@chassisNr")] = None
    chassis: Annotated[Annotated[int, Integer(0, 255, 0)] | None, at("@chassis")] = None
    port: Annotated[Annotated[int, Hex(1, 255)] | None, at("@port")] = None
    bus_nr: Annotated[Annotated[int, Integer(1, 254, 0)] | None, at("@busNr")] = None
    index: Annotated[Annotated[int, Integer(0, 30, 0)] | None, at("@index")] = None
    hotplug: OnOff | None = None
    node: Annotated[Int | None, at("node")] = None


class Controller(Device):
    type: ControllerType
    index: UInt | None = None
    model: str | None = None
    ports: UInt | None = None
    vectors: UInt | None = None
    model_name: Annotated[str | None, at("model/@name")] = None
    target: ControllerTarget | None = None
    driver: ControllerDriver | None = None
    master_startport: Annotated[UInt | None, at("master/@startport", order=4)] = None
    pcihole64: Annotated[KiB | None, at("pcihole64", order=8)] = None


__all__ = ["Controller", "ControllerDriver", "ControllerTarget", "ControllerType"]
