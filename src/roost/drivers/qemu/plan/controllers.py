"""Controllers: what the board does not bring by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.iothreads import iothread_props
from roost.drivers.qemu.plan.pieces import Piece, Props, device, option
from roost.errors import ConfigUnsupported, From, InternalError
from roost.model.domain.boards import PSERIES_HOST_BRIDGE
from roost.model.domain.devices.controller import Controller, ControllerDriver, ControllerTarget

#: The order controllers are made in: what others sit on comes first. Floppy controllers come with their disks.
_ORDER = ("pci", "usb", "scsi", "ide", "sata", "virtio-serial", "nvme")

_USB_DRIVERS = {
    "piix3-uhci": "piix3-usb-uhci",
    "piix4-uhci": "piix4-usb-uhci",
    "ehci": "usb-ehci",
    "ich9-ehci1": "ich9-usb-ehci1",
    "ich9-uhci1": "ich9-usb-uhci1",
    "ich9-uhci2": "ich9-usb-uhci2",
    "ich9-uhci3": "ich9-usb-uhci3",
    "vt82c686b-uhci": "vt82c686b-usb-uhci",
    "pci-ohci": "pci-ohci",
    "nec-xhci": "nec-usb-xhci",
    "qemu-xhci": "qemu-xhci",
}
_SCSI_DRIVERS = {
    "lsilogic": "lsi",
    "ibmvscsi": "spapr-vscsi",
    "lsisas1068": "mptsas1068",
    "lsisas1078": "megasas",
    "vmpvscsi": "pvscsi",
    "am53c974": "am53c974",
    "dc390": "dc-390",
}
_VIRTIO_SCSI = frozenset(("virtio-scsi", "virtio-transitional", "virtio-non-transitional"))


def _refuse(controller: Controller, right: str) -> ConfigUnsupported:
    return ConfigUnsupported(
        f"Unsupported controller model: {controller.type} {controller.model or 'default'}", domain=From.QEMU, hint=right
    )


def _usb(controller: Controller, ctx: Context) -> Props | None:
    if controller.model == "none":
        return None
    name = _USB_DRIVERS.get(controller.model or "")
    if name is None:
        raise _refuse(controller, "use one of " + ", ".join(_USB_DRIVERS))
    props: Props = {"driver": ctx.driver(name, f"usb controller {controller.model}")}
    if controller.ports is not None:
        if "xhci" not in name:
            raise _refuse(controller, "only xhci controllers have configurable ports")
        props |= {"p2": controller.ports, "p3": controller.ports}
    if controller.master_startport is not None:
        # A companion shares the bus, and the alias, of the EHCI controller with its index.
        master = next(
            (
                other
                for other in ctx.domain.devices.controllers
                if other.type == "usb" and other.index == controller.index and other.master_startport is None
            ),
            None,
        )
        if master is None:
            raise InternalError("masterbus not found", domain=From.QEMU)
        return props | {"masterbus": f"{alias_of(master)}.0", "firstport": controller.master_startport}
    return props | {"id": alias_of(controller)}


def _scsi(controller: Controller, ctx: Context) -> Props | None:
    model = controller.model or ""
    if model in _VIRTIO_SCSI:
        driver = controller.driver or ControllerDriver()
        props = ctx.virtio("virtio-scsi", controller, driver, model if model != "virtio-scsi" else None)
        return props | {
            **iothread_props(driver.iothread, driver.iothreads),
            "id": alias_of(controller),
            "num_queues": driver.queues or None,
            "cmd_per_lun": driver.cmd_per_lun or None,
            "max_sectors": driver.max_sectors or None,
            "ioeventfd": driver.ioeventfd,
        }
    name = _SCSI_DRIVERS.get(model)
    if name is None:
        raise _refuse(controller, "use one of " + ", ".join((*_SCSI_DRIVERS, "virtio-scsi")))
    return {"driver": ctx.driver(name, f"scsi controller {model}"), "id": alias_of(controller)}


def _sata(controller: Controller, ctx: Context) -> Props | None:
    if ctx.is_q35 and not controller.index:
        return None
    return {"driver": ctx.driver("ahci", "sata controller"), "id": alias_of(controller)}


def _ide(controller: Controller, ctx: Context) -> Props | None:
    if ctx.has_builtin_ide and not controller.index:
        return None
    raise ConfigUnsupported(
        f"Unsupported controller type: {controller.type}",
        domain=From.QEMU,
        hint="machine type pc has one IDE controller with two buses; use bus='sata' for more disks",
    )


def _virtio_serial(controller: Controller, ctx: Context) -> Props | None:
    model = controller.model if controller.model != "virtio" else None
    return ctx.virtio("virtio-serial", controller, controller.driver, model) | {
        "id": alias_of(controller),
        "max_ports": controller.ports,
        "vectors": controller.vectors,
    }


def _nvme(controller: Controller, ctx: Context) -> Props | None:
    """An NVMe drive, whose disks are its namespaces."""
    driver = ctx.driver("nvme", "nvme controller")
    return {"driver": driver, "id": alias_of(controller), "serial": controller.serial or alias_of(controller)}


def _ccid(controller: Controller, ctx: Context) -> Props | None:
    return {"driver": ctx.driver("usb-ccid", "smartcard reader"), "id": alias_of(controller)}


#: PCI controllers: the default device, and the properties their <target> gives.
_PCI: dict[str, tuple[str, Callable[[ControllerTarget], Props]]] = {
    "pci-bridge": ("pci-bridge", lambda t: {"chassis_nr": t.chassis_nr}),
    "dmi-to-pci-bridge": ("i82801b11-bridge", lambda t: {}),
    "pcie-to-pci-bridge": ("pcie-pci-bridge", lambda t: {}),
    "pcie-root-port": ("pcie-root-port", lambda t: {"port": t.port, "chassis": t.chassis}),
    "pcie-switch-upstream-port": ("x3130-upstream", lambda t: {}),
    "pcie-switch-downstream-port": ("xio3130-downstream", lambda t: {"port": t.port, "chassis": t.chassis}),
    "pci-expander-bus": ("pxb", lambda t: {"bus_nr": t.bus_nr}),
    "pcie-expander-bus": ("pxb-pcie", lambda t: {"bus_nr": t.bus_nr}),
}


def _pci(controller: Controller, ctx: Context) -> Props | None:
    model = controller.model or ""
    if model in ("pci-root", "pcie-root"):
        return None
    if model not in _PCI:
        raise _refuse(controller, "use one of " + ", ".join(_PCI))
    name, place = _PCI[model]
    target = controller.target or ControllerTarget()
    driver = ctx.driver(controller.model_name or name, model)
    return {
        "driver": driver,
        **place(target),
        "id": alias_of(controller),
        "hotplug": target.hotplug,
        "numa_node": target.node,
        "mem-reserve": target.mem_reserve * 1024 if target.mem_reserve else None,
    }


_TYPES: dict[str, Callable[[Controller, Context], Props | None]] = {
    "pci": _pci,
    "usb": _usb,
    "scsi": _scsi,
    "ide": _ide,
    "sata": _sata,
    "virtio-serial": _virtio_serial,
    "ccid": _ccid,
    "nvme": _nvme,
}


def pieces(controller: Controller, ctx: Context) -> Iterator[Piece]:
    """The controller's device; none when the board brings it."""
    make = _TYPES.get(controller.type)
    if make is None:
        raise ConfigUnsupported(
            f"Unsupported controller type: {controller.type}",
            domain=From.QEMU,
            hint="use one of " + ", ".join(_TYPES),
        )
    props = make(controller, ctx)
    if props is not None:
        yield device(props | ctx.address(controller))


_HOLES = {"pci-root": "i440FX-pcihost", "pcie-root": "q35-pcihost"}


def _host_bridge(controller: Controller) -> Piece:
    """A further PCI root of a pSeries machine."""
    target = controller.target
    return device(
        {
            "driver": PSERIES_HOST_BRIDGE,
            "index": target.index if target is not None else None,
            "id": alias_of(controller),
            "numa_node": target.node if target is not None else None,
        }
    )


def section(ctx: Context) -> Iterator[Piece]:
    controllers = ctx.domain.devices.controllers
    for controller in controllers:
        if controller.pcihole64:
            host = _HOLES.get(controller.model or "")
            if host is None:
                raise InternalError("64-bit PCI hole setting is only for root PCI controllers", domain=From.QEMU)
            yield option("-global", f"{host}.pci-hole64-size={controller.pcihole64}K")
    for controller in controllers:
        if controller.model_name == PSERIES_HOST_BRIDGE and controller.index:
            yield _host_bridge(controller)
    for kind in _ORDER:
        for controller in controllers:
            if controller.type == kind:
                yield from pieces(controller, ctx)


def ccid_section(ctx: Context) -> Iterator[Piece]:
    """Card readers, which may be plugged into hubs."""
    for controller in ctx.domain.devices.controllers:
        if controller.type == "ccid":
            yield from pieces(controller, ctx)
