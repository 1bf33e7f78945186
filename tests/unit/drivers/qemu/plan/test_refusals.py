"""What this QEMU or this driver does not have is refused with code 67, the thing named and what would be right."""

from __future__ import annotations

import msgspec
import pytest

from roost.drivers.qemu import plan
from roost.drivers.qemu.capabilities import Capabilities
from roost.errors import ConfigUnsupported, From, InternalError, InvalidArg, RoostError
from roost.model.domain import parse
from roost.model.domain.device import UsbAddress
from support import machines, plans


def translate(name: str, old: str = "", new: str = "", caps: Capabilities | None = None) -> plan.Launch:
    text = (plans.GOLDEN / f"{name}.xml").read_text()
    assert old in text
    return plan.argv(parse(text.replace(old, new), live=True), caps or machines.capabilities(), plan.Grants())


def without(*types: str) -> Capabilities:
    caps = machines.capabilities()
    return msgspec.structs.replace(caps, types=caps.types - set(types))


#: document, what is changed in it, the message.
REFUSED = [
    ("vnc", "type='vnc'", "type='desktop'", "desktop graphics are not supported with this QEMU; use one of"),
    ("vnc", "port='5911'", "port='80'", r"vnc port must be in range \[5900,65535\]; port='80' is not"),
    ("vnc", "<graphics type='vnc'", "<graphics type='vnc'/><graphics type='vnc'", "only 1 graphics device of each"),
    ("typical", "type='qcow2'", "type='iso'", "unsupported disk driver type 'iso'; use one of"),
    ("disk-buses", "bus='ide'", "bus='xen'", "unsupported disk bus 'xen' with device setup; use one of"),
    ("minimal-pc", "type='qemu'", "type='lxc'", "unsupported domain type 'lxc'; use type 'kvm' or 'qemu'"),
    ("inputs", "type='tablet' bus='usb'", "type='passthrough' bus='usb'", "usb bus does not support 'passthrough'"),
    ("clock-localtime", "tickpolicy='delay'", "tickpolicy='merge'", "unsupported rtc timer tickpolicy 'merge'"),
    ("clock-localtime", "tickpolicy='discard'", "tickpolicy='merge'", "unsupported pit timer tickpolicy 'merge'"),
    ("clock-localtime", "track='guest'", "track='boot'", "unsupported rtc timer track 'boot'"),
    ("clock-localtime", "timer name='hpet'", "timer name='platform'", "unsupported timer type .name. 'platform'"),
    ("controllers-usb", "model='nec-xhci'", "model='qusb1'", "Unsupported controller model: usb qusb1"),
    ("controllers-usb", "model='ehci'", "model='ehci' ports='3'", "only xhci controllers have configurable ports"),
    ("controllers-scsi", "model='lsilogic'", "model='buslogic'", "Unsupported controller model: scsi buslogic"),
    ("chardevs", "parallel type='null'>", "parallel type='nmdm'><source master='/a' slave='/b'/>", "chardev 'nmdm'"),
    ("sound", "model='sb16'", "model='ich7'", "sound card model 'ich7' is not supported by qemu"),
    ("video", "type='qxl'", "type='vbox'", "unsupported video type 'vbox'; use one of"),
    ("video", "type='qxl'", "type='cirrus'", "invalid model for video type 'cirrus'; use one of qxl, virtio"),
    ("memballoon", "model='virtio-non-transitional'", "model='xen'", "Memory balloon device type 'xen' is not"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "message"), REFUSED)
def test_refused(name: str, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigUnsupported, match=message) as refusal:
        translate(name, old, new)
    assert refusal.value.domain == From.QEMU
    assert refusal.value.hint


@pytest.mark.parametrize(
    ("name", "type_name", "what"),
    [
        ("typical", "virtio-blk-pci", "virtio-blk"),
        ("typical", "virtio-net-pci", "virtio-net"),
        ("typical", "usb-tablet", "usb tablet"),
        ("typical", "rng-random", "rng random"),
        ("typical", "pcie-root-port", "pcie-root-port"),
        ("disk-buses", "ich9-ahci", "sata controller"),
        ("video-vmvga", "vmware-svga", "video vmvga"),
        ("watchdog-panic", "i6300esb", "watchdog i6300esb"),
        ("sysinfo", "vmgenid", None),
        ("chardevs-log", "isa-debugcon", "isa-debugcon"),
    ],
)
def test_devices_this_binary_has_not(name: str, type_name: str, what: str | None) -> None:
    message = f"'{what}' is not supported in this QEMU binary" if what else "does not support"
    with pytest.raises(ConfigUnsupported, match=message) as refusal:
        translate(name, caps=without(type_name))
    assert refusal.value.code == 67
    assert refusal.value.hint


def test_virtio_video_without_vga_falls_back() -> None:
    words = translate("typical", caps=without("virtio-vga")).argv
    assert any('"driver":"virtio-gpu-pci"' in word for word in words)


@pytest.mark.parametrize(
    ("name", "old", "new", "error", "message"),
    [
        ("cpu", "mode='custom'", "mode='host-model'", InternalError, "unexpected host-model CPU for x86_64"),
        ("typical", "<alias name='net0'/>", "", InternalError, "interface without an alias"),
        ("disk-buses", "controller='0' bus='0' target='0' unit='1'", "controller='7' bus='0' target='0' unit='1'",
         InternalError, "could not find scsi controller with index 7"),
    ],
)  # fmt: skip
def test_documents_that_are_not_ready(name: str, old: str, new: str, error: type[RoostError], message: str) -> None:
    with pytest.raises(error, match=message):
        translate(name, old, new)


def test_base_images_of_formats_without_backing() -> None:
    with pytest.raises(ConfigUnsupported, match="storage format 'raw' does not support backing store"):
        translate("disk-chain", "<driver name='qemu' type='qcow2' cache='none'/>", "<driver name='qemu' type='raw'/>")


def test_scripts_are_for_ethernet() -> None:
    with pytest.raises(ConfigUnsupported, match="scripts are not supported on interfaces of type bridge"):
        translate("typical", "<source bridge='br0'/>", "<source bridge='br0'/><script path='/x'/>")


def test_rom_is_for_pci() -> None:
    domain = plans.document("interfaces")
    card = msgspec.structs.replace(
        domain.devices.interfaces[6], model="usb-net", driver=None, address=UsbAddress(bus=0, port="1")
    )
    devices = msgspec.structs.replace(domain.devices, interfaces=(card,))
    caps = machines.capabilities()
    with pytest.raises(ConfigUnsupported, match="ROM tuning is only supported for PCI devices"):
        plan.argv(msgspec.structs.replace(domain, devices=devices), caps, plan.Grants())


def test_invalid_arg_is_kept_for_wwn() -> None:
    domain = plans.document("disk-options")
    disks = tuple(
        msgspec.structs.replace(disk, wwn="zz") if disk.wwn is not None else disk for disk in domain.devices.disks
    )
    broken = msgspec.structs.replace(domain, devices=msgspec.structs.replace(domain.devices, disks=disks))
    with pytest.raises(InvalidArg, match="Failed to parse wwn 'zz' as number"):
        plan.argv(broken, machines.capabilities(), plan.Grants())
