"""-device: the element that each of QEMU's device types stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Container

from roost.drivers.qemu.native import backends
from roost.drivers.qemu.native.draft import Draft, add
from roost.drivers.qemu.native.words import Props, is_on

_DISKS = {"virtio-blk": ("virtio", "disk"), "scsi-hd": ("scsi", "disk"), "scsi-cd": ("scsi", "cdrom"),
          "scsi-block": ("scsi", "lun"), "ide-hd": ("ide", "disk"), "ide-cd": ("ide", "cdrom"),
          "usb-storage": ("usb", "disk"), "floppy": ("fdc", "floppy")}  # fmt: skip
_INTERFACES = {"virtio-net": "virtio", "e1000": "e1000", "e1000e": "e1000e", "rtl8139": "rtl8139",
               "ne2k_pci": "ne2k_pci", "pcnet": "pcnet", "i82551": "i82551", "vmxnet3": "vmxnet3", "igb": "igb",
               "usb-net": "usb-net"}  # fmt: skip
_SERIALS = {"isa-serial": "isa-serial", "usb-serial": "usb-serial", "pci-serial": "pci-serial"}
_INPUTS = {"usb-tablet": ("tablet", "usb"), "usb-mouse": ("mouse", "usb"), "usb-kbd": ("keyboard", "usb"),
           "virtio-tablet": ("tablet", "virtio"), "virtio-mouse": ("mouse", "virtio"),
           "virtio-keyboard": ("keyboard", "virtio")}  # fmt: skip
_VIDEOS = {"VGA": "vga", "cirrus-vga": "cirrus", "qxl-vga": "qxl", "qxl": "qxl", "virtio-vga": "virtio",
           "virtio-gpu": "virtio", "bochs-display": "bochs", "ramfb": "ramfb", "vmware-svga": "vmvga"}  # fmt: skip
_SOUNDS = {"intel-hda": "ich6", "ich9-intel-hda": "ich9", "AC97": "ac97", "ES1370": "es1370", "sb16": "sb16"}
_USB = {"piix3-usb-uhci": "piix3-uhci", "piix4-usb-uhci": "piix4-uhci", "usb-ehci": "ehci", "qemu-xhci": "qemu-xhci",
        "nec-usb-xhci": "nec-xhci", "ich9-usb-ehci1": "ich9-ehci1", "ich9-usb-uhci1": "ich9-uhci1",
        "ich9-usb-uhci2": "ich9-uhci2", "ich9-usb-uhci3": "ich9-uhci3", "pci-ohci": "pci-ohci"}  # fmt: skip
_SCSI = {"virtio-scsi": "virtio-scsi", "lsi": "lsilogic", "lsi53c895a": "lsilogic", "megasas": "lsisas1078",
         "mptsas1068": "lsisas1068", "pvscsi": "vmpvscsi"}  # fmt: skip
_PCI = {"pcie-root-port": "pcie-root-port", "pci-bridge": "pci-bridge", "pcie-pci-bridge": "pcie-to-pci-bridge",
        "i82801b11-bridge": "dmi-to-pci-bridge", "x3130-upstream": "pcie-switch-upstream-port",
        "xio3130-downstream": "pcie-switch-downstream-port", "ioh3420": "pcie-root-port"}  # fmt: skip
_WATCHDOGS = frozenset(("i6300esb", "ib700"))
#: Devices that come with another element.
_IMPLIED = frozenset(("hda-duplex", "hda-micro", "hda-output", "ich9-ahci", "ahci", "isa-debugcon"))
_PORTS = re.compile(r"virtio-serial(\d+)\.(\d+)")
_AHCI = frozenset(("ahci", "ich9-ahci"))
_CHANNEL = re.compile(r"\.(\d+)$")
_NUMBER = re.compile(r"(\d+)$")


def add_device(draft: Draft, props: Props) -> bool:
    """Whether the device has an element, and got it."""
    driver = re.sub(r"-(pci|ccw|device)(-(non-)?transitional)?$", "", str(props.get("driver", "")))
    for table, build in _TABLES:
        if driver in table:
            return build(draft, driver, props)
    return driver in _IMPLIED


def _disk(draft: Draft, driver: str, props: Props) -> bool:
    bus, device = _DISKS[driver]
    name = str(props.get("drive", ""))
    if name in draft.nodes:
        drive = backends.flatten(draft, name)
    elif name in draft.drives:
        drive = draft.drives.pop(name)
    elif not name:
        drive = {}
    else:
        return False
    if drive.get("media") == "cdrom" and device == "disk":
        device = "cdrom"
    if bus == "ide" and (draft.is_q35 or any(device.get("driver") in _AHCI for device in draft.devices)):
        bus = "sata"
    backends.add_disk(draft, drive, bus, device, props, _position(bus, props))
    return True


def _position(bus: str, props: Props) -> int | None:
    """Where an IDE or SATA drive was put: two to an IDE channel, one to a SATA port."""
    channel = _CHANNEL.search(str(props.get("bus", "")))
    if channel is None or bus not in ("ide", "sata"):
        return None
    return int(channel[1]) if bus == "sata" else 2 * int(channel[1]) + int(props.get("unit", 0))


def _interface(draft: Draft, driver: str, props: Props) -> bool:
    netdev = draft.netdevs.get(str(props.get("netdev", "")))
    if netdev is None:
        return False
    backends.add_interface(draft, netdev, _INTERFACES[driver], props)
    return True


def _serial(draft: Draft, driver: str, props: Props) -> bool:
    backend = draft.chardevs.get(str(props.get("chardev", "")))
    element = backends.chardev_element(draft, "serial", backend) if backend is not None else None
    if element is None:
        return False
    add(element, "target", type=_SERIALS[driver], port=props.get("index"))
    return True


def _parallel(draft: Draft, driver: str, props: Props) -> bool:
    backend = draft.chardevs.get(str(props.get("chardev", "")))
    return backend is not None and backends.chardev_element(draft, "parallel", backend) is not None


def _channel(draft: Draft, driver: str, props: Props) -> bool:
    backend = draft.chardevs.get(str(props.get("chardev", "")))
    tag = "channel" if driver == "virtserialport" else "console"
    element = backends.chardev_element(draft, tag, backend) if backend is not None else None
    if element is None:
        return False
    add(element, "target", type="virtio", name=props.get("name"))
    bus = _PORTS.fullmatch(str(props.get("bus", "")))
    if bus is not None and "nr" in props:
        add(element, "address", type="virtio-serial", controller=bus[1], bus=bus[2], port=props["nr"])
    return True


def _input(draft: Draft, driver: str, props: Props) -> bool:
    kind, bus = _INPUTS[driver]
    draft.place(add(draft.listed, "input", type=kind, bus=bus), props)
    return True


def _video(draft: Draft, driver: str, props: Props) -> bool:
    video = add(draft.listed, "video")
    add(video, "model", type=_VIDEOS[driver], heads=props.get("max_outputs"))
    draft.place(video, props)
    return True


def _sound(draft: Draft, driver: str, props: Props) -> bool:
    draft.place(add(draft.listed, "sound", model=_SOUNDS[driver]), props)
    return True


def _usb(draft: Draft, driver: str, props: Props) -> bool:
    index = _index(props)
    controller = add(draft.listed, "controller", type="usb", index=index, model=_USB[driver])
    if "firstport" in props:
        add(controller, "master", startport=props["firstport"])
    draft.place(controller, props)
    return True


def _scsi(draft: Draft, driver: str, props: Props) -> bool:
    draft.place(add(draft.listed, "controller", type="scsi", index=_index(props), model=_SCSI[driver]), props)
    return True


def _virtio_serial(draft: Draft, driver: str, props: Props) -> bool:
    draft.place(add(draft.listed, "controller", type="virtio-serial", index=_index(props)), props)
    return True


def _index(props: Props) -> int:
    """The number at the end of a controller's id."""
    found = _NUMBER.search(str(props.get("id", "")))
    return int(found[1]) if found else 0


def _pci(draft: Draft, driver: str, props: Props) -> bool:
    """Bridges and ports keep their numbers only where their ids have them: devices name their buses by these."""
    if re.fullmatch(r"pci\.\d+", str(props.get("id", ""))) is None:
        return False
    controller = add(draft.listed, "controller", type="pci", index=_index(props), model=_PCI[driver])
    add(controller, "model", name=driver)
    if "chassis" in props:
        add(controller, "target", chassis=props["chassis"], port=props.get("port"))
    elif "chassis_nr" in props:
        add(controller, "target", chassisNr=props["chassis_nr"])
    draft.place(controller, props)
    return True


def _balloon(draft: Draft, driver: str, props: Props) -> bool:
    balloon = add(draft.listed, "memballoon", model="virtio")
    if is_on(props.get("deflate-on-oom", "off")):
        balloon.set("autodeflate", "on")
    draft.place(balloon, props)
    return True


def _rng(draft: Draft, driver: str, props: Props) -> bool:
    source = draft.objects.get(str(props.get("rng", "")))
    kind = source.get("qom-type") if source is not None else None
    rng = add(draft.listed, "rng", model="virtio")
    if "max-bytes" in props:
        add(rng, "rate", bytes=props["max-bytes"], period=props.get("period"))
    if source is not None and kind == "rng-random":
        add(rng, "backend", source.get("filename", "/dev/urandom"), model="random")
    else:
        add(rng, "backend", model="builtin")
    draft.place(rng, props)
    return True


def _watchdog(draft: Draft, driver: str, props: Props) -> bool:
    draft.place(add(draft.listed, "watchdog", model=driver, action="reset"), props)
    return True


def _panic(draft: Draft, driver: str, props: Props) -> bool:
    add(draft.listed, "panic", model="isa")
    return True


def _vsock(draft: Draft, driver: str, props: Props) -> bool:
    vsock = add(draft.listed, "vsock", model="virtio")
    add(vsock, "cid", auto="no", address=props.get("guest-cid"))
    draft.place(vsock, props)
    return True


_Build = Callable[[Draft, str, Props], bool]
_TABLES: tuple[tuple[Container[str], _Build], ...] = (
    (_DISKS, _disk), (_INTERFACES, _interface), (_SERIALS, _serial), (("isa-parallel",), _parallel),
    (("virtserialport", "virtconsole"), _channel), (_INPUTS, _input), (_VIDEOS, _video), (_SOUNDS, _sound),
    (_USB, _usb),
    (_SCSI, _scsi), (("virtio-serial",), _virtio_serial), (_PCI, _pci), (("virtio-balloon",), _balloon),
    (("virtio-rng",), _rng),    (_WATCHDOGS, _watchdog), (("pvpanic",), _panic), (("vhost-vsock",), _vsock),
)  # fmt: skip
