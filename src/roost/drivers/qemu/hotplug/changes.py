"""What of a running guest's device must stay as it is, in libvirt's words. Dry."""

from __future__ import annotations

from typing import Any

from roost.drivers.qemu.hotplug import documents
from roost.drivers.qemu.plan.context import kind_of
from roost.errors import ConfigUnsupported, From, InternalError
from roost.errors import OperationUnsupported as Unsupported
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.interface import BridgeNet, DirectNet, Interface, NetworkNet, SocketNet
from roost.model.domain.devices.memory import VirtioMem

#: Fields of a disk, by path, and libvirt's names of them. What the new document leaves out is not changed.
_DISK = (
    ("target.tray", "tray"),
    ("target.removable", "removable"),
    ("geometry.cyls", "geometry cylinders"),
    ("geometry.heads", "geometry heads"),
    ("geometry.secs", "geometry sectors"),
    ("geometry.trans", "BIOS-translation-modus"),
    ("blockio.logical_block_size", "blockio logical_block_size"),
    ("blockio.physical_block_size", "blockio physical_block_size"),
    *(
        (f"iotune.{name}", f"blkdeviotune {name}")
        for name in (
            "total_bytes_sec", "read_bytes_sec", "write_bytes_sec", "total_iops_sec", "read_iops_sec",
            "write_iops_sec", "total_bytes_sec_max", "read_bytes_sec_max", "write_bytes_sec_max",
            "total_iops_sec_max", "read_iops_sec_max", "write_iops_sec_max", "size_iops_sec",
        )
    ),
    ("iotune.group_name", "blkdeviotune group name"),
    ("serial", "serial"),
    ("wwn", "wwn"),
    ("vendor", "vendor"),
    ("product", "product"),
    ("driver.cache", "cache"),
    ("driver.error_policy", "error_policy"),
    ("driver.rerror_policy", "rerror_policy"),
    ("driver.io", "io"),
    ("driver.ioeventfd", "ioeventfd"),
    ("driver.event_idx", "event_idx"),
    ("driver.copy_on_read", "copy_on_read"),
    ("transient", "transient"),
    ("boot.order", "boot order"),
    ("rawio", "rawio"),
    ("sgio", "sgio"),
    ("driver.discard", "discard"),
    ("driver.iothread", "iothread"),
    ("backend_domain", "backenddomain"),
    ("readonly", "readonly"),
    ("shareable", "shared"),
)  # fmt: skip


def _part(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = getattr(record, name, None)
    return record


def check_drive(old: Disk, written: Disk) -> None:
    """Raises where another drive is described."""
    if written.device != old.device:
        raise _fixed("device", old.device)
    if written.target.bus not in (None, old.target.bus):
        raise _fixed("bus", old.target.bus)


def check_disk(old: Disk, written: Disk) -> None:
    """Raises for what only a new disk could have. written: as the user wrote it; what it leaves out stays."""
    for path, name in _DISK:
        wanted = _part(written, path)
        if wanted not in (None, False) and wanted != _part(old, path):
            raise _fixed(name, _part(old, path))
    if written.address is not None and old.address is not None and not documents.agrees(old.address, written.address):
        raise _fixed("address", None)
    if written.source.reservations != old.source.reservations:
        raise _fixed("reservations", None)


def _fixed(name: str, value: Any) -> Unsupported:
    hint = f"it is '{value}' while the domain runs" if isinstance(value, str | int) else "leave it as it is"
    return Unsupported(f"cannot modify field '{name}' of the disk", domain=From.QEMU, hint=hint)


# -- interfaces --------------------------------------------------------------------------------

#: Fields of an interface, and what libvirt says of a change. Left out, those of the second table are not changed.
_FIXED = (("script", "cannot modify network device script attribute"), ("mtu", "cannot modify MTU"))
_KEPT = (
    ("target.dev", "cannot modify network device tap name"),
    ("address", "cannot modify network device guest PCI address"),
    ("rom.bar", "cannot modify network device rom bar setting"),
    ("rom.file", "cannot modify network rom file"),
    ("boot.order", "cannot modify network device boot index setting"),
    ("rom.enabled", "cannot modify network device rom enabled setting"),
)


def check_interface(old: Interface, new: Interface) -> None:
    """Raises for anything that differs but the link's state, the bridge and the limits of its traffic."""
    if old.type in ("hostdev", "vdpa"):
        raise Unsupported(f"cannot change config of '{old.type}' network interface type", domain=From.QEMU)
    if new.mac is not None and new.mac != old.mac:
        raise Unsupported(f"cannot change network interface mac address from {old.mac} to {new.mac}", domain=From.QEMU)
    if (new.model or old.model) != old.model:
        raise Unsupported(f"cannot modify network device model from {old.model} to {new.model}", domain=From.QEMU)
    if new.driver is not None and not documents.agrees(old.driver, new.driver):
        raise Unsupported("cannot modify virtio network device driver attributes", domain=From.QEMU)
    for path, text in _FIXED:
        if _part(old, path) != _part(new, path):
            raise Unsupported(text, domain=From.QEMU)
    for path, text in _KEPT:
        wanted = _part(new, path)
        if wanted is not None and not documents.agrees(_part(old, path), wanted):
            raise Unsupported(text, domain=From.QEMU)
    if _connection(old) != _connection(new) or old.sndbuf != new.sndbuf or old.virtualport != new.virtualport:
        raise Unsupported(
            f"unable to change config on '{new.type}' network type",
            domain=From.QEMU,
            hint="detach the interface and attach it with the new connection",
        )
    for name in ("filterref", "vlan", "port_isolated", "coalesce_rx_frames_max"):
        if getattr(old, name) != getattr(new, name):
            raise Unsupported(
                f"unable to change config on '{new.type}' network type",
                domain=From.QEMU,
                hint=f"{name} cannot be changed by this call: detach the interface and attach it anew",
            )


def _connection(interface: Interface) -> tuple[Any, ...]:
    """What an interface is connected to, as far as a document of the user's tells it."""
    source = interface.source
    if isinstance(source, NetworkNet):
        return interface.type, source.network
    if isinstance(source, BridgeNet):
        # A port can be moved from bridge to bridge; one of a virtual switch is known to its controller.
        return interface.type, source.bridge if interface.virtualport is not None else None
    if isinstance(source, DirectNet):
        return interface.type, source.dev
    if isinstance(source, SocketNet):
        return interface.type, source.address, source.port
    return (interface.type,)


# -- displays and memory -----------------------------------------------------------------------


def check_graphics(old: Any, new: Any) -> None:
    """Raises for anything that differs but the password."""
    kind = new.type
    if kind not in ("vnc", "spice"):
        raise InternalError(f"unable to change config on '{kind}' graphics type", domain=From.QEMU)
    if new.listens and len(new.listens) != len(old.listens):
        raise Unsupported(f"cannot change the number of listen addresses on '{kind}' graphics", domain=From.QEMU)
    if kind == "vnc" and not new.listens and new.socket is not None and not any(map(_is_socket, old.listens)):
        raise Unsupported(f"cannot change the type of listen address on '{kind}' graphics", domain=From.QEMU)
    for before, after in zip(old.listens, new.listens, strict=False):
        if type(before) is not type(after):
            raise Unsupported(f"cannot change the type of listen address on '{kind}' graphics", domain=From.QEMU)
        if not documents.agrees(before, after):
            what = "socket" if _is_socket(after) else "address"
            raise Unsupported(f"cannot change listen {what} setting on '{kind}' graphics", domain=From.QEMU)
    ports = ("port", "tls_port") if kind == "spice" else ("port",)
    automatic = new.autoport is True or all(getattr(new, name) in (None, -1, 0) for name in ports)
    if not automatic and any(getattr(new, name, None) not in (None, getattr(old, name)) for name in ports):
        raise Unsupported(f"cannot change port settings on {kind} graphics", domain=From.QEMU)
    if new.keymap != old.keymap:
        raise Unsupported(f"cannot change keymap setting on {kind} graphics", domain=From.QEMU)


def _is_socket(listen: Any) -> bool:
    return kind_of(listen) == "socket"


#: Fields of memory, and libvirt's words for a change.
_MEMORY = (
    ("access", "access"),
    ("discard", "discard"),
    ("page_size", "pagesize"),
    ("node", "targetNode"),
    ("size", "size"),
    ("block", "block size"),
)


def check_memory(old: Any, new: Any) -> None:
    """Raises for anything that differs but the size that is asked of virtio-mem."""
    if not isinstance(old, VirtioMem):
        raise ConfigUnsupported(
            f"cannot modify memory of model '{kind_of(old)}'", domain=From.QEMU, hint="only virtio-mem changes its size"
        )
    if type(old) is not type(new):
        raise ConfigUnsupported(
            f"cannot modify memory model from '{kind_of(old)}' to '{kind_of(new)}'", domain=From.QEMU
        )
    if old.source_nodes != new.source_nodes:
        raise ConfigUnsupported("cannot modify memory source nodes", domain=From.QEMU)
    for name, words in _MEMORY:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            raise ConfigUnsupported(f"cannot modify memory {words} from '{before}' to '{after}'", domain=From.QEMU)


__all__ = ["check_disk", "check_drive", "check_graphics", "check_interface", "check_memory"]
