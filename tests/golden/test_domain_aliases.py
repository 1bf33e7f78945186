"""Names of a running guest's devices: the same as libvirt gives them when it starts the document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from roost.model.domain import format, parse
from roost.model.domain.aliases import assign_aliases
from roost.model.domain.complete import complete
from support import machines
from support.peer import Peer, libvirt_result

FACTS = machines.facts()

DISK = "<disk type='file' device='{device}'><source file='{path}'/><target dev='{dev}' bus='{bus}'/></disk>"
DEVICES = """
<disk type='file' device='floppy'><target dev='fda'/></disk>
<controller type='usb' index='0' model='ich9-ehci1'/><controller type='usb' index='0' model='ich9-uhci1'/>
<controller type='usb' index='1' model='qemu-xhci'/>
<interface type='user'><model type='virtio'/></interface>
<interface type='user'><model type='e1000'/><alias name='ua-nic'/></interface>
<interface type='user'><model type='rtl8139'/></interface>
<serial type='pty'/><serial type='null'/><parallel type='null'/>
<console type='pty'/><console type='pty'><target type='virtio'/></console>
<channel type='pty'><target type='virtio' name='a'/></channel>
<channel type='pty'><target type='virtio' name='b'/></channel>
<input type='tablet'/><input type='keyboard' bus='virtio'/><graphics type='vnc'/>
<video><model type='vga'/></video><video><model type='virtio'/></video>
<sound model='ich6'/><sound model='ac97'/><watchdog model='i6300esb'/>
<rng model='virtio'><backend model='builtin'/><alias name='ua-random'/></rng>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
<panic model='isa'/><hub type='usb'/>
"""
#: Disks by name, bus and kind, and further devices.
MACHINES = {
    "pc": (
        (("vda", "virtio", "disk"), ("sda", "scsi", "disk"), ("hda", "ide", "disk"), ("hdc", "ide", "cdrom")),
        "<controller type='scsi' index='0' model='lsilogic'/>",
    ),
    "q35": (
        (("vda", "virtio", "disk"), ("sda", "scsi", "disk"), ("sdb", "usb", "disk"), ("sdc", "sata", "cdrom")),
        "<controller type='scsi' index='0' model='virtio-scsi'/><iommu model='intel'/>",
    ),
}
START_PAUSED = """
conn = libvirt.open(sys.argv[1])
domain = conn.createXML(open(sys.argv[2]).read(), libvirt.VIR_DOMAIN_START_PAUSED)
print(json.dumps(domain.XMLDesc(0)))
domain.destroy()
"""


def aliases(xml: str) -> list[str]:
    return re.findall(r"<alias name='([^']*)'", xml)


def document(machine: str, directory: Path) -> str:
    disks, more = MACHINES[machine]
    listed = "".join(
        DISK.format(device=device, path=directory / f"{dev}.img", dev=dev, bus=bus) for dev, bus, device in disks
    )
    return (
        f"<domain type='qemu'><name>model-aliases-{machine}</name><memory>65536</memory>"
        f"<os><type arch='x86_64' machine='{machine}'>hvm</type></os><features><acpi/></features>"
        f"<devices>{listed}{DEVICES}{more}</devices></domain>"
    )


@pytest.mark.peer
@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_aliases(machine: str) -> None:
    with Peer() as peer:
        for dev, _, _ in MACHINES[machine][0]:
            image = peer.root / f"{dev}.img"
            image.write_bytes(bytes(1 << 20))
            image.chmod(0o666)
        xml = document(machine, peer.root)
        written = peer.root / "guest.xml"
        written.write_text(xml)
        live = libvirt_result(START_PAUSED, peer.uri, str(written))
    ours = format(assign_aliases(complete(parse(xml), FACTS)))
    assert aliases(ours) == aliases(live)
