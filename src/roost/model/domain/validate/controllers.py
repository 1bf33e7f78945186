"""Rules about controllers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.errors import From
from roost.model.domain.boards import PSERIES_HOST_BRIDGE
from roost.model.domain.validate.rules import Context, Rule, Rules, by_kind

_TYPES = ("ide", "fdc", "scsi", "sata", "virtio-serial", "ccid", "usb", "pci", "xenbus", "isa", "nvme")
_PCI, _SCSI, _IDE = frozenset(("pci",)), frozenset(("scsi",)), frozenset(("ide",))

#: QEMU's devices for each model of PCI controller.
PCI_MODEL_NAMES: Mapping[str, tuple[str, ...]] = {
    "pci-bridge": ("pci-bridge",),
    "dmi-to-pci-bridge": ("i82801b11-bridge",),
    "pcie-to-pci-bridge": ("pcie-pci-bridge",),
    "pcie-root-port": ("pcie-root-port", "ioh3420"),
    "pcie-switch-upstream-port": ("x3130-upstream",),
    "pcie-switch-downstream-port": ("xio3130-downstream",),
    "pci-expander-bus": ("pxb",),
    "pcie-expander-bus": ("pxb-pcie",),
}
_VIRTIO_SCSI = frozenset(("virtio-scsi", "virtio-transitional", "virtio-non-transitional"))
#: SCSI models whose QEMU device may be missing.
_SCSI_DEVICES: Mapping[str, tuple[str, str]] = {
    "lsilogic": ("lsi53c895a", "the LSI 53C895A SCSI controller"),
    "virtio-scsi": ("virtio-scsi-pci", "virtio scsi controller"),
    "virtio-transitional": ("virtio-scsi-pci", "virtio scsi controller"),
    "virtio-non-transitional": ("virtio-scsi-pci", "virtio scsi controller"),
    "lsisas1068": ("mptsas1068", "the LSI SAS1068 (MPT Fusion) controller"),
    "lsisas1078": ("megasas", "the LSI SAS1078 (MegaRAID) controller"),
    "vmpvscsi": ("pvscsi", "the pvscsi (VMware paravirtual SCSI) controller"),
}


def _scsi_missing(model: str, device: str, name: str) -> Rule:
    return Rule(
        lambda d, c: d.model == model and device not in c.facts.devices,
        f"This QEMU doesn't support {name}",
        "model='virtio-scsi'",
        only=_SCSI,
    )


def _host_bridges(controller: Any, context: Context) -> tuple[str, ...]:
    """What the root of a machine with several of them is called."""
    return (PSERIES_HOST_BRIDGE,) if controller.model == "pci-root" and context.board.pci_roots else ()


def _virtio_scsi_only(attribute: str) -> Rule:
    return Rule(
        lambda d, c: (
            getattr(d.driver, attribute) not in (None, 0) and not (d.type == "scsi" and d.model in _VIRTIO_SCSI)
        ),
        f"'{attribute}' is only supported by virtio-scsi controller",
        "model='virtio-scsi'",
        about="driver",
    )


def _root_has_address(model: str) -> Rule:
    return Rule(
        lambda d, c: d.address is not None,
        "pci-root and pcie-root controllers should not have an address",
        origin=From.DOMAIN,
        only=_PCI,
        about=f"model={model}",
    )


def _outside(field: str, name: str, low: int, high: int, what: str = "") -> Rule:
    """A number of a PCI controller's <target> and its limits."""
    return Rule(
        lambda d, c: not low <= getattr(d.target, field) <= high,
        f"PCI controller {what or name} '{{d.target.{field}}}' out of range - must be {low}-{high}",
        origin=From.DOMAIN,
        only=_PCI,
        about=f"target.{field}",
    )


_RULES = Rules(
    _root_has_address("pci-root"),
    _root_has_address("pcie-root"),
    _outside("index", "index", 0, 30, "target index"),
    Rule(
        lambda d, c: (d.target.index == 0) != (d.index == 0),
        "Only the PCI controller with index 0 can have target index 0, and vice versa",
        origin=From.DOMAIN,
        only=_PCI,
        about="target.index",
    ),
    _outside("chassis_nr", "chassisNr", 1, 255),
    _outside("chassis", "chassis", 0, 255),
    _outside("port", "port", 0, 255),
    _outside("bus_nr", "busNr", 1, 254),
    Rule(
        lambda d, c: d.index == 0,
        "The PCI controller with index=0 can't be associated with a NUMA node",
        origin=From.DOMAIN,
        only=_PCI,
        about="target.node",
    ),
    Rule(
        lambda d, c: d.model_name not in (*PCI_MODEL_NAMES.get(d.model, ()), *_host_bridges(d, c)),
        "Option 'modelName' has invalid value for PCI controller with index '{d.index}', model '{d.model}' "
        "and modelName '{d.model_name}'",
        "leave <model> out",
        only=_PCI,
        about="model_name",
    ),
    Rule(
        lambda d, c: d.model in ("buslogic", "auto"),
        "Unsupported controller model: {d.model}",
        "model='virtio-scsi' or 'lsilogic'",
        only=_SCSI,
    ),
    *(_scsi_missing(model, device, name) for model, (device, name) in _SCSI_DEVICES.items()),
    _virtio_scsi_only("queues"),
    _virtio_scsi_only("cmd_per_lun"),
    _virtio_scsi_only("max_sectors"),
    _virtio_scsi_only("ioeventfd"),
    Rule(
        lambda d, c: d.index != 0,
        "ncr53c90 can only be used as first SCSI controller",
        "index='0'",
        only=_SCSI,
        about="model=ncr53c90",
    ),
    Rule(
        lambda d, c: d.model == "ncr53c90",
        "ncr53c90 SCSI controller is not a built-in for this machine",
        "model='virtio-scsi'",
        only=_SCSI,
        about="model",
    ),
    Rule(
        lambda d, c: d.driver.iothread and not c.has_iothread(d.driver.iothread),
        "controller iothread '{d.driver.iothread}' not defined in iothreadid",
        "add <iothreads>{d.driver.iothread}</iothreads>",
        about="driver",
    ),
    Rule(
        lambda d, c: "ich9-ahci" not in c.facts.devices,
        "SATA is not supported with this QEMU binary",
        "bus='virtio' or 'scsi' instead of 'sata'",
        only=frozenset(("sata",)),
    ),
    Rule(
        lambda d, c: not c.is_i440fx,
        "IDE controllers are unsupported for this QEMU binary or machine type",
        "bus='sata' instead of 'ide'",
        only=_IDE,
    ),
    Rule(
        lambda d, c: d.index != 0,
        "Only a single IDE controller is supported for this machine type",
        "its index is 0",
        only=_IDE,
    ),
)

RULES_BY_TYPE = by_kind(_RULES, _TYPES)

__all__ = ["RULES_BY_TYPE"]
