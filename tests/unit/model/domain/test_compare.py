"""What a guest would notice of another document, and what it would not."""

from __future__ import annotations

import msgspec
import pytest

from roost.errors import ConfigUnsupported
from roost.model.domain import Domain, parse
from roost.model.domain.compare import compare_abi
from roost.model.domain.complete import complete
from support import machines

FACTS = machines.facts()

DOCUMENT = """<domain type='qemu'><name>g</name><uuid>6c4ce3c0-44fb-4de0-9b51-1b2e9cfa3e8f</uuid>
<memory>262144</memory><vcpu>2</vcpu><os><type machine='pc'>hvm</type></os>
<features><acpi/></features><cpu><model>qemu64</model></cpu>
<clock offset='utc'><timer name='rtc' present='yes'/></clock>
<devices>
<disk type='file' device='disk'><source file='/a'/><target dev='vda'/><address type='pci' slot='0x08'/></disk>
<disk type='file' device='disk'><source file='/b'/><target dev='hdb'/></disk>
<controller type='scsi' index='0' model='virtio-scsi'/>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
<serial type='pty'/><channel type='pty'><target type='virtio' name='a'/></channel>
<input type='tablet' bus='usb'/><graphics type='vnc'/><video><model type='vga' vram='16384'/></video>
<memballoon model='virtio'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
</devices></domain>"""


def read(xml: str) -> Domain:
    return complete(parse(xml), FACTS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/a'", "/other'"),
        ("<name>g</name>", "<name>h</name>"),
        ("<devices>", "<on_crash>restart</on_crash><devices>"),
        ("<graphics type='vnc'/>", "<graphics type='vnc' port='5910' autoport='no'/>"),
        ("<serial type='pty'/>", "<serial type='file'><source path='/x'/></serial>"),
        ("type='user'", "type='ethernet'"),
    ],
)
def test_what_the_guest_does_not_see(old: str, new: str) -> None:
    assert old in DOCUMENT
    compare_abi(read(DOCUMENT), read(DOCUMENT.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("type='qemu'", "type='kvm'", "Target domain virt type kvm does not match source qemu"),
        ("6c4c", "7c4c", "Target domain uuid 7c4ce3c0-"),
        ("262144</memory>", "262145</memory>", "Target domain max memory 262145 does not match source 262144"),
        ("<vcpu>2", "<vcpu>3", "Target domain vCPU max 3 does not match source 2"),
        ("machine='pc'", "machine='pc-i440fx-2.8'", "Target domain machine type pc-i440fx-2.8 does not match"),
        ("<acpi/>", "<acpi/><pae/>", "State of feature 'pae' differs: source: 'off', destination: 'on'"),
        ("present='yes'", "present='no'", "Target timer presence 'no' does not match source 'yes'"),
        ("qemu64", "kvm64", "Target CPU model kvm64 does not match source qemu64"),
        ("dev='vda'", "dev='vdc'", "Target disk vdc does not match source vda"),
        ("slot='0x08'", "slot='0x09'", "Target device PCI address 0000:00:09.0 does not match source 0000:00:08.0"),
        ("<target dev='hdb'/>", "<target dev='hdb'/><serial>x</serial>", "Target disk serial x does not match"),
        ("virtio-scsi", "lsilogic", "Target controller model lsilogic does not match source virtio-scsi"),
        ("00:00:01", "00:00:02", "Target network card mac 52:54:00:00:00:02 does not match source"),
        ("<model type='virtio'/>", "<model type='e1000'/>", "Target network card model e1000 does not match"),
        ("name='a'", "name='b'", "Target channel name b does not match source a"),
        ("type='tablet'", "type='mouse'", "Target input device type mouse does not match source tablet"),
        ("vram='16384'", "vram='32768'", "Target video card vram 32768 does not match source 16384"),
        ("<memballoon model='virtio'/>", "<memballoon model='none'/>", "Target balloon model none does not match"),
        ("<serial type='pty'/>", "<serial type='pty'/>" * 2, "Target domain serial port count 2 does not match"),
    ],
)  # fmt: skip
def test_the_first_difference_is_named(old: str, new: str, text: str) -> None:
    assert old in DOCUMENT
    with pytest.raises(ConfigUnsupported, match="unsupported configuration: ") as caught:
        compare_abi(read(DOCUMENT), read(DOCUMENT.replace(old, new)))
    assert text in caught.value.message


def test_an_address_of_another_kind() -> None:
    old = read(DOCUMENT)
    disk = msgspec.structs.replace(old.devices.disks[0], address=old.devices.disks[1].address)
    devices = msgspec.structs.replace(old.devices, disks=(disk, *old.devices.disks[1:]))
    with pytest.raises(ConfigUnsupported, match="Target device address type drive does not match source pci"):
        compare_abi(old, msgspec.structs.replace(old, devices=devices))
